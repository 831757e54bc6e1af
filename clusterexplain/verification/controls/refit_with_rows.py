"""The training of a check made again with more rows: what controls that plant or copy examples are asked of."""

from __future__ import annotations

import hashlib
from typing import Any, cast

import numpy as np
import torch
from sklearn.base import clone
from torch import Tensor

from clusterexplain.clustering import Clustering, GivenLabels
from clusterexplain.data import Dataset
from clusterexplain.explanation.explain import Answers
from clusterexplain.fitting import settings
from clusterexplain.fitting.build import make_recipe
from clusterexplain.fitting.fit import Pipeline, Question
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.text.names import NOISE
from clusterexplain.training.trajectory import train


def usable(explainer: Any, explanation: Explanation) -> np.ndarray:
    """Return which queries such a training can be asked about: training examples in one cluster with another one as rival.

    Parameters
    ----------
    explainer : ClusterExplainer
        Fitted.
    explanation : Explanation
        What is checked.

    Returns
    -------
    ndarray of int
        Their positions in the explanation. None where the clusters are learned by the network itself, so that labels cannot
        be kept, or where scores are combined.
    """
    if explanation.mixed is not None or (isinstance(explainer.clusterer, str) and explainer.clusterer == "dec"):
        return np.empty(0, dtype=np.intp)
    return np.flatnonzero((explanation.positions >= 0) & (explanation.labels != NOISE) & (explanation.rivals != NOISE))


def extended(
    explainer: Any, explanation: Explanation, rows: np.ndarray, labels: np.ndarray, weights: np.ndarray
) -> Answers:
    """Train again with more rows, from the same initial parameters; scaling and labels are those of the fit.

    The batches are drawn anew, since there are more rows to draw from; full batches stay full. Clusters are held by their
    labels, so scores are margins to centroids whatever the clusterer was.

    Parameters
    ----------
    explainer : ClusterExplainer
        Fitted.
    explanation : Explanation
        What is checked; its influence method is asked here, too.
    rows : ndarray of shape (n_new, n_features)
        Appended to the training data.
    labels : ndarray of shape (n_new,)
        Their clusters.
    weights : ndarray of shape (n_new,)
        Their data weights.

    Returns
    -------
    Answers
        The old rows keep their places.
    """
    before = cast(Answers, explanation.basis)
    data = Dataset(np.vstack([before.data.X, rows]), image_shape=before.data.image_shape)
    held = torch.from_numpy(np.concatenate([explanation.train_labels, labels]))
    given = torch.from_numpy(np.concatenate([explanation.sample_weight, weights]))
    changes: dict[str, Any] = {"model": explainer.model, "membership_score": "auto", "verbose": False}
    plan = before.pipeline.run.recipe.plan
    if plan.batch_size == len(before.data):
        changes["batch_size"] = len(data)
    other = clone(explainer).set_params(**changes)
    pretrained = before.pipeline.pretrained
    recipe, further = make_recipe(other, data, before.scaling, explainer.seed_, given, train=not pretrained)
    run = train(recipe, given.to(recipe.dtype), spacing=settings.spacing(other, recipe))

    def find(embedding: Tensor, weights: Tensor, learned: Tensor | None) -> Clustering:
        return GivenLabels(held, before.pipeline.n_clusters)

    pipeline = Pipeline.cluster(run, find, lambda found: settings.score_of(other, found), pretrained=pretrained)
    new = hashlib.sha256(rows.tobytes() + labels.astype(np.int64).tobytes() + weights.tobytes()).hexdigest()[:16]
    key = f"{explanation.fit_key} and {new}"
    answers = Answers(pipeline, data, before.scaling, key, further, 0.0, before.n_jobs, show_progress=False)
    return answers.asked_with(explanation.method, explanation.method_options)


def asked_again(answers: Answers, explanation: Explanation, chosen: np.ndarray) -> Question:
    """Return the scores of some queries of the check, each with its pair, as a question to the extended training.

    Parameters
    ----------
    answers : Answers
        From :func:`extended`.
    explanation : Explanation
        What is checked.
    chosen : ndarray of int
        Positions of queries, of those that are :func:`usable`.

    Returns
    -------
    Question
        In the order of `chosen`.
    """
    own, rival, places = (
        torch.from_numpy(np.asarray(part[chosen], dtype=np.int64))
        for part in (explanation.labels, explanation.rivals, explanation.positions)
    )
    return Question(answers.pipeline.run.recipe.inputs[places], own, rival)
