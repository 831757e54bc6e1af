"""Objects of libraries that are not imported here (torch, scipy, anndata, Pillow), told by what they have."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol, TypeGuard

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import torch


class SparseMatrix(Protocol):
    """A sparse matrix or array of scipy, in any format."""

    shape: tuple[int, ...]
    ndim: int
    dtype: np.dtype
    nnz: int

    def tocsr(self) -> SparseMatrix:
        """Return it by rows."""

    def toarray(self) -> np.ndarray:
        """Return it dense."""

    def __getitem__(self, entries: slice | tuple[slice, np.ndarray]) -> SparseMatrix:
        """Return some of its rows, or some columns of all rows."""


class _Genes(Protocol):
    """What ``AnnData.raw`` has."""

    @property
    def X(self) -> object:  # noqa: N802  # the name that it has there
        """The matrix, shape (n_cells, n_genes)."""

    @property
    def var_names(self) -> Iterable[object]:
        """The genes."""


class CellData(_Genes, Protocol):
    """What is read of an AnnData."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Numbers of cells and genes."""

    @property
    def obs(self) -> pd.DataFrame:
        """What is known about the cells."""

    @property
    def obs_names(self) -> pd.Index:
        """The cells."""

    @property
    def obsm(self) -> Mapping[str, SparseMatrix | np.ndarray | pd.DataFrame]:
        """Matrices with a row for each cell."""

    @property
    def uns(self) -> Mapping[str, object]:
        """What is known beside the cells."""

    @property
    def obsp(self) -> Mapping[str, SparseMatrix | np.ndarray]:
        """Matrices with a row and a column for each cell."""

    @property
    def layers(self) -> Mapping[str, SparseMatrix | np.ndarray | pd.DataFrame]:
        """Other matrices of the shape of X."""

    @property
    def raw(self) -> _Genes | None:
        """What was kept of before genes were selected."""


def is_tensor(X: object) -> TypeGuard[torch.Tensor]:
    """Return whether an object is a tensor of torch, without importing it."""
    loaded = sys.modules.get("torch")
    return loaded is not None and isinstance(X, loaded.Tensor)


def is_sparse(X: object) -> TypeGuard[SparseMatrix]:
    """Return whether an object is a sparse matrix or array of scipy."""
    return hasattr(X, "toarray") and hasattr(X, "nnz")


def listed_column(X: object) -> list[object] | None:
    """Return the values of a column of polars or pyarrow, None for anything else; missing ones are None."""
    library = type(X).__module__.partition(".")[0]
    read = getattr(X, {"polars": "to_list", "pyarrow": "to_pylist"}.get(library, ""), None)
    return None if read is None else list(read())


def is_anndata(X: object) -> TypeGuard[CellData]:
    """Return whether an object is an AnnData, without importing anndata."""
    return any(
        f"{kind.__module__}.{kind.__qualname__}".startswith("anndata.") and kind.__name__ == "AnnData"
        for kind in type(X).__mro__
    )
