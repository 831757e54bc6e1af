"""Rows that were not trained on, held against the columns of the training data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

import numpy as np
import pandas as pd

from clusterexplain.data.bookkeeping import index_column
from clusterexplain.data.containers.foreign import is_anndata
from clusterexplain.data.containers.frames import BOOKKEEPING, as_frame, has_names
from clusterexplain.data.dataset import Dataset
from clusterexplain.data.readers.anndata import new_cells
from clusterexplain.data.validation import as_matrix
from clusterexplain.exceptions import InvalidDataError

if TYPE_CHECKING:
    from clusterexplain.data.dataset import Rows


@dataclass(frozen=True, eq=False)
class NewRows:
    """Rows with what they are called.

    Attributes
    ----------
    matrix : ndarray of shape (n_rows, n_features)
        Checked.
    names : list of str or None
        Of the columns, None where they have none.
    ids : sequence
        Of the rows.
    """

    matrix: np.ndarray
    names: list[str] | None
    ids: Iterable[object]

    @property
    def named(self) -> np.ndarray | pd.DataFrame:
        """What scikit-learn checks columns of: a frame where they have names."""
        return (
            self.matrix
            if self.names is None
            else pd.DataFrame(self.matrix, columns=pd.Index(self.names, dtype=object), copy=False)
        )


def is_named(X: object) -> TypeGuard[Rows]:
    """Return whether rows bring names along: a data set or a frame."""
    return isinstance(X, Dataset) or as_frame(X) is not None


def new_rows(X: object, data: Dataset | None = None, what: str = "X") -> NewRows:
    """Read rows; columns of a frame that the training data kept beside the features are ignored.

    Parameters
    ----------
    X : Dataset, frame, AnnData or array-like of shape (n_rows, n_features)
        The rows; of an AnnData the matrix that was trained on.
    data : Dataset, optional
        The training data.
    what : str, default="X"
        How the messages call the rows.

    Returns
    -------
    NewRows
        Columns in the order in which they were given.
    """
    if is_anndata(X) and data is not None:
        return NewRows(as_matrix(new_cells(X, data, what), what=what), None, X.obs_names)
    if isinstance(X, Dataset):
        _refuse_shape(X, data, what)
        return NewRows(X.X, X.feature_names, X.ids)
    frame = as_frame(X, what)
    if frame is None:
        matrix = as_matrix(X, what=what)
        return NewRows(matrix, None, range(len(matrix)))
    ids: Iterable[object] = frame.index
    features = [] if data is None or data.feature_names is None else data.feature_names
    nameless = index_column(frame)
    if nameless is not None and nameless not in features:
        ids = frame[nameless]
    beside = set() if data is None else {*data.left_aside, *([] if data.metadata is None else data.metadata.columns)}
    extra = [
        one
        for one in frame.columns
        if features and one not in features and (one in beside or BOOKKEEPING.fullmatch(one))
    ]
    kept = frame.drop(columns=extra)
    return NewRows(as_matrix(kept, what=what), kept.columns.tolist() if has_names(X) else None, ids)


def _refuse_shape(rows: Dataset, data: Dataset | None, what: str) -> None:
    """Refuse images of another shape than those of the fit, even where they have as many pixels."""
    shape = None if data is None else data.image_shape
    if shape is not None and rows.image_shape is not None and rows.image_shape != shape:
        raise InvalidDataError(
            f"{what} has images of shape {rows.image_shape}, but the fit was made with {shape}. Expected the same; for picture "
            f"files: Dataset.from_images(folder, size=({shape[1]}, {shape[0]}), mode={'RGB' if len(shape) == 3 else 'L'!r})."
        )
