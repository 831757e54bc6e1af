"""Joins of what is known about rows to the rows: by id or index, never by position where either side has an index."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from clusterexplain.data.containers.frames import is_default_index
from clusterexplain.data.ids import id_text, is_whole, places_of
from clusterexplain.exceptions import InvalidDataError

PLAIN = ", or pass an array (to_numpy()) that is in the order of X"
"""What can be done about an index of what may also be an array."""


def joined_rows(index: pd.Index, ids: np.ndarray, brought: pd.Index | None, what: str, cure: str = "") -> np.ndarray:
    """Return which row of a table belongs to each id.

    Parameters
    ----------
    index : Index of length n_rows
        Of the table that is joined.
    ids : ndarray of shape (n_samples,)
        Of the data.
    brought : Index or None
        The index that the data brought along; None if the data are an array, whose rows have no names. A table then belongs
        to the rows by their numbers if its index has each number from 0 to n_samples - 1, and otherwise in its order.
    what : str
        How the messages call the table.
    cure : str, default=""
        What else can be done about an index that does not match.

    Returns
    -------
    ndarray of shape (n_samples,), int
        Row numbers of the table.

    Raises
    ------
    InvalidDataError
        If a row has no partner, or if lengths differ where nothing says which rows belong together.
    """
    if brought is None:
        numbers = (
            places_of(_plain(index), range(len(ids))) if index.is_unique and len(index) == len(ids) else np.array([-1])
        )
        return numbers if (numbers >= 0).all() else _in_order(len(index), len(ids), what)
    if is_default_index(index) and brought.equals(pd.RangeIndex(len(ids))):
        return _in_order(len(index), len(ids), what)
    if len(index) == len(ids) and index.equals(brought):
        return np.arange(len(ids))
    twice = index[index.duplicated()]
    if len(twice):
        raise InvalidDataError(
            f"The index of {what} has {len(twice)} value(s) more than once, for example {_shown(twice[0])}, so it is not "
            f"known which row belongs to which. Expected a value of its own for each row, by which rows are joined to those "
            f"of X."
        )
    places = places_of(_plain(index), list(brought))
    lost = np.flatnonzero(places < 0)
    if len(lost):
        held = f", from {_shown(index[0])} in its first row to {_shown(index[-1])} in its last" if len(index) else ""
        raise InvalidDataError(
            f"The index of {what} does not match that of X: {len(lost)} of {len(ids)} rows of X have no partner, for example "
            f"{_shown(brought[lost[0]])}. Expected the index of X in {what}{held or ', which is empty'}; rows are never "
            f"joined by position. Set it with set_index or set_axis(X.index), "
            f"or drop both with reset_index(drop=True) if their order is the same{cure}."
        )
    return places


def joined_table(table: pd.DataFrame, ids: np.ndarray, brought: pd.Index | None, what: str) -> pd.DataFrame:
    """Return a table's rows in the order of the data; see :func:`joined_rows`."""
    rows = joined_rows(table.index, ids, brought, what)
    return table.iloc[rows].reset_index(drop=True)


def in_order(values: object, ids: np.ndarray, what: str, *, has_index: bool = True) -> object:
    """Return what was given for each row in the order of the rows: joined by index where it has one.

    Parameters
    ----------
    values : Series, mapping, DataFrame or array-like
        A Series or a mapping by id; a frame of one column by its index. Whatever has no index is returned as it is.
    ids : ndarray of shape (n_samples,)
        Of the rows.
    what : str
        How the messages call it.
    has_index : bool, default=True
        The rows have ids of their own, which those of an array have not; see :func:`joined_rows`.

    Returns
    -------
    ndarray of shape (n_samples,), or `values`
        Further rows are left out.

    Raises
    ------
    InvalidDataError
        If a row has no value.
    """
    if isinstance(values, Mapping):
        values, has_index = pd.Series(dict(values), dtype=None if values else object), True
    if isinstance(values, pd.DataFrame) and values.shape[1] == 1:
        values = values.iloc[:, 0]
    if not isinstance(values, pd.Series):
        return values
    brought = pd.Index(ids) if has_index else None
    return values.iloc[joined_rows(values.index, ids, brought, what, PLAIN)].to_numpy()


def _in_order(found: int, n: int, what: str) -> np.ndarray:
    if found != n:
        raise InvalidDataError(f"{what} has {found} rows, expected {n}: one for each row of X.")
    return np.arange(n)


def _shown(one: object) -> str:
    return repr(one.item() if isinstance(one, np.generic) else one)


def _plain(index: pd.Index) -> np.ndarray:
    """Return an index as ids: whole numbers if all of them are, otherwise text."""
    values: list[Any] = list(index.to_numpy(dtype=object))
    if all(is_whole(one) for one in values):
        return np.array([int(one) for one in values])
    return np.array([id_text(one) for one in values])
