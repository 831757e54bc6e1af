"""d theta / d w as a linear operator: the contract of every influence method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from clusterexplain.exceptions import InvalidParameterError, SolverWarning, warn

if TYPE_CHECKING:
    from clusterexplain.training import Trajectory

BLOCK = 256
"""Columns of the identity that :meth:`TrainingJacobian.materialize` multiplies at once."""


class Record(Enum):
    """What a method needs of a recorded training (for a pretrained model, its further training); the value says it in words."""

    TRAJECTORY = "trajectory"
    """Every step: the checkpoints, as many as the spacing says, from which the steps between them are replayed."""
    CHECKPOINTS = "checkpoints"
    """Some states of the training and its optimizer, at least one."""
    FINAL_PARAMETERS = "final parameters"
    """The trained parameters alone."""

    def is_in(self, trajectory: Trajectory) -> bool:
        """Return whether a training recorded this much."""
        n_kept = len(trajectory.checkpoints)
        least = {Record.TRAJECTORY: trajectory.n_checkpoints, Record.CHECKPOINTS: 1, Record.FINAL_PARAMETERS: 0}
        return n_kept >= least[self]


@dataclass(frozen=True)
class MethodReport:
    """What an answer says of the method that computed it.

    Attributes
    ----------
    name : str
        The method.
    description : str
        What its answers are about beyond the name: the solver, the further training.
    outcome : str
        How the solve of this answer went, with advice; empty if nothing was solved.
    failed : bool
        Whether the solver did not do what it was asked for.
    """

    name: str
    description: str = ""
    outcome: str = ""
    failed: bool = False

    @property
    def note(self) -> str:
        """Description and outcome in one line without a full stop."""
        return f"{self.description}: {self.outcome}".rstrip(".") if self.outcome else self.description

    def warn_if_failed(self) -> None:
        """Issue a :class:`~clusterexplain.exceptions.SolverWarning` if the solve failed."""
        if self.failed:
            warn(f"{self.description}: {self.outcome}", SolverWarning)


class TrainingJacobian(ABC):
    r"""The derivative of trained parameters in the data weights, :math:`J = \partial \theta / \partial w`.

    A linear operator of shape (n_params, n_samples) that is known by its products. An influence row is a cotangent times J:
    with :math:`g = \partial s / \partial \theta` of a score s, the entry i of :math:`g^\top J` is what one unit of weight more
    on example i changes in the score through the training; its negative predicts a removal. Influence methods differ in J
    alone. Subclasses are final: tweak one by wrapping it.

    Attributes
    ----------
    needs : Record
        What it reads of a recorded training; a training that did not record it is refused.
    is_exact : bool
        Whether it is the derivative of the training itself, which retraining at slightly other weights must confirm; others
        approximate it, and must move the parameters in its direction.
    is_linear : bool
        Whether the answers are products with one matrix. A baseline that normalises its rows is not linear.
    has_jvp : bool
        Whether :meth:`jvp` is implemented.
    """

    needs: ClassVar[Record]
    is_exact: ClassVar[bool] = False
    is_linear: ClassVar[bool] = True
    has_jvp: ClassVar[bool] = True

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Number of parameters and number of training examples."""

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """Floating point type of the products."""

    @property
    @abstractmethod
    def report(self) -> MethodReport:
        """Name and description of the method, before anything is solved."""

    @abstractmethod
    def vjp_with_report(self, cotangents: Tensor) -> tuple[Tensor, MethodReport]:
        """Return ``cotangents @ J`` and what the answer says of itself; a failed solve is reported, not warned about.

        Parameters
        ----------
        cotangents : Tensor of shape (k, n_params)
            Derivatives of some scalars in the trained parameters, flat in the order of the recipe's layout.

        Returns
        -------
        rows : Tensor of shape (k, n_samples)
            The change of each scalar for one unit of weight more on each example; negate it for "if removed".
        report : MethodReport
            With the outcome of the solve, if there was one.

        Raises
        ------
        InvalidParameterError
            If the cotangents have another shape.
        """

    def jvp(self, tangents: Tensor) -> Tensor:
        """Return ``tangents @ J.T``: how the trained parameters move along changes of the weights.

        Parameters
        ----------
        tangents : Tensor of shape (k, n_samples)
            Changes of the data weights; -1 at one example and 0 elsewhere is its removal.

        Returns
        -------
        Tensor of shape (k, n_params)
            First-order changes of the trained parameters.

        Raises
        ------
        InvalidParameterError
            If the tangents have another shape.
        NotImplementedError
            If the method has no forward product (``has_jvp`` is False), as here.
        """
        raise NotImplementedError(
            f"{self.report.name} has no forward product. Use vjp, or a method whose has_jvp is True, such as Unrolled."
        )

    def vjp(self, cotangents: Tensor) -> Tensor:
        """Return the rows of :meth:`vjp_with_report`; a failed solve is warned about.

        Parameters
        ----------
        cotangents : Tensor of shape (k, n_params)
            Derivatives of some scalars in the trained parameters.

        Returns
        -------
        Tensor of shape (k, n_samples)
            ``cotangents @ J``.
        """
        rows, report = self.vjp_with_report(cotangents)
        report.warn_if_failed()
        return rows

    def __matmul__(self, tangents: Tensor) -> Tensor:
        """Return ``J @ tangents``: (n_samples, k) -> (n_params, k), or (n_samples,) -> (n_params,)."""
        return self.jvp(tangents.unsqueeze(0))[0] if tangents.ndim == 1 else self.jvp(tangents.T).T

    @property
    def T(self) -> TransposedJacobian:  # noqa: N802  # as of a matrix
        """The transpose: ``J.T @ cotangents`` is (n_params, k) -> (n_samples, k)."""
        return TransposedJacobian(self)

    def materialize(self) -> Tensor:
        """Return the matrix itself: one forward product for each example, or one reverse product for each parameter.

        Returns
        -------
        Tensor of shape (n_params, n_samples)
            Dense.
        """
        n_params, n_samples = self.shape
        if self.has_jvp and n_samples <= n_params:
            return torch.cat([self.jvp(units) for units in _units(n_samples, self.dtype)]).T
        return torch.cat([self.vjp(units) for units in _units(n_params, self.dtype)])


