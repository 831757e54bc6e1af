"""A solver on a block of the parameters: the rest of the solution is zero."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.influence.curvature import Curvature, Restricted
from clusterexplain.influence.solvers.solution import Solution, Solver, check_right


@dataclass(frozen=True, eq=False)
class OnBlock(Solver):
    """Solves with the block of a curvature and leaves all other parameters where they are.

    Status, residual and iterations are those of the solve within the block: "last layer only" says nothing of the rest.

    Parameters
    ----------
    block : Restricted
        The block of the curvature.
    solver : Solver
        Of the block.

    Raises
    ------
    InvalidParameterError
        If the solver is not one of the block.

    Examples
    --------
    >>> import torch
    >>> from clusterexplain.influence.curvature import Hessian
    >>> from clusterexplain.influence.solvers import Dense
    >>> bowl = Hessian(lambda theta: (theta * theta * torch.tensor([0.5, 2.0])).sum(), torch.ones(2))
    >>> last = OnBlock.of(bowl, torch.tensor([False, True]), Dense.of)
    >>> last.solve(torch.tensor([[1.0, 4.0]]), damping=0.0).value
    tensor([[0., 1.]])
    """

    block: Restricted
    solver: Solver

    def __post_init__(self) -> None:
        if self.solver.size != self.block.size:
            raise InvalidParameterError(
                f"The solver takes {self.solver.size} numbers, but the block has {self.block.size} parameters. Expected a "
                f"solver of this block: OnBlock.of(curvature, mask, Dense.of)."
            )

    @classmethod
    def of(cls, operator: Curvature, mask: Tensor, make: Callable[[Curvature], Solver]) -> OnBlock:
        """Make a solver on the block of a curvature.

        Parameters
        ----------
        operator : Curvature
            Of all parameters.
        mask : Tensor of shape (n_params,), bool
            Which parameters belong to the block.
        make : callable
            ``curvature -> solver``, for example ``Dense.of`` or ``ConjugateGradients``.

        Returns
        -------
        OnBlock
            Takes and returns vectors of all parameters.
        """
        block = Restricted(operator, mask)
        return cls(block, make(block))

    @property
    def size(self) -> int:
        """Number of all parameters."""
        return self.block.operator.size

    def solve(self, right: Tensor, damping: float) -> Solution:
        """Solve within the block for every row; see :meth:`Solver.solve`."""
        check_right(right, self.size, damping)
        inner = self.solver.solve(self.block.take(right), damping)
        return Solution(self.block.put(inner.value), inner.status, inner.residual, inner.iterations)
