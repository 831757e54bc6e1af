"""Distances by products: right to 1e-11 wherever the origin is and however near two rows are, and neighbours in their order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.neighbors import KDTree

from clusterexplain.clustering.base import ClusterInputs
from clusterexplain.clustering.centroids import squared_distances
from clusterexplain.clustering.density.condensed_tree import closest_pair, core_neighbours
from clusterexplain.clustering.density.hdbscan import HDBSCANClustering
from clusterexplain.clustering.given.labelled_state import LabelledState
from clusterexplain.clustering.pairwise_distances import distances_by_products, has_many
from clusterexplain.clustering.scores.exemplars import Exemplar, HdbscanMembership
from clusterexplain.clustering.scores.votes import NearestNeighbours

N, DIM = 900, 24


def clumps(seed: int = 0, spread: float = 0.3, shift: float = 0.0) -> np.ndarray:
    """Return rows around 12 places, some of them equal to others and some nearly so."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(12, DIM))[rng.integers(12, size=N)] + spread * rng.normal(size=(N, DIM))
    rows[:40] = rows[40:80]
    rows[80:120] = rows[120:160] + 1e-9 * rng.normal(size=(40, DIM))
    return rows + shift


def exact(rows: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return squared distances in extended precision, one row at a time."""
    wide = points.astype(np.longdouble)
    return np.stack([((row - wide) ** 2).sum(axis=1) for row in rows.astype(np.longdouble)]).astype(float)


@pytest.mark.parametrize("shift", [0.0, 100.0])
@pytest.mark.parametrize("spread", [0.3, 1e-4])
def test_products_are_right_to_eleven_digits_and_exact_near_zero(shift: float, spread: float) -> None:
    rows = clumps(spread=spread, shift=shift)
    found = distances_by_products(torch.from_numpy(rows), torch.from_numpy(rows)).numpy()
    expected = exact(rows, rows)
    np.testing.assert_array_equal(found[expected == 0], 0.0)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=0)


def test_many_distances_come_from_products_and_recorded_ones_do_not() -> None:
    rows = torch.from_numpy(clumps())
    with torch.no_grad():
        assert has_many(rows, rows)
        by_products = squared_distances(rows, rows)
    assert not has_many(rows, rows)
    torch.testing.assert_close(by_products, squared_distances(rows, rows), rtol=1e-11, atol=0)


@pytest.mark.parametrize("position", [0, 1, 5])
def test_core_neighbours_are_as_far_as_a_tree_finds_them(position: int) -> None:
    rows, present = clumps(), np.arange(0, N, 1)[7:]
    found = core_neighbours(rows, rows, present, position)
    assert np.isin(found, present).all()
    expected = KDTree(rows[present]).query(rows, k=position + 1)[0][:, -1]
    np.testing.assert_allclose(np.linalg.norm(rows - rows[found], axis=1), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("target", [0.0, 1.3])
def test_the_closest_pair_of_many_is_that_of_all(target: float) -> None:
    rows = np.vstack([clumps(seed) for seed in range(5)])
    core = np.abs(np.random.default_rng(1).normal(size=len(rows)))
    first, second = np.arange(0, 2000), np.arange(1500, len(rows))
    found = closest_pair(rows, core, first, second, target)
    reach = np.maximum(cdist(rows[first], rows[second]), np.maximum.outer(core[first], core[second]))
    reach[np.equal.outer(first, second)] = np.inf
    i, j = np.unravel_index(np.abs(reach - target).argmin(), reach.shape)
    assert found == (first[i], second[j])


@pytest.mark.parametrize("score", [Exemplar(), HdbscanMembership()])
def test_scores_of_many_rows_are_those_of_recorded_ones(score: Exemplar | HdbscanMembership) -> None:
    """Recorded scores come from subtraction; a row at an edge has to be on it to the last digit."""
    Z = torch.from_numpy(clumps())
    weights = torch.ones(N, dtype=torch.float64)
    weights[::50] = 0.0
    clustering = HDBSCANClustering.fit(Z, weights, options={"min_cluster_size": 8, "min_samples": 3})
    state = clustering.state(ClusterInputs(Z, weights))
    recorded = [score.logits(Z, state), score.boundary_margins(Z, state)]
    with torch.no_grad():
        many = [score.logits(Z, state), score.boundary_margins(Z, state)]
        np.testing.assert_array_equal(clustering.assign(Z, state)[weights > 0], clustering.labels[weights > 0])
    torch.testing.assert_close(many[0], recorded[0], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(many[1], recorded[1], rtol=1e-10, atol=1e-10)
    assert bool((recorded[1] == 0).any())
    np.testing.assert_array_equal(many[1] == 0, recorded[1] == 0)


def test_votes_about_many_rows_are_those_about_single_ones() -> None:
    """With more copies of a row than are looked at, and rows without weight; a single row is held against all."""
    rows = clumps()
    rows[200:260] = rows[200]
    rng = np.random.default_rng(2)
    weights = torch.from_numpy(rng.choice([0.0, 1.0, 2.0], N))
    Z, labels = torch.from_numpy(rows), torch.from_numpy(rng.integers(-1, 3, N))
    unit = torch.tensor(1.0, dtype=torch.float64)
    centers = torch.zeros(3, DIM, dtype=torch.float64)
    state = LabelledState(centers, unit, torch.ones(3), torch.ones(3, dtype=torch.bool), Z, weights, labels)
    with torch.no_grad():
        many = NearestNeighbours().votes(Z, state)
        single = torch.stack([NearestNeighbours().votes(row, state) for row in Z])
    torch.testing.assert_close(many, single, rtol=1e-13, atol=1e-13)
