"""A map that the user has: coordinates of the rows, joined to them by id where the rows have ids."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from clusterexplain.data.containers.frames import as_frame, is_default_index
from clusterexplain.data.dataset import Dataset
from clusterexplain.data.display import Display, no_obsm
from clusterexplain.data.joining import joined_rows
from clusterexplain.data.readers.anndata import obsm_map, open_h5ad
from clusterexplain.data.readers.beside import BESIDE_FILES, by_ids, read_beside
from clusterexplain.data.readers.table import kind_of
from clusterexplain.data.validation import as_matrix
from clusterexplain.exceptions import InvalidDataError

GIVEN = "coordinates"
"""What a map in memory is called."""


def given_map(given: object, data: Dataset, *, has_index: bool) -> Display:
    """Return a map that was given.

    Parameters
    ----------
    given : array-like, frame or Series of n_samples rows, or path
        Two coordinates for each row: an array; a frame of two columns; a Series of pairs; a file of them, with or without ids.
    data : Dataset
        The rows.
    has_index : bool
        The rows have ids of their own, by which frames and Series are joined; an array is in the order of the rows.

    Returns
    -------
    Display
        With coordinates and what they are called.

    Raises
    ------
    InvalidDataError
        If an index does not match, or it does not hold two finite numbers for each row.
    """
    source = GIVEN
    if isinstance(given, str):
        raise no_obsm(given)
    if isinstance(given, os.PathLike):
        source, has_index = Path(given).name, True
        given = _read_map(Path(given), data)
    if isinstance(given, pd.Series):
        given = _pairs(given)
    frame = as_frame(given, "map")
    if frame is not None:
        rows = joined_rows(frame.index, data.ids, pd.Index(data.ids) if has_index else None, "map")
        given = frame.iloc[rows]
    return Display(_checked(as_matrix(given, what="map"), len(data)), source)


def map_of_cells(name: str, file: str | None, ids: str | None, data: Dataset) -> Display:
    """Return a map that lies in the .h5ad file from which rows were read, joined to them by id.

    Parameters
    ----------
    name : str
        A key of ``obsm``.
    file : str or None
        From where the rows were read; None if it is not known.
    ids : str or None
        The column of ``obs`` that holds the ids; None for the barcodes.
    data : Dataset
        The rows.

    Returns
    -------
    Display
        With coordinates and what they are called.

    Raises
    ------
    InvalidDataError
        If the rows come from another kind of file, there is no such key, or the cells are others.
    """
    if file is None or kind_of(Path(file)) != ".h5ad":
        raise InvalidDataError(
            f"The map {name!r} is no file, and the data were not read from an .h5ad file, of which it could name an obsm. "
            f"Expected a file of coordinates ({', '.join(BESIDE_FILES)})."
        )
    cells = open_h5ad(Path(file))
    index = cells.obs.index if ids is None else pd.Index(cells.obs[ids])
    shown = obsm_map(cells, name, file)
    coordinates = given_map(pd.DataFrame(shown.coordinates, index=index), data, has_index=True).coordinates
    return replace(shown, coordinates=coordinates)


def _pairs(given: pd.Series) -> pd.DataFrame:
    """Return a Series of pairs as two columns."""
    pairs = [list(one) if _is_listed(one) else [] for one in given]
    wrong = [place for place, pair in enumerate(pairs) if len(pair) != 2]
    if wrong:
        raise InvalidDataError(
            f"map is a Series of which {len(wrong)} of {len(pairs)} entries are no pairs, the first of them "
            f"{given.iloc[wrong[0]]!r:.80} in row {wrong[0]} (counted from 0). Expected two coordinates in each row, for "
            f"example [0.5, 1.0]; fill them in, or leave these rows out of X."
        )
    return pd.DataFrame(pairs, index=given.index, columns=[0, 1])


def _is_listed(one: object) -> bool:
    return isinstance(one, (list, tuple)) or (isinstance(one, np.ndarray) and one.ndim == 1)


def _checked(coordinates: np.ndarray, n: int) -> np.ndarray:
    if coordinates.shape[0] != n:
        raise InvalidDataError(f"map has {coordinates.shape[0]} rows, expected {n}: two coordinates for each row of X.")
    if coordinates.shape[1] != 2:
        raise InvalidDataError(
            f"map has {coordinates.shape[1]} columns, expected 2: where each row is drawn. Take two of them, or reduce them to "
            f"two dimensions first (UMAP, t-SNE)."
        )
    return coordinates


def _read_map(path: Path, data: Dataset) -> np.ndarray | pd.DataFrame:
    """Return the coordinates of a file: two columns in the order of the rows, or three with their ids."""
    table = read_beside(path, "coordinates", "two numbers for each row", "the name of an obsm of an .h5ad file")
    if isinstance(table, np.ndarray):
        return table
    if table.shape[1] == 2:
        return table.to_numpy() if is_default_index(table.index) else table
    joined = by_ids(table, data, str(path)) if table.shape[1] == 3 else None
    if joined is None:
        raise InvalidDataError(
            f"{path} has {table.shape[1]} columns{', and none holds ids of the data' if table.shape[1] == 3 else ''}. Expected "
            f"two: where each row is drawn, in the order of the rows; or three: ids (from {data.ids.tolist()[0]!r} to "
            f"{data.ids.tolist()[-1]!r}) and two coordinates."
        )
    return joined
