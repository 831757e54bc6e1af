"""Does a Jacobian keep its contract? Probes of its products, with messages that say which rule is broken."""

from __future__ import annotations

import torch
from torch import Tensor

from clusterexplain.exceptions import InvalidMethodError
from clusterexplain.influence.jacobian import TrainingJacobian, missing_record
from clusterexplain.influence.registry import JacobianFactory
from clusterexplain.training import Trajectory, retrain_many

N_PROBES = 3


def check_method(method: TrainingJacobian | JacobianFactory, trajectory: Trajectory, *, seed: int = 0) -> None:
    """Probe the contract of an influence method, as ``check_estimator`` does for estimators.

    Parameters
    ----------
    method : TrainingJacobian, or callable ``Trajectory -> TrainingJacobian``
        The method.
    trajectory : Trajectory
        A small recorded training: the whole matrix is computed, and it is trained again at other weights.
    seed : int, default=0
        Of the random cotangents and tangents.

    Raises
    ------
    InvalidMethodError
        Naming the first broken rule: a TrainingJacobian of shape (n_params, n_samples) whose report has a name and that needs
        what the training recorded; rows of the right shape and type, finite, the same in every call, of each cotangent alone,
        and linear in it; a forward product that is adjoint to the reverse product, <J v, g> = <v, J' g>; a matrix that gives
        the same products; and parameters that move as in retraining at slightly other weights: the same way, and by as much
        where the method says that it is exact.

    Examples
    --------
    >>> from clusterexplain.influence import GradientDot
    >>> from clusterexplain.models import Autoencoder
    >>> from clusterexplain.training import SGD, BatchPlan, Recipe, train
    >>> task, rows = Autoencoder(3, hidden=(), latent_dim=1), torch.rand(6, 3)
    >>> initial = task.initial_params(torch.Generator().manual_seed(0), rows.dtype)
    >>> plan = BatchPlan.draw(6, n_steps=2, batch_size=6, seed=0)
    >>> trajectory = train(Recipe(task, rows, initial, plan, SGD(0.1, n_steps=2)), torch.ones(6), spacing=1)
    >>> check_method(GradientDot.of_trajectory, trajectory)
    """
    jacobian = method if isinstance(method, TrainingJacobian) else method(trajectory)
    _check_declarations(jacobian, trajectory)
    generator = torch.Generator().manual_seed(seed)
    n_params, n_samples = jacobian.shape
    cotangents = torch.randn(N_PROBES, n_params, generator=generator, dtype=jacobian.dtype)
    tangents = torch.randn(N_PROBES, n_samples, generator=generator, dtype=jacobian.dtype)
    rows = jacobian.vjp(cotangents)  # (N_PROBES, n_samples)
    _check_vectors(rows, (N_PROBES, n_samples), jacobian, "vjp")
    tolerance = torch.finfo(jacobian.dtype).eps ** 0.5
    _compare(
        jacobian.vjp(cotangents),
        rows,
        tolerance,
        "vjp gives other rows for the same cotangents when it is called again",
    )
    _compare(
        torch.cat([jacobian.vjp(cotangent.unsqueeze(0)) for cotangent in cotangents]), rows, tolerance,
        "a row of vjp depends on the other cotangents of the call",
    )  # fmt: skip
    if jacobian.has_jvp:
        moved = jacobian.jvp(tangents)  # (N_PROBES, n_params)
        _check_vectors(moved, (N_PROBES, n_params), jacobian, "jvp")
    if jacobian.is_linear:
        _check_linear(jacobian, cotangents, rows, tangents)
    _check_retraining(jacobian, trajectory, tangents)


