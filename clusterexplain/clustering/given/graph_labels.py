"""Labels that were given together with the graph in which they were found (Leiden, Louvain)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from clusterexplain.clustering.base import Clustering, ClusterInputs, ClusterState
from clusterexplain.clustering.given.given_labels import GivenLabels
from clusterexplain.clustering.given.graph import NeighbourGraph, graph_of
from clusterexplain.clustering.given.labelled_state import GraphState
from clusterexplain.exceptions import InvalidParameterError

LARGEST_RISE = 0.5
"""Rank correlation of strengths and distances above which a graph is taken to be one of distances."""


@dataclass(frozen=True, eq=False)
class GraphLabels(GivenLabels):
    """A user's labels and a graph between the rows; both are kept as they are.

    Parameters
    ----------
    labels, n_clusters : object
        As in :class:`~clusterexplain.clustering.Clustering`.
    graph : NeighbourGraph
        Its edges vote, see :class:`~clusterexplain.clustering.scores.GraphVote`.
    """

    graph: NeighbourGraph

    name: ClassVar[str] = "graph_labels"
    scores: ClassVar[tuple[str, ...]] = ("margin", "knn", "graph", "student_t", "softmax")
    state_type: ClassVar[type[ClusterState]] = GraphState

    @classmethod
    def of(cls, labels: np.ndarray, graph: NeighbourGraph) -> GraphLabels:
        """Return labels of shape (n_samples,), whole numbers from -1, with the graph of the same rows."""
        return cls(torch.from_numpy(labels), int(labels.max()) + 1, graph)

    def state(self, inputs: ClusterInputs) -> GraphState:  # type: ignore[override]  # has every field of a LabelledState
        """Return what :class:`GivenLabels` has, and the votes of the neighbours in the graph."""
        return GraphState(*super().state(inputs), self.graph.votes(inputs.weights, self.labels, self.n_clusters))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the edges."""
        return self.graph.arrays()

    @classmethod
    def restore(
        cls, labels: Tensor, n_clusters: int, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]
    ) -> GraphLabels:
        """Rebuild."""
        return cls(labels, n_clusters, NeighbourGraph.restore(arrays, len(labels)))


def distances_reason(clustering: Clustering[Any], embedding: Tensor) -> str:
    """Return what makes a graph look like one of distances instead of similarities; empty if nothing does.

    Parameters
    ----------
    clustering : Clustering
        Of a fit, with a graph or without.
    embedding : Tensor of shape (n_samples, dim)
        Of the same rows.
    """
    rises = clustering.graph.rises_with_distance(embedding.detach()) if isinstance(clustering, GraphLabels) else 0.0
    if rises <= LARGEST_RISE:
        return ""
    return (
        f"graph looks like distances: its edges are the stronger, the farther apart their rows are in the embedding (rank "
        f"correlation {rises:.2f}), so far rows would have the largest votes. Expected similarities, such as "
        f"obsp['connectivities'] instead of obsp['distances']; of distances, for example np.exp(-(d / d.mean()) ** 2)."
    )


def with_graph(clusterer: object, graph: object, X: object, n_samples: int, score: object) -> object:
    """Return given labels with their graph, and any other clusterer as it is; refuse a graph that nothing reads.

    Parameters
    ----------
    clusterer : object
        What clusters the rows: given labels are an ndarray.
    graph : str, sparse matrix, ndarray or None
        As for :func:`~clusterexplain.clustering.given.graph.graph_of`; None is no graph.
    X : object
        What the rows came in.
    n_samples : int
        Their number.
    score : object
        The membership score that was asked for.

    Returns
    -------
    object
        What clusters the rows.

    Raises
    ------
    InvalidParameterError
        If there is a graph without labels or without a score that reads it, or such a score without a graph.
    """
    if graph is None:
        if score == "graph" and not isinstance(clusterer, GraphLabels):
            raise InvalidParameterError(
                "membership_score='graph' is the vote of the neighbours in a graph, but none was given. Expected given labels "
                "and their graph: fit(X, labels=..., graph=matrix), or fit(adata, labels='leiden', graph='connectivities')."
            )
        return clusterer
    if not isinstance(clusterer, np.ndarray):
        raise InvalidParameterError(
            "graph belongs to given labels, but the clusters are found here. Expected labels=, or no graph."
        )
    if isinstance(score, str) and score not in ("auto", "graph"):
        raise InvalidParameterError(
            f"graph is read by membership_score='graph' or 'auto', not by {score!r}. Expected one of these, or no graph."
        )
    return GraphLabels.of(clusterer, graph_of(graph, X, n_samples))
