"""Every influence method is one linear operator: adjoint, shapes, matrix, and the derivative of real retrainings."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import pytest
import torch
from torch import Tensor

from clusterexplain.exceptions import InvalidParameterError, SolverWarning
from clusterexplain.influence import (
    GradientCosine,
    GradientDot,
    Implicit,
    MethodReport,
    TrainingJacobian,
    Unrolled,
)
from clusterexplain.influence.solvers import ConjugateGradients
from clusterexplain.training import Trajectory, retrain_many
from tests.influence.test_implicit import at_rest
from tests.influence.test_unrolled_stages import trajectory_of
from tests.oracles.dense_training import error

METHODS: dict[str, Callable[[Trajectory], TrainingJacobian]] = {
    "unrolled": Unrolled,
    "implicit, dense": partial(Implicit.of_trajectory, damping=0.5),
    "implicit, conjugate gradients": partial(
        Implicit.of_trajectory, damping=5.0, solver=partial(ConjugateGradients, tolerance=1e-12)
    ),
    "gradient product": GradientDot.of_trajectory,
}
TRAININGS = ("autoencoder", "vae", "conv", "contrastive", "dec", "dec from scratch")
CASES = [("unrolled", task) for task in TRAININGS] + [
    (method, "autoencoder") for method in METHODS if method != "unrolled"
]


def normal(n: int, size: int, seed: int) -> Tensor:
    """Return standard normal rows."""
    return torch.randn(n, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@cache
def jacobian_of(method: str, task: str) -> TrainingJacobian:
    """Return the Jacobian of a small recorded training at unequal weights."""
    return METHODS[method](trajectory_of(task, "unequal"))


@pytest.mark.parametrize(("method", "task"), CASES)
def test_forward_and_reverse_products_are_adjoint(method: str, task: str) -> None:
    jacobian = jacobian_of(method, task)
    n_params, n_samples = jacobian.shape
    cotangents, tangents = normal(3, n_params, seed=4), normal(2, n_samples, seed=5)
    backward, forward = jacobian.vjp(cotangents) @ tangents.T, cotangents @ jacobian.jvp(tangents).T
    assert error(backward, forward) <= 1e-9


@pytest.mark.parametrize(
    ("task", "optimizer"), [*((task, "adamw") for task in TRAININGS), ("autoencoder", "adam"), ("autoencoder", "sgd")]
)
def test_unrolled_is_the_derivative_of_retraining(task: str, optimizer: str) -> None:
    """Finite differences of retrainings on both sides, along random directions in the weights."""
    trajectory = trajectory_of(task, "unequal", optimizer)
    tangents = normal(2, trajectory.recipe.n_samples, seed=5)
    ends = retrain_many(trajectory.recipe, trajectory.weights + torch.cat([1e-4 * tangents, -1e-4 * tangents]))
    above, below = ends.split(2)
    assert error(Unrolled(trajectory).jvp(tangents), (above - below) / 2e-4) <= 1e-5


def test_implicit_is_the_derivative_of_retraining_where_the_training_came_to_rest() -> None:
    trajectory = at_rest("adam")
    tangents = normal(2, trajectory.recipe.n_samples, seed=5)
    ends = retrain_many(trajectory.recipe, trajectory.weights + torch.cat([1e-4 * tangents, -1e-4 * tangents]))
    above, below = ends.split(2)
    assert error(Implicit.of_trajectory(trajectory, damping=0.0).jvp(tangents), (above - below) / 2e-4) <= 1e-4


def test_the_operator_takes_columns_and_single_vectors() -> None:
    jacobian = jacobian_of("unrolled", "autoencoder")
    n_params, n_samples = jacobian.shape
    cotangents, tangents = normal(3, n_params, seed=4), normal(2, n_samples, seed=5)
    matrix = jacobian.materialize()
    assert matrix.shape == jacobian.shape == jacobian.T.shape[::-1]
    assert error(jacobian @ tangents.T, matrix @ tangents.T) <= 1e-10
    assert error(jacobian @ tangents[0], matrix @ tangents[0]) <= 1e-10
    assert error(jacobian.T @ cotangents.T, matrix.T @ cotangents.T) <= 1e-10
    assert error(jacobian.T @ cotangents[0], matrix.T @ cotangents[0]) <= 1e-10
    assert jacobian.T.T is jacobian


def test_forward_products_do_not_depend_on_the_checkpoints() -> None:
    full, thin = trajectory_of("dec", "unequal"), trajectory_of("dec", "unequal", spacing=4)
    tangents = normal(2, full.recipe.n_samples, seed=5)
    assert torch.equal(Unrolled(thin).jvp(tangents), Unrolled(full).jvp(tangents))


def test_more_tangents_than_a_chunk_are_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    jacobian = jacobian_of("unrolled", "autoencoder")
    tangents = normal(3, jacobian.shape[1], seed=5)
    together = jacobian.jvp(tangents)
    monkeypatch.setattr("clusterexplain.influence.unrolled.MAX_CHUNK", 2)
    assert error(jacobian.jvp(tangents), together) <= 1e-12


def test_factors_of_another_shape_are_refused() -> None:
    for method in METHODS:
        jacobian = jacobian_of(method, "autoencoder")
        n_params, n_samples = jacobian.shape
        with pytest.raises(
            InvalidParameterError, match=rf"cotangents have shape \(2, 3\)\. Expected .* = \(k, {n_params}\)"
        ):
            jacobian.vjp(normal(2, 3, seed=0))
        with pytest.raises(
            InvalidParameterError, match=rf"tangents have shape \(2, 3\)\. Expected .* = \(k, {n_samples}\)"
        ):
            jacobian.jvp(normal(2, 3, seed=0))


def test_a_cosine_has_no_forward_product() -> None:
    jacobian = GradientCosine(GradientDot.of_trajectory(trajectory_of("autoencoder", "unequal")))
    assert not jacobian.is_linear
    with pytest.raises(NotImplementedError, match=r"no forward product: .* Use vjp, or GradientDot"):
        jacobian.jvp(normal(1, jacobian.shape[1], seed=0))


def test_the_outcome_of_a_solve_is_data() -> None:
    trajectory = trajectory_of("autoencoder", "unequal")
    jacobian = Implicit.of_trajectory(trajectory, damping=1e-9, solver=partial(ConjugateGradients, max_iterations=1))
    cotangents = normal(1, jacobian.shape[0], seed=4)
    _, report = jacobian.vjp_with_report(cotangents)  # no warning
    assert report.failed
    assert report.note.startswith("ConjugateGradients: ")
    with pytest.warns(SolverWarning, match="ConjugateGradients: "):
        jacobian.vjp(cotangents)
    with pytest.warns(SolverWarning, match="ConjugateGradients: "):
        jacobian.jvp(normal(1, jacobian.shape[1], seed=5))
    assert Unrolled(trajectory, name="further", description="40 steps").report == MethodReport("further", "40 steps")
    assert not Unrolled(trajectory).vjp_with_report(cotangents)[1].failed