def _check_linear(jacobian: TrainingJacobian, cotangents: Tensor, rows: Tensor, tangents: Tensor) -> None:
    """Compare the products with each other: a linear method is one matrix."""
    tolerance = torch.finfo(jacobian.dtype).eps ** 0.5
    mixed = jacobian.vjp(2 * cotangents[:1] - 3 * cotangents[1:2])
    _compare(
        mixed, 2 * rows[:1] - 3 * rows[1:2], tolerance, "vjp is not linear in the cotangents; set is_linear = False"
    )
    if jacobian.has_jvp:
        _compare(
            cotangents @ jacobian.jvp(tangents).T, rows @ tangents.T, tolerance,
            "jvp and vjp are not adjoint: <J v, g> is not <v, J' g>; one of them belongs to another matrix",
        )  # fmt: skip
    _compare(cotangents @ jacobian.materialize(), rows, tolerance, "materialize gives another matrix than vjp")


def _check_retraining(jacobian: TrainingJacobian, trajectory: Trajectory, tangents: Tensor) -> None:
    """Compare with central differences of retrained parameters; the reverse product alone is used, which every method has."""
    step = torch.finfo(trajectory.recipe.dtype).eps ** (1 / 3)
    weights, changes = trajectory.weights, tangents.to(trajectory.recipe.dtype)
    retrained = retrain_many(trajectory.recipe, torch.cat([weights + step * changes, weights - step * changes]))
    above, below = torch.split(retrained, len(changes))
    moved = ((above - below) / (2 * step)).to(jacobian.dtype)  # J v for each tangent v, shape (N_PROBES, n_params)
    predicted = (jacobian.vjp(moved) * tangents).sum(dim=1)  # <J v of the method, J v of retraining>
    if not bool(predicted.sum() > 0):
        raise InvalidMethodError(
            "The Jacobian breaks its contract: along random changes of the weights it moves the parameters away from where "
            "retraining moves them. Expected the change for one unit of weight more; look for a sign, or for another order of "
            "the examples."
        )
    if jacobian.is_exact:
        _compare(
            predicted, moved.square().sum(dim=1), torch.finfo(trajectory.recipe.dtype).eps ** 0.25,
            "it differs from central differences of retraining; if it is an approximation, set is_exact = False",
        )  # fmt: skip


def _check_declarations(jacobian: TrainingJacobian, trajectory: Trajectory) -> None:
    if not isinstance(jacobian, TrainingJacobian):
        raise InvalidMethodError(
            f"The method is a {type(jacobian).__name__}. Expected a TrainingJacobian, or a callable that makes one of a "
            f"Trajectory."
        )
    expected = (trajectory.recipe.layout.size, trajectory.recipe.n_samples)
    if jacobian.shape != expected:
        raise InvalidMethodError(
            f"{type(jacobian).__name__}.shape is {jacobian.shape}. Expected (n_params, n_samples) = {expected}."
        )
    if not jacobian.report.name:
        raise InvalidMethodError(
            f"{type(jacobian).__name__}.report has no name. Expected a MethodReport with the name that answers show."
        )
    missing = missing_record(jacobian, trajectory)
    if missing:
        raise InvalidMethodError(missing)


def _check_vectors(vectors: Tensor, expected: tuple[int, int], jacobian: TrainingJacobian, product: str) -> None:
    if vectors.shape != expected or vectors.dtype != jacobian.dtype:
        raise InvalidMethodError(
            f"{product} returned shape {tuple(vectors.shape)} of {vectors.dtype}. Expected {expected} of {jacobian.dtype}, one "
            f"product in each row."
        )
    if not bool(torch.isfinite(vectors).all()):
        raise InvalidMethodError(
            f"{product} returned numbers that are NaN or infinite. Expected finite ones; look for a division by 0 or a matrix "
            f"without an inverse."
        )


def _compare(found: Tensor, expected: Tensor, tolerance: float, broken: str) -> None:
    """Refuse a difference above `tolerance`, relative to the largest entry that was expected."""
    difference = float(
        (found - expected).abs().max() / expected.abs().max().clamp(min=torch.finfo(expected.dtype).tiny)
    )
    if not difference <= tolerance:
        raise InvalidMethodError(
            f"The Jacobian breaks its contract: {broken} (relative difference {difference:.1g}, allowed {tolerance:.1g})."
        )
