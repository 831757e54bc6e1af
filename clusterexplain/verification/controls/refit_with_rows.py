"""The training of a check made again with more rows: what controls that plant or duplicate examples are asked of."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import torch

from clusterexplain.clustering import GivenLabels
from clusterexplain.data import Dataset
from clusterexplain.fitting.build import fit_recipe, prepare
from clusterexplain.fitting.fit import Fit
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.margins import Margins
from clusterexplain.statistics.matching import NOISE


def eligible_queries(explanation: Explanation) -> np.ndarray:
    """Return which queries such a training can be asked about: training examples in one cluster with another one as runner-up.

    Parameters
    ----------
    explanation : Explanation
        What is checked.

    Returns
    -------
    ndarray of int
        Their positions in the explanation. None where the clusters are learned by the network itself, so that labels cannot
        be kept, or where scores are combined.
    """
    if explanation.combined or explanation.fit.config.clusterer == "dec":
        return np.empty(0, dtype=np.intp)
    return np.flatnonzero(
        (explanation.positions >= 0) & (explanation.labels != NOISE) & (explanation.runner_ups != NOISE)
    )


def refit_with_rows(
    fit: Fit, explanation: Explanation, rows: np.ndarray, labels: np.ndarray, weights: np.ndarray, like: np.ndarray
) -> Fit:
    """Train again with more rows, from the same initial parameters; scaling and labels are those of the fit.

    The batches are drawn anew, since there are more rows to draw from; full batches stay full. Clusters are held by their
    labels, so scores are margins to centroids whatever the clusterer was.

    Parameters
    ----------
    fit : Fit
        The fit.
    explanation : Explanation
        What is checked.
    rows : ndarray of shape (n_new, n_features)
        Appended to the training data.
    labels : ndarray of shape (n_new,)
        Their clusters.
    weights : ndarray of shape (n_new,)
        Their data weights.
    like : ndarray of shape (n_new,), int
        The training examples that they are duplicates of: what targets they have.

    Returns
    -------
    Fit
        The old rows keep their places.
    """
    old = fit.data.targets
    targets = None if old is None else np.concatenate([old, old[like]])
    data = Dataset(np.vstack([fit.data.X, rows]), image_shape=fit.data.image_shape, targets=targets)
    held = torch.from_numpy(np.concatenate([explanation.train_labels, labels]))
    given = np.concatenate([explanation.sample_weight, weights])
    full = fit.recipe.plan.batch_size == len(fit.data)
    config = dataclasses.replace(
        fit.config,
        membership_score="auto",
        min_agreement=0.0,
        batch_size=len(data) if full else fit.config.batch_size,
    )
    own = fit.recipe.task if config.model is None else None
    silent = fit.execution.silent()
    prepared = prepare(config, own, data, fit.scaling, fit.seed, given, keep_weights=fit.pretrained, execution=silent)

    kept = GivenLabels(held, fit.clustering.n_clusters)
    larger = fit_recipe(config, data, fit.scaling, fit.seed, prepared, given, lambda inputs: kept, silent)
    new = hashlib.sha256(rows.tobytes() + labels.astype(np.int64).tobytes() + weights.tobytes()).hexdigest()[:16]
    return dataclasses.replace(larger, key=f"{fit.key} and {new}", _jacobians=[])


def same_margins(larger: Fit, explanation: Explanation, chosen: np.ndarray) -> Margins:
    """Return the scores of some queries of the check, each with its pair, as margins in the larger fit.

    Parameters
    ----------
    larger : Fit
        From :func:`refit_with_rows`.
    explanation : Explanation
        What is checked.
    chosen : ndarray of int
        Positions of queries, of those that are :func:`eligible_queries`.

    Returns
    -------
    Margins
        In the order of `chosen`.
    """
    rows = explanation.positions[chosen]
    pair = explanation.labels[chosen], explanation.runner_ups[chosen]
    return Margins(larger.data.ids[rows], larger.data.X[rows], rows, *pair)
