"""The estimates of the fragility study against dense algebra and autograd."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from clusterexplain.studies.fragility.estimates import (
    DAMPING,
    coded_parts,
    curvatures,
    estimates,
    pseudo_inverse,
    solved,
)
from clusterexplain.studies.fragility.perceptron import Perceptron
from clusterexplain.studies.fragility.problem import Problem, drawn_at_random, iris, largest_losses, stratified

NET = Perceptron((4, 5, 3), "selu")


@pytest.fixture(scope="module")
def problem() -> Problem:
    whole = iris()
    kept = torch.arange(0, 150, 7)
    return Problem(whole.x[:, kept], whole.y[:, kept])


def test_iris_is_prepared_as_in_the_papers_code() -> None:
    whole = iris()
    assert whole.n == 149
    torch.testing.assert_close(whole.x[:, :149].mean(dim=1), torch.zeros(4, dtype=torch.float64), rtol=0, atol=1e-12)
    torch.testing.assert_close(
        whole.x[:, :149].std(dim=1, correction=0), torch.ones(4, dtype=torch.float64), rtol=1e-12, atol=0
    )
    assert int(whole.y[:, whole.held_out].argmax()) == 1


def test_the_last_layers_hessian_is_that_of_autograd_and_singular(problem: Problem) -> None:
    theta = NET.initial([0, 1], torch.float64)
    n = problem.n
    x, y = problem.x[:, :n].contiguous(), problem.y[:, :n].contiguous()
    whole = curvatures(NET, x, y, theta)[0]
    hidden = NET.values(theta, x)[-2]
    for r in range(2):
        weights, bias = NET.layers(theta[r])[-1]

        def loss(matrix: torch.Tensor, r: int = r, bias: torch.Tensor = bias) -> torch.Tensor:
            return nn.functional.cross_entropy((matrix.view(3, 5) @ hidden[r] + bias).T, y.argmax(dim=0))

        expected = torch.autograd.functional.hessian(loss, weights.reshape(-1))
        block = whole[r][NET.last_weights, NET.last_weights]
        torch.testing.assert_close(block, expected, rtol=1e-9, atol=1e-12)
        assert int((torch.linalg.eigvalsh(block).abs() < 1e-10).sum()) >= 5
        coded = coded_parts(NET, problem, theta, with_bias=True)[0][r]
        torch.testing.assert_close(coded.double(), expected, rtol=1e-4, atol=1e-6)


def test_damped_solutions_are_those_of_a_linear_solver(problem: Problem) -> None:
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(2, 6, 6, generator=generator, dtype=torch.float64)
    matrix = root @ root.transpose(1, 2)
    left, right = (torch.randn(2, k, 6, generator=generator, dtype=torch.float64) for k in (3, 4))
    expected = left @ torch.linalg.solve(matrix + 0.1 * torch.eye(6, dtype=torch.float64), right.transpose(1, 2))
    torch.testing.assert_close(solved(left, right, matrix, 0.1, clamp=True), expected, rtol=1e-9, atol=1e-10)
    exact = left @ torch.linalg.solve(matrix, right.transpose(1, 2))
    torch.testing.assert_close(pseudo_inverse(left, right, matrix), exact, rtol=1e-7, atol=1e-8)
    # a direction of negative curvature counts as flat when clamped
    bent = torch.diag_embed(torch.tensor([[-1.0, 1.0, 2.0, 3.0, 4.0, 5.0]] * 2, dtype=torch.float64))
    flat = bent.clamp(min=0) + 0.1 * torch.eye(6, dtype=torch.float64)
    expected = left @ torch.linalg.solve(flat, right.transpose(1, 2))
    torch.testing.assert_close(solved(left, right, bent, 0.1, clamp=True), expected, rtol=1e-9, atol=1e-10)


def test_the_estimate_of_a_damped_hessian_has_the_sign_of_a_removal(problem: Problem) -> None:
    theta, queries = NET.initial([0], torch.float64), torch.tensor([problem.held_out, 2])
    rows = estimates(NET, problem, theta, queries, weight_decay=0.01)["full Hessian, damped"]
    # without the example its gradient is missing, so the parameters move along it: uphill for its own loss
    assert float(rows[0, 1, 2]) > 0
    gradients = NET.query_gradients(theta, problem.x, problem.y)[0]
    n = problem.n
    hessian = curvatures(NET, problem.x[:, :n].contiguous(), problem.y[:, :n].contiguous(), theta)[0][0]
    values, vectors = torch.linalg.eigh(hessian + 0.01 * torch.eye(NET.n_params, dtype=torch.float64))
    inverse = vectors @ torch.diag(1 / (values.clamp(min=0) + DAMPING)) @ vectors.T
    torch.testing.assert_close(rows[0], gradients[queries] @ inverse @ gradients[:n].T / n, rtol=1e-8, atol=1e-12)


def test_what_is_asked_and_removed_is_drawn_by_rule_and_seed() -> None:
    whole = iris()
    losses = torch.rand(4, 149, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    queries = stratified(whole, losses, seed=0)
    assert sorted(whole.y[:, queries].argmax(dim=0).tolist()) == [0, 0, 1, 1, 2, 2]
    assert torch.equal(queries, stratified(whole, losses, seed=0))
    top = largest_losses(losses, 25)
    assert bool((losses.gather(1, top)[:, -1:] >= losses.sort(dim=1, descending=True)[0][:, 25:26]).all())
    rows = drawn_at_random(3, 149, 25, seed=1)
    assert all(len(set(row.tolist())) == 25 for row in rows)
