"""Retrained networks that a run keeps, so that no check trains twice and an interrupted one goes on where it was."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from clusterexplain.parallel import progress
from clusterexplain.training import Recipe, train_replicas

BLOCK = 16
"""Retrainings that run side by side and are kept together."""
AT_A_TIME = 8
"""Blocks between two steps of the progress bar."""
FOLDER = "retrained"
LARGEST = 2e9
"""Bytes that a run keeps at most; what is beyond is trained but not kept."""


class Kept:
    """Retrained parameters in a folder, one file for each block of retrainings.

    A file is named by all that its content depends on: recipe, seed, data weights. It is written under another name first, so
    that a killed process leaves no half file; one that cannot be read is trained again.

    Parameters
    ----------
    folder : Path or None
        The run directory; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = None if folder is None else Path(folder) / FOLDER

    def trained(
        self, recipe: Recipe, key: str, weights: np.ndarray, *, n_jobs: int | None, show_progress: bool
    ) -> Tensor:
        """Return trained parameters at many data weights, from the folder as far as they are in it.

        Parameters
        ----------
        recipe : Recipe
            What is trained.
        key : str
            Names all that the recipe depends on.
        weights : ndarray of shape (n, n_samples)
            Data weights; every ``BLOCK`` rows are trained and kept together.
        n_jobs : int or None
            Blocks that run side by side.
        show_progress : bool
            Show a bar on a terminal.

        Returns
        -------
        Tensor of shape (n, n_params)
            Trained parameters, the same bits whether they were kept or not.
        """
        rows = torch.from_numpy(np.ascontiguousarray(weights)).to(recipe.dtype)
        blocks = list(rows.split(BLOCK))
        names = [self._name(key, block) for block in blocks]
        found = [self._read(name, recipe, len(block)) for name, block in zip(names, blocks, strict=True)]
        missing = [number for number, one in enumerate(found) if one is None]
        pieces = [missing[start : start + AT_A_TIME] for start in range(0, len(missing), AT_A_TIME)]
        for piece in progress(pieces, label=f"retraining {len(rows)} times", show=show_progress):
            self._train(recipe, piece, blocks, names, found, n_jobs)
        return torch.cat([one for one in found if one is not None])

    def _train(
        self,
        recipe: Recipe,
        piece: list[int],
        blocks: list[Tensor],
        names: list[str],
        found: list[Tensor | None],
        n_jobs: int | None,
    ) -> None:
        full = torch.cat([_padded(blocks[number]) for number in piece])

        def done(place: int, trained: Tensor) -> None:
            number = piece[place]
            found[number] = trained[: len(blocks[number])].clone()
            self._write(names[number], found[number])

        train_replicas(recipe, full, chunk=BLOCK, done=done, n_jobs=n_jobs)

    def _name(self, key: str, block: Tensor) -> str:
        digest = hashlib.sha256(key.encode())
        digest.update(block.numpy().tobytes())
        return digest.hexdigest()[:32] + ".npy"

    def _read(self, name: str, recipe: Recipe, n: int) -> Tensor | None:
        if self._folder is None:
            return None
        try:
            values = np.load(io.BytesIO((self._folder / name).read_bytes()), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        whole = values.shape == (n, recipe.layout.size) and np.isfinite(values).all()
        return torch.from_numpy(values).to(recipe.dtype) if whole else None

    def _write(self, name: str, values: Tensor | None) -> None:
        if self._folder is None or values is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        if sum(one.stat().st_size for one in self._folder.glob("*.npy")) > LARGEST:
            return
        handle, path = tempfile.mkstemp(dir=self._folder, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as stream:
                np.save(stream, values.numpy(), allow_pickle=False)
            os.replace(path, self._folder / name)
        except BaseException:
            Path(path).unlink(missing_ok=True)
            raise


def _padded(block: Tensor) -> Tensor:
    return torch.cat([block, block[-1:].expand(BLOCK - len(block), -1)])
