"""Columns of a table as numbers: what is a number under another type becomes one, all else is refused with its own cure."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from numbers import Real

import numpy as np
import pandas as pd

from clusterexplain.exceptions import InvalidDataError

LISTED = 5
"""Columns that a message names."""
DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+([eE][+-]?\d+)?\s*")
_LIST = re.compile(r"\s*\[.*\]\s*", re.DOTALL)
THOUSANDS = re.compile(r"\s*[+-]?\d{1,3}([.,' \u00a0\u202f]\d{3})+([.,]\d+)?\s*")
KEPT_BESIDE = (
    "or keep them beside the features: Dataset(metadata=...), `clusterexplain fit` with --ids, --text or --metadata"
)


def numeric_columns(frame: pd.DataFrame, what: str = "X") -> np.ndarray:
    """Return the columns of a table as a float64 matrix.

    Parameters
    ----------
    frame : DataFrame of shape (n_samples, n_features)
        Numbers of any type: booleans, nullable and Arrow types, Decimal and fractions, numbers in object columns.
    what : str, default="X"
        How the messages call it.

    Returns
    -------
    ndarray of shape (n_samples, n_features)
        A new array; NaN where a value is missing.

    Raises
    ------
    InvalidDataError
        If a column holds text, dates, categories, vectors or complex numbers; the message says what to do with each.
    """
    kinds = {dtype: _is_plain(dtype) for dtype in set(frame.dtypes)}
    if all(kinds.values()):
        return np.array(frame.to_numpy(), dtype=np.float64, order="C")
    numbers = {name: _number_column(frame[name]) for name in frame.columns if not kinds[frame[name].dtype]}
    wrong = [name for name, values in numbers.items() if values is None]
    if wrong:
        raise _refusal(frame[wrong], what)
    return np.array(frame.assign(**numbers).to_numpy(), dtype=np.float64, order="C")


def is_vectors(column: pd.Series) -> bool:
    """Return whether a column holds a vector of numbers in each row, all of one length of at least 2."""
    if getattr(column.dtype, "kind", "O") != "O" or not len(column):
        return False
    first = column.iloc[0]
    if not _is_vector(first):
        return False
    return all(_is_vector(one) and len(one) == len(first) for one in column)


def _is_vector(value: object) -> bool:
    if not isinstance(value, (list, tuple, np.ndarray)) or len(value) < 2:
        return False
    array = value if isinstance(value, np.ndarray) else np.asarray(value[:1])
    return bool(array.dtype.kind in "iufb")


def _is_plain(dtype: object) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind in "iufb"


def _number_column(column: pd.Series) -> np.ndarray | None:
    """Return a column as float64, NaN where a value is missing; None if it holds something else than numbers."""
    dtype = column.dtype
    kind = getattr(dtype, "kind", "O")
    if isinstance(dtype, pd.CategoricalDtype) or kind in "cmM":
        return None
    if kind in "iufb":
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    missing = column.isna().to_numpy()
    present = column.to_numpy(dtype=object)[~missing]
    if not all(isinstance(one, (Real, Decimal, Fraction)) for one in present):
        return None
    values = np.full(len(column), np.nan)
    values[~missing] = [float(one) for one in present]
    return values


def _refusal(frame: pd.DataFrame, what: str) -> InvalidDataError:
    """Say what the columns hold, and for each kind what to do."""
    groups: dict[str, list[str]] = {}
    for name in frame.columns:
        groups.setdefault(_kind(frame[name]), []).append(name)
    names = [name for listed in groups.values() for name in listed]
    parts = [_CURES[kind](frame, listed) for kind, listed in groups.items()]
    return InvalidDataError(
        f"{what} has {len(names)} column(s) that are not numbers: {_listed(names)}{_first_wrong(frame[names[0]])}. Expected "
        f"numeric columns; {'; '.join(parts)}; {KEPT_BESIDE}."
    )


def _kind(column: pd.Series) -> str:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return "categories"
    kind = getattr(column.dtype, "kind", "O")
    if kind in "mM" or isinstance(column.dtype, pd.PeriodDtype):
        return "dates"
    if kind == "c":
        return "complex"
    present = column.dropna()
    if len(present) and all(isinstance(one, (list, tuple, np.ndarray, set, dict)) for one in present):
        return "vectors" if is_vectors(present) else "containers"
    texts = present.map(lambda one: isinstance(one, str))
    if len(present) and texts.all():
        if present.map(lambda one: bool(_LIST.fullmatch(one))).all():
            return "vectors as text"
        for kind, pattern in (("decimal commas", DECIMAL_COMMA), ("thousands", THOUSANDS)):
            if present.map(lambda one, form=pattern: bool(form.fullmatch(one)) or is_number(one)).all():
                return "numbers as text" if present.map(is_number).all() else kind
    return "text"


def is_number(text: str) -> bool:
    """Return whether a text is a number as Python writes it."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _first_wrong(column: pd.Series) -> str:
    """Name the first value that is no number, which may be the only one."""
    if not isinstance(column.dtype, pd.CategoricalDtype) and getattr(column.dtype, "kind", "O") in "cmM":
        return f" ({column.dtype})"
    values = column.astype(object)
    wrong = [
        place for place, one in enumerate(values) if isinstance(one, str) and not is_number(one)
    ] or np.flatnonzero(column.notna()).tolist()
    if not wrong:
        return ""
    shown = repr(values.iloc[wrong[0]])
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return f" ({len(wrong)} of {len(column)} values of {column.name}, the first {shown} in row {wrong[0]})"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:LISTED]) + (" ..." if len(names) > LISTED else "")


