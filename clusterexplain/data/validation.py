"""Turn what users pass into a finite float matrix, or say what is wrong with it and what to do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clusterexplain.data.containers.arrays import as_array
from clusterexplain.data.containers.columns import numeric_columns
from clusterexplain.data.containers.frames import as_frame
from clusterexplain.exceptions import InvalidDataError, NotNumericError


def as_matrix(X: object, *, what: str = "X") -> np.ndarray:
    """Check that `X` is a finite, real, numeric matrix and return it as float64.

    Parameters
    ----------
    X : array-like or frame of shape (n_samples, n_features)
        ndarray, memmap, tensor, sparse matrix, nested lists, or a frame of pandas, polars or pyarrow.
    what : str, default="X"
        How the messages call it.

    Returns
    -------
    ndarray of shape (n_samples, n_features)
        C-contiguous float64 copy.

    Raises
    ------
    InvalidDataError
        If it is complex, text, dates, masked, of another rank than 2, empty, NaN or infinite.
    """
    frame = as_frame(X, what)
    array = as_array(X, what) if frame is None else numeric_columns(frame, what)
    if array.dtype.kind == "c":
        raise InvalidDataError(
            f"Complex data not supported: {what} has dtype {array.dtype}. Expected real numbers; pass the real and "
            f"imaginary parts as separate columns."
        )
    if array.ndim != 2:
        raise InvalidDataError(
            f"Expected 2D array, got {array.ndim}D array instead: {what} has shape {array.shape}, expected "
            f"(n_samples, n_features). Reshape your data either using array.reshape(-1, 1) if it has a single feature, "
            f"array.reshape(1, -1) if it is a single sample, or array.reshape(len(array), -1) for images."
        )
    try:
        matrix = np.array(array, dtype=np.float64, order="C")
    except (TypeError, ValueError) as error:
        raise NotNumericError(
            f"{what} holds values that are not numbers ({error}). Expected a numeric matrix, but an argument must be a "
            f"string or a number; encode text columns first (for example with sklearn.preprocessing.OneHotEncoder)."
        ) from error
    _refuse_empty(matrix, what)
    _refuse_non_finite(matrix, what, None if frame is None else frame.columns.tolist())
    return matrix


def check_variation(X: np.ndarray) -> None:
    """Refuse data whose rows are all the same: nothing can be clustered.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Training data.

    Raises
    ------
    InvalidDataError
        If every column is constant.
    """
    if len(X) > 1 and np.all(X[0] == X):
        raise InvalidDataError(
            f"All {len(X)} rows of X are identical (constant data), so there is nothing to cluster. Expected at least "
            f"two different rows; check how the file was read."
        )


def check_counts(X: np.ndarray, ids: Sequence[object] | np.ndarray, *, model: str) -> None:
    """Refuse rows that are not counts.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Finite rows.
    ids : sequence of length n_samples
        How the messages call the rows.
    model : str
        Name of the model that needs counts.

    Raises
    ------
    InvalidDataError
        If an entry is negative or no whole number, or if a row has no counts at all.
    """
    wrong = (X < 0) | (np.floor(X) != X)
    if wrong.any():
        row, column = (int(place) for place in np.argwhere(wrong)[0])
        kind = "negative" if X[row, column] < 0 else "not a whole number"
        raise InvalidDataError(
            f"model={model!r} needs counts, but row {ids[row]} has {X[row, column]:.6g} in column {column} (counted from 0), "
            f"which is {kind}; {int(wrong.any(axis=1).sum())} of {len(X)} rows have such entries. Expected raw counts, neither "
            f"normalised nor logarithms: of an AnnData, fit(adata, use_rep='counts') takes adata.layers['counts'] and "
            f"use_rep='raw' takes adata.raw. For other rows use model='vae'."
        )
    empty = np.flatnonzero(X.sum(axis=1) == 0)
    if len(empty):
        raise InvalidDataError(
            f"model={model!r} needs counts in every row, but {len(empty)} row(s) have a total of 0: "
            f"{_listed([ids[int(one)] for one in empty])}. Expected at least one count in each; leave these rows out "
            f"(X[X.sum(axis=1) > 0]; scanpy.pp.filter_cells(adata, min_counts=1))."
        )


def check_sample_weight(sample_weight: object, n_samples: int) -> np.ndarray:
    """Return data weights as a float64 vector; None means one for every example.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,), float or None
        Non-negative, finite, not all zero.
    n_samples : int
        Expected length.

    Returns
    -------
    ndarray of shape (n_samples,)
        The weights.

    Raises
    ------
    InvalidDataError
        If the shape, the sign or the values are wrong.
    """
    if sample_weight is None:
        return np.ones(n_samples)
    try:
        weights = np.array(as_array(sample_weight, "sample_weight"), dtype=np.float64)
    except InvalidDataError:
        raise
    except (TypeError, ValueError) as error:
        raise NotNumericError(
            f"sample_weight holds values that are not numbers ({error}). Expected one number for each row of X."
        ) from error
    if weights.ndim == 0:
        weights = np.full(n_samples, float(weights))
    if weights.shape != (n_samples,):
        raise InvalidDataError(
            f"sample_weight has shape {weights.shape}, expected ({n_samples},): one weight for each row of X."
        )
    if not np.isfinite(weights).all() or (weights < 0).any() or not (weights > 0).any():
        raise InvalidDataError(
            "sample_weight must be finite and non-negative with at least one positive entry, so the weights may not all be "
            "zero; 1 keeps an example as it is and 0 removes it."
        )
    return weights


def _refuse_empty(matrix: np.ndarray, what: str) -> None:
    if matrix.shape[0] == 0:
        raise InvalidDataError(
            f"Found array with 0 sample(s) (shape={matrix.shape}) while a minimum of 1 is required: {what} has no rows."
        )
    if matrix.shape[1] == 0:
        raise InvalidDataError(
            f"Found array with 0 feature(s) (shape={matrix.shape}) while a minimum of 1 is required: {what} has no columns."
        )


def _refuse_non_finite(matrix: np.ndarray, what: str, names: list[str] | None) -> None:
    bad = ~np.isfinite(matrix)
    if bad.any():
        rows = np.flatnonzero(bad.any(axis=1))
        kind = "NaN" if np.isnan(matrix).any() else "infinity"
        columns = np.flatnonzero(bad.any(axis=0))
        where = _listed(columns if names is None else [names[one] for one in columns])
        raise InvalidDataError(
            f"{what} contains {kind} in {len(rows)} row(s): {_listed(rows)} (counted from 0), in {len(columns)} column(s): "
            f"{where}. Expected finite numbers; drop these rows or columns, or fill them in first "
            f"(sklearn.impute.SimpleImputer; for a file, pandas.read_csv(...).fillna(...).to_csv(...))."
        )


def _listed(values: Sequence[object] | np.ndarray) -> str:
    return ", ".join(str(one) for one in list(values)[:5]) + (" ..." if len(values) > 5 else "")
