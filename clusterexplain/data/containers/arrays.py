"""Numbers in memory, whichever library holds them, as one numpy array; what cannot be one is refused by its name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterexplain.data.containers.foreign import SparseMatrix, is_sparse, is_tensor
from clusterexplain.exceptions import InvalidDataError, MemoryBudgetError
from clusterexplain.execution.budget import DENSE_ROWS_BYTES, DENSIFIED_BLOCK_BYTES

if TYPE_CHECKING:
    import torch

_CURES = {
    "AnnData": "pass it to fit(adata, use_rep='X_pca') or Dataset.of(adata), or take a matrix of it: adata.obsm['X_pca']",
    "MuData": "take one modality: mdata['rna']",
    "AxisArrays": "take one of its matrices by name: fit(adata, use_rep='X_pca')",
    "Layers": "take one of its matrices by name: fit(adata, use_rep='counts')",
    "Raw": "fit(adata, use_rep='raw') takes it",
    "TensorDataset": "take its tensor of rows: dataset.tensors[0]",
    "File": "take one array of it by name: file['X'][:]",
    "DataFrameGroupBy": "pass the table that was grouped, or one of its groups",
    "DataLoader": "collect its batches first: torch.cat([batch for batch in loader])",
    "LazyFrame": "call collect() first",
    "dict": "pandas.DataFrame(...) makes a table of a dict of columns",
    "set": "a set has no order; pass a list",
    "Path": "Dataset.from_file(path) reads a file",
    "PosixPath": "Dataset.from_file(path) reads a file",
    "WindowsPath": "Dataset.from_file(path) reads a file",
    "str": "read the file first: Dataset.from_file(path), or pandas.read_csv(path)",
    "bytes": "read the file first: Dataset.from_file(path), or pandas.read_csv(path)",
    "NoneType": "read the data first, for example with Dataset.from_file(path) or pandas.read_csv(path)",
    "Image": "Dataset.from_images(folder) reads images; numpy.asarray(image).reshape(1, -1) is one row",
    "NpzFile": "take one array of it by name: file['X']",
}
"""What to do with an object that is no matrix, by the name of its class."""
_JOINED = {
    "AnnData": "anndata.concat(...) makes one of them",
    "Dataset": "join their rows first: Dataset(numpy.vstack([data.X for data in ...]), ids=...)",
    "DataFrame": "pandas.concat(...) makes one table of them",
    "LazyFrame": "polars.concat(...).collect() makes one table of them",
    "Table": "pyarrow.concat_tables(...) makes one table of them",
    "csr_matrix": "scipy.sparse.vstack(...) makes one of them",
    "csr_array": "scipy.sparse.vstack(...) makes one of them",
    "csc_matrix": "scipy.sparse.vstack(...) makes one of them",
    "csc_array": "scipy.sparse.vstack(...) makes one of them",
}
"""What to do with several tables in a list, a dict or an array, by the name of the class of the first."""


def as_array(X: object, what: str = "X", *, max_bytes: float = DENSE_ROWS_BYTES) -> np.ndarray:
    """Return an array, tensor, sparse matrix or nested list as a numpy array of its own numbers.

    Parameters
    ----------
    X : object
        Anything but a frame.
    what : str, default="X"
        How the messages call it.
    max_bytes : float
        What a sparse matrix may take as a dense one.

    Returns
    -------
    ndarray
        Of any rank and dtype; sparse matrices as float64.

    Raises
    ------
    InvalidDataError
        If it is no container of numbers, or if entries are masked.
    MemoryBudgetError
        If a sparse matrix is too large to be made dense.
    """
    if isinstance(X, np.ma.MaskedArray):
        return _unmasked(X, what)
    if is_tensor(X):
        return _of_tensor(X, what, max_bytes)
    if is_sparse(X):
        return densified(X, what, max_bytes=max_bytes)
    if isinstance(X, (list, tuple)):
        return _of_list(X, what, max_bytes)
    if isinstance(X, (np.ndarray, np.generic, pd.Series, pd.Index, range, int, float)) or hasattr(X, "__array__"):
        array = np.asarray(X)
        if array.dtype == object and array.ndim == 1 and len(array):
            _refuse_several(X, array[0], len(array), what)
        return _refuse_dates(array, what)
    if isinstance(X, dict) and X:
        _refuse_several(X, next(iter(X.values())), len(X), what)
    raise _no_matrix(X, what)


def densified(X: SparseMatrix, what: str = "X", *, max_bytes: float = DENSE_ROWS_BYTES) -> np.ndarray:
    """Return a sparse matrix of scipy as a dense float64 array, made in blocks of rows.

    Parameters
    ----------
    X : sparse matrix or array of shape (n_samples, n_features)
        In any format.
    what : str, default="X"
        How the messages call it.
    max_bytes : float
        What the dense array may take.

    Returns
    -------
    ndarray of shape (n_samples, n_features)
        Duplicate entries of a COO matrix are summed, as scipy does.

    Raises
    ------
    MemoryBudgetError
        If it would take more.
    InvalidDataError
        If the entries are complex.
    """
    _refuse_too_large(X.shape, what, max_bytes)
    if X.ndim != 2:
        return np.asarray(X.toarray())
    if X.dtype.kind == "c":
        return np.asarray(X[:1].toarray()) if hasattr(X, "__getitem__") else np.asarray(X.toarray())  # refused later
    rows = X.tocsr()
    dense = np.empty(rows.shape)
    step = max(1, int(DENSIFIED_BLOCK_BYTES // (8 * max(1, rows.shape[1]))))
    for start in range(0, rows.shape[0], step):
        dense[start : start + step] = rows[start : start + step].toarray()
    return dense


def _refuse_too_large(shape: tuple[int, ...], what: str, max_bytes: float) -> None:
    needed = 8.0 * float(np.prod([float(side) for side in shape]))
    if needed > max_bytes:
        raise MemoryBudgetError(
            f"{what} is sparse, and its {' x '.join(map(str, shape))} entries take {needed / 1e9:.1f} GB as the dense matrix "
            f"that is trained on. Expected at most {max_bytes / 1e9:.1f} GB; keep fewer columns (for genes, the highly "
            f"variable ones), or reduce it first with sklearn.decomposition.TruncatedSVD, which takes sparse matrices."
        )


def _unmasked(X: np.ma.MaskedArray, what: str) -> np.ndarray:
    """Return the data of a masked array of which nothing is masked."""
    mask = np.ma.getmaskarray(X)
    if mask.any():
        places = np.argwhere(mask)[0].tolist()
        raise InvalidDataError(
            f"{what} has {int(mask.sum())} masked entries, the first of them at {tuple(places)} (counted from 0): they are "
            f"missing, whatever number lies under the mask. Expected a number everywhere; fill them in first "
            f"({what}.filled(value), or sklearn.impute.SimpleImputer on {what}.filled(numpy.nan)), or leave these rows out."
        )
    return _refuse_dates(np.asarray(X.data), what)


def _of_tensor(X: torch.Tensor, what: str, max_bytes: float) -> np.ndarray:
    """Return the numbers of a tensor on any device, of any layout and floating point type."""
    import torch

    if X.device.type == "meta":
        raise InvalidDataError(
            f"{what} is a tensor on the device 'meta', which has a shape but no numbers. Expected data."
        )
    if X.is_quantized:
        X = X.dequantize()
    X = X.detach()
    if X.layout != torch.strided:
        _refuse_too_large(tuple(X.shape), what, max_bytes)
        X = X.to_dense()
    X = X.cpu().resolve_conj().resolve_neg()
    if X.is_floating_point() and X.dtype not in (torch.float16, torch.float32, torch.float64):
        X = X.to(torch.float32)  # numpy has no bfloat16 and no floats of 8 bits; float32 holds them all
    return np.asarray(X.numpy())


def _of_list(X: list[object] | tuple[object, ...], what: str, max_bytes: float) -> np.ndarray:
    """Return nested lists as an array; lists of tensors, arrays or Series are stacked."""
    first = X[0] if len(X) else None
    if is_tensor(first) or isinstance(first, np.ma.MaskedArray):
        rows = [as_array(one, what, max_bytes=max_bytes) for one in X]
        if len({row.shape for row in rows}) > 1:
            raise InvalidDataError(
                f"{what} is ragged: its entries have different shapes. Expected rows of equal length, shape (n_samples, "
                f"n_features)."
            )
        return np.stack(rows)
    _refuse_several(X, first, len(X), what)
    if type(first).__name__ in _CURES and not isinstance(first, (str, bytes, type(None))):
        raise _no_matrix(first, f"{what}[0]")
    if isinstance(first, type(None)) and len(X):
        return np.asarray(X, dtype=object)
    try:
        return _refuse_dates(np.asarray(X), what)
    except ValueError as error:
        raise InvalidDataError(
            f"{what} is ragged ({error}). Expected rows of equal length, shape (n_samples, n_features)."
        ) from error


def _refuse_several(X: object, first: object, n: int, what: str) -> None:
    """Refuse several tables in one container."""
    kind = type(first).__name__
    if kind in _JOINED:
        raise InvalidDataError(
            f"{what} is {type(X).__name__} of {n} {kind}, expected one matrix of shape (n_samples, n_features); "
            f"{_JOINED[kind]}, or pass one of them."
        )
    if isinstance(X, pd.Series) and isinstance(first, (list, tuple, np.ndarray)):
        raise InvalidDataError(
            f"{what} is a Series with a vector in each row, expected a matrix of shape (n_samples, n_features); "
            f"numpy.stack({what}) makes one of it, and a frame with this column keeps the index."
        )


def _refuse_dates(array: np.ndarray, what: str) -> np.ndarray:
    """Refuse dates and durations: as numbers they would be nanoseconds, and NaT the smallest of all whole numbers."""
    if array.dtype.kind in "mM":
        raise InvalidDataError(
            f"{what} holds {'dates' if array.dtype.kind == 'M' else 'durations'} ({array.dtype}). Expected numbers; make them "
            f"first, in a unit that you choose, for example days: ({what} - {what}.min()) / numpy.timedelta64(1, 'D')."
        )
    if array.dtype.names:
        raise InvalidDataError(
            f"{what} is a structured array with the fields {', '.join(array.dtype.names[:5])}. Expected a matrix; "
            f"pandas.DataFrame({what}) makes a table of it, which keeps the names."
        )
    return array


def _no_matrix(X: object, what: str) -> InvalidDataError:
    kind = "Path" if isinstance(X, Path) else type(X).__name__
    library = type(X).__module__.partition(".")[0]
    named = kind if library == "builtins" else f"{library}.{kind}"
    cure = _CURES.get(kind, "convert it first, for example with numpy.asarray(list(...)) or pandas.DataFrame(...)")
    return InvalidDataError(f"{what} is {named}, expected a matrix of shape (n_samples, n_features); {cure}.")
