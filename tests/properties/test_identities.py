"""Identities of the mathematics in float64, each where it holds."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score
from torch import nn
from torch.func import grad

from clusterexplain import ClusterExplainer, EmbeddingTask
from clusterexplain.explanation.gradients import influence_rows
from clusterexplain.influence import Hessian, Implicit
from clusterexplain.influence.solvers import Dense
from clusterexplain.results.margins import Combination, Margins, Subject, Topic

RTOL = 1e-6
RECIPE: dict[str, Any] = {
    "latent_dim": 2, "hidden": (5,), "n_clusters": 3, "n_steps": 40, "random_state": 0, "dtype": "float64", "scaling": None,
}  # fmt: skip


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return make_blobs(24, n_features=4, centers=3, cluster_std=0.6, random_state=1)[0] / 4


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("clusterer", ["kmeans", "soft_kmeans", "gmm"])
def test_a_duplicate_row_is_a_doubled_weight(rows: np.ndarray, clusterer: str) -> None:
    """Full batches: the loss is a sum over rows over the nominal batch size, which a duplicate raises by one."""
    n, twin = len(rows), 5
    weights = np.ones(n)
    weights[twin] = 2
    doubled = ClusterExplainer(clusterer=clusterer, batch_size=n, **RECIPE).fit(rows, sample_weight=weights)
    twice = np.vstack([rows, rows[twin]])
    copied = ClusterExplainer(clusterer=clusterer, batch_size=n + 1, **RECIPE).fit(
        twice, sample_weight=np.full(n + 1, (n + 1) / n)
    )
    assert adjusted_rand_score(copied.labels_[:n], doubled.labels_) == 1  # numbers go by size, which a copy changes
    asked = np.zeros(n, dtype=bool)
    asked[[0, 4, 11]] = True
    one, two = doubled.explain(asked), copied.explain(np.append(asked, False))
    assert relative(two.scores, one.scores) < RTOL
    together = two.influence[:, :n].copy()
    together[:, twin] += two.influence[:, n]
    assert relative(together, one.influence) < RTOL


def test_a_rotation_of_the_embedding_changes_nothing(rows: np.ndarray) -> None:
    turn = torch.from_numpy(np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0])
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    decoder = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4)).double()
    tasks = [
        EmbeddingTask.from_module(encoder, decoder=decoder, embed=embed)
        for embed in (lambda net, x: net.encoder(x), lambda net, x: net.encoder(x) @ turn.to(x.dtype))
    ]
    options = RECIPE | {"latent_dim": None, "hidden": None}
    plain, turned = (ClusterExplainer(task, **options).fit(rows) for task in tasks)
    np.testing.assert_array_equal(plain.labels_, turned.labels_)
    assert not np.allclose(plain.embedding_, turned.embedding_)
    first, second = plain.explain([0, 9]), turned.explain([0, 9])
    assert relative(second.scores, first.scores) < RTOL
    assert relative(second.influence, first.influence) < RTOL


def combined(margins: Margins, weights: list[float]) -> Margins:
    combination = Combination(np.array([weights]), (Subject(Topic.COHESION, (0,), (len(weights),)),))
    return dataclasses.replace(margins, ids=margins.ids[:1], combination=combination)


def test_a_constant_score_has_no_influence(rows: np.ndarray) -> None:
    ce = ClusterExplainer(**RECIPE).fit(rows)
    nothing = combined(ce.explain([0, 9]).margins, [0.0, 0.0])
    np.testing.assert_array_equal(influence_rows(ce.fit_, nothing, ce.fit_.jacobian()).total, 0)


def test_the_influence_of_a_group_is_the_sum_of_its_members(rows: np.ndarray) -> None:
    ce = ClusterExplainer(**RECIPE).fit(rows)
    e = ce.explain([0, 9])
    group = [1, 5, 17]
    without = np.ones(len(rows))
    without[group] = 0
    singles = np.ones((3, len(rows)))
    singles[np.arange(3), group] = 0
    assert relative(e.predict(without), e.predict(singles).sum(axis=0)) < 1e-12
    together = influence_rows(ce.fit_, combined(e.margins, [0.25, 0.75]), ce.fit_.jacobian()).total
    assert relative(together, 0.25 * e.influence[:1] + 0.75 * e.influence[1:]) < RTOL


class Minimum:
    """A tiny autoencoder at a minimum of its weighted, decayed loss: found by Newton steps to machine precision."""

    def __init__(self, rows: np.ndarray, decay: float = 0.05) -> None:
        self.rows, self.decay = torch.from_numpy(rows), decay
        self.start = torch.from_numpy(np.random.default_rng(0).normal(size=16) * 0.5)

    def objective(self, theta: torch.Tensor, weights: torch.Tensor, decay: float | torch.Tensor) -> torch.Tensor:
        encoder, decoder = theta[:8].reshape(4, 2), theta[8:].reshape(2, 4)
        losses = (torch.tanh(self.rows @ encoder) @ decoder - self.rows).square().sum(dim=1)
        return (weights * losses).sum() / len(self.rows) + decay * theta.square().sum() / 2

    def at(self, weights: torch.Tensor, decay: float) -> torch.Tensor:
        theta = self.start.clone().requires_grad_()
        search = torch.optim.LBFGS([theta], max_iter=3000, tolerance_grad=1e-10, line_search_fn="strong_wolfe")

        def closure() -> torch.Tensor:
            search.zero_grad()
            value = self.objective(theta, weights, decay)
            value.backward()  # type: ignore[no-untyped-call]
            return value

        search.step(closure)
        found = theta.detach()
        for _ in range(20):
            slope = grad(lambda flat: self.objective(flat, weights, decay))(found)
            curvature = Hessian(lambda flat: self.objective(flat, weights, decay), found).dense()
            found = found - torch.linalg.lstsq(curvature, slope, driver="gelsd").solution
        return found


@pytest.fixture(scope="module")
def minimum(rows: np.ndarray) -> Minimum:
    return Minimum(rows)


def test_scaling_weights_and_decay_together_changes_nothing(minimum: Minimum) -> None:
    weights = torch.from_numpy(np.random.default_rng(1).uniform(0.5, 1.5, size=len(minimum.rows)))
    one, two = minimum.at(weights, minimum.decay), minimum.at(3 * weights, 3 * minimum.decay)
    queries = minimum.rows[:5]

    def embedded(theta: torch.Tensor) -> np.ndarray:
        return np.asarray(torch.cdist(torch.tanh(queries @ theta[:8].reshape(4, 2)), torch.zeros(1, 2).double()))

    assert relative(embedded(two), embedded(one)) < RTOL


def test_the_sum_rule_of_the_influences(minimum: Minimum) -> None:
    """At a minimum sum_i w_i d theta / d w_i = - decay d theta / d decay, as only their ratio matters."""
    weights = torch.from_numpy(np.random.default_rng(1).uniform(0.5, 1.5, size=len(minimum.rows)))
    theta, decay = minimum.at(weights, minimum.decay), minimum.decay

    def objective(flat: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return minimum.objective(flat, w, decay)

    curvature = Hessian(lambda flat: objective(flat, weights), theta)
    assert float(grad(lambda flat: objective(flat, weights))(theta).abs().max()) < 1e-10

    # scores that do not see the rotation of the two hidden units' signs: distances to the origin in the embedding
    def score(flat: torch.Tensor) -> torch.Tensor:
        return torch.tanh(minimum.rows[:3] @ flat[:8].reshape(4, 2)).square().sum(dim=1)

    cotangents = torch.func.jacrev(score)(theta)
    rows = Implicit(objective, theta, weights, Dense.of(curvature), damping=0.0).vjp(cotangents)
    summed = (rows * weights).sum(dim=1).numpy()
    by_decay = torch.linalg.solve(curvature.dense(), theta)
    expected = (decay * cotangents @ by_decay).numpy()
    assert relative(summed, expected) < RTOL
