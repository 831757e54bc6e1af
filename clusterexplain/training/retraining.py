"""Many trainings of one recipe at once, each at its own data weights."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from clusterexplain.execution.budget import RETRAINING_CHUNK_BYTES
from clusterexplain.execution.executors import map_jobs
from clusterexplain.execution.progress import progress
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
    fitting = int(RETRAINING_CHUNK_BYTES / (recipe.state_size * recipe.inputs.element_size()))
    n_chunks = math.ceil(n_retrainings / min(32, max(4, fitting)))
    return math.ceil(n_retrainings / n_chunks)


def retrain_many(
    recipe: Recipe,
    weights: Tensor,
    *,
    chunk: int | None = None,
    done: Callable[[int, Tensor], None] | None = None,
    n_jobs: int | None = None,
    show_progress: bool = False,
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
    n_jobs : int or None, default=None
        Chunks that run side by side; None is one for each core.
    show_progress : bool, default=False
        Show a bar on a terminal when it takes longer than a second.

    Returns
    -------
    Tensor of shape (n_retrainings, n_params)
        Trained parameters; ``recipe.layout.split`` names them.
    """
    chunk = retraining_chunk(recipe, len(weights)) if chunk is None else chunk
    padding = -len(weights) % chunk
    padded = torch.cat([weights, weights[-1:].expand(padding, -1)]).to(recipe.dtype)
    compiled = CompiledSteps(recipe)
    for step in recipe.kinds:  # traced here, once, and not in every thread
        compiled.step(step, chunk)
        if recipe.planned(step).event(step):
            compiled.event(step, chunk)
    jobs = list(padded.split(chunk))

    def run(job: tuple[int, Tensor]) -> Tensor:
        number, chunk_weights = job
        state = tuple(part.expand(chunk, -1).contiguous() for part in recipe.initial_state())  # each (chunk, size)
        bar = progress(
            range(recipe.plan.n_steps), label=f"retraining {len(weights)} times", show=show_progress and number == 0
        )
        with torch.inference_mode():
            for step in bar:
                index, inputs = recipe.batch(step)
                if recipe.planned(step).event(step):
                    state = compiled.event(step, chunk)(state, recipe.inputs, chunk_weights)
                stepped = compiled.step(step, chunk)
                state = stepped(state, recipe.coefficients[step], inputs, chunk_weights[:, index], index)
        trained = state[0].clone()  # (chunk, n_params)
        if done is not None:
            done(number, trained[: len(weights) - number * chunk])
        return trained

    return torch.cat(map_jobs(run, list(enumerate(jobs)), n_jobs=n_jobs))[: len(weights)]
