"""Implicit fixed points x = F(x; Z, w): solved to rounding, differentiated without unrolling."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from scipy.sparse.linalg import ArpackNoConvergence, eigs
from torch import Tensor
from torch.func import jacrev

Map = Callable[[Tensor], Tensor]

TOLERANCE = 1e-13
"""A Newton step of this size relative to the solution is round-off."""
STALLED = 1e-9
"""Newton steps that no longer shrink are round-off, and good enough, below this size relative to the solution."""
ROUGH = (1e-5, 1e-7, 1e-9)
"""Relative sizes of a plain step at which Newton's method takes over, in turn."""
LEAST_GAP = 1e-7
"""Least distance of the eigenvalues of the Jacobian from 1. Nearer, a fixed point moves ten million times as far as its inputs:
it is one of a continuum up to rounding, such as two components of a mixture that coincide."""
DENSE = 400
"""Size of the matrix up to which all eigenvalues are computed, and not the two that decide."""
JACOBIAN_CHUNK = 64
"""Rows of the Jacobian that are computed side by side."""


def solve(
    step: Map,
    start: Tensor,
    *,
    inverse: Tensor | None = None,
    invert: Map | None = None,
    max_iterations: int = 2000,
) -> tuple[Tensor, bool]:
    r"""Solve ``x = F(x)`` by iteration, finished by Newton's method.

    Plain iteration converges linearly and follows the map (it cannot leave the basin of `start` for a saddle as Newton's
    method could), so it does the distance; Newton's method :math:`x \leftarrow x + (I - J)^{-1} (F(x) - x)` does the digits.
    Where Newton's method fails, or finds a fixed point that plain iteration would leave, iteration goes on from where it
    was, a hundred times as far.

    Parameters
    ----------
    step : callable
        F, from a flat vector to a flat vector.
    start : Tensor of shape (size,)
        Where to start.
    inverse : Tensor of shape (size, size), optional
        :math:`(I - J)^{-1}` of a nearby fixed point, from :func:`inverse_of`. Newton steps with it are tried first: after a
        small change of the data a handful of them reach rounding.
    invert : callable, optional
        Computes :math:`(I - J)^{-1}` at a point; :func:`inverse_of` if it is not given.
    max_iterations : int, default=2000
        Plain iterations at most, before each attempt of Newton's method.

    Returns
    -------
    solution : Tensor of shape (size,)
        The fixed point, detached.
    converged : bool
        Whether the last Newton step was round-off, at a fixed point that attracts the iteration.
    """
    invert = partial(inverse_of, step) if invert is None else invert
    with torch.no_grad():
        if inverse is not None:  # the inverse of a nearby fixed point, never renewed: a chord method
            candidate, converged = _newton(step, start, inverse)
            if converged:
                return candidate, True
        x = start
        for rough in ROUGH:
            x = candidate = _iterate(step, x, rough, max_iterations)
            for _ in range(3):  # the Jacobian is taken where the last one led to
                candidate, converged = _newton(step, candidate, invert(candidate))
                if converged:
                    break
            if converged and attracts(invert(candidate)):  # not a saddle that Newton's method ran into
                return candidate, True
        return x, False


def inverse_of(step: Map, solution: Tensor) -> Tensor:
    """Return ``inv(I - J)`` at a fixed point, shape (size, size); J is the Jacobian of the map. NaN where there is none."""
    jacobian = jacrev(step, chunk_size=JACOBIAN_CHUNK)(solution).detach()
    inverse, failed = torch.linalg.inv_ex(torch.eye(len(solution), dtype=solution.dtype) - jacobian)
    return torch.where(failed > 0, torch.nan, inverse)


def attracts(inverse: Tensor) -> bool:
    r"""Return whether a fixed point is isolated and attracts plain iteration.

    An eigenvalue :math:`\lambda` of the Jacobian is the eigenvalue :math:`\mu = 1 / (1 - \lambda)` of the inverse. All
    :math:`\lvert \lambda \rvert < 1` where all :math:`\mu` have a real part above 1/2, and the largest
    :math:`\lvert \mu \rvert` is one over the distance of the nearest :math:`\lambda` from 1.

    Parameters
    ----------
    inverse : Tensor of shape (size, size)
        From :func:`inverse_of`, at the fixed point itself.

    Returns
    -------
    bool
        False also for an inverse that is not finite.

    Examples
    --------
    >>> attracts(inverse_of(lambda x: 0.5 * x, torch.zeros(2, dtype=torch.float64)))
    True
    >>> attracts(inverse_of(lambda x: x.mean().expand(2), torch.zeros(2, dtype=torch.float64)))
    False
    """
    if not bool(torch.isfinite(inverse).all()):
        return False
    if len(inverse) <= DENSE:
        values = torch.linalg.eigvals(inverse)
        return bool(values.real.min() > 0.5) and bool(values.abs().max() < 1 / LEAST_GAP)
    largest, leftmost = (_extreme_eigenvalue(inverse, which) for which in ("LM", "SR"))
    return leftmost.real > 0.5 and abs(largest) < 1 / LEAST_GAP


def implicit(moved: Tensor, solution: Tensor, inverse: Tensor) -> Tensor:
    r"""Return the fixed point with its derivative, by the implicit function theorem.

    .. math:: dx = (I - J)^{-1} \, \partial F(x; Z, w)

    Parameters
    ----------
    moved : Tensor of shape (size,)
        ``F(solution; Z, w)`` with `solution` held constant: its derivative in Z and w is the one that counts.
    solution : Tensor of shape (size,)
        The fixed point, constant.
    inverse : Tensor of shape (size, size)
        From :func:`inverse_of`, constant.

    Returns
    -------
    Tensor of shape (size,)
        Equal to `solution` (up to one Newton step), differentiable in what F depends on.
    """
    return solution + inverse @ (moved - solution)


def _iterate(step: Map, x: Tensor, rough: float, max_iterations: int) -> Tensor:
    # x <- F(x), until a step is short
    for _ in range(max_iterations):
        moved = step(x)
        done = _size(moved - x) <= rough * _size(moved)
        x = moved
        if done:
            break
    return x


def _extreme_eigenvalue(matrix: Tensor, which: str) -> complex:
    # by Arnoldi's method, from a start of its own: the same on every call
    start = np.random.default_rng(0).normal(size=len(matrix))
    try:
        found = eigs(matrix.numpy(), k=1, which=which, v0=start, tol=1e-6, maxiter=3000, return_eigenvectors=False)
    except ArpackNoConvergence:
        return complex(np.nan)  # not known, so no comparison holds
    return complex(found[0])


def _newton(step: Map, x: Tensor, inverse: Tensor, max_steps: int = 25) -> tuple[Tensor, bool]:
    before = torch.inf
    for _ in range(max_steps):
        change = inverse @ (step(x) - x)  # (I - J)^-1 (F(x) - x)
        size = float(_size(change))
        # steps that no longer shrink (or are NaN): round-off if they are small already, divergence if not
        if not size < max(0.9 * before, TOLERANCE * float(_size(x))):
            return x, before <= STALLED * float(_size(x))
        x, before = x + change, size
        if size <= TOLERANCE * float(_size(x)):
            return x, True
    return x, False


def _size(x: Tensor) -> Tensor:
    return x.abs().max()
