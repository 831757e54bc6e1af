"""The classical influence function: how the minimum of an objective moves with the data weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor
from torch.func import grad, vmap

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.influence.curvature import CHUNK, Curvature, Hessian
from clusterexplain.influence.jacobian import MethodReport, Record, TrainingJacobian, check_rows
from clusterexplain.influence.objective import Objective, TrajectoryObjective
from clusterexplain.influence.solvers import Dense, OnBlock, Solution, Solver
from clusterexplain.training import Trajectory
from clusterexplain.training.torch_compat import jvp


@dataclass(frozen=True, eq=False)
class Implicit(TrainingJacobian):
    r"""The Jacobian of w -> theta(w), the minimum of an objective, by the implicit function theorem.

    Where :math:`\nabla_\theta L(\theta, w) = 0`, a change of the weights moves the minimum by

    .. math::
        \frac{\partial \theta}{\partial w} = - C^{-1} \, \partial_w \nabla_\theta L, \qquad
        \frac{\partial s}{\partial w_i} = - g^\top (C + \delta I)^{-1} \, \partial_{w_i} \nabla_\theta L,

    with the Hessian :math:`C = \nabla^2_\theta L` or another curvature in its place. With :math:`v = (C + \delta I)^{-1} g`
    all examples come from one expression, the gradient in w of the derivative of L along v. No loss of a single example need
    exist, so losses in which examples interact are no special case.

    It is exact at a minimum without damping. Elsewhere, and a training that was stopped is elsewhere, it answers how the
    minimum nearby would move if the curvature were the same everywhere, which can be far from what retraining gives.

    Parameters
    ----------
    objective : callable
        ``(theta, weights) -> scalar`` with flat parameters, the same function in every call.
    theta : Tensor of shape (n_params,)
        The parameters.
    weights : Tensor of shape (n_samples,)
        The data weights.
    solver : Solver
        Solves with the curvature of the objective at `theta`; it is kept by ``replace(method, damping=...)``, so that
        a :class:`Dense` solver decomposes once.
    damping : float, default=1e-2
        The number delta.
    chunk : int, default=16
        Vectors side by side.
    description : str, optional
        For reports; the name of the solver by default.

    Raises
    ------
    InvalidParameterError
        If the solver is one of other parameters.

    References
    ----------
    P. W. Koh, P. Liang. Understanding black-box predictions via influence functions. ICML 2017.
    A. Silva, R. Chopra, M. Gombolay. Cross-loss influence functions to explain deep network representations. AISTATS 2022.

    Examples
    --------
    The minimum of the sum of w_i (theta - x_i)^2 / 2 is the weighted mean, whose derivative is (x_i - mean) / sum(w):

    >>> import torch
    >>> x = torch.tensor([0.0, 1.0, 5.0])
    >>> w, mean = torch.ones(3), torch.tensor([2.0])
    >>> def objective(theta, w):
    ...     return (w * (theta - x).square()).sum() / 2
    >>> curvature = Hessian(lambda theta: objective(theta, w), mean)
    >>> Implicit(objective, mean, w, Dense.of(curvature), damping=0.0).vjp(torch.ones(1, 1))
    tensor([[-0.6667, -0.3333,  1.0000]])
    """

    objective: Objective
    theta: Tensor
    weights: Tensor
    solver: Solver
    damping: float = 1e-2
    chunk: int = CHUNK
    description: str = ""

    needs: ClassVar[Record] = Record.CHECKPOINTS

    def __post_init__(self) -> None:
        if self.solver.size != len(self.theta):
            raise InvalidParameterError(
                f"The solver takes {self.solver.size} numbers, but theta has {len(self.theta)} parameters. Expected a solver "
                f"of the curvature at theta; for a block of the parameters use OnBlock."
            )

    @classmethod
    def of_trajectory(
        cls,
        trajectory: Trajectory,
        *,
        damping: float = 1e-2,
        solver: Callable[[Curvature], Solver] = Dense.of,
        curvature: Curvature | None = None,
        block: Tensor | None = None,
        decay: float | None = None,
        passes: int = 1,
    ) -> Implicit:
        """Take the last stage of a recorded training for a minimum.

        Parameters
        ----------
        trajectory : Trajectory
            Only its final parameters and its last stage are used; stages before it are left out.
        damping : float, default=1e-2
            See the class.
        solver : callable, default=Dense.of
            ``curvature -> solver``: ``Dense.of``, ``ConjugateGradients``, ``LiSSA``, or a ``partial`` of one of them.
        curvature : Curvature, optional
            Instead of the Hessian of the objective; a Gauss-Newton matrix needs the model's outputs, which it does not
            know.
        block : Tensor of shape (n_params,), bool, optional
            Parameters that move; all others stay.
        decay : float or None, default=None
            Weight decay of the objective; None is what the optimizer's decay amounts to where the training stands still,
            which for AdamW is another number for every parameter
            (:func:`~clusterexplain.influence.objective.stationary_decay`).
        passes : int, default=1
            Passes over the data whose batches (a loss in which examples interact) or augmentations are averaged.

        Returns
        -------
        Implicit
            At the final parameters and the weights of the training.
        """
        objective = TrajectoryObjective.of_trajectory(trajectory, decay=decay, passes=passes)
        theta, weights = trajectory.final, trajectory.weights
        if curvature is None:
            curvature = Hessian(lambda theta: objective(theta, weights), theta)
        made = solver(curvature) if block is None else OnBlock.of(curvature, block, solver)
        return cls(objective, theta, weights, made, damping)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of parameters and number of training examples."""
        return len(self.theta), len(self.weights)

    @property
    def dtype(self) -> torch.dtype:
        """Floating point type of the parameters."""
        return self.theta.dtype

    @property
    def report(self) -> MethodReport:
        """Name and solver."""
        return MethodReport("implicit", self.description or type(self.solver).__name__)

    def solve(self, cotangents: Tensor) -> Solution:
        """Return ``cotangents @ (C + damping I)^-1`` and how the solve went; arguments as :meth:`vjp`."""
        return self.solver.solve(cotangents, self.damping)

    def rows(self, vectors: Tensor) -> Tensor:
        """Return the influence rows of solved vectors.

        Parameters
        ----------
        vectors : Tensor of shape (k, n_params)
            Values of :meth:`solve`.

        Returns
        -------
        Tensor of shape (k, n_samples)
            Minus the derivative in each weight of the slope of the objective along each vector.
        """
        return -slopes_in_weights(self.objective, self.theta, self.weights, vectors, chunk=self.chunk)

    def vjp_with_report(self, cotangents: Tensor) -> tuple[Tensor, MethodReport]:
        """Return the rows of :meth:`solve` and :meth:`rows`; see :meth:`TrainingJacobian.vjp_with_report`."""
        check_rows(cotangents, len(self.theta), "cotangents")
        solution = self.solve(cotangents)  # v = (C + delta I)^-1 g: (k, n_params)
        return self.rows(solution.value), self._report_of(solution)

    def jvp(self, tangents: Tensor) -> Tensor:
        r"""Return :math:`-(C + \delta I)^{-1} \partial_w \nabla L` times each tangent; see :meth:`TrainingJacobian.jvp`."""
        check_rows(tangents, len(self.weights), "tangents")
        # d_w grad L along each tangent: (k, n_params)
        moved = gradients_along(self.objective, self.theta, self.weights, tangents, chunk=self.chunk)
        solution = self.solve(moved)
        self._report_of(solution).warn_if_failed()
        return -solution.value

    def _report_of(self, solution: Solution) -> MethodReport:
        return replace(self.report, outcome=str(solution), failed=not solution.status.fine)


