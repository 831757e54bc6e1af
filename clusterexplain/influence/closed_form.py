"""The exact derivative of a model in closed form in the data weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor
from torch.func import vjp, vmap

from clusterexplain.execution.budget import REVERSE_PASS_BYTES
from clusterexplain.influence.jacobian import MethodReport, Record, TrainingJacobian, check_rows
from clusterexplain.training.torch_compat import jvp, load_forward_mode
from clusterexplain.training.trajectory import Trajectory


@dataclass(frozen=True, eq=False)
class ClosedForm(TrainingJacobian):
    """The Jacobian of parameters that are computed and not trained (principal components); of shape (0, n) without any.

    Parameters
    ----------
    trajectory : Trajectory
        Of a recipe whose task is in closed form.
    """

    trajectory: Trajectory

    needs: ClassVar[Record] = Record.FINAL_PARAMETERS

    @property
    def shape(self) -> tuple[int, int]:
        """Number of parameters and number of training examples."""
        return self.trajectory.recipe.layout.size, self.trajectory.recipe.n_samples

    @property
    def dtype(self) -> torch.dtype:
        """Floating point type of the fit."""
        return self.trajectory.recipe.dtype

    @property
    def report(self) -> MethodReport:
        """Name, and what the answer holds fixed; nothing is solved."""
        return MethodReport("closed_form", self.trajectory.recipe.task.held_fixed)

    def vjp_with_report(self, cotangents: Tensor) -> tuple[Tensor, MethodReport]:
        """Pull cotangents back through the closed form; see :meth:`TrainingJacobian.vjp_with_report`."""
        check_rows(cotangents, self.shape[0], "cotangents")
        if not self.shape[0]:
            return cotangents.new_zeros(len(cotangents), self.shape[1], dtype=self.dtype), self.report
        blocks = torch.split(cotangents, self._block)
        return torch.cat([vmap(lambda row: self._pull(row)[0])(block) for block in blocks]).detach(), self.report

    def jvp(self, tangents: Tensor) -> Tensor:
        """Push tangents forward through the closed form; see :meth:`TrainingJacobian.jvp`."""
        check_rows(tangents, self.shape[1], "tangents")
        if not self.shape[0]:
            return tangents.new_zeros(len(tangents), 0, dtype=self.dtype)
        recipe, weights = self.trajectory.recipe, self.trajectory.weights
        load_forward_mode()

        def push(tangent: Tensor) -> Tensor:
            return jvp(recipe.closed_form, weights, tangent)[1]

        return torch.cat([vmap(push)(block) for block in torch.split(tangents, self._block)]).detach()

    @cached_property
    def _pull(self) -> Callable[[Tensor], tuple[Tensor]]:
        recipe = self.trajectory.recipe
        pull: Callable[[Tensor], tuple[Tensor]] = vjp(recipe.closed_form, self.trajectory.weights)[1]
        return pull

    @property
    def _block(self) -> int:
        n_params, n_samples = self.shape
        return max(1, int(REVERSE_PASS_BYTES / ((n_params + n_samples) * 8 * 4)))
