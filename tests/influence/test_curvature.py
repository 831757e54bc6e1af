"""Curvature products against dense second derivatives of a small network."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.influence import Curvature, GaussNewton, Hessian, Restricted, Shifted

N, PARAMS = 9, 14


ROWS = torch.randn(N, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
X, Y = ROWS[:, :3], ROWS[:, 3:]
W = torch.tensor([0.6, 1.3, 0.9, 1.1, 0.0, 0.7, 1.4, 1.0, 0.8], dtype=torch.float64)


def theta() -> Tensor:
    """Return parameters of 3-2-2 with biases: 6 + 2 + 4 + 2."""
    return torch.randn(PARAMS, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def outputs(flat: Tensor) -> Tensor:
    """Return the network's outputs, shape (N, 2)."""
    first, bias, second, last = flat.split([6, 2, 4, 2])
    return torch.tanh(X @ first.view(3, 2) + bias) @ second.view(2, 2) + last


def loss_of(found: Tensor, w: Tensor) -> Tensor:
    """Return a weighted loss that is convex in the outputs and not quadratic."""
    return (w * torch.log(torch.cosh(found - Y)).sum(dim=1)).sum() / N


def objective(flat: Tensor) -> Tensor:
    """Return the loss at the data weights."""
    return loss_of(outputs(flat), W)


def gauss_newton_matrix() -> Tensor:
    """Return J^T H J from its definition."""
    jacobian = torch.autograd.functional.jacobian(outputs, theta()).reshape(2 * N, PARAMS)
    inner = torch.autograd.functional.hessian(lambda o: loss_of(o, W), outputs(theta()))
    return jacobian.T @ inner.reshape(2 * N, 2 * N) @ jacobian


MASK = torch.arange(PARAMS) >= 8  # the last layer
OPERATORS: dict[str, tuple[Callable[[], Curvature], Callable[[], Tensor]]] = {
    "hessian": (
        lambda: Hessian(objective, theta()),
        lambda: torch.autograd.functional.hessian(objective, theta()),
    ),
    "gauss-newton": (lambda: GaussNewton(outputs, loss_of, theta(), W), gauss_newton_matrix),
    "shifted": (
        lambda: Shifted(GaussNewton(outputs, loss_of, theta(), W), theta().square()),
        lambda: gauss_newton_matrix() + torch.diag(theta().square()),
    ),
    "last layer": (
        lambda: Restricted(Hessian(objective, theta()), MASK),
        lambda: torch.autograd.functional.hessian(objective, theta())[MASK][:, MASK],
    ),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_products_equal_the_dense_matrix(name: str) -> None:
    operator, matrix = OPERATORS[name][0](), OPERATORS[name][1]()
    vectors = torch.randn(21, len(matrix), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    torch.testing.assert_close(operator.times(vectors), vectors @ matrix, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(operator.dense(), matrix, rtol=1e-10, atol=1e-12)
    assert (operator.size, operator.dtype) == (len(matrix), torch.float64)
    assert not operator.times(vectors).requires_grad


def test_the_two_curvatures_differ_and_only_one_has_negative_eigenvalues() -> None:
    hessian, gauss_newton = OPERATORS["hessian"][0]().dense(), OPERATORS["gauss-newton"][0]().dense()
    assert float(torch.linalg.eigvalsh(hessian)[0]) < -1e-2
    assert float(torch.linalg.eigvalsh(gauss_newton)[0]) > -1e-12


def test_they_agree_for_the_last_layer_where_the_model_is_linear() -> None:
    """The second derivatives of the model, which Gauss-Newton leaves out, vanish there."""
    hessian, gauss_newton = OPERATORS["hessian"][0](), OPERATORS["gauss-newton"][0]()
    torch.testing.assert_close(Restricted(hessian, MASK).dense(), Restricted(gauss_newton, MASK).dense())


def test_the_block_of_a_vector_and_back() -> None:
    block = Restricted(Hessian(objective, theta()), MASK)
    vectors = torch.randn(2, PARAMS, dtype=torch.float64)
    assert torch.equal(block.put(block.take(vectors)), vectors * MASK)


def test_a_mask_that_does_not_fit_is_refused() -> None:
    with pytest.raises(
        InvalidParameterError, match=r"type torch.bool and shape \(3,\). Expected torch.bool and \(14,\)"
    ):
        Restricted(Hessian(objective, theta()), torch.ones(3, dtype=torch.bool))
    with pytest.raises(InvalidParameterError, match=r"type torch.int64 .* Expected torch.bool"):
        Restricted(Hessian(objective, theta()), torch.arange(PARAMS))
    with pytest.raises(InvalidParameterError, match="picks none of 14 parameters"):
        Restricted(Hessian(objective, theta()), torch.zeros(PARAMS, dtype=torch.bool))
