"""Read arrays (.npy, .npz), alone or with a table of what is known about their rows beside them."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clusterexplain.data.containers.arrays import densified
from clusterexplain.data.dataset import Dataset
from clusterexplain.data.readers.roles import Roles, dataset_of_rows
from clusterexplain.data.readers.table import kind_of, read_frame, written_ids
from clusterexplain.exceptions import InvalidDataError

ARRAYS = (".npy", ".npz")
ID_ARRAYS = ("ids", "id", "names", "index")
"""Arrays of an .npz file that are its ids, unless a table beside it names others."""


def read_vectors(
    path: Path,
    *,
    table: Path | None = None,
    use_rep: str | None = None,
    ids: str | None = None,
    text: str | None = None,
    metadata: Sequence[str] = (),
    labels: str | None = None,
) -> Dataset:
    """Read rows from an .npy or .npz file; nothing in it is executed.

    Parameters
    ----------
    path : Path
        The file.
    table : Path, optional
        A table with one row for each row of the array, in the same order: ids, text, metadata. Without `metadata` all of its
        columns are kept.
    use_rep : str, optional
        The array of an .npz file that is trained on; one that holds a single matrix needs no name. Arrays of one dimension
        and of the same length become metadata, one that is called ids the ids.
    ids, text, labels : str, optional
        Columns of the table.
    metadata : sequence of str, default=()
        Columns of the table.

    Returns
    -------
    Dataset
        Without feature names.

    Raises
    ------
    InvalidDataError
        If the file cannot be read, or the table has other rows.
    """
    columns = (metadata,) if isinstance(metadata, str) else tuple(metadata)
    roles = Roles(ids, text, columns, labels)
    try:
        rows, known = _read_npz(path, use_rep) if kind_of(path) == ".npz" else (_read_npy(path), pd.DataFrame())
        if rows.dtype.names:
            raise InvalidDataError(
                f"{path} is a structured array with the fields {', '.join(rows.dtype.names[:5])}. Expected a matrix; save a "
                f"table of it: pandas.DataFrame(array).to_parquet(...)."
            )
        if table is not None:
            frame = read_frame(table, [name for name in (ids, text) if name is not None])
            return dataset_of_rows(rows, _joined(frame, known), roles, str(table), ids_of=written_ids)
    except InvalidDataError:
        raise
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidDataError(f"{path} cannot be read as a table ({error}). Expected an array of numbers.") from error
    if roles.beside and not len(known.columns):
        raise InvalidDataError(
            f"{path} is an array without column names, so it has no {', '.join(roles.beside)}. Expected a .csv or .parquet "
            f"file beside it (--table) if there are ids, text or metadata; or pass Dataset(ids=..., metadata=..., text=...) "
            f"in Python."
        )
    if not len(known.columns):
        return Dataset.of(rows)
    named = next((name for name in ID_ARRAYS if name in known.columns), None) if ids is None else ids
    return dataset_of_rows(rows, known, Roles(named, text, columns, labels), str(path))


def _read_npy(path: Path) -> np.ndarray:
    with path.open("rb") as file:
        return np.asarray(np.load(file, allow_pickle=False))


def _read_npz(path: Path, use_rep: str | None) -> tuple[np.ndarray, pd.DataFrame]:
    """Return the matrix of an archive, and its arrays of one dimension and the same length as columns."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        if {"indptr", "shape", "data", "format"} <= set(archive.files):
            return _read_sparse(path), pd.DataFrame()
        arrays: dict[str, Any] = {name: archive[name] for name in archive.files}
    matrices = [name for name, array in arrays.items() if array.ndim >= 2 and array.dtype.kind in "iufbc"]
    if (use_rep is None and len(matrices) != 1) or (use_rep is not None and use_rep not in arrays):
        missing = "" if use_rep is None else f", and none of its arrays is called {use_rep!r}"
        raise InvalidDataError(
            f"{path} holds {len(matrices)} matrices: {', '.join(matrices) or 'none'}{missing}. Expected one to train on; name "
            f"it with --use-rep (use_rep=)."
        )
    rows = arrays[use_rep or matrices[0]]
    beside = {name: array for name, array in arrays.items() if array.ndim == 1 and len(array) == len(rows)}
    return rows, pd.DataFrame(beside)


def _read_sparse(path: Path) -> np.ndarray:
    from scipy.sparse import load_npz

    return densified(load_npz(path))


def _joined(frame: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the arrays that stand beside the matrix, which must have its rows."""
    if not len(known.columns) or len(frame) != len(known):
        return frame
    return frame.assign(**{name: known[name].to_numpy() for name in known.columns if name not in frame.columns})
