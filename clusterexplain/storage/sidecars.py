"""What is written beside a run after it was saved: the map, the newest check, the stability, names of clusters.

Each is one file, written under a temporary name and renamed; none holds code.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import uuid
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from clusterexplain.exceptions import ClusterExplainWarning, RunDamagedError

CHECK = "check.json"
MAP = "map.npy"
STABILITY = "stability.npz"
NAMES = "names.json"
RETRAINED = ("position", "kind", "n_removed", "predicted_kept", "kept", "predicted_continued", "continued")
"""Columns of the table of retrainings that a check keeps."""
SIDECARS = (CHECK, MAP, STABILITY, NAMES)
STATUSES = ("supported", "not supported", "untested")
"""What a check may say."""
GRADES = ("A", "B", "C", "D", "U")
ESTIMANDS = ("seed", "model", "recipe")
CHECK_HISTORY = "checks"
"""Folder of the checks before the newest one."""
MOST_CHECKS = 50
MOST = 2**53
"""Counts beyond it are damage."""
ROUND_OFF = 1e-9
"""How far a correlation may be beyond -1 and 1."""


def write_map(path: str | os.PathLike[str], coordinates: np.ndarray) -> None:
    """Store the two-dimensional view beside a run, atomically; where that is not possible, warn: it can be drawn anew."""
    blob = io.BytesIO()
    np.save(blob, coordinates, allow_pickle=False)
    try:
        write_atomically(Path(path) / MAP, blob.getvalue())
    except OSError as error:
        warnings.warn(
            f"The map could not be kept in {path} ({error}), so it is drawn anew next time. Nothing else is missing; let the "
            f"folder be writable to keep it.",
            ClusterExplainWarning,
            stacklevel=2,
        )


def read_map(path: str | os.PathLike[str], n_samples: int) -> np.ndarray | None:
    """Return the stored view, shape (n_samples, 2), or None if there is none that fits: it can be drawn anew.

    Only finite numbers fit; nothing is unpickled.
    """
    try:
        with (Path(path) / MAP).open("rb") as file:
            found = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError, OverflowError, zipfile.BadZipFile):
        return None
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "fiu" or found.shape != (n_samples, 2):
        return None
    coordinates = np.asarray(found, dtype=np.float64)
    return coordinates if np.isfinite(coordinates).all() else None


def write_check(path: str | os.PathLike[str], check: dict[str, Any]) -> None:
    """Store the newest check beside a run, atomically; numbers that are not finite become null.

    The one before it is kept too, up to ``MOST_CHECKS`` of them, see :func:`read_checks`.
    """
    folder, newest = Path(path) / CHECK_HISTORY, Path(path) / CHECK
    if newest.exists():
        folder.mkdir(exist_ok=True)
        kept = sorted(folder.glob("*.json"))
        number = int(kept[-1].stem) + 1 if kept and kept[-1].stem.isdigit() else len(kept)
        write_atomically(folder / f"{number:06d}.json", newest.read_bytes())
        for old in kept[: max(0, len(kept) + 1 - MOST_CHECKS)]:
            old.unlink(missing_ok=True)
    write_atomically(newest, json.dumps(_finite(check), indent=1, allow_nan=False).encode())


def read_checks(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Return all checks that a run has kept, newest first.

    Parameters
    ----------
    path : path-like
        A run directory.

    Returns
    -------
    list of dict
        See :func:`read_check`; older ones that cannot be read are left out.

    Raises
    ------
    RunDamagedError
        If the newest one cannot be read.
    """
    newest, found = read_check(path), []
    for file in sorted((Path(path) / CHECK_HISTORY).glob("*.json"), reverse=True):
        with contextlib.suppress(RunDamagedError):
            found.append(_read(file, _parse_check, "run verify again"))
    return [one for one in (newest, *found) if one is not None]


