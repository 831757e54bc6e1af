"""What every solver takes and what it returns: the outcome of a solve is data, with advice in words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.influence.curvature import Curvature


class Status(Enum):
    """How a solve went; the value of each member says what that means and what to do, from best to worst."""

    CONVERGED = "Every residual is below the tolerance."
    MODIFIED = (
        "The curvature has negative eigenvalues, which were replaced as asked for: the solution is that of the changed "
        "matrix, and the residual tells how far it is from one of the matrix itself. The parameters are not at a minimum, so "
        "do not read the result as exact; unrolling the training needs no minimum."
    )
    NOT_CONVERGED = (
        "Some residuals are above the tolerance. Raise max_iterations (the depth, in LiSSA) or the damping, or use Dense if "
        "the number of parameters allows it. A dense solution whose residual is large means products of low precision, or "
        "an objective that is not the same function in every call."
    )
    SINGULAR = (
        "The matrix has directions of no curvature in which the right-hand side is not zero; the solution is 0 in them. Raise "
        "the damping above 0, or ask for a score that does not change along symmetries of the model."
    )
    INDEFINITE = (
        "The damped matrix has negative curvature: the parameters are not at a minimum, and the solution is no step towards "
        "one. Raise the damping above minus the smallest eigenvalue, use GaussNewton, or Dense(eigenvalues='clamped')."
    )
    DIVERGED = (
        "The iteration moves away from a solution; the best iterate so far is returned. Raise scale above the largest "
        "eigenvalue of every operator plus the damping; if that is so already, an eigenvalue is negative: raise the damping "
        "above minus the smallest one, or use GaussNewton."
    )
    NOT_FINITE = (
        "A product of the curvature is NaN or infinite; the best iterate before it is returned (NaN by Dense). Look for "
        "log(0), sqrt(0) or a division by 0 in the loss, which have values but no second derivatives there."
    )

    @property
    def fine(self) -> bool:
        """Whether the solver did what it was asked for."""
        return self in (Status.CONVERGED, Status.MODIFIED)


@dataclass(frozen=True, eq=False)
class Solution:
    """Solutions of (C + damping I) v = b for several right-hand sides, and how they were found.

    Attributes
    ----------
    value : Tensor of shape (k, size)
        One solution in each row.
    status : Status
        Of the worst row.
    residual : Tensor of shape (k,)
        Norm of b - (C + damping I) v over the norm of b, computed from `value` with the unchanged curvature; 0 for b = 0.
    iterations : Tensor of shape (k,), int64
        Steps taken for each row; 0 for a direct method.
    """

    value: Tensor
    status: Status
    residual: Tensor
    iterations: Tensor

    def __str__(self) -> str:
        """Say how it went, in one line."""
        name = self.status.name.lower().replace("_", " ")
        worst = float(self.residual.max()) if len(self.residual) else 0.0
        steps = int(self.iterations.max()) if len(self.iterations) else 0
        after = f" after {steps} iterations" if steps else ""
        return f"{name}{after}, largest relative residual {worst:.2g}. {self.status.value}"


class Solver(ABC):
    """Solves (C + damping I) v = b for one curvature C and many b."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Length of a right-hand side."""

    @abstractmethod
    def solve(self, right: Tensor, damping: float) -> Solution:
        """Solve for every row.

        Parameters
        ----------
        right : Tensor of shape (k, size)
            One right-hand side in each row.
        damping : float
            Added to the diagonal of the curvature, at least 0.

        Returns
        -------
        Solution
            Solutions in rows, and how it went; it is not raised that a solve failed.
        """


def relative_residual(operator: Curvature, value: Tensor, right: Tensor, damping: float) -> Tensor:
    """Return norm(b - (C + damping I) v) / norm(b) of each row, shape (k,); 0 where b is 0."""
    left = operator.times(value.to(operator.dtype)).to(right.dtype) + damping * value
    size = right.norm(dim=1)
    return torch.where(size > 0, (right - left).norm(dim=1) / size, torch.zeros_like(size))


def check_right(right: Tensor, size: int, damping: float) -> None:
    """Refuse right-hand sides and damping that do not fit.

    Parameters
    ----------
    right : Tensor
        Candidate.
    size : int
        Number of rows of the curvature.
    damping : float
        Candidate.

    Raises
    ------
    InvalidParameterError
        With what was found and what was expected.
    """
    if right.ndim != 2 or right.shape[1] != size:
        raise InvalidParameterError(
            f"Right-hand sides have shape {tuple(right.shape)}. Expected (k, {size}): one right-hand side in each row."
        )
    if not torch.isfinite(right).all():
        raise InvalidParameterError(
            "Right-hand sides hold NaN or infinite values. Expected finite numbers: look at the differentiated scores."
        )
    if not 0 <= damping < float("inf"):
        raise InvalidParameterError(f"damping={damping!r} must be a finite number of at least 0, for example 1e-2.")
