"""Weighted principal components against scikit-learn, repeated rows and central differences."""

import numpy as np
import pytest
import torch
from sklearn import decomposition
from torch import Tensor
from torch.func import jacfwd, jacrev

from clusterexplain.models.principal_components import principal_components
from clusterexplain.training.torch_compat import load_forward_mode

STEP = 1e-5


def rows_of(n: int, p: int) -> Tensor:
    """Return rows whose columns have clearly different variances."""
    scales = torch.linspace(1, 4, p, dtype=torch.float64)
    return torch.randn(n, p, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * scales


def flat(found: tuple[Tensor, ...]) -> Tensor:
    return torch.cat([part.reshape(-1) for part in found])


@pytest.mark.parametrize(("n", "p"), [(40, 7), (12, 30)], ids=["tall", "wide"])
class TestComponents:
    def test_equal_weights_give_those_of_scikit_learn(self, n: int, p: int) -> None:
        X = rows_of(n, p)
        expected = decomposition.PCA(4).fit(X.numpy())
        found = principal_components(X, torch.ones(n), 4)
        np.testing.assert_allclose(found.mean, expected.mean_, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(found.variances, expected.explained_variance_ * (n - 1) / n, rtol=1e-10)
        overlap = (found.directions.numpy() * expected.components_).sum(axis=1)
        np.testing.assert_allclose(np.abs(overlap), 1, rtol=1e-10)
        assert (found.directions.gather(1, found.directions.abs().argmax(dim=1, keepdim=True)) > 0).all()

    def test_weight_2_is_the_row_twice_and_weight_0_no_row(self, n: int, p: int) -> None:
        X, weights = rows_of(n, p), torch.ones(n)
        weights[1], weights[2] = 2.0, 0.0
        repeated = torch.cat([X[:2], X[1:2], X[3:]])
        found, expected = (
            principal_components(X, weights, 3), principal_components(repeated, torch.ones(len(repeated)), 3)
        )  # fmt: skip
        torch.testing.assert_close(flat(found), flat(expected), rtol=1e-9, atol=1e-10)

    def test_derivative_is_that_of_central_differences_in_both_modes(self, n: int, p: int) -> None:
        X = rows_of(n, p)
        weights = torch.rand(n, generator=torch.Generator().manual_seed(1), dtype=torch.float64) + 0.3
        reference = principal_components(X, weights, 3).directions

        def of(w: Tensor) -> Tensor:
            return flat(principal_components(X, w, 3, reference))

        load_forward_mode()
        units = STEP * torch.eye(n, dtype=torch.float64)
        expected = torch.stack([(of(weights + unit) - of(weights - unit)) / (2 * STEP) for unit in units], dim=1)
        for mode in (jacrev, jacfwd):
            error = (mode(of)(weights) - expected).abs().max() / expected.abs().max()
            assert error < 1e-8, error

    def test_order_and_signs_are_those_of_the_reference(self, n: int, p: int) -> None:
        X, weights = rows_of(n, p), torch.ones(n)
        usual = principal_components(X, weights, 3)
        reference = usual.directions[[2, 0, 1]] * torch.tensor([-1.0, 1.0, -1.0], dtype=torch.float64).unsqueeze(1)
        found = principal_components(X, weights, 3, reference)
        torch.testing.assert_close(found.directions, reference, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(found.variances, usual.variances[[2, 0, 1]], rtol=1e-12, atol=0.0)


def test_equal_kept_variances_leave_a_finite_derivative_of_what_no_rotation_changes() -> None:
    """A square of four points has two equal variances; distances in the plane have a derivative, single axes have none."""
    X = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]], dtype=torch.float64)
    X = torch.cat([X, 0.1 * torch.randn(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)], dim=1)
    X = X - X.mean(dim=0)
    weights = torch.ones(4, dtype=torch.float64)
    reference = principal_components(X, weights, 2).directions

    def squared_distance(w: Tensor) -> Tensor:
        found = principal_components(X, w, 2, reference)
        return ((X[0] - X[1]) @ found.directions.T).square().sum()

    found = jacrev(squared_distance)(weights)
    units = STEP * torch.eye(4, dtype=torch.float64)
    expected = torch.stack(
        [(squared_distance(weights + unit) - squared_distance(weights - unit)) / (2 * STEP) for unit in units]
    )
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)
