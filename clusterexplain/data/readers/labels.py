"""Read clusters that somebody has from a file of their own: one label for each row, or ids with labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from clusterexplain.data.bookkeeping import index_column
from clusterexplain.data.dataset import Dataset
from clusterexplain.data.frames import as_frame, is_default_index
from clusterexplain.data.ids import places_of
from clusterexplain.data.readers.registry import READERS
from clusterexplain.data.readers.table import COLUMNAR, TEXT, kind_of, read_frame
from clusterexplain.exceptions import InvalidDataError

LABEL_FILES = (*TEXT, *COLUMNAR, ".npy")
"""What holds labels."""


def is_label_file(name: str) -> bool:
    """Return whether what was given as labels is a file, and not a column of the data."""
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
    kind = kind_of(path)
    if kind not in LABEL_FILES:
        raise InvalidDataError(f"{path} is no file of labels. Expected a name ending in {', '.join(LABEL_FILES)}.")
    if not path.is_file():
        raise InvalidDataError(
            f"There is no file {path}. Expected a file of labels, or the name of a column of the data."
        )
    try:
        if kind == ".npy":
            return np.asarray(np.load(path, allow_pickle=False))
        table = as_frame(read_frame(path), str(path))
    except InvalidDataError:
        raise
    except (ValueError, OSError, EOFError, LookupError) as error:
        raise InvalidDataError(f"{path} cannot be read as labels ({error}). Expected a label for each row.") from error
    assert table is not None, "a table is a frame"
    return _labels_of_table(table, data, path)


def _labels_of_table(table: pd.DataFrame, data: Dataset, path: Path) -> np.ndarray | pd.Series:
    if table.shape[1] == 1:
        return table.iloc[:, 0].to_numpy(dtype=object) if is_default_index(table.index) else table.iloc[:, 0]
    if table.shape[1] == 2:
        nameless = index_column(table)
        order = [nameless] if nameless is not None else table.columns.tolist()
        for name in order:
            if (places_of(data.ids, table[name].tolist()) >= 0).any() and not table[name].duplicated().any():
                return table.set_index(name).iloc[:, 0]
        raise InvalidDataError(
            f"{path} has 2 columns, and neither holds ids of the data (from {data.ids.tolist()[0]!r} to "
            f"{data.ids.tolist()[-1]!r}). Expected one column of labels, one for each row in order, or two: the ids and their "
            f"labels."
        )
    raise InvalidDataError(
        f"{path} has {table.shape[1]} columns. Expected one: a cluster label for each row; or two: the ids and their labels."
    )
