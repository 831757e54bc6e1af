"""Read single-cell data: an AnnData object or an .h5ad file; barcodes are the ids, obs the metadata."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from clusterexplain.data.containers.arrays import densified
from clusterexplain.data.containers.foreign import CellData, SparseMatrix, is_sparse
from clusterexplain.data.dataset import Dataset
from clusterexplain.data.display import Display, label_colours
from clusterexplain.data.readers.roles import Roles, dataset_of_rows
from clusterexplain.data.validation import as_matrix
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
    map: str | None = None,
) -> Dataset:
    """Read an .h5ad file; see :func:`dataset_of_anndata`.

    Parameters
    ----------
    path : Path
        The file.
    use_rep, labels, metadata, ids, text, map : object
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
        open_h5ad(path), use_rep=use_rep, labels=labels, metadata=metadata, ids=ids, text=text, map=map, where=str(path)
    )


def open_h5ad(path: Path) -> CellData:
    """Return the AnnData of an .h5ad file; see :func:`read_h5ad` for what it raises."""
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
    map: str | None = None,
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
    map : str, optional
        A key of ``obsm`` of two columns, where each cell is drawn ("X_umap").
    where : str, default="adata"
        How the messages call it.
    max_bytes : float
        What a sparse matrix may take once it is dense.

    Returns
    -------
    Dataset
        With barcodes as ids and, for X, layers and raw, genes as feature names; the colours that ``uns`` has for `labels` are
        in its ``display``.

    Raises
    ------
    InvalidDataError
        If a key does not exist, or barcodes are not unique.
    """
    columns = (metadata,) if isinstance(metadata, str) else tuple(metadata)
    roles = Roles(ids, text, columns, labels)
    key = _said_key(adata, where) if use_rep is None else use_rep
    matrix, names = _matrix(adata, key, where)
    obs = pd.DataFrame(adata.obs)
    _refuse_copies(obs.index, roles, where)
    rows = densified(matrix, f"{where}, {key}", max_bytes=max_bytes) if is_sparse(matrix) else np.asarray(matrix)
    if rows.ndim != 2:
        raise InvalidDataError(
            f"{where} has {key!r} of shape {rows.shape}. Expected a matrix with a row for each cell."
        )
    dataset = dataset_of_rows(rows, obs, roles, f"{where}.obs", feature_names=names)
    shown = _display(adata, map, labels, where)
    return dataclasses.replace(dataset, use_rep=key, display=shown)


def new_cells(adata: CellData, data: Dataset, where: str) -> np.ndarray:
    """Return cells that were not trained on: the matrix that was trained on, genes matched by name.

    Parameters
    ----------
    adata : AnnData
        With at least the genes of the fit, in any order.
    data : Dataset
        The training data, read from an AnnData.
    where : str
        How the messages call it.

    Returns
    -------
    ndarray of shape (n_cells, n_features)
        Columns in the order of the fit.

    Raises
    ------
    InvalidDataError
        If the fit was not made from an AnnData, or a gene, a column or the matrix is missing.
    """
    if data.use_rep is None:
        raise InvalidDataError(
            f"{where} is an AnnData, but the fit was not made from one, so it is not known which of its matrices to take. "
            f"Expected rows as fit had them, for example adata.obsm['X_pca'] or adata.to_df()."
        )
    if data.use_rep not in _keys(adata):
        raise InvalidDataError(
            f"{where} has no {data.use_rep!r}, which the fit was made from. Expected cells with it; {where} has: "
            f"{', '.join(_keys(adata)[:LISTED])}."
        )
    matrix, names = _matrix(adata, data.use_rep, where)
    if names is not None and data.feature_names is not None:
        matrix = matrix[:, _columns(names, data.feature_names, where)]
    elif matrix.shape[1] != data.X.shape[1]:
        raise InvalidDataError(
            f"{where} has {matrix.shape[1]} columns in {data.use_rep!r}, but the fit was made with {data.X.shape[1]}. Expected "
            f"the same columns in the same order."
        )
    if data.use_rep in adata.obsm:
        warn(
            f"The rows were taken from obsm {data.use_rep!r} of {where}. Expected coordinates in the space of the training "
            f"data (the same principal components, the same trained model): what is computed of the new cells alone is another "
            f"space.",
            InputWarning,
        )
    return densified(matrix, where) if is_sparse(matrix) else np.asarray(matrix)


def _columns(names: list[str], genes: list[str], where: str) -> np.ndarray:
    """Return the column of each gene of the fit."""
    known = pd.Index(names)
    lost = [gene for gene in genes if gene not in known]
    if lost:
        raise InvalidDataError(
            f"{where} has {len(lost)} of the {len(genes)} genes of the fit not among its own, for example {lost[0]!r}. "
            f"Expected all of them, in any order; further genes are ignored."
        )
    twice = set(known[known.duplicated()]) & set(genes)
    if twice:
        raise InvalidDataError(
            f"{where} has {len(twice)} gene(s) of the fit more than once, for example {min(twice)!r}. Expected each once; call "
            f"adata.var_names_make_unique() first."
        )
    return np.asarray(known.get_indexer(pd.Index(genes)))


def _display(adata: CellData, map: str | None, labels: str | None, where: str) -> Display:
    """Return the map that was named, and the colours that scanpy keeps for the labels."""
    colours: dict[str, dict[str, str]] = {}
    key = f"{labels}_colors"
    if labels is not None and key in adata.uns and isinstance(adata.obs[labels].dtype, pd.CategoricalDtype):
        categories = [str(one) for one in adata.obs[labels].cat.categories]
        colours[labels] = label_colours(adata.uns[key], categories, f"{where}.uns[{key!r}]")
    return (
        Display(colours=colours) if map is None else dataclasses.replace(obsm_map(adata, map, where), colours=colours)
    )


def obsm_map(adata: CellData, map: str, where: str) -> Display:
    """Return a key of ``obsm`` of two columns as a map, cells in the order of `adata`; `where` is how messages call it."""
    if map not in adata.obsm:
        known = ", ".join(list(adata.obsm.keys())[:LISTED]) or "none, as obsm is empty"
        raise InvalidDataError(f"{where} has no obsm {map!r} for a map. Expected one of: {known}.")
    coordinates = as_matrix(adata.obsm[map], what=f"{where}.obsm[{map!r}]")
    if coordinates.shape[1] != 2:
        raise InvalidDataError(
            f"{where}.obsm[{map!r}] has {coordinates.shape[1]} columns, expected 2 for a map: where each cell is drawn. Name "
            f"another with --map (map=), for example X_umap."
        )
    return Display(coordinates, f"obsm {map}")


def _said_key(adata: CellData, where: str) -> str:
    """Return the matrix that is taken if none is named, and say so."""
    key = "X_pca" if "X_pca" in adata.obsm else "X"
    columns = (np.shape(adata.obsm[key]) if key != "X" else adata.shape)[1]
    others = ", ".join(_keys(adata)[:LISTED])
    warn(
        f"{where} was read as use_rep={key!r} ({columns} columns). Say which matrix to take with --use-rep (use_rep=): "
        f"{others}.",
        InputWarning,
    )
    return key


def _matrix(adata: CellData, key: str, where: str) -> tuple[SparseMatrix | np.ndarray, list[str] | None]:
    """Return a matrix of the cells in memory, and the names of its columns if they are genes."""
    try:
        return _named_matrix(adata, key, where)
    except InvalidDataError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InvalidDataError(
            f"{key!r} of {where} cannot be read ({error}). Expected cells in memory, or backed by a file that is there and "
            f"open; read the file again, or call adata.to_memory() before it is closed."
        ) from error


def _named_matrix(adata: CellData, key: str, where: str) -> tuple[SparseMatrix | np.ndarray, list[str] | None]:
    if key in adata.obsm:
        matrix = adata.obsm[key]
        if isinstance(matrix, pd.DataFrame):
            return matrix.to_numpy(), [str(name) for name in matrix.columns]
        return _in_memory(matrix), None
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
