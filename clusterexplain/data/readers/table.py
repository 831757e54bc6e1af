"""Read a table of numbers from a file that people bring."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from clusterexplain.data.dataset import Dataset
from clusterexplain.data.validation import as_matrix
from clusterexplain.exceptions import InvalidDataError, NotNumericError

READERS = (".csv", ".parquet", ".npy")
LISTED_COLUMNS = 20


def read_table(path: Path, *, ids: str | None = None, text: str | None = None, metadata: Sequence[str] = ()) -> Dataset:
    """Read rows from a .csv (with a header line), .parquet or .npy file.

    Parameters
    ----------
    path : Path
        The file.
    ids : str, optional
        The column that holds the ids. Those of a .csv file are kept as they are written, as numbers if all are whole numbers
        without leading zeros. By default positions are the ids of .csv and .npy files, the index those of .parquet files.
    text : str, optional
        The column that holds what each row is as text. It is not trained on but shown.
    metadata : sequence of str, default=()
        Columns that are not trained on but kept, to sum by.

    Returns
    -------
    Dataset
        Every other column is a feature.

    Raises
    ------
    InvalidDataError
        If the file is missing, of another kind, or not a numeric table, or if it has no such columns.
    """
    kept = [*([] if text is None else [text]), *([metadata] if isinstance(metadata, str) else metadata)]
    beside = list(dict.fromkeys([*([] if ids is None else [ids]), *kept]))
    if path.suffix not in READERS:
        raise InvalidDataError(f"{path} is of an unknown kind. Expected a name ending in {', '.join(READERS)}.")
    if not path.is_file():
        raise InvalidDataError(f"There is no file {path}. Expected a {', '.join(READERS)} file; check the spelling.")
    if path.suffix == ".npy" and beside:
        raise InvalidDataError(
            f"{path} is an array without column names, so it has no {', '.join(beside)}. Expected a .csv or .parquet file if "
            f"there are ids, text or metadata; or pass Dataset(ids=..., metadata=..., text=...) in Python."
        )
    try:
        if path.suffix == ".npy":
            return Dataset.of(np.load(path, allow_pickle=False))
        frame = _read_frame(path, beside, [name for name in (ids, text) if name is not None])
        names = list(dict.fromkeys(kept))
        return Dataset(
            as_matrix(frame.drop(columns=beside)),
            ids=frame.index.to_numpy(dtype=object) if ids is None else _ids(frame[ids], path),
            feature_names=[name for name in frame.columns if name not in beside],
            metadata=frame[names] if names else None,
            text=text,
        )
    except InvalidDataError:
        raise
    except (ValueError, OSError, EOFError) as error:
        raise InvalidDataError(
            f"{path} cannot be read as a table ({error}). Expected one header line and numbers."
        ) from error


def column_names(path: Path) -> list[str]:
    """Return the names of a table's columns; none for an array, or for a file that :func:`read_table` would refuse."""
    try:
        if path.suffix == ".csv":
            return [str(name) for name in pd.read_csv(path, nrows=0).columns]
        return [str(name) for name in pd.read_parquet(path).columns] if path.suffix == ".parquet" else []
    except (ValueError, OSError, EOFError):
        return []


