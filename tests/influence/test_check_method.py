"""Every influence method keeps the contract of a Jacobian; every rule has a method that breaks it and a message."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from clusterexplain.exceptions import InvalidMethodError, InvalidParameterError
from clusterexplain.influence import GradientCosine, GradientDot, MethodReport, Record, TrainingJacobian, Unrolled
from clusterexplain.influence.check_method import check_method
from clusterexplain.influence.registry import METHODS as METHOD_NAMES
from clusterexplain.influence.registry import make_jacobian
from clusterexplain.training import Trajectory
from tests.influence.test_jacobian import METHODS
from tests.influence.test_unrolled_stages import trajectory_of


@cache
def matrix() -> Tensor:
    """Return the Jacobian of a small training."""
    return Unrolled(trajectory_of("autoencoder", "unequal")).materialize()


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


@dataclass(frozen=True, eq=False)
class Reverse(Given):
    """The same without a forward product."""

    has_jvp: ClassVar[bool] = False


@dataclass(frozen=True, eq=False)
class Exact(Reverse):
    """One that says that it is the derivative of the training."""

    is_exact: ClassVar[bool] = True


@dataclass(frozen=True, eq=False)
class Undeclared(Given):
    """One that says of what it needs what is no Record."""

    needs: ClassVar[str] = "everything"  # type: ignore[assignment]


@dataclass(frozen=True, eq=False)
class Whole(Given):
    """One that needs every step."""

    needs: ClassVar[Record] = Record.TRAJECTORY


@pytest.mark.parametrize("method", METHODS)
def test_every_method_keeps_the_contract(method: str) -> None:
    check_method(METHODS[method], trajectory_of("autoencoder", "unequal"))


def test_one_without_a_matrix_keeps_it_too() -> None:
    trajectory = trajectory_of("autoencoder", "unequal")
    check_method(GradientCosine(GradientDot.of_trajectory(trajectory)), trajectory)
    for given in (Given(), Reverse(), Exact(), Reverse(lambda _, g: 2 * g @ matrix())):
        check_method(given, trajectory)


def test_what_was_not_recorded_is_refused() -> None:
    trajectory = trajectory_of("autoencoder", "unequal")
    end = dataclasses.replace(trajectory, checkpoints=[])
    n = trajectory.n_checkpoints
    words = rf"Whole needs the trajectory of the training, but 0 of {n} checkpoints are recorded\. Expected all of them; record"
    with pytest.raises(InvalidMethodError, match=words):
        check_method(Whole(), end)
    with pytest.raises(InvalidParameterError, match=words):
        make_jacobian(Whole(), None, end, further="")
    with pytest.raises(
        InvalidParameterError, match=r"Unrolled needs the trajectory .* use a method that needs the final"
    ):
        make_jacobian("unrolled", None, end, further="")
    check_method(Given(), end)
    assert make_jacobian(Given(), None, end, further="").shape == Given().shape
    for name in METHOD_NAMES:
        with pytest.raises(
            InvalidParameterError, match=r"needs the (trajectory|checkpoints) of the training, but 0 of"
        ):
            make_jacobian(name, None, end, further="some" if name == "further" else "")
    with pytest.raises(InvalidParameterError, match=r"Undeclared\.needs is 'everything'\. Expected a Record"):
        make_jacobian(Undeclared(), None, trajectory, further="")


@pytest.mark.parametrize("record", Record)
def test_a_record_knows_whether_it_is_there(record: Record) -> None:
    trajectory = trajectory_of("autoencoder", "unequal")
    some = dataclasses.replace(trajectory, checkpoints=trajectory.checkpoints[:1])
    none = dataclasses.replace(trajectory, checkpoints=[])
    found = [record.is_in(one) for one in (trajectory, some, none)]
    assert found == [True, record is not Record.TRAJECTORY, record is Record.FINAL_PARAMETERS]


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
        (Undeclared(), r"Undeclared\.needs is 'everything'\. Expected a Record"),
        (Given(lambda _, g: -g @ matrix(), factor=-1.0), "away from where retraining moves them.*look for a sign"),
        (Reverse(lambda _, g: -g @ matrix()), "away from where retraining moves them"),
        (Exact(lambda _, g: 1.01 * g @ matrix()), "differs from central differences of retraining; if it is an approx"),
        (Exact(lambda _, g: g @ matrix().roll(1, dims=1)), "away from where|differs from central differences"),
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
