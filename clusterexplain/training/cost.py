"""What a training, its derivative and its retraining will take, measured on a few steps before it is begun."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from clusterexplain.execution import Execution
from clusterexplain.execution.progress import duration
from clusterexplain.training.compiled_steps import CompiledSteps
from clusterexplain.training.recipe import Recipe
from clusterexplain.training.retraining import retraining_chunk
from clusterexplain.training.trajectory import checkpoint_spacing, stored_bytes

STEPS = 3
"""Steps of each stage that are timed, the fastest of them counts: whatever else the machine does makes a step slower."""


@dataclass(frozen=True)
class Cost:
    """Seconds and bytes of what a fit and its questions do; clustering and the map are not in it.

    Attributes
    ----------
    training_seconds : float
        One recorded training.
    training_bytes : float
        States of the recorded training; the memory of the process is larger by the data and by the libraries.
    answer_seconds : float
        One pass through the training for `n_explained` samples.
    retraining_seconds : float
        `n_retrainings` retrainings side by side.
    n_steps, n_explained, n_retrainings : int
        What was asked.
    """

    training_seconds: float
    training_bytes: float
    answer_seconds: float
    retraining_seconds: float
    n_steps: int
    n_explained: int
    n_retrainings: int

    def __str__(self) -> str:
        """Return the figures in words."""
        if not self.n_steps:
            return (
                f"The embedding is computed without a training: about {duration(self.training_seconds)}, and "
                f"{duration(self.retraining_seconds)} for {self.n_retrainings} times without examples. Clustering and the map "
                f"are not included."
            )
        samples = "one sample" if self.n_explained == 1 else f"{self.n_explained} samples"
        return (
            f"Training: about {duration(self.training_seconds)}, {self.training_bytes / 1e6:.0f} MB of states. An answer "
            f"about {samples}: {duration(self.answer_seconds)}. {self.n_retrainings} retrainings: "
            f"{duration(self.retraining_seconds)}. Measured on {STEPS} of {self.n_steps} steps; clustering and the map are "
            f"not included."
        )


def measure_cost(recipe: Recipe, execution: Execution, *, n_explained: int = 1, n_retrainings: int = 100) -> Cost:
    """Time a few steps of each stage and count them up.

    Parameters
    ----------
    recipe : Recipe
        What will be trained. Its steps are compiled here, so that the training compiles nothing.
    execution : Execution
        Workers and memory.
    n_explained : int, default=1
        Samples that one question is about.
    n_retrainings : int, default=100
        Retrainings of a check.

    Returns
    -------
    Cost
        An estimate: seconds depend on what else the machine does.

    Raises
    ------
    MemoryBudgetError
        If the states do not fit into the memory.
    """
    weights = torch.ones(recipe.n_samples, dtype=recipe.dtype)
    if recipe.task.closed_form:
        with torch.no_grad():
            once = _seconds(lambda: recipe.closed_form(weights), 1)
        return Cost(once, 0.0, 0.0, once * n_retrainings / execution.n_workers, 0, n_explained, n_retrainings)
    compiled = CompiledSteps(recipe)
    spacing, chunk = checkpoint_spacing(recipe, execution), retraining_chunk(recipe, n_retrainings)
    n_cotangents = 2 * n_explained  # through the sample, and through the clusters
    training = answer = retraining = 0.0
    for planned in recipe.planned_stages:
        step, length = planned.start, planned.stop - planned.start
        index, inputs = recipe.batch(step)
        state, coefficients = recipe.initial_state(), recipe.coefficients[step]
        many = tuple(part.expand(chunk, -1).contiguous() for part in state)
        cotangents = tuple(part.expand(n_cotangents, -1).contiguous() for part in state)
        arguments = coefficients, inputs, weights[index], index
        forward, reverse, stacked = (
            compiled.step(step), compiled.step_vjp(step, n_cotangents), compiled.step(step, chunk)
        )  # fmt: skip
        rows = weights[index].expand(chunk, -1)
        with torch.inference_mode():
            one = _seconds(lambda: forward(state, *arguments), STEPS)  # noqa: B023  # called at once
            back = _seconds(lambda: reverse(state, *arguments, cotangents), STEPS)  # noqa: B023
            side = _seconds(lambda: stacked(many, coefficients, inputs, rows, index), STEPS)  # noqa: B023
        training += length * one
        answer += length * (back + (one if spacing > 1 else 0.0))
        retraining += length * side
    rounds = math.ceil(math.ceil(n_retrainings / chunk) / execution.n_workers)
    return Cost(
        training,
        float(stored_bytes(recipe, spacing)),
        answer,
        retraining * rounds,
        recipe.plan.n_steps,
        n_explained,
        n_retrainings,
    )


def _seconds(work: Callable[[], object], times: int) -> float:
    """Return the shortest time of some calls, after one that is not timed."""
    work()
    spent = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        spent.append(time.perf_counter() - started)
    return min(spent)
