"""The log-ratio margin: the default assignment score, free of rotation and scale of the latent space."""

from __future__ import annotations

import torch
from torch import Tensor

from clusterexplain.clustering.state import CentroidState

FLOOR = 0.01
"""Share of the pooled within-cluster variance that is added to squared distances."""


def log_distances(embedding: Tensor, state: CentroidState) -> Tensor:
    """Return ``log(d_k^2 + floor)`` for every cluster.

    Parameters
    ----------
    embedding : Tensor of shape (..., dim)
        Embeddings of the samples asked about.
    state : CentroidState
        Clusters.

    Returns
    -------
    Tensor of shape (..., n_clusters)
        Log squared distances. The floor, 1 % of the pooled within-cluster variance, keeps a sample that sits on its
        centroid (a singleton) finite; it moves with the clusters, so the margin stays free of scale.
    """
    return _log_distance(embedding.unsqueeze(-2), state.centers, state)


def log_ratio_margin(embedding: Tensor, state: CentroidState, own: Tensor, rival: Tensor) -> Tensor:
    r"""Return how much closer a sample is to its own centroid than to its rival's.

    .. math:: s = \log(d_{rival}^2 + \epsilon) - \log(d_{own}^2 + \epsilon)

    Positive: the own centroid is nearer. Zero: on the boundary. Adding log 4 doubles the ratio of the distances.

    Parameters
    ----------
    embedding : Tensor of shape (..., dim)
        Embeddings of the samples asked about.
    state : CentroidState
        Clusters.
    own, rival : Tensor of shape (...), int64
        The fixed pair of clusters.

    Returns
    -------
    Tensor of shape (...)
        The margin.
    """
    # Only the pair's centres are touched: a third cluster that lost all its members must not enter the derivative.
    to_rival = _log_distance(embedding, _pick(state.centers, rival), state)
    return to_rival - _log_distance(embedding, _pick(state.centers, own), state)


def runner_up(embedding: Tensor, state: CentroidState, own: Tensor) -> Tensor:
    """Return the nearest cluster other than `own`.

    Parameters
    ----------
    embedding : Tensor of shape (n_queries, dim)
        Embeddings.
    state : CentroidState
        At least two clusters.
    own : Tensor of shape (n_queries,), int64
        Own clusters.

    Returns
    -------
    Tensor of shape (n_queries,), int64
        The rivals.
    """
    distances = log_distances(embedding, state).nan_to_num(nan=torch.inf)
    return distances.scatter(-1, own.unsqueeze(-1), torch.inf).argmin(dim=-1)


def membership_probabilities(embedding: Tensor, state: CentroidState) -> Tensor:
    r"""Return soft memberships, proportional to :math:`1 / (d_k^2 + \epsilon)`.

    The log-ratio of two of them is the margin, so probabilities and margins tell one story.

    Parameters
    ----------
    embedding : Tensor of shape (n_queries, dim)
        Embeddings.
    state : CentroidState
        Clusters.

    Returns
    -------
    Tensor of shape (n_queries, n_clusters)
        Rows sum to 1.
    """
    return torch.softmax(-log_distances(embedding, state).nan_to_num(nan=torch.inf), dim=-1)


def _pick(centers: Tensor, cluster: Tensor) -> Tensor:
    return torch.index_select(centers, 0, cluster.reshape(-1)).reshape(*cluster.shape, centers.shape[-1])


def _log_distance(embedding: Tensor, centers: Tensor, state: CentroidState) -> Tensor:
    squared = (embedding - centers).square().sum(dim=-1)
    return torch.log(squared + FLOOR * state.within + torch.finfo(squared.dtype).tiny)
