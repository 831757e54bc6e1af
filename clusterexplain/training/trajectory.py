"""A training that is recorded, so that it can be differentiated."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from clusterexplain.exceptions import MemoryBudgetError, TrainingDivergedError
from clusterexplain.execution import DEFAULT_EXECUTION, Execution, one_thread
from clusterexplain.execution.progress import duration
from clusterexplain.training.compiled_steps import CompiledSteps
from clusterexplain.training.optimizer import State
from clusterexplain.training.recipe import Recipe

logger = logging.getLogger(__name__)

LONG = 10.0
"""Seconds from which on a training says how long it will take and what it keeps."""
TIMED = range(4, 9)
"""Steps that are timed for that; those before them compile."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The states of one training at every `spacing`-th step, and the weights it was trained with.

    With ``spacing=1`` the whole trajectory is kept. With a wider spacing a reverse pass recomputes one segment at a
    time, so that memory grows with the square root of the number of steps for one more training's worth of time.

    Parameters
    ----------
    recipe : Recipe
        What was trained.
    weights : Tensor of shape (n_samples,)
        Data weights.
    checkpoints : list of tuple of Tensor of shape (n_params,)
        States before steps 0, spacing, 2 spacing, ...; the first tensor of a state holds the parameters.
    final : Tensor of shape (n_params,)
        Parameters after the last step.
    spacing : int
        Steps between two checkpoints.
    """

    recipe: Recipe
    weights: Tensor
    checkpoints: list[State]
    final: Tensor
    spacing: int

    @property
    def n_checkpoints(self) -> int:
        """How many checkpoints the steps can be replayed from."""
        return math.ceil(self.recipe.plan.n_steps / self.spacing)

    @property
    def params(self) -> dict[str, Tensor]:
        """The trained parameters."""
        return self.recipe.layout.split(self.final)

    @cached_property
    def compiled(self) -> CompiledSteps:
        """The steps of the recipe as compiled functions."""
        return CompiledSteps(self.recipe)

    def segments(self) -> Iterator[tuple[int, list[State]]]:
        """Yield ``(first step, states before each step of the segment)``, first segment first."""
        for segment in range(len(self.checkpoints)):
            yield self._segment(segment)

    def segments_reversed(self) -> Iterator[tuple[int, list[State]]]:
        """Yield ``(first step, states before each step of the segment)``, last segment first."""
        for segment in reversed(range(len(self.checkpoints))):
            yield self._segment(segment)

    def _segment(self, number: int) -> tuple[int, list[State]]:
        start = number * self.spacing
        stop = min(start + self.spacing, self.recipe.plan.n_steps)
        return start, self._replay(self.checkpoints[number], start, stop)

    def _replay(self, state: State, start: int, stop: int) -> list[State]:
        states = [state]
        with torch.no_grad():
            for step in range(start, stop - 1):
                states.append(self.compiled.advance(states[-1], self.weights, step))
        return states

    def replay_error(self) -> float:
        """Replay the last segment and return the largest error of a parameter, relative to the largest parameter."""
        if self.recipe.task.closed_form:
            if not len(self.final):
                return 0.0
            with one_thread(), torch.no_grad():
                found = self.recipe.closed_form(self.weights)
            return float((found - self.final).abs().max() / self.final.abs().max())
        n_steps = self.recipe.plan.n_steps
        states = self._replay(self.checkpoints[-1], (len(self.checkpoints) - 1) * self.spacing, n_steps)
        with one_thread(), torch.no_grad():
            found = self.compiled.advance(states[-1], self.weights, n_steps - 1)[0]
        return float((found - self.final).abs().max() / self.final.abs().max())


def subsample(trajectory: Trajectory) -> Trajectory:
    """Return the trajectory with about sqrt(n_steps) checkpoints, the fewest that a reverse pass needs."""
    keep = max(1, round(math.sqrt(trajectory.recipe.plan.n_steps)) // trajectory.spacing)
    return replace(trajectory, checkpoints=trajectory.checkpoints[::keep], spacing=trajectory.spacing * keep)


def checkpoint_spacing(recipe: Recipe, execution: Execution) -> int:
    """Choose the smallest spacing of checkpoints that keeps the reverse pass within the budget.

    Parameters
    ----------
    recipe : Recipe
        Fixes the number of steps T and the bytes s of one state.
    execution : Execution
        Its `max_memory` is the budget. A spacing k needs (T/k + k) states, smallest near k = sqrt(T).

    Returns
    -------
    int
        1 if the full trajectory fits.

    Raises
    ------
    MemoryBudgetError
        If even k = sqrt(T) does not fit.
    """
    if recipe.task.closed_form:
        return 1
    steps = recipe.plan.n_steps
    best = max(1, round(math.sqrt(steps)))
    for spacing in range(1, best + 1):
        needed = stored_bytes(recipe, spacing)
        if needed <= execution.max_memory:
            kind = "the full trajectory" if spacing == 1 else f"a checkpoint every {spacing} steps"
            logger.info("recording %d steps: keeping %s, %.0f MB", steps, kind, needed / 1e6)
            return spacing
    raise MemoryBudgetError(
        f"Recording {steps} steps of {recipe.layout.size} parameters needs at least {needed / 1e6:.3g} MB, but max_memory "
        f"allows {execution.max_memory / 1e6:.3g} MB. Raise max_memory, or use fewer steps or a smaller network."
    )


def stored_bytes(recipe: Recipe, spacing: int) -> int:
    """Return the bytes of all states that are kept at once: one in `spacing`, and those of one segment that is replayed."""
    n_states = math.ceil(recipe.plan.n_steps / spacing) + (spacing if spacing > 1 else 0)
    return n_states * recipe.state_size * recipe.inputs.element_size()


def train(
    recipe: Recipe,
    weights: Tensor,
    *,
    spacing: int,
    execution: Execution = DEFAULT_EXECUTION,
    label: str = "training",
) -> Trajectory:
    """Train once and record.

    Parameters
    ----------
    recipe : Recipe
        What to train.
    weights : Tensor of shape (n_samples,)
        Data weights; 1 is present, 0 is absent.
    spacing : int
        From :func:`checkpoint_spacing`.
    execution : Execution, default=DEFAULT_EXECUTION
        Whether a bar is shown; one training runs on one thread.
    label : str, default="training"
        Text before the bar.

    Returns
    -------
    Trajectory
        Deterministic: the same arguments give the same bytes on one machine.

    Raises
    ------
    TrainingDivergedError
        If a parameter became NaN or infinite.
    """
    if recipe.task.closed_form:
        with one_thread(), torch.no_grad():
            return Trajectory(recipe, weights, [recipe.initial_state()], recipe.closed_form(weights), spacing)
    compiled, state = CompiledSteps(recipe), recipe.initial_state()
    checkpoints, started = [], 0.0
    with one_thread(), torch.no_grad():
        for step in execution.track(range(recipe.plan.n_steps), label):
            if step == TIMED.start:
                started = time.perf_counter()
            elif step == TIMED.stop:
                _forecast(recipe, spacing, label, (time.perf_counter() - started) / len(TIMED))
            if step % spacing == 0:
                checkpoints.append(state)
            state = compiled.advance(state, weights, step)
    final = state[0]
    if not torch.isfinite(final).all():
        raise TrainingDivergedError(
            f"Training diverged: parameters became NaN or infinite within {recipe.plan.n_steps} steps at learning rate "
            f"{recipe.optimizer.learning_rate}. Lower learning_rate, or scale the columns of X; a DEC also ends like this if "
            f"all members of one of its initial clusters have weight 0."
        )
    return Trajectory(recipe, weights, checkpoints, final, spacing)


def _forecast(recipe: Recipe, spacing: int, label: str, step_seconds: float) -> None:
    """Say how long a long training will take, and how much memory its states."""
    seconds = recipe.plan.n_steps * step_seconds
    if seconds > LONG:
        kept = stored_bytes(recipe, spacing) / 1e6
        logger.info(
            "%s takes about %s for %d steps, and %.0f MB for its states",
            label,
            duration(seconds),
            recipe.plan.n_steps,
            kept,
        )
