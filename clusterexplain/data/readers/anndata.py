"""Read single-cell data: an AnnData object or an .h5ad file; barcodes are the ids, obs the metadata."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from clusterexplain.data.arrays import densified
from clusterexplain.data.dataset import Dataset
from clusterexplain.data.foreign import CellData, SparseMatrix, is_sparse
from clusterexplain.data.readers.roles import Roles, dataset_of_rows
from clusterexplain.exceptions import InputWarning, InvalidDataError, MissingExtraError, warn
from clusterexplain.execution.budget import DENSE_ROWS_BYTES

LISTED = 20
"""Keys that a message names."""


def read_h5ad(
    path: Path,
    *,
    use_rep: str | None = None,
    labels: str | None = None,
    metadata: Sequence[str] = (),
    ids: str | None = None,
    text: str | None = None,
) -> Dataset:
    """Read an .h5ad file; see :func:`dataset_of_anndata`.

    Parameters
    ----------
    path : Path
        The file.
    use_rep, labels, metadata, ids, text : object
        As for :func:`dataset_of_anndata`.

    Returns
    -------
    Dataset
        Of its cells.

    Raises
    ------
    InvalidDataError
        If it is no such file.
    MissingExtraError
        If anndata is not installed.
    """
    return dataset_of_anndata(
        open_h5ad(path), use_rep=use_rep, labels=labels, metadata=metadata, ids=ids, text=text, where=str(path)
    )


def open_h5ad(path: Path) -> CellData:
    """Return the AnnData of an .h5ad file; errors as for :func:`read_h5ad`."""
    try:
        import anndata
    except ImportError as error:
        raise MissingExtraError(
            'Reading .h5ad files needs anndata, which is missing. Expected the extra: pip install "clusterexplain[anndata]"'
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the layout of files that older versions wrote
            cells: CellData = anndata.read_h5ad(path)
            return cells
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise InvalidDataError(f"{path} cannot be read as AnnData ({error}). Expected an .h5ad file.") from error


def dataset_of_anndata(
    adata: CellData,
    *,
    use_rep: str | None = None,
    labels: str | None = None,
    metadata: Sequence[str] = (),
    ids: str | None = None,
    text: str | None = None,
    where: str = "adata",
    max_bytes: float = DENSE_ROWS_BYTES,
) -> Dataset:
    """Return the cells of an AnnData as a data set.

    Parameters
    ----------
    adata : AnnData of shape (n_cells, n_genes)
        In memory or backed by a file.
    use_rep : str, optional
        What is trained on: "X", a key of ``obsm`` ("X_pca", "X_scVI"), a layer, or "raw". By default ``X_pca`` where it
        exists, as scanpy does, else X; what was taken is said.
    labels : str, optional
        A column of ``obs``: the cluster of each cell.
    metadata : sequence of str, default=()
        Columns of ``obs`` to keep; all of them by default.
    ids : str, optional
        A column of ``obs`` in place of the barcodes.
    text : str, optional
        A column of ``obs`` that says what a cell is.
    where : str, default="adata"
        How the messages call it.
    max_bytes : float
        What a sparse matrix may take once it is dense.

    Returns
    -------
    Dataset
        With barcodes as ids and, for X, layers and raw, genes as feature names.

    Raises
    ------
    InvalidDataError
        If a key does not exist, or barcodes are not unique.
    """
    columns = (metadata,) if isinstance(metadata, str) else tuple(metadata)
    roles = Roles(ids, text, columns, labels)
    matrix, names = _matrix(adata, use_rep, where)
    obs = pd.DataFrame(adata.obs)
    _refuse_copies(obs.index, roles, where)
    rows = (
        densified(matrix, f"{where}, {use_rep or 'X'}", max_bytes=max_bytes)
        if is_sparse(matrix)
        else np.asarray(matrix)
    )
    if rows.ndim != 2:
        raise InvalidDataError(
            f"{where} has {use_rep!r} of shape {rows.shape}. Expected a matrix with a row for each cell."
        )
    return dataset_of_rows(rows, obs, roles, f"{where}.obs", feature_names=names)


def _matrix(adata: CellData, use_rep: str | None, where: str) -> tuple[object, list[str] | None]:
    """Return a matrix of the cells, and the names of its columns if they are genes."""
    key = use_rep
    if key is None:
        key = "X_pca" if "X_pca" in adata.obsm else "X"
        columns = (np.shape(adata.obsm[key]) if key != "X" else adata.shape)[1]
        others = ", ".join(_keys(adata)[:LISTED])
        warn(
            f"{where} was read as use_rep={key!r} ({columns} columns). Say which matrix to take with --use-rep (use_rep=): "
            f"{others}.",
            InputWarning,
        )
    if key in adata.obsm:
        matrix = adata.obsm[key]
        if isinstance(matrix, pd.DataFrame):
            return matrix.to_numpy(), [str(name) for name in matrix.columns]
        return matrix, None
    genes = [str(name) for name in adata.var_names]
    if key == "X" and adata.X is not None:
        return _in_memory(adata.X), genes
    if key == "raw" and adata.raw is not None:
        return _in_memory(adata.raw.X), [str(name) for name in adata.raw.var_names]
    if key in adata.layers:
        return _in_memory(adata.layers[key]), genes
    raise InvalidDataError(
        f"{where} has no {key!r}. Expected one of its matrices with --use-rep (use_rep=): {', '.join(_keys(adata)[:LISTED])}."
    )


def _in_memory(matrix: object) -> SparseMatrix | np.ndarray:
    """Return a matrix that a file may back."""
    if hasattr(matrix, "to_memory"):
        matrix = matrix.to_memory()
    return matrix if is_sparse(matrix) else np.asarray(matrix)


def _keys(adata: CellData) -> list[str]:
    found = ["X"] if adata.X is not None else []
    return [*found, *adata.obsm.keys(), *adata.layers.keys(), *(["raw"] if adata.raw is not None else [])]


def _refuse_copies(barcodes: pd.Index, roles: Roles, where: str) -> None:
    twice = barcodes[barcodes.duplicated()]
    if roles.ids is None and len(twice):
        raise InvalidDataError(
            f"{where} has {len(twice)} barcode(s) that occur more than once, for example {twice[0]!r}. Expected a barcode of "
            f"its own for each cell; call adata.obs_names_make_unique() first."
        )