def _text(frame: pd.DataFrame, names: list[str]) -> str:
    return "mend single values that are text, drop the columns, encode them (sklearn.preprocessing.OneHotEncoder)"


def _numbers_as_text(frame: pd.DataFrame, names: list[str]) -> str:
    return (
        f"{_listed(names)} holds numbers stored as text: pandas.to_numeric(frame[{names[0]!r}]) makes numbers of them"
    )


def _decimal_commas(frame: pd.DataFrame, names: list[str]) -> str:
    return (
        f"{_listed(names)} holds numbers with decimal commas (or commas between thousands): pandas.read_csv(..., decimal=',') "
        f"or (..., thousands=',') reads them, or frame[{names[0]!r}].str.replace(',', '.').astype(float)"
    )


def _thousands(frame: pd.DataFrame, names: list[str]) -> str:
    return f"{_listed(names)} holds numbers with marks between thousands: remove them, or pandas.read_csv(..., thousands=...)"


def _dates(frame: pd.DataFrame, names: list[str]) -> str:
    return (
        f"{_listed(names)} holds dates, times or durations: make a number of them in a unit that you choose, for example days: "
        f"(frame[{names[0]!r}] - frame[{names[0]!r}].min()).dt.days"
    )


def _categories(frame: pd.DataFrame, names: list[str]) -> str:
    of_numbers = all(_number_column(pd.Series(frame[name].cat.categories)) is not None for name in names)
    if of_numbers:
        return f"{_listed(names)} holds categories that are numbers: frame[{names[0]!r}].astype(float) takes them as numbers"
    return f"{_listed(names)} holds categories: encode them (sklearn.preprocessing.OneHotEncoder)"


def _vectors(frame: pd.DataFrame, names: list[str]) -> str:
    return (
        f"{_listed(names)} holds a vector in each row: take the vectors as the rows, numpy.stack(frame[{names[0]!r}]), "
        f"`clusterexplain fit` with --embedding-column {names[0]}"
    )


def _vectors_as_text(frame: pd.DataFrame, names: list[str]) -> str:
    return (
        f"{_listed(names)} holds lists that are written as text: `clusterexplain fit` with --embedding-column {names[0]} reads "
        f"vectors that are written as JSON; numpy prints only some of the digits, so better save a .parquet file"
    )


def _containers(frame: pd.DataFrame, names: list[str]) -> str:
    return f"{_listed(names)} holds lists or dicts of different lengths: frame.explode or numbers made of them"


def _complex(frame: pd.DataFrame, names: list[str]) -> str:
    return f"{_listed(names)} holds complex numbers: pass the real and imaginary parts as separate columns"


_CURES: dict[str, Callable[[pd.DataFrame, list[str]], str]] = {
    "text": _text,
    "numbers as text": _numbers_as_text,
    "decimal commas": _decimal_commas,
    "thousands": _thousands,
    "dates": _dates,
    "categories": _categories,
    "vectors": _vectors,
    "vectors as text": _vectors_as_text,
    "containers": _containers,
    "complex": _complex,
}
