"""A graph of neighbours that the user has: its edges are held fixed, and vote with the weights of their ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse
import scipy.stats
import torch
from torch import Tensor

from clusterexplain.data.containers.foreign import is_anndata
from clusterexplain.exceptions import InvalidDataError, InvalidParameterError

ASYMMETRY = 1e-5
"""Largest difference between the two directions of an edge, relative to the strongest edge: graphs come in float32."""

FEWEST_EDGES = 20
"""Number of edges from which on a correlation of their strengths says something."""
EDGES_AT_ONCE = 100_000
"""Number of edges whose lengths are taken at once."""


@dataclass(frozen=True, eq=False)
class NeighbourGraph:
    """Edges between training examples, row by row; no row has an edge to itself.

    Parameters
    ----------
    starts : Tensor of shape (n_samples + 1,), int64
        Where the edges of each row begin.
    ends : Tensor of shape (n_edges,), int64
        Row at the other end of each edge.
    strengths : Tensor of shape (n_edges,), float64
        Strength of each edge, above 0 and at most 1.
    """

    starts: Tensor
    ends: Tensor
    strengths: Tensor

    @classmethod
    def of(cls, matrix: object, n_samples: int) -> NeighbourGraph:
        """Take a graph as people have it.

        Parameters
        ----------
        matrix : sparse matrix or ndarray of shape (n_samples, n_samples)
            Symmetric strengths of at least 0, for example ``adata.obsp["connectivities"]``; rows in the order of the data. The
            diagonal is left out: no row votes for itself. Strengths are divided by the largest.
        n_samples : int
            Number of training examples.

        Returns
        -------
        NeighbourGraph
            Its edges, in the order of rows and columns.

        Raises
        ------
        InvalidDataError
            If it is no such matrix.
        """
        if not (scipy.sparse.issparse(matrix) or (isinstance(matrix, np.ndarray) and matrix.ndim == 2)):
            raise InvalidDataError(
                f"graph is a {type(matrix).__name__}. Expected a sparse matrix of shape ({n_samples}, {n_samples}) with a row "
                f"for each row of X, for example adata.obsp['connectivities'], or with an AnnData the name of one: "
                f"graph='connectivities'."
            )
        kind = matrix.dtype if isinstance(matrix, np.ndarray) else scipy.sparse.csr_matrix(matrix).dtype
        if kind.kind not in "biuf":
            raise InvalidDataError(
                f"graph has entries of type {kind}. Expected real numbers, the strengths of edges; graph.astype(float) "
                f"makes them of entries that are numbers."
            )
        edges = scipy.sparse.csr_matrix(matrix, dtype=np.float64, copy=True)
        if edges.shape != (n_samples, n_samples):
            raise InvalidDataError(
                f"graph has shape {edges.shape}, expected ({n_samples}, {n_samples}): a row and a column for each row of X, in "
                f"the same order. Take the graph of these rows: graph[rows][:, rows]."
            )
        edges.setdiag(0)
        edges.sum_duplicates()
        edges.eliminate_zeros()
        _check_strengths(edges)
        starts, ends = (torch.from_numpy(part.astype(np.int64)) for part in (edges.indptr, edges.indices))
        return cls(starts, ends, torch.from_numpy(edges.data / edges.data.max()))

    def votes(self, weights: Tensor, labels: Tensor, n_clusters: int) -> Tensor:
        r"""Return what the neighbours of each row vote, linear in the weights.

        .. math:: v_{ic} = \sum_{j: c_j = c} a_{ij} w_j

        Parameters
        ----------
        weights : Tensor of shape (n_samples,)
            Data weights.
        labels : Tensor of shape (n_samples,), int64
            Clusters; -1 is noise.
        n_clusters : int
            Number of clusters.

        Returns
        -------
        Tensor of shape (n_samples, n_clusters + 1)
            The last column is noise.
        """
        n, columns = len(labels), n_clusters + 1
        rows = torch.repeat_interleave(torch.arange(n), self.starts.diff())
        places = rows * columns + torch.where(labels < 0, n_clusters, labels)[self.ends]
        strengths = self.strengths * weights[self.ends]
        flat = torch.zeros(n * columns, dtype=strengths.dtype).index_add(0, places, strengths)
        return flat.reshape(n, columns)

    def rises_with_distance(self, embedding: Tensor) -> float:
        """Return Spearman's correlation of strengths and distances over edges.

        Parameters
        ----------
        embedding : Tensor of shape (n_samples, dim)
            Where the rows are.

        Returns
        -------
        float
            From -1 to 1; positive: far rows have the strong edges. 0 for fewer than 20 edges, or strengths or distances that
            are all equal.
        """
        rows = torch.repeat_interleave(torch.arange(len(embedding)), self.starts.diff())
        once = rows < self.ends
        pairs = torch.stack([rows[once], self.ends[once]], dim=1)
        lengths = [
            (embedding[some[:, 0]] - embedding[some[:, 1]]).norm(dim=1) for some in torch.split(pairs, EDGES_AT_ONCE)
        ]
        strengths, distances = self.strengths[once].numpy(), torch.cat(lengths).numpy()
        if len(pairs) < FEWEST_EDGES or not np.ptp(strengths) or not np.ptp(distances):
            return 0.0
        return float(scipy.stats.spearmanr(strengths, distances).statistic)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what a run stores."""
        return {
            "graph_starts": self.starts.numpy(),
            "graph_ends": self.ends.numpy(),
            "graph_strengths": self.strengths.numpy(),
        }

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], n_samples: int) -> NeighbourGraph:
        """Return the graph of some rows that :meth:`arrays` wrote; InvalidDataError if the arrays are no such graph."""
        names = ("graph_starts", "graph_ends", "graph_strengths")
        _check_arrays(*(arrays[name] for name in names), n_samples=n_samples)
        return cls(*(torch.from_numpy(arrays[name].copy()) for name in names))


