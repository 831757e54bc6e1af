"""What was asked about: ids, positions or new rows, told apart without guessing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from clusterexplain.data import Dataset
from clusterexplain.data.containers.foreign import is_anndata
from clusterexplain.data.ids import id_text, is_whole
from clusterexplain.data.new_rows import is_named, new_rows
from clusterexplain.exceptions import InvalidParameterError


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples that are asked about.

    Attributes
    ----------
    ids : ndarray of shape (n_queries,)
        Ids of training examples, or "new ..." for other rows.
    rows : ndarray of shape (n_queries, n_features)
        Their features.
    positions : ndarray of shape (n_queries,), int
        Row numbers in the training data; -1 for rows that were never trained on.
    """

    ids: np.ndarray
    rows: np.ndarray
    positions: np.ndarray


def select_samples(asked: object, data: Dataset) -> Samples:
    """Find out what was asked about.

    Parameters
    ----------
    asked : id, sequence of ids, slice, boolean mask, Dataset, DataFrame or matrix of shape (n_queries, n_features)
        A slice and a mask select training examples by position; two-dimensional data are new rows.
    data : Dataset
        The training data.

    Returns
    -------
    Samples
        At least one.

    Raises
    ------
    InvalidParameterError
        If nothing was asked, or a single row was passed where ids are expected.
    UnknownSampleError
        If an id does not exist.
    """
    if is_named(asked) or is_anndata(asked) or _is_matrix(asked):
        found = _new_rows(asked, data)
    else:
        positions = _positions(asked, data)
        found = Samples(data.ids[positions], data.X[positions], positions)
    if not len(found.ids):
        raise InvalidParameterError("There is nothing to explain: queries is empty. Expected at least one id or row.")
    return found


def _is_matrix(asked: object) -> bool:
    return getattr(asked, "ndim", 1) == 2 or (
        isinstance(asked, (list, tuple)) and bool(asked) and isinstance(asked[0], (list, np.ndarray))
    )


def _new_rows(asked: object, data: Dataset) -> Samples:
    found = new_rows(asked, data, "queries")
    return Samples(
        np.array([f"new {id_text(name)}" for name in found.ids]), found.matrix, np.full(len(found.matrix), -1)
    )


def _positions(asked: object, data: Dataset) -> np.ndarray:
    entries: Any = asked
    if isinstance(asked, pd.Series) and all(isinstance(one, (bool, np.bool_)) for one in asked):
        entries = asked = data.in_order(asked, "the mask")
    if isinstance(asked, slice):
        return np.arange(len(data))[asked]
    if isinstance(asked, (str, bytes)) or (not isinstance(asked, (list, tuple)) and np.ndim(entries) == 0):
        if isinstance(asked, (set, frozenset, dict)):
            raise InvalidParameterError(
                f"queries is a {type(asked).__name__}. Expected a list of ids, whose order is kept."
            )
        entries = [asked]
    wanted = [asked] if isinstance(asked, tuple) and data.has_id(asked) else list(entries)
    if wanted and all(isinstance(one, (bool, np.bool_)) for one in wanted):
        if len(wanted) != len(data):
            raise InvalidParameterError(
                f"The mask has {len(wanted)} entries, expected {len(data)}: one for each training row."
            )
        return np.flatnonzero(wanted)
    if any(isinstance(one, (float, np.floating)) for one in wanted) and not _are_ids(wanted, data):
        raise InvalidParameterError(
            "queries holds fractions, which are no ids. For a single new row pass a matrix of one row, for example "
            "row.reshape(1, -1); for training examples pass their ids."
        )
    return data.positions(wanted)


def _are_ids(wanted: list[Any], data: Dataset) -> bool:
    """Whether floats are ids, as an index may hold them, and not the values of a row."""
    if len(wanted) > 1 and len(wanted) == data.X.shape[1]:
        return False
    return all(is_whole(one) or data.has_id(one) for one in wanted)
