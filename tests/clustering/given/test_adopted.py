"""Estimators that were fitted elsewhere: their labels are kept, and a refit at the same weights is the same fit."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.mixture import GaussianMixture

from clusterexplain import ClusterExplainer
from clusterexplain.exceptions import AdoptedClustersWarning

OPTIONS: dict[str, Any] = {"n_steps": 60, "latent_dim": 2, "random_state": 0, "n_jobs": 1, "min_agreement": 0.0}


def embedded() -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of Iris and their embedding."""
    X = load_iris().data
    return X, ClusterExplainer(**OPTIONS).fit(X).embedding_


def assert_refit_is_the_fit(ce: ClusterExplainer, weights: np.ndarray) -> None:
    """Compare labels and margins of a refit at the same weights with those of the fit."""
    e = ce.explain([0, 60, 120])
    again = ce.refit(sample_weight=weights)
    np.testing.assert_array_equal(again.labels_, ce.labels_)
    np.testing.assert_allclose(e.evaluate(again), e.scores, rtol=1e-9)


def test_a_mixture_that_stopped_early_keeps_its_labels() -> None:
    """Seen to fail: 23 of 150 labels were replaced by those of the converged mixture in a refit at the same weights."""
    X, Z = embedded()
    mine = GaussianMixture(4, random_state=0, tol=0.05).fit(Z)
    with pytest.warns(
        AdoptedClustersWarning, match=r"rows belong to another component once EM has converged.*tol=0.05"
    ):
        ce = ClusterExplainer(**OPTIONS, clusterer=mine).fit(X)
    np.testing.assert_array_equal(ce.labels_, mine.predict(Z))
    assert_refit_is_the_fit(ce, np.ones(150))


def test_a_converged_mixture_is_adopted_without_a_word() -> None:
    X, Z = embedded()
    mine = GaussianMixture(2, random_state=0, tol=1e-10, max_iter=10000).fit(Z)
    assert_refit_is_the_fit(ClusterExplainer(**OPTIONS, clusterer=mine).fit(X), np.ones(150))


def test_samples_of_an_adopted_mixture_move_when_their_component_does() -> None:
    X, Z = embedded()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AdoptedClustersWarning)
        ce = ClusterExplainer(**OPTIONS, clusterer=GaussianMixture(3, random_state=0).fit(Z)).fit(X)
    weights = np.ones(150)
    weights[ce.labels_ == 0] = 0.0
    weights[:3] = 1.0
    moved = ce.refit(sample_weight=weights).labels_
    assert (moved != ce.labels_).any()


@pytest.mark.parametrize("weighted", [False, True])
def test_kmeans_that_lloyd_would_change_keeps_its_labels(weighted: bool) -> None:
    X, Z = embedded()
    mine = KMeans(3, n_init=1, max_iter=1, random_state=1, init=Z[:3]).fit(Z)
    weights = np.random.default_rng(0).uniform(0.1, 3, 150) if weighted else np.ones(150)
    with pytest.warns(AdoptedClustersWarning, match="'kmeans' run again in this embedding gives"):
        ce = ClusterExplainer(**OPTIONS, clusterer=mine).fit(X, sample_weight=weights)
    assert_refit_is_the_fit(ce, weights)


def test_hdbscan_of_another_space_keeps_its_labels() -> None:
    import hdbscan

    X, _ = embedded()
    mine = hdbscan.HDBSCAN(min_cluster_size=5).fit(X[:, ::3] * [0.05, 1.0])
    with pytest.warns(AdoptedClustersWarning, match="'hdbscan' run again in this embedding gives"):
        ce = ClusterExplainer(**OPTIONS, clusterer=mine).fit(X)
    np.testing.assert_array_equal(ce.labels_, mine.labels_)
    assert_refit_is_the_fit(ce, np.ones(150))


def test_hdbscan_of_the_embedding_is_run_again() -> None:
    import hdbscan

    X, Z = embedded()
    mine = hdbscan.HDBSCAN(min_cluster_size=10).fit(Z)
    ce = ClusterExplainer(**OPTIONS, clusterer=mine).fit(X)
    assert ce.fit_.clustering.name == "hdbscan"
    assert_refit_is_the_fit(ce, np.ones(150))
