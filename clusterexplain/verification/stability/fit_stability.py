"""Refits of a fit from scratch: other seeds, and rows drawn with replacement."""

from __future__ import annotations

import dataclasses

import numpy as np
from torch import Tensor

from clusterexplain.clustering.given.reclustered_labels import refuse_unequal_weights
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.fitting.fit import Fit
from clusterexplain.fitting.recipes import with_seed
from clusterexplain.results.stability import Stability
from clusterexplain.verification.stability.refits import bootstrap_weights, check_counts, measure, refit_seeds


def stability_of(fit: Fit, *, n_seeds: int, n_bootstrap: int) -> Stability:
    """Refit from scratch and match the clusters.

    Parameters
    ----------
    fit : Fit
        With a clusterer by name.
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
    _check(fit, n_seeds, n_bootstrap)
    weights = fit.weights.numpy()
    drawn = bootstrap_weights(weights, n_bootstrap, fit.seed)
    thetas = fit.thetas(drawn) if n_bootstrap else None
    seeds = refit_seeds(fit.seed, n_seeds)
    bar = iter(fit.execution.track(range(n_seeds), "refitting with other seeds"))

    def refit(kind: str, number: int) -> tuple[np.ndarray, np.ndarray]:
        if kind == "bootstrap":
            assert thetas is not None, "there are no bootstrapped rows"
            return _labels(fit, thetas[number], drawn[number], fit.seed), drawn[number]
        next(bar, None)
        recipe = with_seed(fit.config, fit.recipe, fit.trajectory.weights, seeds[number])
        theta = fit.record(weights, recipe=recipe).final
        return _labels(fit, theta, weights, seeds[number]), weights

    labels = fit.clustering.labels.numpy()
    measured = measure(refit, labels, weights, fit.data.ids, fit.key, n_seeds=n_seeds, n_bootstrap=n_bootstrap)
    return dataclasses.replace(measured, reclusterer=str(fit.clustering.settings.get("reclusterer", "")))


def _check(fit: Fit, n_seeds: int, n_bootstrap: int) -> None:
    if not fit.can_cluster_again:
        raise InvalidParameterError(
            "stability clusters every refit from scratch, but the labels of this fit were given, so there is no clusterer to "
            "run again. Expected reclusterer=, a function (Z, sample_weight) -> labels or an estimator, for ClusterExplainer "
            "or for ClusterExplainer.load, which a run cannot hold; or a clusterer by name, for example clusterer='kmeans'."
        )
    if n_bootstrap:
        refuse_unequal_weights(fit.clustering, "In a bootstrap a row that is drawn twice has twice the weight")
    if fit.pretrained and n_seeds:
        raise InvalidParameterError(
            "n_seeds needs a model that is trained here: this one is pretrained, so there is no other start to train from. "
            "Use n_seeds=0 (bootstrapped rows only)."
        )


def _labels(fit: Fit, theta: Tensor, weights: np.ndarray, seed: int) -> np.ndarray:
    """Return labels found from scratch, in numbers of their own."""
    params = fit.recipe.layout.split(theta)
    inputs = fit.cluster_inputs(params, fit.to_weights(weights))
    return np.asarray(fit.cluster_from_scratch(inputs, seed).labels.numpy())
