"""Tables in memory, whichever library they belong to, as one pandas frame whose columns have unique names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterexplain.exceptions import InvalidDataError

if TYPE_CHECKING:
    from typing_extensions import TypeIs

Cell = list[object] | tuple[object, ...] | set[object] | frozenset[object] | dict[object, object] | np.ndarray
"""A container in a cell of a table."""
BOOKKEEPING = re.compile(r"(Unnamed: \d+(_level_\d+)?|__index_level_\d+__|)")
"""Names that programs give to a column without a name: pandas.read_csv, pyarrow, and an empty field of a header line."""
_FOREIGN = ("polars", "pyarrow", "modin", "cudf")
"""Libraries whose frames are converted."""


def as_frame(X: object, what: str = "X") -> pd.DataFrame | None:
    """Return a frame of pandas, polars, pyarrow or another library as a pandas frame with names as text.

    Parameters
    ----------
    X : object
        Anything.
    what : str, default="X"
        How the messages call it.

    Returns
    -------
    DataFrame or None
        None if X is no frame.

    Raises
    ------
    InvalidDataError
        If two columns have one name, or the rows of a frame are not there yet (a lazy frame).
    """
    frame = X if isinstance(X, pd.DataFrame) else _foreign_frame(X, what)
    if frame is None:
        return None
    names = [column_name(name) for name in frame.columns]
    twice = list(dict.fromkeys(pd.Index(names)[pd.Index(names).duplicated()]))
    if twice:
        raise InvalidDataError(
            f"{what} has {len(twice)} column name(s) that occur more than once: {', '.join(map(repr, twice[:5]))}. Expected a "
            f"name of its own for each column, by which it is found again; rename them, or drop copies: "
            f"{what}.loc[:, ~{what}.columns.duplicated()]."
        )
    return frame if names == list(frame.columns) else frame.set_axis(names, axis=1)


def column_name(name: object) -> str:
    """Return the name of a column as text; the levels of a MultiIndex are joined by slashes."""
    return "/".join(str(part) for part in name) if isinstance(name, tuple) else str(name)


def has_names(X: object) -> bool:
    """Return whether the columns of a frame have names of their own, and not only numbers."""
    frame = as_frame(X)
    return frame is not None and not all(isinstance(name, (int, np.integer)) for name in getattr(X, "columns", [""]))


def is_default_index(index: pd.Index) -> bool:
    """Return whether an index only counts the rows from 0."""
    return isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1


def as_table(metadata: object) -> pd.DataFrame:
    """Return what is known about rows as a pandas frame: of a frame, a series, a dict of columns or a structured array.

    Parameters
    ----------
    metadata : object
        Columns by name.

    Returns
    -------
    DataFrame
        Names as text; lists, sets and dicts in its cells as text, so that they can be grouped by and stored.

    Raises
    ------
    InvalidDataError
        If it is something else.
    """
    if isinstance(metadata, pd.Series):
        frame: object = metadata.to_frame(name="metadata" if metadata.name is None else metadata.name)
    elif isinstance(metadata, dict) or (isinstance(metadata, np.ndarray) and metadata.dtype.names):
        try:
            frame = pd.DataFrame(metadata)
        except ValueError as error:
            raise InvalidDataError(
                f"metadata cannot be read as columns ({error}). Expected columns of equal length by name."
            ) from error
    else:
        frame = metadata
    table = as_frame(frame, "metadata")
    if table is None:
        raise InvalidDataError(
            f"metadata is {type(metadata).__name__}, expected columns with names: a DataFrame, or a dict of one list for each "
            f'column, for example metadata={{"batch": batches}}.'
        )
    return _plain_cells(table)


def _foreign_frame(X: object, what: str) -> pd.DataFrame | None:
    if type(X).__module__.partition(".")[0] not in _FOREIGN:
        return None
    import narwhals as nw

    wrapped = nw.from_native(X, pass_through=True)
    if isinstance(wrapped, nw.LazyFrame):
        raise InvalidDataError(
            f"{what} is a lazy frame, whose rows are not there yet. Expected a frame with its rows; call {what}.collect() "
            f"first."
        )
    return wrapped.to_pandas() if isinstance(wrapped, nw.DataFrame) else None


def _plain_cells(table: pd.DataFrame) -> pd.DataFrame:
    """Replace containers in cells, and what no Parquet file holds, by text: it is grouped by, and a run keeps it."""
    mended: dict[str, pd.Series | np.ndarray] = {}
    for name in table.columns:
        column = table[name]
        if getattr(column.dtype, "kind", "O") == "O" and any(_is_container(one) for one in column):
            mended[name] = _texts([cell_text(one) if _is_container(one) else one for one in column], table)
        elif isinstance(column.dtype, pd.SparseDtype):
            mended[name] = np.asarray(column)
        elif isinstance(column.dtype, pd.CategoricalDtype):
            if not _is_storable(pd.Series(column.cat.categories)):  # intervals, as pandas.cut makes them
                mended[name] = column.cat.rename_categories([str(one) for one in column.cat.categories])
        elif not _is_storable(column):
            mended[name] = _texts(_told_apart(column), table)
    return table.assign(**mended) if mended else table


def _told_apart(column: pd.Series) -> list[str | None]:
    """Return cells as text, with their type where values of several types read alike: 1 and "1" stay two groups."""
    present = column[column.notna()]
    kinds: dict[str, set[str]] = {}
    for one in present:
        kinds.setdefault(str(one), set()).add(type(one).__name__)
    texts = (f"{one} ({type(one).__name__})" if len(kinds.get(str(one), ())) > 1 else str(one) for one in column)
    return [None if missing else text for text, missing in zip(texts, column.isna(), strict=True)]


def _texts(values: Sequence[object], table: pd.DataFrame) -> pd.Series:
    return pd.Series(
        values, index=table.index, dtype=object
    )  # types that pandas would infer hold no halves of characters


def _is_storable(column: pd.Series) -> bool:
    """Return whether a run can hold a column: numbers, text, dates, categories; not types mixed in one column."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iufb":
        return True
    import pyarrow as pa

    if isinstance(column.dtype, (pd.PeriodDtype, pd.IntervalDtype)) or getattr(column.dtype, "kind", "O") == "c":
        return False
    try:
        pa.array(column, from_pandas=True)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return False
    return True


def _is_container(value: object) -> TypeIs[Cell]:
    return isinstance(value, (list, tuple, set, frozenset, dict, np.ndarray))


def cell_text(value: object) -> str:
    """Return a container as text: entries joined by commas, sets in order, dicts as JSON.

    Examples
    --------
    >>> cell_text(["b", "a"]), cell_text({"b", "a"}), cell_text({"a": 1})
    ('b, a', 'a, b', '{"a": 1}')
    """
    if isinstance(value, dict):
        return json.dumps(value, default=str, ensure_ascii=False)
    if not _is_container(value):
        return str(value)
    entries: Iterable[object] = sorted(value, key=str) if isinstance(value, (set, frozenset)) else value
    return ", ".join(map(cell_text, entries))
