"""The exact derivative of a recorded training in the data weights, in reverse and forward mode."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from clusterexplain.execution import DEFAULT_EXECUTION, Execution
from clusterexplain.execution.budget import REVERSE_PASS_BYTES
from clusterexplain.influence.jacobian import MethodReport, Record, TrainingJacobian, check_rows
from clusterexplain.training.trajectory import Trajectory

MAX_CHUNK = 64
"""Vectors that one pass carries side by side: 128 of them take half the time in chunks of 64 as in chunks of 16."""


@dataclass(frozen=True, eq=False)
class Unrolled(TrainingJacobian):
    r"""The Jacobian of the training map w -> theta(w), by automatic differentiation through every step.

    A training step maps a state :math:`u_t = (\theta_t, m_t, v_t)`, followed by what a stage remembers of the examples, to
    :math:`u_{t+1} = U(u_t, \nabla L_t(\theta_t, w))`. In reverse (:meth:`vjp`), starting from
    :math:`\lambda_T = (\partial s / \partial \theta, 0, 0)`, each step adds

    .. math::
        \frac{\partial s_q}{\partial w} \mathrel{+}= \partial_w \langle \nabla L_t(\theta_t, w), h_t \rangle, \qquad
        \lambda_t = U_u^\top \lambda_{t+1} + (\nabla^2 L_t \, h_t, 0, 0), \qquad h_t = U_g^\top \lambda_{t+1},

    where :math:`U_u` and :math:`U_g` are the derivatives of U in its two arguments; and forwards (:meth:`jvp`), starting from
    :math:`\dot u_0 = 0`, a change :math:`\dot w` of the weights moves the state by

    .. math:: \dot u_{t+1} = U_u \dot u_t + U_g \, (\nabla^2 L_t \, \dot \theta_t + \partial_w \nabla L_t \, \dot w).

    Before some steps there is an event, :math:`u_t = E(\tilde u_t, w)`, that sees all examples (a stage starts, or refreshes
    what it remembers); it is passed in the same way: :math:`\tilde \lambda_t = E_u^\top \lambda_t`, and
    :math:`\partial s_q / \partial w \mathrel{+}= E_w^\top \lambda_t`.

    No approximation is made besides floating point: the result is the derivative of what the program computed, including the
    optimizer's moments and the early steps, for fixed batches.

    Parameters
    ----------
    trajectory : Trajectory
        The training to differentiate.
    execution : Execution, default=DEFAULT_EXECUTION
        Chunks of cotangents or tangents that are multiplied side by side, and a bar for the first of them.
    name : str, default="unrolled"
        For reports; "further" where the recorded training starts from given weights.
    description : str, default=""
        For reports: what the further training is.

    References
    ----------
    D. Maclaurin, D. Duvenaud, R. P. Adams. Gradient-based hyperparameter optimization through reversible learning.
    ICML 2015. S. Hara, A. Nitanda, T. Maehara. Data cleansing for models trained with SGD. NeurIPS 2019.
    """

    trajectory: Trajectory
    execution: Execution = DEFAULT_EXECUTION
    name: str = "unrolled"
    description: str = ""

    needs: ClassVar[Record] = Record.TRAJECTORY
    is_exact: ClassVar[bool] = True

    @property
    def shape(self) -> tuple[int, int]:
        """Number of parameters and number of training examples."""
        return self.trajectory.recipe.layout.size, self.trajectory.recipe.n_samples

    @property
    def dtype(self) -> torch.dtype:
        """Floating point type of the training."""
        return self.trajectory.recipe.dtype

    @property
    def report(self) -> MethodReport:
        """Name, and what the further training is; nothing is solved."""
        return MethodReport(self.name, self.description)

    def vjp_with_report(self, cotangents: Tensor) -> tuple[Tensor, MethodReport]:
        """Go through the steps in reverse, all cotangents of a chunk together; see :meth:`TrainingJacobian.vjp_with_report`."""
        check_rows(cotangents, self.shape[0], "cotangents")
        recipe, compiled = self.trajectory.recipe, self.trajectory.compiled

        def compile_steps(step: int, chunk: int) -> None:
            compiled.step_vjp(step, chunk)
            if recipe.planned(step).event(step):
                compiled.event_vjp(step, chunk)

        return self._in_chunks(cotangents, self._reverse, compile_steps), self.report

    def jvp(self, tangents: Tensor) -> Tensor:
        """Go through the steps forwards, all tangents of a chunk together; see :meth:`TrainingJacobian.jvp`."""
        check_rows(tangents, self.shape[1], "tangents")
        recipe, compiled = self.trajectory.recipe, self.trajectory.compiled

        def compile_steps(step: int, chunk: int) -> None:
            compiled.step_jvp(step, chunk)
            if recipe.planned(step).event(step):
                compiled.event_jvp(step, chunk)

        return self._in_chunks(tangents, self._forward, compile_steps)

    def _in_chunks(
        self, vectors: Tensor, product: Callable[[Tensor, Execution], Tensor], compile_steps: Callable[[int, int], None]
    ) -> Tensor:
        """Multiply rows in chunks of one size, the last one padded with zeros; chunks may run side by side."""
        chunk = self._chunk(len(vectors))
        padding = -len(vectors) % chunk
        padded = torch.cat([vectors, vectors.new_zeros(padding, vectors.shape[1])])
        recipe, compiled = self.trajectory.recipe, self.trajectory.compiled
        for step in recipe.kinds:  # compiled here, once, and not in every thread
            compile_steps(step, chunk)
            if self.trajectory.spacing > 1:
                compiled.step(step)
            if recipe.planned(step).event(step):
                compiled.event(step)
        jobs = list(enumerate(torch.split(padded, chunk)))

        def multiply(job: tuple[int, Tensor]) -> Tensor:
            number, rows = job
            return product(rows, self.execution if number == 0 else self.execution.silent())

        return torch.cat(self.execution.map(multiply, jobs))[: len(vectors)]

    def _chunk(self, n_vectors: int) -> int:
        """Return how many vectors run side by side; it does not depend on the number of workers."""
        recipe = self.trajectory.recipe
        vector_bytes = recipe.state_size * recipe.inputs.element_size()
        most = max(1, min(MAX_CHUNK, int(REVERSE_PASS_BYTES / vector_bytes)))
        return math.ceil(n_vectors / math.ceil(n_vectors / most))

    def _reverse(self, cotangents: Tensor, shown: Execution) -> Tensor:
        """Return ``cotangents @ J`` of one chunk by the reverse pass through all steps: (n, n_params) -> (n, n_samples)."""
        recipe, compiled = self.trajectory.recipe, self.trajectory.compiled
        weights, n = self.trajectory.weights, len(cotangents)
        # lambda_T = (ds/dtheta, 0, 0): every part of the state has a leading dimension n
        on_state = recipe.with_memory(recipe.optimizer.initial_state(cotangents))
        rows = torch.zeros(n, recipe.n_samples, dtype=recipe.dtype)
        steps = (
            (start + offset, states[offset])
            for start, states in self.trajectory.segments_reversed()
            for offset in reversed(range(len(states)))
        )
        bar = shown.track(steps, "reverse pass", total=recipe.plan.n_steps)
        with torch.inference_mode():
            for step, before in bar:  # `before` an event, `state` after it; without one they are the same
                index, inputs = recipe.batch(step)
                state, step_vjp = compiled.prepared(before, weights, step), compiled.step_vjp(step, n)
                # lambda_t from lambda_{t+1}, and d_w <grad L_t, h_t> of the batch's examples: (n, batch_size)
                on_state, on_weights = step_vjp(
                    state, recipe.coefficients[step], inputs, weights[index], index, on_state
                )
                rows.index_add_(1, index, on_weights)
                if recipe.planned(step).event(step):
                    event_vjp = compiled.event_vjp(step, n)
                    on_state, on_weights = event_vjp(before, recipe.inputs, weights, on_state)
                    rows += on_weights  # (n, n_samples): an event sees all examples
        return rows

    def _forward(self, tangents: Tensor, shown: Execution) -> Tensor:
        """Return ``tangents @ J.T`` of one chunk: (n, n_samples) -> (n, n_params)."""
        recipe, compiled = self.trajectory.recipe, self.trajectory.compiled
        weights, n = self.trajectory.weights, len(tangents)
        still = tangents.new_zeros(n, recipe.layout.size)
        moved = recipe.with_memory(recipe.optimizer.initial_state(still))  # the start does not depend on the weights
        steps = (
            (start + offset, before)
            for start, states in self.trajectory.segments()
            for offset, before in enumerate(states)
        )
        bar = shown.track(steps, "forward pass", total=recipe.plan.n_steps)
        with torch.inference_mode():
            for step, before in bar:
                index, inputs = recipe.batch(step)
                if recipe.planned(step).event(step):
                    event_jvp = compiled.event_jvp(step, n)
                    # E_u du_t + E_w dw: every part of the state has a leading dimension n
                    moved = event_jvp(before, recipe.inputs, weights, moved, tangents)
                state, step_jvp = compiled.prepared(before, weights, step), compiled.step_jvp(step, n)
                # du_{t+1} from du_t and dw of the batch's examples: (n, batch_size)
                moved = step_jvp(
                    state, recipe.coefficients[step], inputs, weights[index], index, moved, tangents[:, index]
                )
        return moved[0].clone()  # d theta_T
