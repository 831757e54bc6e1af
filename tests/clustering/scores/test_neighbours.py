"""The vote of the nearest neighbours against a plain loop, real removals and scanpy's Louvain labels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor
from torch.func import grad

from clusterexplain import ClusterExplainer
from clusterexplain.clustering import ClusterInputs
from clusterexplain.clustering.given_labels import GivenLabels
from clusterexplain.clustering.scores import NearestNeighbours, check_score

K = 5
RNG = np.random.default_rng(0)
Z = torch.from_numpy(RNG.normal(size=(40, 3)))
LABELS = torch.from_numpy(RNG.integers(-1, 3, 40))
SCORE = NearestNeighbours(K)


def logits_at(rows: Tensor, weights: Tensor) -> Tensor:
    return SCORE.logits(rows, GivenLabels(LABELS, 3).state(ClusterInputs(Z, weights)))


def by_a_loop(row: np.ndarray, present: list[int]) -> np.ndarray:
    """Return the logits at weights 1, written as the docstring says it."""
    near = sorted((float(((row - Z[j].numpy()) ** 2).sum()), j) for j in present if LABELS[j] >= 0)
    near = near[1:] if near[0][0] == 0 else near
    reach, votes = near[K][0], np.zeros(3)
    for distance, j in near[:K]:
        votes[LABELS[j]] += 1 - distance / reach
    return np.log(votes + 0.5 * votes.sum() / K)


@pytest.mark.parametrize("inside", [True, False], ids=["training rows", "new rows"])
def test_the_vote_is_that_of_a_plain_loop(inside: bool) -> None:
    rows = Z[:8] if inside else torch.from_numpy(np.random.default_rng(1).normal(size=(8, 3)))
    expected = [by_a_loop(row.numpy(), list(range(40))) for row in rows]
    np.testing.assert_allclose(logits_at(rows, torch.ones(40).double()), expected, rtol=1e-10)


def test_an_absent_row_votes_as_if_it_were_not_there() -> None:
    weights = torch.ones(40).double()
    weights[[3, 17, 20]] = 0
    present = [j for j in range(40) if weights[j] > 0]
    expected = [by_a_loop(Z[j].numpy(), present) for j in range(8)]
    np.testing.assert_allclose(logits_at(Z[:8], weights), expected, rtol=1e-10)


def test_the_derivative_is_that_of_taking_weight_away() -> None:
    """One-sided: the neighbour that enters when weight is taken away is another than the one that leaves when it is added."""
    ones, step = torch.ones(40).double(), 1e-6
    for row in Z[:6]:
        found = grad(lambda w, row=row: logits_at(row, w)[0] - logits_at(row, w)[1])(ones)
        before = logits_at(row, ones)
        for j in range(40):
            after = logits_at(row, ones - step * torch.eye(40)[j].double())
            change = (before - after)[0] - (before - after)[1]
            assert math.isclose(found[j], change / step, rel_tol=1e-4, abs_tol=1e-6)


def test_a_whole_removal_brings_in_the_next_neighbour_without_a_jump() -> None:
    ones, row = torch.ones(40).double(), Z[0]
    steps = torch.linspace(0, 1, 2001).double()
    j = int(((Z - row) ** 2).sum(1).masked_fill(LABELS < 0, torch.inf).argsort()[2])
    path = torch.stack([logits_at(row, ones - t * torch.eye(40)[j].double()) for t in steps])
    assert (path[1:] - path[:-1]).abs().max() < 0.01


def test_it_keeps_the_contract_of_a_score() -> None:
    """At unequal weights: where they are whole numbers, another neighbour enters than leaves, and the derivative has sides."""
    weights = torch.from_numpy(np.random.default_rng(3).uniform(0.5, 2.0, 40))

    def state_of(embedding: Tensor):
        return GivenLabels(LABELS, 3).state(ClusterInputs(embedding, weights))

    rows = torch.from_numpy(np.random.default_rng(2).normal(size=(6, 3)))
    check_score(SCORE, state_of(Z), rows, rotated_state=lambda turn: state_of(Z @ turn.T))


def test_the_largest_vote_agrees_with_scikit_learn() -> None:
    X, y = load_digits(return_X_y=True)
    state = GivenLabels(torch.from_numpy(y), 10).state(ClusterInputs(torch.from_numpy(X), torch.ones(len(X)).double()))
    found = NearestNeighbours().nearest(torch.from_numpy(X), state).numpy()
    neighbours = KNeighborsClassifier(16).fit(X, y)
    expected = neighbours.predict(X)
    assert (found == expected).mean() > 0.98


def test_neighbours_explain_labels_that_centroids_do_not() -> None:
    """Two rings: each centroid is in the middle of both."""
    rng = np.random.default_rng(0)
    angle, ring = rng.uniform(0, 2 * np.pi, 120), np.repeat([0, 1], 60)
    X = np.c_[np.cos(angle), np.sin(angle)] * (1 + ring)[:, None] + rng.normal(scale=0.25, size=(120, 2))
    ce = ClusterExplainer("precomputed", ring, membership_score="knn").fit(X)
    boundary = np.argsort(np.abs(ce.margins_))[:6]
    check = ce.verify(ce.explain(boundary.tolist()), level="quick")
    single = check.summary.query("kind == 'single' and assignments == 'kept'")
    assert single["spearman"].iloc[0] > 0.95
