"""The continued clustering, predicted: nothing where no example crosses a boundary, nearer than labels kept where some do."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_blobs

from clusterexplain import ClusterExplainer
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.results.explanation import Explanation

N = 90
N_REFITS = 24


def overlapping(seed: int) -> np.ndarray:
    """Return two clouds that run into each other: many rows lie near a boundary of three clusters."""
    X = np.random.default_rng(seed).normal(size=(N, 4)) * np.array([2, 1.5, 1, 1])
    X[: N // 2, 0] += 2.0
    return X


def apart() -> np.ndarray:
    """Return 40 rows in three clusters far apart."""
    return make_blobs(40, n_features=4, centers=np.eye(4)[:3] * 12, cluster_std=0.5, random_state=0)[0]


def base_weights() -> np.ndarray:
    """Return unequal data weights; row 7 is left out."""
    weights = np.random.default_rng(1).uniform(0.8, 1.25, N)
    weights[7] = 0
    return weights


def make(seed: int = 0, **parameters: Any) -> ClusterExplainer:
    settings = {"n_clusters": 3, "latent_dim": 2, "hidden": (6,), "n_steps": 80, "batch_size": 16, **parameters}
    return ClusterExplainer(**settings, dtype="float64", random_state=seed)


@cache
def fitted(seed: int, *, unequal: bool = False) -> ClusterExplainer:
    return make(seed).fit(overlapping(seed), sample_weight=base_weights() if unequal else None)


@cache
def explained(seed: int, *, unequal: bool = False) -> Explanation:
    """Explain five of the more marginal half of the rows."""
    ce = fitted(seed, unequal=unequal)
    membership = np.sort(ce.membership(overlapping(seed)), axis=1)
    order = np.argsort(membership[:, -1] / membership[:, -2])
    picked = [int(one) for one in order[5 : N // 2 : 8] if one != 7]
    return ce.explain(picked)


def removals(seed: int, e: Explanation) -> np.ndarray:
    """Return the data weights of refits without a tenth of the rows."""
    rng = np.random.default_rng(100 + seed)
    weights = np.tile(e.sample_weight, (N_REFITS, 1))
    for row in weights:
        row[rng.choice(N, N // 10, replace=False)] = 0
    return weights


@cache
def truth(seed: int, assignments: str) -> np.ndarray:
    """Return what really happens in refits: changes of the scores, shape (n_refits, n_queries)."""
    e, ce = explained(seed), fitted(seed)
    refits = [ce.refit(weights) for weights in removals(seed, e)]
    return np.stack([e.evaluate(refit, assignments=assignments) for refit in refits]) - e.scores


def correlation(predicted: np.ndarray, found: np.ndarray) -> float:
    """Return the correlation over refits, mean over queries."""
    return float(np.mean([np.corrcoef(one, other)[0, 1] for one, other in zip(predicted.T, found.T, strict=True)]))


@pytest.mark.parametrize("seed", [2, 3])
def test_it_is_nearer_to_the_continued_clustering_than_labels_kept(seed: int) -> None:
    e, weights, found = explained(seed), removals(seed, explained(seed)), truth(seed, "continued")
    kept, predicted = (e.predict(weights, assignments=which) for which in ("kept", "continued"))
    assert (np.abs(found - truth(seed, "kept")) > 1e-6).mean() > 0.2, "crossings happen"
    assert np.abs(predicted - found).mean() < 0.8 * np.abs(kept - found).mean()
    assert correlation(predicted, found) > correlation(kept, found)


def test_where_most_refits_cross_it_is_much_nearer() -> None:
    e, weights, found = explained(3), removals(3, explained(3)), truth(3, "continued")
    assert (np.abs(found - truth(3, "kept")) > 1e-6).mean() > 0.6
    kept, predicted = (e.predict(weights, assignments=which) for which in ("kept", "continued"))
    assert np.abs(predicted - found).mean() < 0.6 * np.abs(kept - found).mean()
    assert correlation(predicted, found) > correlation(kept, found) + 0.08


def test_labels_kept_are_predicted_by_the_influence_alone() -> None:
    e, weights = explained(3), removals(3, explained(3))
    np.testing.assert_allclose(e.predict(weights), (weights / e.sample_weight - 1) @ e.influence.T)
    assert correlation(e.predict(weights), truth(3, "kept")) > 0.95


def test_nothing_crosses_nothing_jumps() -> None:
    ce = make(n_steps=40).fit(apart())
    e = ce.explain([0, 5, 9, 13])
    weights = np.ones((20, 40))
    weights[np.arange(20), np.arange(20)] = 0
    for row in weights:
        np.testing.assert_array_equal(ce.refit(row).labels_, ce.labels_)
    np.testing.assert_allclose(e.predict(weights, assignments="continued"), e.predict(weights), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("unequal", [False, True])
def test_small_changes_of_the_weights_move_nobody(unequal: bool) -> None:
    e = explained(3, unequal=unequal)
    for factor in (1, 1 + 1e-6, 1 - 1e-6):
        weights = e.sample_weight.copy()
        weights[::5] *= factor
        np.testing.assert_allclose(
            e.predict(weights, assignments="continued"), e.predict(weights), rtol=1e-9, atol=1e-12
        )
    np.testing.assert_allclose(e.predict(e.sample_weight, assignments="continued"), 0, atol=1e-15)


@pytest.mark.parametrize("unequal", [False, True])
def test_one_refit_and_many(unequal: bool) -> None:
    e = explained(3, unequal=unequal)
    weights = removals(3, e)[:4]
    many = e.predict(weights, assignments="continued")
    assert many.shape == (4, len(e))
    assert not np.allclose(many, e.predict(weights))
    for row, expected in zip(weights, many, strict=True):
        one = e.predict(row, assignments="continued")
        assert one.shape == (len(e),)
        np.testing.assert_allclose(one, expected, rtol=1e-12)
    assert e.predict(weights[:1], assignments="continued").shape == (1, len(e))
    picked = e[[1]]
    np.testing.assert_allclose(picked.predict(weights, assignments="continued"), many[:, [1]], rtol=1e-12)


@pytest.mark.parametrize("assignments", ["kept", "continued"])
def test_no_refit_is_an_empty_prediction(assignments: str) -> None:
    e = explained(3)
    assert e.predict(np.empty((0, N)), assignments=assignments).shape == (0, len(e))


def test_unequal_weights_are_predicted_too() -> None:
    ce, e = fitted(3, unequal=True), explained(3, unequal=True)
    weights = removals(3, e)
    found = np.stack([e.evaluate(ce.refit(row)) for row in weights]) - e.scores
    kept, predicted = (e.predict(weights, assignments=which) for which in ("kept", "continued"))
    assert np.abs(predicted - found).mean() < np.abs(kept - found).mean()


def test_a_cluster_is_the_mean_of_its_members() -> None:
    """The prediction is linear in the scores, so that of a cluster is the mean of its members' own."""
    ce = fitted(3)
    weights = removals(3, explained(3))[:5]
    members = np.flatnonzero(ce.labels_ == 1)
    each = ce.explain(members.tolist())
    expected = each.predict(weights, assignments="continued").mean(axis=1)
    cohesion = ce.explain_cluster(1, n_shown=0).cohesion
    found = cohesion.predict(weights, assignments="continued")
    assert found.shape == (5, 1)
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-8, atol=1e-10)
    assert not np.allclose(found, cohesion.predict(weights))
    one = cohesion.predict(weights[0], assignments="continued")
    assert one.shape == (1,)
    np.testing.assert_allclose(one, found[0], rtol=1e-12)
    first, second = (np.flatnonzero(ce.labels_ == k) for k in (0, 2))
    sides = [ce.explain(rows.tolist(), against=k) for rows, k in ((first, 2), (second, 0))]
    halves = [side.predict(weights, assignments="continued").mean(axis=1) for side in sides]
    between = ce.separation(0, 2).predict(weights, assignments="continued")[:, 0]
    np.testing.assert_allclose(between, np.mean(halves, axis=0), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("clusterer", ["soft_kmeans", "gmm", "labels"])
def test_without_hard_centroids_the_two_are_the_same(clusterer: str) -> None:
    chosen = fitted(3).labels_ if clusterer == "labels" else clusterer
    e = make(3, clusterer=chosen).fit(overlapping(3)).explain([0, 1])
    weights = removals(3, e)
    np.testing.assert_array_equal(e.predict(weights, assignments="continued"), e.predict(weights))


def test_spherical_kmeans_is_hard_too() -> None:
    ce = make(3, clusterer="spherical_kmeans").fit(overlapping(3))
    membership = np.sort(ce.membership(overlapping(3)), axis=1)
    e = ce.explain(np.argsort(membership[:, -1] / membership[:, -2])[5:45:8].tolist())
    weights = removals(3, e)
    found = np.stack([e.evaluate(ce.refit(row)) for row in weights]) - e.scores
    kept, predicted = (e.predict(weights, assignments=which) for which in ("kept", "continued"))
    assert np.isfinite(predicted).all()
    assert not np.allclose(predicted, kept)
    assert np.abs(predicted - found).mean() < 1.1 * np.abs(kept - found).mean()


def test_a_loaded_run_and_new_rows_predict_the_same(tmp_path: Path) -> None:
    e = explained(3)
    weights = removals(3, e)[:3]
    fitted(3).save(tmp_path / "run")
    loaded = ClusterExplainer.load(tmp_path / "run")
    theirs = loaded.explain(e.query_ids.tolist()).predict(weights, assignments="continued")
    np.testing.assert_array_equal(theirs, e.predict(weights, assignments="continued"))
    new = fitted(3).explain(overlapping(3)[e.positions])
    same = dataclasses.replace(new, margins=dataclasses.replace(new.margins, own=e.labels, runner_up=e.runner_ups))
    np.testing.assert_allclose(
        same.predict(weights, assignments="continued"), e.predict(weights, assignments="continued"), rtol=1e-8
    )


def test_a_cluster_that_is_removed_is_no_error() -> None:
    """Its score in a refit is NaN; a prediction is a number or says NaN as well, and never an infinity."""
    ce, e = fitted(3), explained(3)
    weights = np.where(ce.labels_ == e.runner_ups[0], 0.0, 1.0)
    found = e.predict(weights, assignments="continued")
    assert found.shape == (len(e),)
    assert not np.isinf(found).any()
    assert np.isfinite(found[~((e.labels == e.runner_ups[0]) | (e.runner_ups == e.runner_ups[0]))]).all()


@pytest.mark.parametrize("assignments", ["soft", "", "Continued"])
def test_unknown_assignments_are_named(assignments: str) -> None:
    with pytest.raises(InvalidParameterError, match=r"assignments='.*' is unknown\. Expected 'kept' or 'continued'"):
        explained(3).predict(np.ones(N), assignments=assignments)


def test_weights_that_cannot_be_predicted_are_named() -> None:
    e = explained(3, unequal=True)
    with pytest.raises(InvalidParameterError, match=r"sample_weight has shape \(3,\), expected \(\.\.\., 90\)"):
        e.predict(np.ones(3), assignments="continued")
    with pytest.raises(InvalidParameterError, match=r"brings back an example that had weight 0"):
        e.predict(np.ones(N), assignments="continued")
