"""Read a table of numbers from a file that people bring."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from clusterexplain.data.dataset import Dataset
from clusterexplain.exceptions import InvalidDataError, NotNumericError

READERS = (".csv", ".parquet", ".npy")


def read_table(path: Path) -> Dataset:
    """Read rows from a .csv (with a header line), .parquet or .npy file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Dataset
        Every column is a feature; positions are the ids of .csv and .npy files, the index those of .parquet files.

    Raises
    ------
    InvalidDataError
        If the file is missing, of another kind, or not a numeric table.
    """
    if path.suffix not in READERS:
        raise InvalidDataError(f"{path} is of an unknown kind. Expected a name ending in {', '.join(READERS)}.")
    if not path.is_file():
        raise InvalidDataError(f"There is no file {path}. Expected a {', '.join(READERS)} file; check the spelling.")
    try:
        if path.suffix == ".npy":
            return Dataset.of(np.load(path, allow_pickle=False))
        if path.suffix == ".parquet":
            return Dataset.of(pd.read_parquet(path))
        frame = pd.read_csv(path)
        _refuse_missing_header(frame, path)
        return Dataset.of(frame)
    except InvalidDataError:
        raise
    except (ValueError, OSError, EOFError) as error:
        raise InvalidDataError(
            f"{path} cannot be read as a table ({error}). Expected one header line and numbers."
        ) from error


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
