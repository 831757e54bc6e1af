"""Read clusters that somebody has from a file of their own: one label for each row, or ids with labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from clusterexplain.data.containers.frames import is_default_index
from clusterexplain.data.dataset import Dataset
from clusterexplain.data.readers.beside import by_ids, read_beside
from clusterexplain.data.readers.registry import READERS
from clusterexplain.data.readers.table import kind_of
from clusterexplain.exceptions import InvalidDataError


def is_file(name: str) -> bool:
    """Return whether what was given as labels or as a map is a file, and not a name in the data."""
    return kind_of(Path(name)) in READERS or Path(name).is_file()


def read_labels(path: Path, data: Dataset) -> np.ndarray | pd.Series:
    """Read labels of the rows of a data set.

    Parameters
    ----------
    path : Path
        An array of one dimension; a table of one column, whose rows are in the order of the data; or a table of ids (a column,
        an index, or a first column without a name) and labels, in any order.
    data : Dataset
        The rows.

    Returns
    -------
    ndarray of shape (n_samples,) or Series
        Labels in order, or labels by id; numbers or texts.

    Raises
    ------
    InvalidDataError
        If the file cannot be read, or holds other columns.
    """
    table = read_beside(path, "labels", "a label for each row", "the name of a column of the data")
    if isinstance(table, np.ndarray):
        return table
    if table.shape[1] == 1:
        return table.iloc[:, 0].to_numpy(dtype=object) if is_default_index(table.index) else table.iloc[:, 0]
    if table.shape[1] == 2:
        joined = by_ids(table, data, str(path))
        if joined is not None:
            return joined.iloc[:, 0]
        raise InvalidDataError(
            f"{path} has 2 columns, and neither holds ids of the data (from {data.ids.tolist()[0]!r} to "
            f"{data.ids.tolist()[-1]!r}). Expected one column of labels, one for each row in order, or two: the ids and their "
            f"labels."
        )
    raise InvalidDataError(
        f"{path} has {table.shape[1]} columns. Expected one: a cluster label for each row; or two: the ids and their labels."
    )
