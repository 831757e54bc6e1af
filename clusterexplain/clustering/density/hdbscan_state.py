"""The state of a density clustering: what a score needs to know about exemplars, core distances and edges."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from clusterexplain.clustering.centroids import squared_distances
from clusterexplain.clustering.pairwise_distances import Points, distances_of_pairs, has_many


class HDBSCANState(NamedTuple):
    """Exemplars, core distances and edges: what a score needs to know about density clusters.

    Distances are squared, so that no square root of 0 enters a derivative.

    Attributes
    ----------
    exemplars : Tensor of shape (n_exemplars, dim)
        Embeddings of the densest members of each cluster.
    exemplar_weights : Tensor of shape (n_exemplars,)
        Their data weights.
    exemplar_cluster : Tensor of shape (n_exemplars,), int64
        Their clusters, ascending.
    members : Tensor of shape (n_samples, dim)
        Embeddings of all training rows.
    core : Tensor of shape (n_samples,)
        Squared distance of each to its core neighbour.
    present : Tensor of shape (n_samples,), bool
        Whether the row has any weight.
    labels : Tensor of shape (n_samples,), int64
        Clusters; -1 is noise.
    edge : Tensor of shape (n_clusters,)
        Squared mutual reachability distance at which each cluster was born; farther out one is not in it.
    representatives : Tensor of shape (n_clusters, dim)
        Weighted means of the members: no score reads them, for the middle of such a cluster may lie outside of it.
    within : Tensor of shape ()
        Pooled within-cluster variance: the unit of floors.
    tree : Tensor of shape (n_samples, n_clusters)
        Logarithm of the tree part of the package's soft membership, up to a constant per row; constant.
    nonempty : Tensor of shape (n_clusters,), bool
        Whether any exemplar has weight.
    min_samples : int
        Position of the core neighbour when the row itself is at position 0.
    """

    exemplars: Tensor
    exemplar_weights: Tensor
    exemplar_cluster: Tensor
    members: Tensor
    core: Tensor
    present: Tensor
    labels: Tensor
    edge: Tensor
    representatives: Tensor
    within: Tensor
    tree: Tensor
    nonempty: Tensor
    min_samples: int


def reach_of(rows: Tensor, state: HDBSCANState, at: Points | None = None) -> tuple[Tensor, Tensor]:
    """Return squared distances to the training rows, and the squared core distances of `rows`.

    Parameters
    ----------
    rows : Tensor of shape (..., dim)
        Embeddings, of training rows (which then count as their own neighbour) or others.
    state : HDBSCANState
        The clusters.
    at : Points, optional
        The training rows, prepared for many calls.

    Returns
    -------
    distances : Tensor of shape (..., n_samples)
        To all training rows, present or not.
    core : Tensor of shape (...)
        To the present row at position `min_samples`, or the farthest if there are fewer.
    """
    distances = squared_distances(rows, state.members, at)  # shape (..., n_samples)
    masked = distances.masked_fill(~state.present, torch.inf)
    # the present rows at positions 0 to min_samples; where there are fewer, the farthest of them counts
    nearest = masked.topk(min(state.min_samples + 1, masked.shape[-1]), dim=-1, largest=False)
    values = nearest.values.masked_fill(nearest.values.isinf(), 0.0)
    if not has_many(rows, state.members):
        return distances, values.amax(dim=-1)
    neighbour = nearest.indices.gather(1, values.argmax(dim=-1, keepdim=True)).squeeze(1)
    core = distances_of_pairs(rows, state.members[neighbour])  # to the last digit: one of them may be an edge
    return distances, torch.where(state.present.any(), core, 0.0)