def graph_of(given: object, X: object, n_samples: int) -> NeighbourGraph:
    """Return a graph that was given with some rows.

    Parameters
    ----------
    given : str, sparse matrix or ndarray of shape (n_samples, n_samples)
        The name of a matrix in ``obsp`` of an AnnData, or the matrix.
    X : object
        What the rows came in.
    n_samples : int
        Their number.

    Returns
    -------
    NeighbourGraph
        Its edges.

    Raises
    ------
    InvalidParameterError
        If there is no matrix of this name.
    InvalidDataError
        If the matrix cannot be a graph of these rows.
    """
    if not isinstance(given, str):
        return NeighbourGraph.of(given, n_samples)
    if not is_anndata(X):
        raise InvalidParameterError(
            f"graph={given!r} is the name of a matrix in obsp of an AnnData, but X is a {type(X).__name__}. Expected a sparse "
            f"matrix with a row for each row of X, or an AnnData."
        )
    if given not in X.obsp:
        raise InvalidParameterError(
            f"adata.obsp has no {given!r}. Expected one of: {', '.join(X.obsp.keys()) or 'none, as it is empty'}; "
            f"scanpy.pp.neighbors(adata) makes 'connectivities'."
        )
    matrix = X.obsp[given]
    return NeighbourGraph.of(matrix.to_memory() if hasattr(matrix, "to_memory") else matrix, n_samples)


def _check_arrays(starts: np.ndarray, ends: np.ndarray, strengths: np.ndarray, *, n_samples: int) -> None:
    """Refuse arrays of a run that are no graph of its rows."""
    if starts.dtype != np.int64 or starts.shape != (n_samples + 1,) or starts[0] != 0 or (np.diff(starts) < 0).any():
        raise InvalidDataError(f"graph_starts is not {n_samples + 1} ascending whole numbers from 0")
    if ends.dtype != np.int64 or ends.shape != (starts[-1],) or not ((ends >= 0) & (ends < n_samples)).all():
        raise InvalidDataError(f"graph_ends is not {starts[-1]} row numbers from 0 to {n_samples - 1}")
    if strengths.dtype != np.float64 or strengths.shape != ends.shape or not ((strengths > 0) & (strengths <= 1)).all():
        raise InvalidDataError(f"graph_strengths is not {len(ends)} numbers above 0 and at most 1")


def _check_strengths(edges: scipy.sparse.csr_matrix) -> None:
    """Refuse strengths that cannot be votes."""
    if not edges.nnz:
        raise InvalidDataError("graph has no edges. Expected a strength above 0 between rows that are neighbours.")
    if not np.isfinite(edges.data).all() or edges.data.min() < 0:
        raise InvalidDataError(
            f"graph has strengths from {np.nanmin(edges.data):g} to {np.nanmax(edges.data):g}, or some that are missing. "
            f"Expected finite numbers of at least 0: similarities such as obsp['connectivities'], no distances."
        )
    asymmetry = abs(edges - edges.T).max()
    if asymmetry > ASYMMETRY * edges.data.max():
        raise InvalidDataError(
            f"graph is not symmetric: the two directions of an edge differ by up to {asymmetry:g}. Expected a symmetric "
            f"matrix; (graph + graph.T) / 2 is one."
        )