def read_labels(path: Path) -> np.ndarray:
    """Read one cluster label for each row from a .csv (with a header line), .parquet or .npy file.

    Parameters
    ----------
    path : Path
        The file; a table of one column, or an array of one dimension.

    Returns
    -------
    ndarray of shape (n_samples,)
        The labels; -1 is noise.

    Raises
    ------
    InvalidDataError
        If the file is missing, or holds more than one column.
    """
    if path.suffix == ".npy" and path.is_file():
        try:
            found = np.load(path, allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise InvalidDataError(f"{path} cannot be read as labels ({error}). Expected whole numbers.") from error
        if found.ndim == 1:
            return np.asarray(found)
    try:
        table = read_table(path)
    except InvalidDataError as error:
        if isinstance(error, NotNumericError) or "not numbers" in str(error):
            raise _no_labels(path) from error
        raise
    if table.X.shape[1] != 1:
        raise InvalidDataError(f"{path} has {table.X.shape[1]} columns. Expected one: a cluster label for each row.")
    return table.X[:, 0]


def _read_frame(path: Path, beside: list[str], verbatim: list[str]) -> pd.DataFrame:
    """Read the columns with their names as text; those in `verbatim` as they are written ("007", "NA")."""
    if path.suffix == ".parquet":
        frame = pd.read_parquet(path).rename(columns=str)
        for name in beside:
            if name in frame.index.names and name not in frame.columns:
                frame[name] = frame.index.get_level_values(name)
        _refuse_unknown(frame, beside, path)
        return frame
    frame = pd.read_csv(path, dtype=dict.fromkeys(verbatim, str))
    _refuse_missing_header(frame, path)
    _refuse_unknown(frame, beside, path)
    if beside:
        _refuse_shifted(frame, path)
    if not verbatim:
        return frame
    written = pd.read_csv(path, usecols=list(dict.fromkeys(verbatim)), dtype=str, keep_default_na=False)
    for name in written.columns:
        frame[name] = written[name].to_numpy()
    return frame


def _ids(column: pd.Series, path: Path) -> np.ndarray:
    """Return ids; whole numbers that a .csv file holds as text become numbers."""
    missing = np.flatnonzero(column.isna() | (column.astype(str).str.strip() == ""))
    if len(missing):
        raise InvalidDataError(
            f"{len(missing)} row(s) of {path} have no id in the column {column.name}, the first of them row {missing[0]} "
            f"(counted from 0). Expected one id for each row; fill them in, or leave --ids away to count the rows."
        )
    if path.suffix == ".csv" and column.str.fullmatch("0|-?[1-9][0-9]{0,17}").all():
        return column.to_numpy(dtype=np.int64)
    return column.to_numpy(dtype=object)


def _refuse_unknown(frame: pd.DataFrame, wanted: list[str], path: Path) -> None:
    known = frame.columns.tolist()
    unknown = [name for name in wanted if name not in known]
    if unknown:
        more = f", ... ({len(known)} in all)" if len(known) > LISTED_COLUMNS else ""
        if len(known) == 1 and any(mark in known[0] for mark in ";\t|"):
            more = " (one column: is it separated by something else than commas? Save it with commas)"
        raise InvalidDataError(
            f"{path} has no column {', '.join(repr(name) for name in unknown)}. Expected, for ids, text and metadata, names of "
            f"its columns: {', '.join(known[:LISTED_COLUMNS])}{more}; check the spelling."
        )
    if wanted and len(set(wanted)) == len(known):
        raise InvalidDataError(
            f"All {len(known)} columns of {path} are ids, text or metadata, so none is left to train on. Expected at least one "
            f"column of numbers, for example an embedding of the texts."
        )


def _refuse_shifted(frame: pd.DataFrame, path: Path) -> None:
    """Refuse a table whose lines end with a comma: its first column would be read as an index, the others one too early."""
    if not frame.iloc[:, -1].isna().all():
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.ParserWarning)  # it says that there are more fields than names
        aligned = pd.read_csv(path, index_col=False, dtype=str)
    if aligned.iloc[:, -1].notna().any():
        raise InvalidDataError(
            f"The rows of {path} have more fields than its header line has names, and their last field is empty, so columns "
            f"would be taken for others. Expected one field for each name; remove the commas at the ends of the lines."
        )


def _no_labels(path: Path) -> InvalidDataError:
    return InvalidDataError(
        f"{path} holds labels that are not numbers. Expected whole numbers from 0 up, -1 for noise; turn names into numbers "
        f"with pandas.factorize."
    )


def _refuse_missing_header(frame: pd.DataFrame, path: Path) -> None:
    names = pd.to_numeric(pd.Series([str(name) for name in frame.columns]), errors="coerce")
    counted = [str(number) for number in range(len(names))]
    if len(names) and names.notna().all() and [str(name) for name in frame.columns] != counted:
        raise InvalidDataError(
            f"The first line of {path} holds numbers ({frame.columns[0]}, ...), so a row would be lost as column names. "
            f"Expected one header line with names; add it."
        )
