"""Baselines against loops over examples."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.influence import Hessian, Implicit
from clusterexplain.influence.baselines import (
    gradient_cosine,
    gradient_dot,
    gradient_norms,
    latent_similarity,
    random_rows,
    same_cluster,
)
from clusterexplain.influence.solvers import Dense

N, PARAMS = 7, 6


def normal(*shape: int, seed: int) -> Tensor:
    """Return float64 numbers that depend on the seed alone."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


X, THETA, W, G = normal(N, 3, seed=0), normal(PARAMS, seed=1), normal(N, seed=2).abs(), normal(3, PARAMS, seed=3)


def each(theta: Tensor) -> Tensor:
    """Return the loss of each example, shape (N,)."""
    return ((torch.tanh(X @ theta[:3].unsqueeze(1)) @ theta[3:].unsqueeze(0) - X) ** 2).sum(dim=1)


def separable(theta: Tensor, weights: Tensor) -> Tensor:
    """Return a sum over examples plus a decay, which belongs to no example."""
    return (weights * each(theta)).sum() / N + (theta * theta).sum()


def interacting(theta: Tensor, weights: Tensor) -> Tensor:
    """Return a loss in which weights multiply each other."""
    kernel = torch.exp(-each(theta).unsqueeze(0) * each(theta).unsqueeze(1))
    return weights @ kernel @ weights / N**2


def slopes_of_examples(objective: object) -> Tensor:
    """Return the derivative of the gradient in each weight, shape (N, PARAMS), one example after the other."""
    if objective is separable:
        return torch.stack([torch.func.grad(lambda t, i=i: each(t)[i])(THETA) for i in range(N)]) / N
    step = 1e-6
    slope = torch.func.grad(interacting)
    units = torch.eye(N, dtype=torch.float64)
    return torch.stack([(slope(THETA, W + step * e) - slope(THETA, W - step * e)) / (2 * step) for e in units])


@pytest.mark.parametrize("objective", [separable, interacting])
def test_gradient_products_equal_a_loop_over_examples(objective: object) -> None:
    slopes = slopes_of_examples(objective)
    dots = -G @ slopes.T
    options = {"rtol": 1e-6, "atol": 1e-8}
    torch.testing.assert_close(gradient_dot(objective, THETA, W, G), dots, **options)
    torch.testing.assert_close(gradient_norms(objective, THETA, W, chunk=2), slopes.norm(dim=1), **options)
    cosines = dots / (G.norm(dim=1, keepdim=True) * slopes.norm(dim=1))
    torch.testing.assert_close(gradient_cosine(objective, THETA, W, G), cosines, **options)


def test_a_gradient_step_on_an_example_moves_the_score_as_the_product_says() -> None:
    rows, step = gradient_dot(separable, THETA, W, G), 1e-6
    for i, e in enumerate(torch.eye(N, dtype=torch.float64)):
        moved = -step * torch.func.grad(lambda t, e=e: separable(t, e) - separable(t, 0 * e))(THETA)
        torch.testing.assert_close(G @ moved / step, rows[:, i])


def test_the_dot_product_is_the_implicit_method_without_curvature() -> None:
    flat = Dense.of(Hessian(lambda theta: 0 * theta.sum(), THETA))
    rows = Implicit(separable, THETA, W, flat, damping=1.0).vjp(G)
    torch.testing.assert_close(rows, gradient_dot(separable, THETA, W, G))


def test_the_cosine_of_no_gradient_is_zero() -> None:
    cotangents = torch.cat([G, torch.zeros(1, PARAMS, dtype=torch.float64)])
    assert not gradient_cosine(separable, THETA, W, cotangents)[3].any()
    constant = gradient_cosine(lambda theta, weights: (theta * theta).sum() + 0 * weights.sum(), THETA, W, G)
    assert not constant.any()


def test_latent_similarity() -> None:
    queries, embedding = normal(2, 3, seed=4), X.clone()
    embedding[0] = 0
    distance, cosine = latent_similarity(queries, embedding), latent_similarity(queries, embedding, "cosine")
    for q in range(2):
        for i in range(N):
            gap = queries[q] - embedding[i]
            assert distance[q, i].item() == pytest.approx(-(gap @ gap).item())
            lengths = queries[q].norm() * embedding[i].norm()
            angle = (queries[q] @ embedding[i] / lengths).item() if i else 0.0
            assert cosine[q, i].item() == pytest.approx(angle)


def test_same_cluster_leaves_noise_out() -> None:
    rows = same_cluster(torch.tensor([0, 2, -1]), torch.tensor([0, 1, 2, 2, -1]))
    assert rows.tolist() == [[1, 0, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 0]]


def test_random_rows_are_seeded_and_leave_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    rows = random_rows(2, 500, seed=3)
    assert torch.equal(rows, random_rows(2, 500, seed=3))
    assert not torch.equal(rows, random_rows(2, 500, seed=4))
    assert torch.equal(before, torch.get_rng_state())
    assert abs(float(rows.mean())) < 0.15
    assert float(rows.std()) == pytest.approx(1, abs=0.1)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match=r"kind='l1' is unknown\. Expected 'distance' or 'cosine'"):
        latent_similarity(X, X, "l1")
    with pytest.raises(InvalidParameterError, match=r"\(7, 3\) and \(7, 2\). Expected \(n_queries, dim\)"):
        latent_similarity(X, X[:, :2])