@dataclass(frozen=True, eq=False)
class TransposedJacobian:
    """The transpose of a :class:`TrainingJacobian`, of shape (n_samples, n_params).

    Parameters
    ----------
    T : TrainingJacobian
        What it is the transpose of.
    """

    T: TrainingJacobian

    @property
    def shape(self) -> tuple[int, int]:
        """Number of training examples and number of parameters."""
        n_params, n_samples = self.T.shape
        return n_samples, n_params

    def __matmul__(self, cotangents: Tensor) -> Tensor:
        """Return ``J.T @ cotangents``: (n_params, k) -> (n_samples, k), or (n_params,) -> (n_samples,)."""
        return self.T.vjp(cotangents.unsqueeze(0))[0] if cotangents.ndim == 1 else self.T.vjp(cotangents.T).T


def missing_record(jacobian: TrainingJacobian | type[TrainingJacobian], trajectory: Trajectory) -> str:
    """Say what a training did not record of what a method needs.

    Parameters
    ----------
    jacobian : TrainingJacobian, or a class of them
        The method, which declares what it needs.
    trajectory : Trajectory
        The recorded training.

    Returns
    -------
    str
        Sentences for a message; empty if nothing is missing.
    """
    kind = jacobian if isinstance(jacobian, type) else type(jacobian)
    name, needs = kind.__name__, getattr(kind, "needs", None)
    if not isinstance(needs, Record):
        return (
            f"{name}.needs is {needs!r}. Expected a Record, for example needs = Record.FINAL_PARAMETERS, so that a training "
            f"that did not record it can be refused."
        )
    if needs.is_in(trajectory):
        return ""
    return (
        f"{name} needs the {needs.value} of the training, but {len(trajectory.checkpoints)} of {trajectory.n_checkpoints} "
        f"checkpoints are recorded. Expected all of them; record the training again (clusterexplain.training.train), or use a "
        f"method that needs the {Record.FINAL_PARAMETERS.value} only."
    )


def check_rows(vectors: Tensor, size: int, name: str) -> None:
    """Refuse factors of a product that are no rows of a given length.

    Parameters
    ----------
    vectors : Tensor
        Candidate.
    size : int
        Length of a row.
    name : {"cotangents", "tangents"}
        For the message.

    Raises
    ------
    InvalidParameterError
        With the shape that was found and the one that was expected.
    """
    if vectors.ndim != 2 or vectors.shape[1] != size:
        axis, product = ("n_params", "J.T @ x") if name == "cotangents" else ("n_samples", "J @ x")
        raise InvalidParameterError(
            f"The {name} have shape {tuple(vectors.shape)}. Expected (k, {axis}) = (k, {size}), one vector in each row; "
            f"{product} takes them as columns."
        )


def _units(size: int, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Return the rows of an identity matrix in blocks of shape (at most BLOCK, size)."""
    return torch.split(torch.eye(size, dtype=dtype), BLOCK)
