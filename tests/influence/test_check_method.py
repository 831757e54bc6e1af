"""Every influence method keeps the contract of a Jacobian; every rule has a method that breaks it and a message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from clusterexplain.exceptions import InvalidMethodError
from clusterexplain.influence import GradientCosine, GradientDot, MethodReport, Record, TrainingJacobian
from clusterexplain.influence.check_method import check_method
from clusterexplain.training import Trajectory
from tests.influence.test_jacobian import METHODS
from tests.influence.test_unrolled_stages import trajectory_of


@cache
def matrix() -> Tensor:
    """Return a random matrix of the shape of the Jacobian of a small training."""
    recipe = trajectory_of("autoencoder", "unequal").recipe
    generator = torch.Generator().manual_seed(0)
    return torch.randn(recipe.layout.size, recipe.n_samples, generator=generator, dtype=torch.float64)


def exact(jacobian: TrainingJacobian, cotangents: Tensor) -> Tensor:
    """Return the products that are right."""
    return cotangents @ matrix()


@dataclass(frozen=True, eq=False)
class Given(TrainingJacobian):
    """A matrix that is kept, with products that a test may break."""

    rows: Callable[[TrainingJacobian, Tensor], Tensor] = exact
    factor: float = 1.0
    name: str = "given"
    extra: int = 0

    needs: ClassVar[Record] = Record.FINAL_PARAMETERS

    @property
    def shape(self) -> tuple[int, int]:
        return matrix().shape[0] + self.extra, matrix().shape[1]

    @property
    def dtype(self) -> torch.dtype:
        return torch.float64

    @property
    def report(self) -> MethodReport:
        return MethodReport(self.name)

    def vjp_with_report(self, cotangents: Tensor) -> tuple[Tensor, MethodReport]:
        return self.rows(self, cotangents), self.report

    def jvp(self, tangents: Tensor) -> Tensor:
        return self.factor * tangents @ matrix().T


@pytest.mark.parametrize("method", METHODS)
def test_every_method_keeps_the_contract(method: str) -> None:
    check_method(METHODS[method], trajectory_of("autoencoder", "unequal"))


def test_one_without_a_matrix_keeps_it_too() -> None:
    trajectory = trajectory_of("autoencoder", "unequal")
    check_method(GradientCosine(GradientDot.of_trajectory(trajectory)), trajectory)
    check_method(Given(), trajectory)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Given(extra=1), r"Given\.shape is \(.*\)\. Expected \(n_params, n_samples\)"),
        (Given(name=""), r"Given\.report has no name"),
        (Given(lambda _, g: (g @ matrix()).T), r"vjp returned shape \(14, 3\) of torch\.float64\. Expected \(3, 14\)"),
        (Given(lambda _, g: (g @ matrix()).float()), r"vjp returned shape \(3, 14\) of torch\.float32"),
        (Given(lambda _, g: g @ matrix() / 0), "vjp returned numbers that are NaN or infinite"),
        (
            Given(lambda _, g: g @ matrix() + torch.rand(1, dtype=g.dtype)),
            "vjp gives other rows .* when it is called again",
        ),
        (Given(lambda _, g: (g - g.mean(dim=0)) @ matrix()), "a row of vjp depends on the other cotangents"),
        (Given(lambda _, g: (g @ matrix()).tanh()), "vjp is not linear in the cotangents; set is_linear = False"),
        (Given(factor=2.0), "jvp and vjp are not adjoint: .* another matrix"),
    ],
)
def test_a_broken_rule_is_named(broken: TrainingJacobian, message: str) -> None:
    with pytest.raises(InvalidMethodError, match=message):
        check_method(broken, trajectory_of("autoencoder", "unequal"))


def test_what_is_no_jacobian_is_refused() -> None:
    def final(trajectory: Trajectory) -> Tensor:
        return trajectory.final

    with pytest.raises(InvalidMethodError, match=r"The method is a Tensor\. Expected a TrainingJacobian"):
        check_method(final, trajectory_of("autoencoder", "unequal"))  # type: ignore[arg-type]
