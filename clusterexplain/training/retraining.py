"""Many trainings of one recipe at once, each at its own data weights."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from clusterexplain.execution import DEFAULT_EXECUTION, Execution
from clusterexplain.execution.budget import RETRAINING_CHUNK_BYTES
from clusterexplain.training.compiled_steps import CompiledSteps
from clusterexplain.training.recipe import Recipe


def retraining_chunk(recipe: Recipe, n_retrainings: int) -> int:
    """Return how many retrainings run side by side in one chunk.

    Parameters
    ----------
    recipe : Recipe
        Fixes the size of one retraining.
    n_retrainings : int
        How many are asked for.

    Returns
    -------
    int
        Between 1 and 32; it does not depend on the number of workers, so neither do the results.
    """
    fitting = int(RETRAINING_CHUNK_BYTES / max(1, recipe.state_size * recipe.inputs.element_size()))
    n_chunks = math.ceil(n_retrainings / min(32, max(4, fitting)))
    return math.ceil(n_retrainings / n_chunks)


def retrain_many(
    recipe: Recipe,
    weights: Tensor,
    *,
    chunk: int | None = None,
    done: Callable[[int, Tensor], None] | None = None,
    execution: Execution = DEFAULT_EXECUTION,
) -> Tensor:
    """Train once for each row of `weights`.

    Every retraining starts from the same initial parameters and uses the same batch plan, so retrainings differ by their
    weights alone (common random numbers). A retraining equals a separate training up to float round-off.

    Parameters
    ----------
    recipe : Recipe
        What to train.
    weights : Tensor of shape (n_retrainings, n_samples)
        Data weights.
    chunk : int, optional
        Retrainings that run side by side, :func:`retraining_chunk` by default. Those of a chunk share products of matrices, so
        their last bits depend on it.
    done : callable, optional
        Called with the number of each chunk and its trained parameters as soon as they are there, from whichever thread.
    execution : Execution, default=DEFAULT_EXECUTION
        Chunks that are trained side by side, and a bar for the first of them.

    Returns
    -------
    Tensor of shape (n_retrainings, n_params)
        Trained parameters; ``recipe.layout.split`` names them.
    """
    chunk = retraining_chunk(recipe, len(weights)) if chunk is None else chunk
    padding = -len(weights) % chunk
    padded = torch.cat([weights, weights[-1:].expand(padding, -1)]).to(recipe.dtype)
    if recipe.task.closed_form:
        return _in_closed_form(recipe, padded[: len(weights)], chunk, done, execution)
    compiled = CompiledSteps(recipe)
    for step in recipe.kinds:  # traced here, once, and not in every thread
        compiled.step(step, chunk)
        if recipe.planned(step).event(step):
            compiled.event(step, chunk)
    jobs = list(torch.split(padded, chunk))

    def train_chunk(job: tuple[int, Tensor]) -> Tensor:
        number, chunk_weights = job
        state = tuple(part.expand(chunk, -1).contiguous() for part in recipe.initial_state())  # each (chunk, size)
        shown = execution if number == 0 else execution.silent()
        with torch.inference_mode():
            for step in shown.track(range(recipe.plan.n_steps), f"retraining {len(weights)} times"):
                index, inputs = recipe.batch(step)
                if recipe.planned(step).event(step):
                    state = compiled.event(step, chunk)(state, recipe.inputs, chunk_weights)
                stepped = compiled.step(step, chunk)
                state = stepped(state, recipe.coefficients[step], inputs, chunk_weights[:, index], index)
        trained = state[0].clone()  # (chunk, n_params)
        if done is not None:
            done(number, trained[: len(weights) - number * chunk])
        return trained

    return torch.cat(execution.map(train_chunk, list(enumerate(jobs))))[: len(weights)]


def _in_closed_form(
    recipe: Recipe, weights: Tensor, chunk: int, done: Callable[[int, Tensor], None] | None, execution: Execution
) -> Tensor:
    """Return :func:`retrain_many` of a task in closed form: one after the other in each chunk."""

    def compute_chunk(job: tuple[int, Tensor]) -> Tensor:
        number, rows = job
        shown = execution if number == 0 else execution.silent()
        with torch.no_grad():
            found = torch.stack(
                [recipe.closed_form(row) for row in shown.track(rows, f"refitting {len(weights)} times")]
            )
        if done is not None:
            done(number, found)
        return found

    return torch.cat(execution.map(compute_chunk, list(enumerate(torch.split(weights, chunk)))))
