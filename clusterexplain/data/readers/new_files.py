"""Read rows that were not trained on from a file of the kind that a fit was made from: a table, cells, pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clusterexplain.data.dataset import Dataset
from clusterexplain.data.readers.anndata import open_h5ad
from clusterexplain.data.readers.images import PICTURES, read_images
from clusterexplain.data.readers.registry import read
from clusterexplain.data.readers.table import column_names, kind_of
from clusterexplain.exceptions import InvalidParameterError

if TYPE_CHECKING:
    from clusterexplain.data.dataset import Rows


def read_new_rows(path: Path, data: Dataset) -> Rows:
    """Read rows as ``explain`` takes them, in the order of the columns that were trained on.

    Parameters
    ----------
    path : Path
        A table or an array, whose further columns are ignored; an .h5ad file; a picture or a folder of pictures, which are
        brought to the size and mode of the fit.
    data : Dataset
        The training data.

    Returns
    -------
    ndarray of shape (n_rows, n_features), AnnData or Dataset
        The rows, unscaled.

    Raises
    ------
    InvalidParameterError
        If the columns are not those of the fit, or the fit was not made from pictures.
    InvalidDataError
        If the file cannot be read.
    """
    if kind_of(path) == ".h5ad":
        return open_h5ad(path)
    if kind_of(path) in PICTURES or path.is_dir():
        return _pictures(path, data)
    return _table(path, data)


def _pictures(path: Path, data: Dataset) -> Dataset:
    """Return pictures in the size and mode of the fit."""
    if data.image_shape is None or not data.pictures:
        raise InvalidParameterError(
            f"{path} holds pictures, but the fit was not made from picture files. Expected a table or an array with its "
            f"{data.X.shape[1]} columns."
        )
    height, width = data.image_shape[:2]
    mode = "RGB" if len(data.image_shape) == 3 else "L"
    return read_images(path if path.is_dir() else [path], size=(width, height), mode=mode)


def _table(path: Path, data: Dataset) -> np.ndarray:
    known, names = data.feature_names, column_names(path)
    further = [name for name in names if name not in known] if known is not None and set(known) <= set(names) else []
    rows = read(path, metadata=further)  # ids, texts and other columns that were not trained on
    if rows.feature_names is None or known is None:
        if rows.X.shape[1] != data.X.shape[1]:
            raise InvalidParameterError(
                f"{path} has {rows.X.shape[1]} columns, but the run was made with {data.X.shape[1]}. Expected the same columns "
                f"in the same order."
            )
        return rows.X
    if sorted(rows.feature_names) != sorted(known):
        raise InvalidParameterError(
            f"{path} has the columns {', '.join(rows.feature_names[:5])}, ..., but the run was made with "
            f"{', '.join(known[:5])}, ... Expected these {len(known)} names in any order; further columns are ignored."
        )
    return rows.X[:, [rows.feature_names.index(name) for name in known]]
