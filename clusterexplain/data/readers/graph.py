"""Read a graph between the rows of a data set: a sparse matrix of its own file, or one beside single cells."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import scipy.sparse

from clusterexplain.data.containers.foreign import SparseMatrix
from clusterexplain.data.readers.anndata import open_h5ad
from clusterexplain.data.readers.table import kind_of
from clusterexplain.exceptions import InvalidDataError


def read_graph(name: str, data: str) -> SparseMatrix | np.ndarray:
    """Read a graph; whether it fits to the rows is checked when it is used.

    Parameters
    ----------
    name : str
        An .npz file that ``scipy.sparse.save_npz`` wrote, or a key of ``obsp``.
    data : str
        The file that the rows are read from.

    Returns
    -------
    sparse matrix of shape (n_samples, n_samples)
        Rows in the order of the data.

    Raises
    ------
    InvalidDataError
        If there is no such file or key.
    MissingExtraError
        If anndata is not installed.
    """
    if kind_of(Path(name)) == ".npz":
        return _read_npz(Path(name))
    if kind_of(Path(data)) != ".h5ad":
        raise InvalidDataError(
            f"--graph {name} is no .npz file, and {data} is no .h5ad file with a matrix of this name. Expected a file that "
            f"scipy.sparse.save_npz wrote, or with an .h5ad file a key of its obsp, for example connectivities."
        )
    matrices = open_h5ad(Path(data)).obsp
    if name not in matrices:
        raise InvalidDataError(
            f"{data} has no {name!r} in obsp. Expected one of: {', '.join(matrices.keys()) or 'none, as it is empty'}; "
            f"scanpy.pp.neighbors(adata) makes 'connectivities'."
        )
    return matrices[name]


def _read_npz(path: Path) -> SparseMatrix | np.ndarray:
    try:
        read: SparseMatrix = scipy.sparse.load_npz(path)
        return read
    except FileNotFoundError as error:
        raise InvalidDataError(f"There is no file {path}. Expected a file that scipy.sparse.save_npz wrote.") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidDataError(
            f"{path} cannot be read as a sparse matrix ({error}). Expected a file that scipy.sparse.save_npz wrote."
        ) from error
