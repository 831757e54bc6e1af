"""Centroids and distances to them: against sums written out, and their derivatives against a dense reference."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from clusterexplain.clustering import centroid_state
from clusterexplain.clustering.centroids import squared_distances, squared_distances_of_all


def plain_state(embedding: Tensor, weights: Tensor, labels: Tensor, n_clusters: int) -> tuple[Tensor, Tensor]:
    """Return centroids and the spread of each cluster, cluster by cluster, as the definition has them."""
    centers, spread = [], []
    for k in range(n_clusters):
        rows, w = embedding[labels == k], weights[labels == k]
        center = (w.unsqueeze(1) * rows).sum(dim=0) / w.sum()
        centers.append(center)
        spread.append((w * (rows - center).square().sum(dim=1)).sum() / w.sum())
    return torch.stack(centers), torch.stack(spread)


@pytest.fixture
def clustered() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    embedding = torch.randn(12, 3, generator=generator, dtype=torch.float64) + 5
    weights = torch.rand(12, generator=generator, dtype=torch.float64) + 0.5
    return embedding, weights, torch.tensor([0, 1, 2, -1] * 3)


def test_centroids_and_spread_are_those_of_the_definition(clustered: tuple[Tensor, Tensor, Tensor]) -> None:
    embedding, weights, labels = clustered
    centers, spread = plain_state(embedding, weights, labels, 3)
    state = centroid_state(embedding, weights, labels, 3)
    torch.testing.assert_close(state.centers, centers)
    torch.testing.assert_close(state.spread, spread)
    kept = torch.stack([weights[labels == k].sum() for k in range(3)])
    torch.testing.assert_close(state.within, (kept * spread).sum() / kept.sum())


def test_first_and_second_derivatives_of_the_spread(clustered: tuple[Tensor, Tensor, Tensor]) -> None:
    embedding, weights, labels = clustered

    def ours(z: Tensor, w: Tensor) -> Tensor:
        state = centroid_state(z, w, labels, 3)
        return state.spread.log().sum() + state.centers.sum().sin()

    def written_out(z: Tensor, w: Tensor) -> Tensor:
        centers, spread = plain_state(z, w, labels, 3)
        return spread.log().sum() + centers.sum().sin()

    def first(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
        return torch.func.jacrev(function, argnums=(0, 1))

    def second(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
        return torch.func.jacrev(first(function), argnums=(0, 1))

    for derivative in (first, second):
        found, expected = (derivative(function)(embedding, weights) for function in (ours, written_out))
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_distances_in_blocks_are_distances() -> None:
    rows, centers = torch.randn(700, 40, dtype=torch.float64), torch.randn(9, 40, dtype=torch.float64)
    rows[3] = centers[2] + 1e-9  # subtraction keeps what products of this size would lose
    expected = torch.stack([(rows - center).square().sum(dim=1) for center in centers], dim=1)
    with torch.no_grad():
        found = squared_distances(rows, centers)
        torch.testing.assert_close(found, expected, rtol=1e-14, atol=0)
        moved = torch.stack([centers, centers + 1])
        each = torch.vmap(squared_distances, in_dims=(None, 0))(rows, moved)
        torch.testing.assert_close(each[0], expected, rtol=1e-14, atol=0)
        torch.testing.assert_close(each[1], squared_distances(rows, moved[1]), rtol=1e-14, atol=0)


def test_a_derivative_of_all_distances_keeps_no_differences() -> None:
    """Values to the last bit, derivatives of both orders as of a subtraction, and no more than a matrix is kept."""
    rng = torch.Generator().manual_seed(0)
    n, k, dim = 30, 7, 5
    rows = torch.randn(n, dim, generator=rng, dtype=torch.float64).requires_grad_()
    centers = torch.randn(k, dim, generator=rng, dtype=torch.float64).requires_grad_()
    cotangent = torch.randn(n, k, generator=rng, dtype=torch.float64)
    kept: list[int] = []
    found = {}
    for function in (squared_distances, squared_distances_of_all):
        kept.clear()
        with torch.autograd.graph.saved_tensors_hooks(
            lambda saved: kept.append(saved.numel()) or saved, lambda saved: saved
        ):
            distances = function(rows, centers)
            first = torch.autograd.grad((distances.exp() * cotangent).sum(), (rows, centers), create_graph=True)
        second = torch.autograd.grad(first[0].square().sum() + first[1].square().sum(), (rows, centers))
        found[function] = distances, *first, *second
    assert max(kept) <= n * max(k, dim)
    assert bool((found[squared_distances][0] == found[squared_distances_of_all][0]).all())
    for lean, full in zip(found[squared_distances_of_all], found[squared_distances], strict=True):
        torch.testing.assert_close(lean, full, rtol=1e-12, atol=1e-12 * float(full.detach().abs().max()))
