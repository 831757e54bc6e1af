"""Retrained networks that a run keeps, so that no check trains twice and an interrupted one resumes."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from clusterexplain._version import __version__
from clusterexplain.execution import one_thread
from clusterexplain.execution.budget import RETRAINING_CACHE_BYTES
from clusterexplain.fitting.fit import Fit
from clusterexplain.storage.cache import ArrayCache
from clusterexplain.storage.run_files import RETRAININGS
from clusterexplain.training import CompiledSteps, Recipe
from clusterexplain.training.compiled_steps import content_hash

BLOCK = 16
"""Retrainings that run side by side and are kept together."""
AT_A_TIME = 8
"""Blocks between two steps of the progress bar."""


class RetrainingCache:
    """Retrained parameters in a run directory, one file for each block of retrainings; see :class:`.storage.cache.ArrayCache`.

    A file is named by all that its content depends on: recipe with the choices of its stages, seed, data weights, the
    versions of this package and of torch, the state after the first training step and the end of the fit's own training,
    which tell losses of the user's own apart.

    Parameters
    ----------
    folder : Path or None
        The run directory; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._cache = ArrayCache(folder, RETRAININGS, max_bytes=RETRAINING_CACHE_BYTES)

    def trained(self, fit: Fit, recipe: Recipe, key: str, weights: np.ndarray) -> Tensor:
        """Return trained parameters at many data weights, from the folder as far as they are in it.

        Parameters
        ----------
        fit : Fit
            Trains.
        recipe : Recipe
            What is trained.
        key : str
            Names all that the recipe depends on.
        weights : ndarray of shape (n, n_samples)
            Data weights; every ``BLOCK`` rows are trained and kept together.

        Returns
        -------
        Tensor of shape (n, n_params)
            Trained parameters, the same bits whether they were kept or not.
        """
        if recipe.task.closed_form:  # computed sooner than read
            return fit.thetas(weights, recipe=recipe)
        rows = torch.from_numpy(np.ascontiguousarray(weights)).to(recipe.dtype)
        blocks = list(torch.split(rows, BLOCK))
        names = self._names(fit, recipe, key, blocks)
        trained = [self._read(name, recipe, len(block)) for name, block in zip(names, blocks, strict=True)]
        missing = [number for number, block in enumerate(trained) if block is None]
        groups = [missing[start : start + AT_A_TIME] for start in range(0, len(missing), AT_A_TIME)]
        for group in fit.execution.track(groups, f"retraining {len(rows)} times"):
            self._train(fit, recipe, group, blocks, names, trained)
        return torch.cat([block for block in trained if block is not None])

    def _train(
        self,
        fit: Fit,
        recipe: Recipe,
        group: list[int],
        blocks: list[Tensor],
        names: list[str],
        trained: list[Tensor | None],
    ) -> None:
        """Train some blocks side by side; each is kept as soon as it is trained."""

        def done(place: int, block: Tensor) -> None:
            number = group[place]
            trained[number] = kept = block[: len(blocks[number])].clone()
            self._cache.write(names[number], kept.numpy())

        full = torch.cat([_padded(blocks[number]) for number in group])
        silent = dataclasses.replace(fit, execution=fit.execution.silent())
        silent.thetas(full.numpy(), recipe=recipe, chunk=BLOCK, done=done)

    def _names(self, fit: Fit, recipe: Recipe, key: str, blocks: list[Tensor]) -> list[str]:
        depends = {
            "recipe": key,
            "version": __version__,
            "torch": torch.__version__,
            "first_step": _first_step(recipe, blocks[0][0]),
            "fit": content_hash(fit.trajectory.final),
            "choices": " ".join("none" if choice is None else content_hash(choice) for choice in recipe.choices),
        }
        return [self._cache.name(RETRAININGS, weights=block.numpy().tobytes(), **depends) for block in blocks]

    def _read(self, name: str, recipe: Recipe, n: int) -> Tensor | None:
        kept = self._cache.read(name)
        if kept is None or kept.shape != (n, recipe.layout.size):
            return None
        return torch.from_numpy(kept).to(recipe.dtype)


def _first_step(recipe: Recipe, weights: Tensor) -> str:
    """Return a hash of the state after one step: parameters and what the optimizer remembers of the gradient."""
    with torch.no_grad(), one_thread():
        state = CompiledSteps(recipe).advance(recipe.initial_state(), weights, 0)
    return hashlib.sha256(b"".join(part.contiguous().numpy().tobytes() for part in state)).hexdigest()


def _padded(block: Tensor) -> Tensor:
    return torch.cat([block, block[-1:].expand(BLOCK - len(block), -1)])
