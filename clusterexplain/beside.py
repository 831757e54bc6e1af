"""What is written beside a run after it was saved: the map, the newest check, the stability, names of clusters.

Each is one file, written under a temporary name and renamed; none holds code.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from clusterexplain.exceptions import RunDamagedError

CHECK = "check.json"
MAP = "map.npy"
STABILITY = "stability.npz"
NAMES = "names.json"
RETRAINED = ("position", "kind", "n_removed", "predicted", "frozen", "predicted_reclustered", "reclustered")
"""Columns of the table of retrainings that a check keeps."""
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
    return _read(Path(path) / CHECK, _parse_check, "run verify again")


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
    return _read(Path(path) / STABILITY, _parse_arrays, "run stability again")


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
    return _read(Path(path) / NAMES, _parse_names, "name the clusters again") or {}


def _write(file: Path, blob: bytes) -> None:
    partial = file.with_name(f".{file.name}.partial")
    partial.write_bytes(blob)
    os.replace(partial, file)


def _read(file: Path, parse: Callable[[bytes], Any], again: str) -> Any:
    if not file.exists():
        return None
    try:
        return parse(file.read_bytes())
    except (ValueError, TypeError, AttributeError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise RunDamagedError(f"{file} cannot be read ({error}). Delete it and {again}.") from error


def _parse_check(blob: bytes) -> dict[str, Any]:
    stored = json.loads(blob)
    if not {"fit_key", "answers", "sentence", "figures"} <= set(stored):
        raise ValueError("entries are missing")
    table = stored.get("retrained")
    if table is not None:  # checks of older versions kept none
        lengths = {len(column) for column in table.values()}
        if not set(RETRAINED) <= set(table) or len(lengths) != 1:
            raise ValueError("its table of retrainings is not whole")
    return dict(stored)


def _parse_arrays(blob: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(blob), allow_pickle=False) as archive:
        return dict(archive)


def _parse_names(blob: bytes) -> dict[int, str]:
    names = {int(cluster): name for cluster, name in json.loads(blob).items()}
    if not all(isinstance(name, str) for name in names.values()):
        raise TypeError("a name is no text")
    return names
