"""Turn what users pass into a finite float matrix, or say what is wrong with it and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterexplain.exceptions import InvalidDataError, NotNumericError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def as_matrix(X: object, *, what: str = "X") -> np.ndarray:
    """Check that `X` is a dense, finite, real, numeric matrix and return it as float64.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        ndarray, DataFrame, memmap or nested lists.
    what : str, default="X"
        How the messages call it.

    Returns
    -------
    ndarray of shape (n_samples, n_features)
        C-contiguous float64 copy.

    Raises
    ------
    InvalidDataError
        If it is sparse, complex, text, of another rank than 2, empty, NaN or infinite.
    """
    _refuse_foreign(X, what)
    if isinstance(X, pd.DataFrame):
        _refuse_text_columns(X, what)
    try:
        array = np.asarray(X)
    except ValueError as error:
        raise InvalidDataError(
            f"{what} is ragged ({error}). Expected rows of equal length, shape (n_samples, n_features)."
        ) from error
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
    _refuse_non_finite(matrix, what, [str(name) for name in X.columns] if isinstance(X, pd.DataFrame) else None)
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


def check_sample_weight(sample_weight: ArrayLike | None, n_samples: int) -> np.ndarray:
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
        weights = np.array(sample_weight, dtype=np.float64)
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


def _refuse_foreign(X: object, what: str) -> None:
    if hasattr(X, "toarray") and hasattr(X, "nnz"):
        raise InvalidDataError(
            f"Sparse data was passed for {what}, but dense data is required. Use {what}.toarray() if it fits in memory."
        )
    if isinstance(X, (str, bytes)) or X is None:
        raise InvalidDataError(
            f"{what} is {type(X).__name__}, expected a matrix of shape (n_samples, n_features). Read the file first, for "
            f"example with pandas.read_csv."
        )


def _refuse_text_columns(X: pd.DataFrame, what: str) -> None:
    text = [
        str(name)
        for name, dtype in X.dtypes.items()
        if not (pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype))
    ]
    if text:
        raise InvalidDataError(
            f"{what} has {len(text)} column(s) that are not numbers: {_listed(text)}{_first_text(X[text[0]])}. Expected "
            f"numeric columns; mend single values that are text, drop the columns, encode them "
            f"(sklearn.preprocessing.OneHotEncoder), or keep them beside the features: Dataset(metadata=...), "
            f"`clusterexplain fit` with --ids, --text or --metadata."
        )


def _first_text(column: pd.Series) -> str:
    """Name the first value that is no number, which may be the only one."""
    wrong = np.flatnonzero((pd.to_numeric(column, errors="coerce").isna() & column.notna()).to_numpy())
    if not len(wrong):
        return ""
    return f" ({len(wrong)} of {len(column)} values of {column.name}, the first {column.iloc[wrong[0]]!r} in row {wrong[0]})"


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
