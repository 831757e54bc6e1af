"""Read a table from a file that people bring: text with separators, Parquet, Feather."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clusterexplain.data.dataset import Dataset
from clusterexplain.data.readers.dialect import COMPRESSED, Dialect, find_dialect
from clusterexplain.data.readers.roles import Roles, dataset_of_table
from clusterexplain.exceptions import InvalidDataError

TEXT = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": ","}
"""Tables as text, and the separator that the name promises; all of them may be compressed."""
COLUMNAR = (".parquet", ".pq", ".feather", ".arrow")
_UNREADABLE = (ValueError, OSError, EOFError, LookupError)


def kind_of(path: Path) -> str:
    """Return the ending that says what a file is, in small letters: ``.csv`` for ``TABLE.CSV`` and ``table.csv.gz``."""
    suffixes = [one.lower() for one in path.suffixes]
    if len(suffixes) > 1 and suffixes[-1] in COMPRESSED:
        return suffixes[-2]
    return suffixes[-1] if suffixes else ""


def read_table(
    path: Path,
    *,
    ids: str | None = None,
    text: str | None = None,
    metadata: Sequence[str] = (),
    labels: str | None = None,
    embedding_column: str | None = None,
) -> Dataset:
    """Read rows from a table with a header line (.csv, .tsv, .txt, compressed or not) or from a .parquet or .feather file.

    Parameters
    ----------
    path : Path
        The file.
    ids : str, optional
        The column that holds the ids. Those of a text file are kept as they are written, as numbers if all are whole numbers
        without leading zeros. By default a first column without a name, or the index of a .parquet file; else positions.
    text : str, optional
        The column that holds what each row is as text. It is not trained on but shown.
    metadata : sequence of str, default=()
        Columns that are not trained on but kept, to sum by.
    labels : str, optional
        The column that holds the cluster of each row; it is kept among the metadata.
    embedding_column : str, optional
        The column that holds a vector in each row, which is then what is trained on.

    Returns
    -------
    Dataset
        Every other column is a feature, but for those that number the rows.

    Raises
    ------
    InvalidDataError
        If the file is not a numeric table, or if it has no such columns.
    """
    columns = (metadata,) if isinstance(metadata, str) else tuple(metadata)
    roles = Roles(ids, text, columns, labels, embedding_column)
    try:
        frame = read_frame(path, [name for name in (ids, text) if name is not None])
        return dataset_of_table(frame, roles, str(path), ids_of=written_ids if kind_of(path) in TEXT else None)
    except InvalidDataError:
        raise
    except _UNREADABLE as error:
        raise InvalidDataError(
            f"{path} cannot be read as a table ({' '.join(str(error).split())}). Expected one header line and numbers."
        ) from error


def read_frame(path: Path, verbatim: Sequence[str] = ()) -> pd.DataFrame:
    """Read a table with all of its columns.

    Parameters
    ----------
    path : Path
        The file.
    verbatim : sequence of str, default=()
        Columns of a text file that are kept as they are written ("007", "NA").

    Returns
    -------
    DataFrame
        As pandas reads it.
    """
    kind = kind_of(path)
    if kind in COLUMNAR:
        return pd.read_parquet(path) if kind in (".parquet", ".pq") else pd.read_feather(path)
    dialect = find_dialect(path, usual=TEXT[kind])
    frame = _read_text(path, dialect, dtype=dict.fromkeys(verbatim, str))
    _refuse_missing_header(frame, path)
    _refuse_shifted(frame, path, dialect)
    kept = [name for name in dict.fromkeys(verbatim) if name in frame.columns]
    if kept:
        written = _read_text(path, dialect, usecols=kept, dtype=str, keep_default_na=False)
        for name in written.columns:
            frame[name] = written[name].to_numpy()
    return frame


def column_names(path: Path) -> list[str]:
    """Return the names of a table's columns; none for another file, or for one that :func:`read_table` would refuse."""
    kind = kind_of(path)
    try:
        if kind in TEXT:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return [str(name) for name in _read_text(path, find_dialect(path, usual=TEXT[kind]), nrows=0).columns]
        return [str(name) for name in read_frame(path).columns] if kind in COLUMNAR else []
    except _UNREADABLE:
        return []


def _read_text(path: Path, dialect: Dialect, **options: Any) -> pd.DataFrame:
    return pd.DataFrame(pd.read_csv(path, low_memory=False, **dialect.options(), **options))


def written_ids(column: pd.Series) -> np.ndarray:
    """Return ids of a text file: numbers if all of them are whole numbers without leading zeros, otherwise text as written."""
    if not pd.api.types.is_string_dtype(column.dtype):
        return column.to_numpy(dtype=object)
    if column.str.fullmatch("0|-?[1-9][0-9]{0,17}").all():
        return column.to_numpy(dtype=np.int64)
    return column.to_numpy(dtype=object)


def _refuse_shifted(frame: pd.DataFrame, path: Path, dialect: Dialect) -> None:
    """Refuse a table whose lines end with a separator: its first column would be read as an index, the others one too early."""
    if not frame.shape[1] or not frame.iloc[:, -1].isna().all():
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.ParserWarning)  # it says that there are more fields than names
        aligned = _read_text(path, dialect, index_col=False, dtype=str)
    if aligned.iloc[:, -1].notna().any():
        raise InvalidDataError(
            f"The rows of {path} have more fields than its header line has names, and their last field is empty, so columns "
            f"would be taken for others. Expected one field for each name; remove the commas at the ends of the lines."
        )


def _refuse_missing_header(frame: pd.DataFrame, path: Path) -> None:
    names = pd.to_numeric(pd.Series([str(name) for name in frame.columns]), errors="coerce")
    counted = [str(number) for number in range(len(names))]
    if len(names) and names.notna().all() and [str(name) for name in frame.columns] != counted:
        raise InvalidDataError(
            f"The first line of {path} holds numbers ({frame.columns[0]}, ...), so a row would be lost as column names. "
            f"Expected one header line with names; add it."
        )
