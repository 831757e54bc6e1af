"""The classical influence function: how the minimum of an objective moves with the data weights."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.func import grad, vmap

from clusterexplain.exceptions import InvalidParameterError, SolverWarning
from clusterexplain.influence.curvature import CHUNK, Curvature, Hessian
from clusterexplain.influence.directional import along
from clusterexplain.influence.objective import Objective, RunObjective
from clusterexplain.influence.solvers import Dense, OnBlock, Solution, Solver
from clusterexplain.training import Trajectory


@dataclass(frozen=True, eq=False)
class Implicit:
    r"""Vector-Jacobian products of w -> theta(w), the minimum of an objective, by the implicit function theorem.

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
        Solved vectors that are pulled to the weights side by side.

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
    >>> Implicit(objective, mean, w, Dense.of(curvature), damping=0.0).pull(torch.ones(1, 1))
    tensor([[-0.6667, -0.3333,  1.0000]])
    """

    objective: Objective
    theta: Tensor
    weights: Tensor
    solver: Solver
    damping: float = 1e-2
    chunk: int = CHUNK

    name = "implicit"

    def __post_init__(self) -> None:
        if self.solver.size != len(self.theta):
            raise InvalidParameterError(
                f"The solver takes {self.solver.size} numbers, but theta has {len(self.theta)} parameters. Expected a solver "
                f"of the curvature at theta; for a block of the parameters use OnBlock."
            )

    @classmethod
    def of_run(
        cls,
        run: Trajectory,
        *,
        damping: float = 1e-2,
        solver: Callable[[Curvature], Solver] = Dense.of,
        curvature: Curvature | None = None,
        block: Tensor | None = None,
        decay: float | None = None,
        passes: int = 1,
    ) -> Implicit:
        """Take the last stage of a recorded run for a minimum.

        Parameters
        ----------
        run : Trajectory
            Only its final parameters and its last stage are used; stages before it are left out.
        damping : float, default=1e-2
            See the class.
        solver : callable, default=Dense.of
            ``curvature -> solver``: ``Dense.of``, ``ConjugateGradients``, ``LiSSA``, or a ``partial`` of one of them.
        curvature : Curvature, optional
            Instead of the Hessian of the objective; a Gauss-Newton matrix needs the model's outputs, which a run does not
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
            At the final parameters and the weights of the run.
        """
        objective = RunObjective.of_run(run, decay=decay, passes=passes)
        theta, weights = run.final, run.weights
        if curvature is None:
            curvature = Hessian(lambda flat: objective(flat, weights), theta)
        made = solver(curvature) if block is None else OnBlock.of(curvature, block, solver)
        return cls(objective, theta, weights, made, damping)

    def solve(self, cotangents: Tensor) -> Solution:
        """Return ``cotangents @ (C + damping I)^-1`` and how the solve went; arguments as :meth:`pull`."""
        return self.solver.solve(cotangents, self.damping)

    def rows(self, vectors: Tensor) -> Tensor:
        """Pull solved vectors to the weights.

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

    def pull(self, cotangents: Tensor) -> Tensor:
        """Return ``cotangents @ d theta / d w``, approximately, at the weights of the run.

        A solve that failed is warned about. :meth:`solve` and :meth:`rows` are the two halves, for callers who record how the
        solve went.

        Parameters
        ----------
        cotangents : Tensor of shape (n_cotangents, n_params)
            Derivatives of some scalars in the trained parameters, flat in the order of the recipe's layout.

        Returns
        -------
        Tensor of shape (n_cotangents, n_samples)
            The change of each scalar for one unit of weight more on each example; negate it for "if removed".
        """
        solution = self.solve(cotangents)
        if not solution.status.fine:
            warnings.warn(f"{type(self.solver).__name__}: {solution}", SolverWarning, stacklevel=2)
        return self.rows(solution.value)


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

    def one(vector: Tensor) -> Tensor:
        return grad(lambda w: along(lambda flat: objective(flat, w), theta, vector)[1])(weights)

    return vmap(one, chunk_size=chunk)(vectors).detach()
