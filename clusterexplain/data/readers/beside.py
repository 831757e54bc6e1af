"""Read what belongs to the rows of a data set from a file of its own: in the order of the rows, or with their ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from clusterexplain.data.bookkeeping import index_column
from clusterexplain.data.containers.frames import as_frame
from clusterexplain.data.dataset import Dataset
from clusterexplain.data.ids import places_of
from clusterexplain.data.readers.table import COLUMNAR, TEXT, kind_of, read_frame
from clusterexplain.exceptions import InvalidDataError

BESIDE_FILES = (*TEXT, *COLUMNAR, ".npy")
"""What can be read beside the rows."""
ID_NAMES = ("id", "ids", "index")
"""Names of a column of ids, in small letters."""


def read_beside(path: Path, noun: str, expected: str, otherwise: str) -> np.ndarray | pd.DataFrame:
    """Read an array or a table.

    Parameters
    ----------
    path : Path
        The file.
    noun : str
        What it holds, for messages: "labels".
    expected : str
        What each row should be, for messages.
    otherwise : str
        What could have been meant instead of a file.

    Returns
    -------
    ndarray or DataFrame
        With all of its rows and columns.

    Raises
    ------
    InvalidDataError
        If it does not exist, is of another kind, or cannot be read.
    """
    kind = kind_of(path)
    if kind not in BESIDE_FILES:
        raise InvalidDataError(f"{path} is no file of {noun}. Expected a name ending in {', '.join(BESIDE_FILES)}.")
    if not path.is_file():
        raise InvalidDataError(f"There is no file {path}. Expected a file of {noun}, or {otherwise}.")
    try:
        if kind == ".npy":
            return np.asarray(np.load(path, allow_pickle=False))
        table = as_frame(read_frame(path), str(path))
    except InvalidDataError:
        raise
    except (ValueError, OSError, EOFError, LookupError) as error:
        raise InvalidDataError(f"{path} cannot be read as {noun} ({error}). Expected {expected}.") from error
    assert table is not None, "a table is a frame"
    return table


def by_ids(table: pd.DataFrame, data: Dataset, where: str) -> pd.DataFrame | None:
    """Return a table with the column that holds ids of the data as its index; None if no column does.

    Parameters
    ----------
    table : DataFrame
        Ids, and what belongs to the rows.
    data : Dataset
        The rows.
    where : str
        What the messages call the table.

    Returns
    -------
    DataFrame or None
        The ids are a first column without a name, else a column with a name such as "id", else the only column that has the
        id of every row. A column that has a part of them is returned if no other has more, and its join is then refused.

    Raises
    ------
    InvalidDataError
        If several columns may be the ids.
    """
    unnamed = index_column(table)
    named = [name for name in table.columns if str(name).casefold() in ID_NAMES] if unnamed is None else [unnamed]
    names = named or table.columns.tolist()
    held = {name: int((places_of(data.ids, table[name].tolist()) >= 0).sum()) for name in names}
    candidates = [name for name in names if held[name] and not table[name].duplicated().any()]
    complete = [name for name in candidates if held[name] >= len(data)]
    if len(complete) > 1 or (len(named) > 1 and len(candidates) > 1):
        raise InvalidDataError(
            f"{where} has several columns that may be the ids of the rows: {', '.join(map(repr, complete or candidates))}. "
            f"Expected one; name the column of the ids 'id'."
        )
    chosen = complete or sorted(candidates, key=lambda name: -held[name])
    return table.set_index(chosen[0]) if chosen else None
