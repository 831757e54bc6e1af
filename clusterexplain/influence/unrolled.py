"""The exact derivative of a recorded training run in the data weights, in reverse."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from clusterexplain.execution.budget import REVERSE_PASS_BYTES
from clusterexplain.execution.executors import map_jobs
from clusterexplain.execution.progress import progress
from clusterexplain.training.trajectory import Trajectory

MAX_CHUNK = 64
"""Cotangents that one reverse pass carries side by side: 128 of them take half the time in chunks of 64 as in chunks of 16."""


@dataclass(frozen=True, eq=False)
class Unrolled:
    r"""Vector-Jacobian products of the training map w -> theta(w), by reverse-mode through every step.

    A training step maps a state :math:`s_t = (\theta_t, m_t, v_t)` to
    :math:`s_{t+1} = U(s_t, \nabla L_t(\theta_t, w))`. Starting from :math:`\lambda_T = (g, 0, 0)`, each reverse step adds

    .. math::
        \frac{\partial s_q}{\partial w} \mathrel{+}= \partial_w \langle \nabla L_t(\theta_t, w), u_t \rangle, \qquad
        \lambda_t = U_s^\top \lambda_{t+1} + (\nabla^2 L_t \, u_t, 0, 0), \qquad u_t = U_g^\top \lambda_{t+1},

    so that no approximation is made besides floating point: the result is the derivative of what the program computed,
    including the optimizer's moments and the early steps.

    Parameters
    ----------
    run : Trajectory
        The training to differentiate.
    n_jobs : int or None, default=None
        Groups of cotangents that run side by side.
    show_progress : bool, default=False
        Show a bar on a terminal when it takes longer than a second.

    References
    ----------
    D. Maclaurin, D. Duvenaud, R. P. Adams. Gradient-based hyperparameter optimization through reversible learning.
    ICML 2015. S. Hara, A. Nitanda, T. Maehara. Data cleansing for models trained with SGD. NeurIPS 2019.
    """

    run: Trajectory
    n_jobs: int | None = None
    show_progress: bool = False

    name = "unrolled"

    def pull(self, cotangents: Tensor) -> Tensor:
        """Return ``cotangents @ d theta / d w`` at the weights of the run.

        Parameters
        ----------
        cotangents : Tensor of shape (n_cotangents, n_params)
            Derivatives of some scalars in the trained parameters, flat in the order of the recipe's layout.

        Returns
        -------
        Tensor of shape (n_cotangents, n_samples)
            The change of each scalar for one unit of weight more on each example; negate it for "if removed".
        """
        chunk = self._chunk(len(cotangents))
        padding = -len(cotangents) % chunk
        padded = torch.cat([cotangents, cotangents.new_zeros(padding, cotangents.shape[1])])
        recipe = self.run.recipe
        for step in recipe.kinds:  # traced here, once, and not in every thread
            recipe.batched_step_vjp(step, chunk)
            if self.run.spacing > 1:
                recipe.step(step)
            if recipe.planned(step).event(step):
                recipe.event(step), recipe.batched_event_vjp(step, chunk)
        jobs = list(enumerate(padded.split(chunk)))

        def run(job: tuple[int, Tensor]) -> Tensor:
            number, group = job
            return self._reverse(group, show=self.show_progress and number == 0)

        return torch.cat(map_jobs(run, jobs, n_jobs=self.n_jobs))[: len(cotangents)]

    def _chunk(self, n_cotangents: int) -> int:
        """Return how many cotangents run side by side; it does not depend on the number of workers."""
        recipe = self.run.recipe
        one = recipe.state_size * recipe.inputs.element_size()
        most = max(1, min(MAX_CHUNK, int(REVERSE_PASS_BYTES / one)))
        return math.ceil(n_cotangents / math.ceil(n_cotangents / most))

    def _reverse(self, cotangents: Tensor, *, show: bool) -> Tensor:
        recipe, weights, n = self.run.recipe, self.run.weights, len(cotangents)
        on_state = recipe.with_memory(recipe.optimizer.initial_state(cotangents))
        rows = torch.zeros(n, recipe.n_samples, dtype=recipe.dtype)
        steps = (
            (start + offset, states[offset])
            for start, states in self.run.segments_reversed()
            for offset in reversed(range(len(states)))
        )
        bar = progress(steps, label="reverse pass", total=recipe.plan.n_steps, show=show)
        with torch.inference_mode():
            for step, before in bar:
                index, inputs = recipe.batch(step)
                state, step_vjp = recipe.prepared(before, weights, step), recipe.batched_step_vjp(step, n)
                on_state, on_weights = step_vjp(
                    state, recipe.coefficients[step], inputs, weights[index], index, on_state
                )
                rows.index_add_(1, index, on_weights)
                if recipe.planned(step).event(step):
                    event_vjp = recipe.batched_event_vjp(step, n)
                    on_state, on_weights = event_vjp(before, recipe.inputs, weights, on_state)
                    rows += on_weights
        return rows
