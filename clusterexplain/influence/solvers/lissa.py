"""LiSSA: the Neumann series of a damped and scaled curvature, on all data or on batches in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.influence.curvature import Curvature
from clusterexplain.influence.solvers.solution import Solution, Solver, Status, check_right, relative_residual


@dataclass(frozen=True, eq=False)
class LiSSA(Solver):
    r"""The series :math:`A^{-1} b = \frac{1}{s} \sum_t (I - A / s)^t b` for :math:`A = C + \delta I`, cut at a depth.

    Its recursion is :math:`x \leftarrow x + (b - A_t x) / s`, where :math:`A_t` may be the curvature of one batch after the
    other. It converges if every eigenvalue of A lies between 0 and 2 s, and then as slowly as the smallest of them is small:
    an error along an eigenvector falls by the factor :math:`1 - \lambda / s` in each step. The residual with the curvature of
    all data is checked on the way, at every step without batches and at every `check_every`-th with them; a row whose residual
    grows is stopped and reported, and of every row the best iterate that was checked is returned.

    Parameters
    ----------
    operator : Curvature
        The matrix C of all data.
    batches : sequence of Curvature, default=()
        Matrices that the steps use in turn, of the same size; their mean should be C. Empty uses C.
    scale : float or None, default=None
        The factor s. None takes 1.1 times the largest eigenvalue of C and of all batches, by a power iteration, plus the
        damping.
    depth : int, default=1000
        Most steps.
    tolerance : float, default=1e-3
        Relative residual at which a row stops.
    check_every : int, default=50
        Steps between two checks, with batches.
    keep_last : bool, default=False
        Return the last iterate instead of the best one that was checked, whatever its residual: what procedures do that never
        look at one. Status and residual say what it is worth.

    Raises
    ------
    InvalidParameterError
        If a parameter is out of its range.

    References
    ----------
    N. Agarwal, B. Bullins, E. Hazan. Second-order stochastic optimization for machine learning in linear time. JMLR 18, 2017.
    P. W. Koh, P. Liang. Understanding black-box predictions via influence functions. ICML 2017.

    Examples
    --------
    >>> from clusterexplain.influence.curvature import Hessian
    >>> bowl = Hessian(lambda theta: (theta * theta * torch.tensor([0.5, 2.0])).sum(), torch.ones(2))
    >>> solution = LiSSA(bowl, scale=5.0).solve(torch.tensor([[1.0, 4.0]]), damping=0.0)
    >>> torch.allclose(solution.value, torch.ones(1, 2), atol=1e-2), solution.status.name
    (True, 'CONVERGED')
    """

    operator: Curvature
    batches: Sequence[Curvature] = ()
    scale: float | None = None
    depth: int = 1000
    tolerance: float = 1e-3
    check_every: int = 50
    keep_last: bool = False

    def __post_init__(self) -> None:
        sizes = {batch.size for batch in self.batches} - {self.operator.size}
        if sizes:
            raise InvalidParameterError(
                f"batches have curvatures of size {sorted(sizes)}. Expected {self.operator.size}, the size of the operator."
            )
        if self.scale is not None and not 0 < self.scale < float("inf"):
            raise InvalidParameterError(
                f"scale={self.scale!r} must be a finite number above 0, larger than the largest eigenvalue, or None."
            )
        if not 0 < self.tolerance < 1:
            raise InvalidParameterError(f"tolerance={self.tolerance!r} must be between 0 and 1, for example 1e-3.")
        for name in ("depth", "check_every"):
            if getattr(self, name) < 1:
                raise InvalidParameterError(f"{name}={getattr(self, name)!r} must be a whole number of at least 1.")

    @property
    def size(self) -> int:
        """Length of a right-hand side."""
        return self.operator.size

    def solve(self, right: Tensor, damping: float) -> Solution:
        """Solve for every row; see :meth:`Solver.solve`."""
        check_right(right, self.size, damping)
        scale = self._scale(damping)
        size = right.norm(dim=1)
        x, best = torch.zeros_like(right), torch.zeros_like(right)
        smallest = torch.where(size > 0, torch.ones_like(size), torch.zeros_like(size))
        iterations = torch.zeros(len(right), dtype=torch.int64)
        worst: Status | None = None
        rows = torch.nonzero(size > 0).squeeze(1)
        # Without batches the residual can only shrink while the series converges; batches make it noisy.
        growth = 10.0 if self.batches else 2.0
        for step in range(self.depth + 1):
            last = step == self.depth
            if not self.batches or last or step % self.check_every == 0:
                push = _misfit(self.operator, x[rows], right[rows], damping)
                residual = push.norm(dim=1) / size[rows]
                better = residual < smallest[rows]
                best[rows[better]], smallest[rows[better]] = x[rows[better]], residual[better]
                grown = ~(residual <= growth * smallest[rows])  # also where it is NaN
                if bool(grown.any()) and worst is not Status.NOT_FINITE:
                    # A residual of all data is caught when it doubles, long before it overflows; between batches it may.
                    overflow = not self.batches and not bool(torch.isfinite(residual).all())
                    worst = Status.NOT_FINITE if overflow else Status.DIVERGED
                keep = ~grown & (residual > self.tolerance)
                rows, push = rows[keep], push[keep]
            if last or not len(rows):
                break
            if self.batches:
                push = _misfit(self.batches[step % len(self.batches)], x[rows], right[rows], damping)
            x[rows] += push / scale  # x <- x + (b - A_t x) / s
            iterations[rows] += 1
        value = x if self.keep_last else best
        residual = relative_residual(self.operator, value, right, damping)
        done = bool((residual <= 2 * self.tolerance).all())
        return Solution(value, worst or (Status.CONVERGED if done else Status.NOT_CONVERGED), residual, iterations)

    def _scale(self, damping: float) -> float:
        if self.scale is not None:
            return self.scale
        return 1.1 * max(_largest_eigenvalue(operator) for operator in (self.operator, *self.batches)) + damping


def _misfit(operator: Curvature, x: Tensor, right: Tensor, damping: float) -> Tensor:
    return right - operator.times(x) - damping * x


def _largest_eigenvalue(operator: Curvature, n_steps: int = 30) -> float:
    """Return the largest absolute eigenvalue by a power iteration from a fixed start."""
    vector = torch.randn(1, operator.size, generator=torch.Generator().manual_seed(0), dtype=operator.dtype)
    length = vector.norm()
    for _ in range(n_steps):
        if not length:
            break
        vector = operator.times(vector / length)
        length = vector.norm()
    return max(float(length), torch.finfo(operator.dtype).tiny)
