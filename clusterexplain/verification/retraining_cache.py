"""Retrained networks that a run keeps, so that no check trains twice and an interrupted one goes on where it was."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from clusterexplain._version import __version__
from clusterexplain.execution.executors import one_thread
from clusterexplain.fitting.fit import Fit
from clusterexplain.storage.sidecars import write_atomically
from clusterexplain.training import CompiledSteps, Recipe

logger = logging.getLogger(__name__)

BLOCK = 16
"""Retrainings that run side by side and are kept together."""
DIGEST = 64
"""Hexadecimal digits of a checksum that each file begins with."""
AT_A_TIME = 8
"""Blocks between two steps of the progress bar."""
FOLDER = "retrained"
LARGEST = 2e9
"""Bytes that a run keeps at most; what is beyond is trained but not kept."""


class RetrainingCache:
    """Retrained parameters in a folder, one file for each block of retrainings.

    A file is named by all that its content depends on: recipe, seed, data weights, the versions of this package and of torch,
    and what the first training step gives, which tells losses of the user's own apart. It is written under another name first,
    so that a killed process leaves no half file, and begins with a checksum; one that is not whole is trained again.

    Parameters
    ----------
    folder : Path or None
        The run directory; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = None if folder is None else Path(folder) / FOLDER

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
        rows = torch.from_numpy(np.ascontiguousarray(weights)).to(recipe.dtype)
        blocks = list(rows.split(BLOCK))
        named = f"{key} {__version__} {torch.__version__} {_first_step(recipe, rows[0])}"
        names = [self._name(named, block) for block in blocks]
        found = [self._read(name, recipe, len(block)) for name, block in zip(names, blocks, strict=True)]
        missing = [number for number, one in enumerate(found) if one is None]
        pieces = [missing[start : start + AT_A_TIME] for start in range(0, len(missing), AT_A_TIME)]
        for piece in fit.execution.track(pieces, f"retraining {len(rows)} times"):
            self._train(fit, recipe, piece, blocks, names, found)
        return torch.cat([one for one in found if one is not None])

    def _train(
        self,
        fit: Fit,
        recipe: Recipe,
        piece: list[int],
        blocks: list[Tensor],
        names: list[str],
        found: list[Tensor | None],
    ) -> None:
        full = torch.cat([_padded(blocks[number]) for number in piece])

        def done(place: int, trained: Tensor) -> None:
            number = piece[place]
            found[number] = trained[: len(blocks[number])].clone()
            self._write(names[number], found[number])

        quiet = dataclasses.replace(fit, execution=dataclasses.replace(fit.execution, progress=False))
        quiet.thetas(full.numpy(), recipe=recipe, chunk=BLOCK, done=done)

    def _name(self, key: str, block: Tensor) -> str:
        digest = hashlib.sha256(key.encode())
        digest.update(block.numpy().tobytes())
        return digest.hexdigest()[:32] + ".npy"

    def _read(self, name: str, recipe: Recipe, n: int) -> Tensor | None:
        if self._folder is None:
            return None
        try:
            content = (self._folder / name).read_bytes()
        except OSError:
            return None
        if hashlib.sha256(content[DIGEST:]).hexdigest().encode() != content[:DIGEST]:
            return None
        values = np.load(io.BytesIO(content[DIGEST:]), allow_pickle=False)
        return torch.from_numpy(values).to(recipe.dtype) if values.shape == (n, recipe.layout.size) else None

    def _write(self, name: str, values: Tensor | None) -> None:
        """Keep a block if there is room: a check that cannot keep what it trains goes on all the same."""
        if self._folder is None or values is None:
            return
        stream = io.BytesIO()
        np.save(stream, values.numpy(), allow_pickle=False)
        content = stream.getvalue()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if sum(one.stat().st_size for one in self._folder.glob("*.npy")) <= LARGEST:
                write_atomically(self._folder / name, hashlib.sha256(content).hexdigest().encode() + content)
        except OSError as error:
            logger.warning("a block of retrainings could not be kept in %s: %s", self._folder, error)


def _first_step(recipe: Recipe, weights: Tensor) -> str:
    """Return a hash of the state after one step: parameters and what the optimizer remembers of the gradient."""
    with torch.no_grad(), one_thread():
        state = CompiledSteps(recipe).advance(recipe.initial_state(), weights, 0)
    return hashlib.sha256(b"".join(part.contiguous().numpy().tobytes() for part in state)).hexdigest()[:16]


def _padded(block: Tensor) -> Tensor:
    return torch.cat([block, block[-1:].expand(BLOCK - len(block), -1)])
