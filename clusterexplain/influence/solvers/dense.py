"""The eigendecomposition of a curvature, made once and used for every right-hand side and every damping."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from clusterexplain.exceptions import InvalidParameterError, MemoryBudgetError
from clusterexplain.influence.curvature import Curvature
from clusterexplain.influence.solvers.solution import Solution, Solver, Status, check_right, relative_residual

EIGENVALUES = ("clamped", "raw", "absolute")


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Eigenvalues and eigenvectors of a curvature, found in float64 when they are first asked for.

    Parameters
    ----------
    operator : Curvature
        What is decomposed.
    max_params : int, default=10_000
        Largest size that is allowed: memory grows with its square, time with its cube.

    Raises
    ------
    MemoryBudgetError
        If the curvature is larger.
    """

    operator: Curvature
    max_params: int = 10_000

    def __post_init__(self) -> None:
        size = self.operator.size
        if size > self.max_params:
            raise MemoryBudgetError(
                f"A dense solver of {size} parameters needs about {32e-9 * size**2:.3g} GB, and max_params={self.max_params} "
                f"does not allow it. Use ConjugateGradients or LiSSA, restrict the curvature to a block of parameters, or "
                f"raise max_params."
            )

    @cached_property
    def pair(self) -> tuple[Tensor, Tensor]:
        """Eigenvalues in ascending order and eigenvectors in columns; NaN for a matrix that is not finite."""
        matrix = self.operator.dense().to(torch.float64)
        if not bool(torch.isfinite(matrix).all()):
            return matrix.new_full((len(matrix),), torch.nan), torch.eye(len(matrix), dtype=matrix.dtype)
        values, vectors = torch.linalg.eigh(torch.add(matrix, matrix.T).mul_(0.5))
        return values, vectors

    @cached_property
    def noise(self) -> float:
        """What an eigenvalue of 0 may look like at the precision of the products."""
        largest = float(self.pair[0].abs().max())
        root: float = self.operator.size**0.5
        return float(torch.finfo(self.operator.dtype).eps) * root * largest


@dataclass(frozen=True, eq=False)
class Dense(Solver):
    r"""Direct solutions :math:`v = Q \, \mathrm{diag}(f(\lambda) + \delta)^{-1} Q^\top b` from :math:`C = Q \Lambda Q^\top`.

    The function f says what becomes of negative eigenvalues, which a curvature has wherever the parameters are not at a
    minimum: "clamped" is :math:`\max(\lambda, 0)`, "absolute" is :math:`|\lambda|`, "raw" is :math:`\lambda`. Directions in
    which the sum with the damping vanishes are left out.

    Parameters
    ----------
    spectrum : Spectrum
        Shared by all solvers that differ in `eigenvalues` alone: ``replace(solver, eigenvalues="raw")`` decomposes nothing.
    eigenvalues : {"clamped", "raw", "absolute"}, default="clamped"
        The function f.
    tolerance : float, default=1e-3
        Residual above which a solution of the unchanged matrix does not count as converged.

    Raises
    ------
    InvalidParameterError
        If `eigenvalues` is unknown.

    Examples
    --------
    >>> from clusterexplain.influence.curvature import Hessian
    >>> bowl = Hessian(lambda theta: (theta * theta * torch.tensor([0.5, 2.0])).sum(), torch.ones(2))
    >>> Dense.of(bowl).solve(torch.tensor([[1.0, 4.0]]), damping=0.0).value
    tensor([[1., 1.]])
    """

    spectrum: Spectrum
    eigenvalues: str = "clamped"
    tolerance: float = 1e-3

    def __post_init__(self) -> None:
        if self.eigenvalues not in EIGENVALUES:
            raise InvalidParameterError(
                f"eigenvalues={self.eigenvalues!r} is unknown. Expected one of {', '.join(map(repr, EIGENVALUES))}."
            )

    @classmethod
    def of(cls, operator: Curvature, *, eigenvalues: str = "clamped", max_params: int = 10_000) -> Dense:
        """Make a solver of a curvature.

        Parameters
        ----------
        operator : Curvature
            The matrix C.
        eigenvalues : {"clamped", "raw", "absolute"}, default="clamped"
            See the class.
        max_params : int, default=10_000
            See :class:`Spectrum`.

        Returns
        -------
        Dense
            Nothing is decomposed before the first solve.
        """
        return cls(Spectrum(operator, max_params), eigenvalues)

    @property
    def size(self) -> int:
        """Length of a right-hand side."""
        return self.spectrum.operator.size

    def solve(self, right: Tensor, damping: float) -> Solution:
        """Solve for every row; see :meth:`Solver.solve`."""
        check_right(right, self.size, damping)
        values, vectors = self.spectrum.pair
        noise = self.spectrum.noise
        treated = {"clamped": values.clamp(min=0), "absolute": values.abs(), "raw": values}[self.eigenvalues]
        denominators = treated + damping  # f(lambda) + delta: (size,)
        flat = denominators.abs() <= noise
        along = right.to(torch.float64) @ vectors  # b^T Q: (k, size)
        # v = Q (f(Lambda) + delta)^-1 Q^T b: (k, size)
        solved = torch.where(flat, 0.0, along / torch.where(flat, 1.0, denominators)) @ vectors.T
        value = solved.to(right.dtype)
        residual = relative_residual(self.spectrum.operator, value, right, damping)
        left_out = along[:, flat].norm(dim=1) > self.tolerance * along.norm(dim=1)
        if not bool(torch.isfinite(values).all()):
            status = Status.NOT_FINITE
        elif self.eigenvalues == "raw" and bool((denominators < -noise).any()):
            status = Status.INDEFINITE
        elif bool(left_out.any()):
            status = Status.SINGULAR
        elif self.eigenvalues != "raw" and bool((values < -noise).any()):
            status = Status.MODIFIED
        else:
            status = Status.CONVERGED if bool((residual <= self.tolerance).all()) else Status.NOT_CONVERGED
        return Solution(value, status, residual, torch.zeros(len(right), dtype=torch.int64))
