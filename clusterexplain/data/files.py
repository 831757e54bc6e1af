"""Read a table of numbers from a file that people bring."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from clusterexplain.data.dataset import Dataset
from clusterexplain.exceptions import InvalidDataError

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
        return Dataset.of(pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path))
    except InvalidDataError:
        raise
    except (ValueError, OSError, EOFError) as error:
        raise InvalidDataError(
            f"{path} cannot be read as a table ({error}). Expected one header line and numbers."
        ) from error
