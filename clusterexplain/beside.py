"""What is written beside a run after it was saved: the map, the newest check, the stability, names of clusters.

Each is one file, written under a temporary name and renamed; none holds code.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from clusterexplain.exceptions import RunDamagedError

CHECK = "check.json"
MAP = "map.npy"
STABILITY = "stability.npz"
NAMES = "names.json"
BESIDE = (CHECK, MAP, STABILITY, NAMES)


def write_map(path: str | os.PathLike[str], coordinates: np.ndarray) -> None:
    """Store the two-dimensional view beside a run, atomically."""
    blob = io.BytesIO()
    np.save(blob, coordinates, allow_pickle=False)
    _write(Path(path) / MAP, blob.getvalue())


def read_map(path: str | os.PathLike[str], n_samples: int) -> np.ndarray | None:
    """Return the stored view, shape (n_samples, 2), or None if there is none that fits: it can be drawn anew."""
    file = Path(path) / MAP
    try:
        coordinates = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return np.asarray(coordinates) if coordinates.shape == (n_samples, 2) else None


def write_check(path: str | os.PathLike[str], check: dict[str, Any]) -> None:
    """Store the newest check beside a run, atomically."""
    _write(Path(path) / CHECK, json.dumps(check, indent=1).encode())


def read_check(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Return the newest check of a run, or None.

    Parameters
    ----------
    path : path-like
        A run directory.

    Returns
    -------
    dict or None
        What :func:`write_check` stored.

    Raises
    ------
    RunDamagedError
        If the file is there and cannot be read.
    """
    file = Path(path) / CHECK
    if not file.exists():
        return None
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        if not {"fit_key", "answers", "sentence", "figures"} <= set(stored):
            raise ValueError("entries are missing")
    except (ValueError, TypeError) as error:
        raise RunDamagedError(f"The check {file} cannot be read ({error}). Delete it and run verify again.") from error
    return dict(stored)


def write_stability(path: str | os.PathLike[str], arrays: dict[str, np.ndarray]) -> None:
    """Store the newest stability beside a run, atomically."""
    blob = io.BytesIO()
    np.savez_compressed(blob, **arrays)  # type: ignore[arg-type]
    _write(Path(path) / STABILITY, blob.getvalue())


def read_stability(path: str | os.PathLike[str]) -> dict[str, np.ndarray] | None:
    """Return the arrays of the newest stability of a run, or None.

    Parameters
    ----------
    path : path-like
        A run directory.

    Returns
    -------
    dict of str to ndarray or None
        What :func:`write_stability` stored.

    Raises
    ------
    RunDamagedError
        If the file is there and cannot be read.
    """
    file = Path(path) / STABILITY
    if not file.exists():
        return None
    try:
        with np.load(file, allow_pickle=False) as archive:
            return dict(archive)
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise RunDamagedError(f"{file} cannot be read ({error}). Delete it and run stability again.") from error


def write_names(path: str | os.PathLike[str], names: dict[int, str]) -> None:
    """Store the names of clusters beside a run, atomically."""
    _write(Path(path) / NAMES, json.dumps({str(cluster): name for cluster, name in names.items()}).encode())


def read_names(path: str | os.PathLike[str]) -> dict[int, str]:
    """Return the names of a run's clusters; empty if there are none.

    Parameters
    ----------
    path : path-like
        A run directory.

    Returns
    -------
    dict of int to str
        By cluster number.

    Raises
    ------
    RunDamagedError
        If the file is there and cannot be read.
    """
    file = Path(path) / NAMES
    if not file.exists():
        return {}
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        names = {int(cluster): name for cluster, name in stored.items()}
        if not all(isinstance(name, str) for name in names.values()):
            raise TypeError("a name is no text")
    except (ValueError, TypeError, AttributeError) as error:
        raise RunDamagedError(f"{file} cannot be read ({error}). Delete it and name the clusters again.") from error
    return names


def _write(file: Path, blob: bytes) -> None:
    partial = file.with_name(f".{file.name}.partial")
    partial.write_bytes(blob)
    os.replace(partial, file)
