"""How far two arrays, or two pieces of plain data, are from each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


def difference(old: np.ndarray, new: np.ndarray) -> float:
    """Return the largest difference relative to the largest entry of its row.

    Parameters
    ----------
    old, new : ndarray of shape (..., n)
        Numbers, truth values or text; a row runs along the last axis, and a number by itself is one.

    Returns
    -------
    float
        0 for equal bits, whatever the sign of a zero; infinite for arrays of other shapes, other text, other whole numbers, or
        NaN and infinities in other places.
    """
    if old.shape != new.shape or old.dtype.kind != new.dtype.kind:
        return float("inf")
    if np.array_equal(old, new, equal_nan=old.dtype.kind == "f"):
        return 0.0
    finite = np.isfinite(old) if old.dtype.kind == "f" else None
    if finite is None or not np.array_equal(old[~finite], new[~finite], equal_nan=True):
        return float("inf")
    before, after = np.atleast_1d(np.where(finite, old, 0.0)), np.atleast_1d(np.where(finite, new, 0.0))
    apart, largest = np.abs(after - before).max(axis=-1), np.abs(before).max(axis=-1)
    with np.errstate(divide="ignore"):
        return float(np.divide(apart, largest, out=np.zeros_like(apart), where=apart > 0).max())


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested dicts and lists, each with its path: ``answers[0].margin``."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(one, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from leaves(one, f"{path}[{number}]")
    else:
        yield path, value


def differing(old: Any, new: Any) -> list[str]:
    """Return a line for each leaf of plain data that is gone, new, or another one."""
    before, after = dict(leaves(old)), dict(leaves(new))
    gone = [f"- {path}: {before[path]!r:.120}" for path in before if path not in after]
    added = [f"+ {path}: {after[path]!r:.120}" for path in after if path not in before]
    other = [
        f"  {path}: {before[path]!r:.120} is now {after[path]!r:.120}"
        for path in before
        if path in after and (type(before[path]), before[path]) != (type(after[path]), after[path])
    ]
    return gone + added + other
