"""Columns that number the rows, and say nothing about them: found, left aside, and never trained on without a word."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterexplain.data.containers.frames import BOOKKEEPING, is_default_index
from clusterexplain.exceptions import InputWarning, warn

NUMBERING = re.compile(r"(.*[_ .-])?(id|ids|idx|index)|rows?|row[_ ]?(num(ber)?|names?)|level_0|#", re.IGNORECASE)
"""Names of columns that number rows; one that holds whole numbers that never repeat is left aside."""


@dataclass(frozen=True)
class Split:
    """A table in its parts.

    Attributes
    ----------
    index : Index
        What the rows are called.
    features : DataFrame
        Columns that are trained on.
    aside : DataFrame
        Columns that are not.
    reasons : dict of str to str
        Why, by column; that of an index which lost its name is among them.
    """

    index: pd.Index
    features: pd.DataFrame
    aside: pd.DataFrame
    reasons: dict[str, str]


def split(frame: pd.DataFrame) -> Split:
    """Part what is trained on from what numbers the rows.

    Parameters
    ----------
    frame : DataFrame
        Names as text.

    Returns
    -------
    Split
        Of all columns.
    """
    reasons = {}
    nameless = index_column(frame)
    if nameless is not None:
        reasons[nameless] = "it is an index that lost its name; its values are the ids"
        frame = frame.set_index(nameless)
    aside = left_aside(frame)
    return Split(frame.index, frame.drop(columns=list(aside)), frame[list(aside)], reasons | aside)


def index_column(frame: pd.DataFrame) -> str | None:
    """Return the column that is an index which lost its name on the way through a file.

    Parameters
    ----------
    frame : DataFrame
        Names as text.

    Returns
    -------
    str or None
        The first column, if it has no name (``Unnamed: 0``), or ``__index_level_0__``; only if the frame has no index of its
        own, and if every row has a value of its own there.
    """
    if not is_default_index(frame.index) or frame.shape[1] < 2:
        return None
    unnamed = [frame.columns[0]] if BOOKKEEPING.fullmatch(frame.columns[0]) else []
    levels = [name for name in frame.columns if name.startswith("__index_level_")]
    for name in dict.fromkeys([*unnamed, *(levels if len(levels) == 1 else [])]):
        column = frame[name]
        counts = column.dtype.kind in "iu" or not pd.api.types.is_numeric_dtype(column.dtype)
        if counts and column.notna().all() and not column.duplicated().any():
            return name
    return None


def left_aside(frame: pd.DataFrame) -> dict[str, str]:
    """Return the columns that are bookkeeping, each with the reason why it is not trained on.

    Parameters
    ----------
    frame : DataFrame
        What would be trained on; names as text.

    Returns
    -------
    dict of str to str
        By column; never all columns.
    """
    reasons = {}
    for name in frame.columns:
        unnamed = BOOKKEEPING.fullmatch(name) is not None
        if not unnamed and not NUMBERING.fullmatch(name.strip()):
            continue
        column = frame[name]
        if unnamed and column.isna().all():
            reasons[name] = "it has no name and is empty"
        elif _numbers_rows(column):
            reasons[name] = "it numbers the rows: whole numbers that never repeat"
    return reasons if len(reasons) < frame.shape[1] else {}


def row_counters(frame: pd.DataFrame) -> list[str]:
    """Return the columns that are equal to the row number, from 0 or from 1, and have another name than bookkeeping has."""
    if len(frame) < 3 or frame.shape[1] < 2:
        return []
    n = len(frame)
    ends = zip(frame.columns, frame.dtypes, frame.iloc[0].tolist(), frame.iloc[-1].tolist(), strict=True)
    likely = [
        (name, first)
        for name, dtype, first, last in ends
        if _is_plain_number(dtype) and first in (0, 1) and last == first + n - 1
    ]
    return [name for name, first in likely if np.array_equal(frame[name].to_numpy(), np.arange(first, first + n))]


def say(where: str, parts: Split) -> None:
    """Warn about columns that are left aside, and about those that are trained on although they count the rows.

    Parameters
    ----------
    where : str
        What has the columns.
    parts : Split
        Of its columns.
    """
    reasons, counters = parts.reasons, row_counters(parts.features)
    if reasons:
        listed = "; ".join(f"{name!r} ({reason})" for name, reason in list(reasons.items())[:5])
        more = f"; ... ({len(reasons)} in all)" if len(reasons) > 5 else ""
        warn(
            f"{where} has columns that are left aside and not trained on: {listed}{more}. To train on one all the same, give "
            f"it another name.",
            InputWarning,
        )
    if counters:
        warn(
            f"{where} has columns that are equal to the row number and are trained on: {', '.join(map(repr, counters[:5]))}. "
            f"Expected features; drop them if they only count the rows, or make them the ids (--ids, DataFrame.set_index).",
            InputWarning,
        )


def _is_plain_number(dtype: object) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind in "iuf"


def _numbers_rows(column: pd.Series) -> bool:
    if column.dtype.kind not in "iuf" or column.isna().any() or column.duplicated().any():
        return False
    values = column.to_numpy(dtype=float)
    return bool(np.isfinite(values).all() and (values % 1 == 0).all())
