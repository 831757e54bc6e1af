"""Conjugate gradients for several right-hand sides side by side."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.influence.curvature import Curvature
from clusterexplain.influence.solvers.solution import Solution, Solver, Status, check_right, relative_residual

ON_NEGATIVE = ("stop", "continue")


@dataclass(frozen=True, eq=False)
class ConjugateGradients(Solver):
    """The method of Hestenes and Stiefel, all right-hand sides in one product for each step.

    Every row has its own step lengths and stops by itself when its residual is small; rows that have stopped cost no more
    products. The method is made for positive definite matrices. A direction of negative curvature, which it meets if there is
    one and the right-hand side reaches it, is reported; the row then stops, or goes on as if nothing had happened: the steps
    still lead to a solution of an indefinite system as a rule, but nothing guarantees it. Of a row that does not converge the
    iterate of the smallest residual is returned, because the last step before a stop may be a very long one.

    Parameters
    ----------
    operator : Curvature
        The matrix C.
    tolerance : float, default=1e-5
        Relative residual at which a row stops.
    max_iterations : int, default=500
        Most steps.
    on_negative : {"stop", "continue"}, default="stop"
        What a row does at a direction of negative curvature.

    Raises
    ------
    InvalidParameterError
        If a parameter is out of its range.

    References
    ----------
    M. R. Hestenes, E. Stiefel. Methods of conjugate gradients for solving linear systems. J. Res. NBS 49, 1952.
    J. R. Shewchuk. An introduction to the conjugate gradient method without the agonizing pain. 1994 (the letters).

    Examples
    --------
    >>> from clusterexplain.influence.curvature import Hessian
    >>> bowl = Hessian(lambda theta: (theta * theta * torch.tensor([0.5, 2.0])).sum(), torch.ones(2))
    >>> solution = ConjugateGradients(bowl).solve(torch.tensor([[1.0, 4.0]]), damping=0.0)
    >>> torch.allclose(solution.value, torch.ones(1, 2)), solution.status.name, solution.iterations.tolist()
    (True, 'CONVERGED', [2])
    """

    operator: Curvature
    tolerance: float = 1e-5
    max_iterations: int = 500
    on_negative: str = "stop"

    def __post_init__(self) -> None:
        if not 0 < self.tolerance < 1:
            raise InvalidParameterError(f"tolerance={self.tolerance!r} must be between 0 and 1, for example 1e-5.")
        if self.max_iterations < 1:
            raise InvalidParameterError(f"max_iterations={self.max_iterations!r} must be a whole number of at least 1.")
        if self.on_negative not in ON_NEGATIVE:
            raise InvalidParameterError(f"on_negative={self.on_negative!r} is unknown. Expected 'stop' or 'continue'.")

    @property
    def size(self) -> int:
        """Length of a right-hand side."""
        return self.operator.size

    def solve(self, right: Tensor, damping: float) -> Solution:
        """Solve for every row; see :meth:`Solver.solve`."""
        check_right(right, self.size, damping)
        goal = self.tolerance * right.norm(dim=1)
        x, best = torch.zeros_like(right), torch.zeros_like(right)
        iterations = torch.zeros(len(right), dtype=torch.int64)
        met = dict.fromkeys((Status.NOT_FINITE, Status.INDEFINITE, Status.SINGULAR), False)
        rounding, steepest = 10 * torch.finfo(right.dtype).eps, torch.zeros_like(goal)
        r, d = right.clone(), right.clone()  # residual b - A x and search direction at x = 0: (k, size)
        delta = r.square().sum(dim=1)  # |r|^2: (k,)
        smallest = delta.clone()
        rows = torch.nonzero(delta > 0).squeeze(1)
        for _ in range(self.max_iterations):
            if not len(rows):
                break
            q = self.operator.times(d[rows]) + damping * d[rows]  # A d
            curved = (d[rows] * q).sum(dim=1)  # d^T A d
            wild = ~torch.isfinite(q).all(dim=1)
            squared = d[rows].square().sum(dim=1)
            steepest[rows] = torch.maximum(steepest[rows], curved.abs() / squared)
            flat = curved.abs() <= rounding * steepest[rows] * squared
            negative = ~flat & (curved < 0)
            for status, where in ((Status.NOT_FINITE, wild), (Status.INDEFINITE, negative), (Status.SINGULAR, flat)):
                met[status] |= bool(where.any())
            keep = ~(wild | flat | negative) if self.on_negative == "stop" else ~(wild | flat)
            rows, q, curved = rows[keep], q[keep], curved[keep]
            alpha = (delta[rows] / curved).unsqueeze(1)  # step length |r|^2 / d^T A d
            x[rows] += alpha * d[rows]
            r[rows] -= alpha * q
            shrunk = r[rows].square().sum(dim=1)
            d[rows] = (
                r[rows] + (shrunk / delta[rows]).unsqueeze(1) * d[rows]
            )  # d <- r + beta d, beta = |r_new|^2 / |r|^2
            delta[rows] = shrunk
            iterations[rows] += 1
            better = rows[shrunk < smallest[rows]]
            best[better], smallest[better] = x[better], delta[better]
            rows = rows[shrunk.sqrt() > goal[rows]]
        residual = relative_residual(self.operator, best, right, damping)
        # The recursion of the residual drifts by rounding; ten times the tolerance is where that counts.
        done = bool((residual <= 10 * self.tolerance).all())
        worst = next((status for status, was_met in met.items() if was_met), None)
        return Solution(best, worst or (Status.CONVERGED if done else Status.NOT_CONVERGED), residual, iterations)
