"""Refits of a fitted explainer from scratch: other seeds, and rows drawn with replacement."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from clusterexplain.clustering.registry import ClusteringSpec, make_clustering
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.execution.progress import progress
from clusterexplain.fitting.build import reseeded
from clusterexplain.fitting.fit import Pipeline
from clusterexplain.results.stability import Stability
from clusterexplain.training import Recipe, retrain_many
from clusterexplain.training.trajectory import train
from clusterexplain.verification.stability.refits import bootstrap_weights, check_counts, measure, refit_seeds


def stability_of(
    explainer: Any, pipeline: Pipeline, seed: int, fit_key: str, *, n_seeds: int, n_bootstrap: int
) -> Stability:
    """Refit a fitted explainer from scratch and match the clusters.

    Parameters
    ----------
    explainer : ClusterExplainer
        Fitted, with a clusterer by name.
    pipeline : Pipeline
        Its pipeline.
    seed : int
        Its root seed, from which those of the refits derive.
    n_seeds, n_bootstrap : int
        Refits with other seeds, and on bootstrapped rows.

    Returns
    -------
    Stability
        Labels of every refit in the numbers of the fit.

    Raises
    ------
    InvalidParameterError
        If the labels were given or the model is pretrained, so that there is nothing to find anew.
    """
    check_counts(n_seeds=n_seeds, n_bootstrap=n_bootstrap)
    _check(explainer, pipeline, n_seeds)
    weights = pipeline.weights.numpy()
    drawn = bootstrap_weights(weights, n_bootstrap, seed)
    retrainings = _retrainings(explainer, pipeline.run.recipe, drawn)
    seeds = refit_seeds(seed, n_seeds)
    bar = iter(progress(range(n_seeds), label="refitting with other seeds", show=explainer.verbose))

    def refit(kind: str, number: int) -> tuple[np.ndarray, np.ndarray]:
        if kind == "bootstrap":
            labels = _labels(explainer, pipeline, retrainings[number], drawn[number], seed)
            return labels, drawn[number]
        next(bar, None)
        recipe = reseeded(explainer, pipeline.run.recipe, pipeline.run.weights, seeds[number])
        run = train(recipe, pipeline.run.weights, spacing=recipe.plan.n_steps)
        return _labels(explainer, pipeline, run.final, weights, seeds[number]), weights

    ids, labels = explainer.data_.ids, pipeline.labels.numpy()
    return measure(refit, labels, weights, ids, fit_key, n_seeds=n_seeds, n_bootstrap=n_bootstrap)


def _check(explainer: Any, pipeline: Pipeline, n_seeds: int) -> None:
    if not isinstance(explainer.clusterer, str):
        raise InvalidParameterError(
            "stability clusters every refit from scratch, but the labels of this fit were given, and nobody knows how to find "
            "them anew. Expected a clusterer by name, for example clusterer='kmeans'."
        )
    if pipeline.pretrained and n_seeds:
        raise InvalidParameterError(
            "n_seeds needs a model that is trained here: this one is pretrained, so there is no other start to train from. "
            "Use n_seeds=0 (bootstrapped rows only)."
        )


def _retrainings(explainer: Any, recipe: Recipe, drawn: np.ndarray) -> Tensor:
    if not len(drawn):
        return torch.empty(0, recipe.layout.size)
    weights = torch.from_numpy(drawn).to(recipe.dtype)
    return retrain_many(recipe, weights, n_jobs=explainer.n_jobs, show_progress=explainer.verbose)


def _labels(explainer: Any, pipeline: Pipeline, theta: Tensor, weights: np.ndarray, seed: int) -> np.ndarray:
    recipe = pipeline.run.recipe
    params = recipe.layout.split(theta)
    learned = recipe.task.cluster_centers(params)
    spec = ClusteringSpec(
        explainer.n_clusters,
        seed,
        dict(explainer.clusterer_options or {}),
        None if learned is None else learned.double(),
    )
    found = make_clustering(explainer.clusterer, pipeline.embed(recipe.inputs, params), torch.from_numpy(weights), spec)
    return found.labels.numpy()