def slopes_in_weights(
    objective: Objective, theta: Tensor, weights: Tensor, vectors: Tensor, *, chunk: int = CHUNK
) -> Tensor:
    r"""Return :math:`\partial_w \langle \nabla_\theta L(\theta, w), v \rangle` for each vector v.

    Parameters
    ----------
    objective : callable
        ``(theta, weights) -> scalar``.
    theta : Tensor of shape (n_params,)
        The parameters.
    weights : Tensor of shape (n_samples,)
        The data weights.
    vectors : Tensor of shape (k, n_params)
        One vector in each row.
    chunk : int, default=16
        Vectors side by side.

    Returns
    -------
    Tensor of shape (k, n_samples)
        For a loss that is a sum over examples these are the inner products of their gradients with v.
    """

    def slope_of(vector: Tensor) -> Tensor:
        # <grad L, v> is the derivative of L along v: a scalar function of w, whose gradient has n_samples entries
        slope: Tensor = grad(lambda w: jvp(lambda theta: objective(theta, w), theta, vector)[1])(weights)
        return slope

    return vmap(slope_of, chunk_size=chunk)(vectors).detach()


def gradients_along(
    objective: Objective, theta: Tensor, weights: Tensor, tangents: Tensor, *, chunk: int = CHUNK
) -> Tensor:
    r"""Return :math:`(\partial_w \nabla_\theta L(\theta, w)) \, t` for each tangent t on the weights.

    Parameters
    ----------
    objective : callable
        ``(theta, weights) -> scalar``.
    theta : Tensor of shape (n_params,)
        The parameters.
    weights : Tensor of shape (n_samples,)
        The data weights.
    tangents : Tensor of shape (k, n_samples)
        One change of the weights in each row.
    chunk : int, default=16
        Tangents side by side.

    Returns
    -------
    Tensor of shape (k, n_params)
        How the gradient in the parameters changes; the transpose of :func:`slopes_in_weights`.
    """
    gradient = grad(objective)

    def change_of(tangent: Tensor) -> Tensor:
        return jvp(lambda w: gradient(theta, w), weights, tangent)[1]

    return vmap(change_of, chunk_size=chunk)(tangents).detach()