def read_check(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Return the newest check of a run, or None.

    Parameters
    ----------
    path : path-like
        A run directory.

    Returns
    -------
    dict or None
        What :func:`write_check` stored; None for a check of a version that did not tell its samples apart.

    Raises
    ------
    RunDamagedError
        If the file is there and cannot be read, or holds what no check can say.
    """
    return _read(Path(path) / CHECK, _parse_check, "run verify again")


def write_stability(path: str | os.PathLike[str], arrays: dict[str, np.ndarray]) -> None:
    """Store the newest stability beside a run, atomically."""
    blob = io.BytesIO()
    np.savez_compressed(blob, **arrays)  # type: ignore[arg-type]
    write_atomically(Path(path) / STABILITY, blob.getvalue())


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
    write_atomically(Path(path) / NAMES, json.dumps({str(cluster): name for cluster, name in names.items()}).encode())


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


def write_atomically(file: Path, blob: bytes) -> None:
    """Write a file under a temporary name in its folder and rename it: it appears whole or not at all.

    Parameters
    ----------
    file : Path
        A link keeps pointing where it does; a pipe or a device is written to as it is.
    blob : bytes
        Its content.

    Raises
    ------
    OSError
        If the disk refuses; nothing half-written is left behind.
    """
    if file.exists() and not file.is_file():
        file.write_bytes(blob)
        return
    target = file.resolve()
    partial = target.with_name(f".{uuid.uuid4().hex}.partial")
    try:
        partial.write_bytes(blob)
        os.replace(partial, target)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _read(file: Path, parse: Callable[[bytes], Any], again: str) -> Any:
    if not file.exists():
        return None
    try:
        return parse(file.read_bytes())
    except (
        ValueError,
        TypeError,
        AttributeError,
        KeyError,
        OSError,
        EOFError,
        OverflowError,
        MemoryError,
        RecursionError,
        zipfile.BadZipFile,
    ) as error:
        raise RunDamagedError(f"{file} cannot be read ({error}). Delete it and {again}.") from error


def _parse_check(blob: bytes) -> dict[str, Any] | None:
    stored = json.loads(blob, parse_constant=_refuse_constant)
    if not isinstance(stored, dict):
        raise TypeError("it is no object")
    if {"fit_key", "answers", "sentence", "figures"} <= set(stored) and "together" not in stored:
        return None
    if not {"fit_key", "weights", "method", "answers", "together", "each", "n_together", "retrained"} <= set(stored):
        raise ValueError("entries are missing")
    for name in ("fit_key", "weights", "method"):
        _expect(isinstance(stored[name], str), f"{name} is no text")
    answers, each, table = stored["answers"], stored["each"], stored["retrained"]
    for answer in answers:
        whole = isinstance(answer, list) and len(answer) == 3 and all(_is_whole(one, -1) for one in answer)
        _expect(whole, "an answer is not three whole numbers: row, cluster and rival")
    _expect(isinstance(each, list) and len(each) == len(answers) > 0, "it has not one verdict for each answer")
    _expect(_is_whole(stored["n_together"], 1), "n_together is no number of samples")
    for verdict in (stored["together"], *each):
        _check_verdict(verdict)
    if table is not None:
        _check_retrained(table, len(each))
    return stored


def _check_verdict(verdict: dict[str, Any]) -> None:
    _expect(verdict["status"] in STATUSES, f"a status is none of {', '.join(STATUSES)}")
    _expect(verdict["grade"] in GRADES, f"a grade is none of {', '.join(GRADES)}")
    _expect(verdict.get("estimand", "seed") in ESTIMANDS, f"an estimand is none of {', '.join(ESTIMANDS)}")
    _expect(isinstance(verdict["sentence"], str), "a sentence is no text")
    within = all(_is_number(one, -1 - ROUND_OFF, 1 + ROUND_OFF) for one in verdict["figures"].values())
    _expect(within, "a figure is no correlation: neither null nor a number from -1 to 1")
    _expect(_is_number(verdict["null"], 0), "null, the change without a removal, is below 0 or no number")


def _check_retrained(table: dict[str, Any], n_verdicts: int) -> None:
    columns = [table.get(name) for name in RETRAINED]
    whole = all(isinstance(one, list) for one in table.values()) and len({len(one) for one in table.values()}) == 1
    _expect(whole and all(isinstance(one, list) for one in columns), "its table of retrainings is not whole")
    _expect(all(_is_whole(one, 0, n_verdicts - 1) for one in table["position"]), "a position is that of no answer")
    _expect(all(isinstance(one, str) for one in table["kind"]), "a kind of removal is no text")
    _expect(all(_is_whole(one, 0) for one in table["n_removed"]), "n_removed is no count")
    for name in RETRAINED[3:]:
        _expect(all(_is_number(one) for one in table[name]), f"{name} holds neither numbers nor null")


def _is_whole(value: Any, low: int, high: int = MOST) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_number(value: Any, low: float = -sys.float_info.max, high: float = sys.float_info.max) -> bool:
    """Whether a value is null or a finite number between two others."""
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high)


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no number")


def _finite(value: Any) -> Any:
    """Return plain data in which numbers that are not finite are None."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _parse_arrays(blob: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(blob), allow_pickle=False) as archive:
        return dict(archive)


def _parse_names(blob: bytes) -> dict[int, str]:
    names = {int(cluster): name for cluster, name in json.loads(blob).items()}
    if not all(isinstance(name, str) for name in names.values()):
        raise TypeError("a name is no text")
    return names
