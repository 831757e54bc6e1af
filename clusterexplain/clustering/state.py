"""The state of a centroid clustering: what a score needs to know about the clusters."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class CentroidState(NamedTuple):
    """Centroids and the scale of the clusters.

    Attributes
    ----------
    centers : Tensor of shape (n_clusters, dim)
        Weighted means of the members; NaN for a cluster without weight.
    within : Tensor of shape ()
        Pooled within-cluster variance: weighted mean squared distance of a member to its centroid.
    """

    centers: Tensor
    within: Tensor


def centroid_state(embedding: Tensor, weights: Tensor, labels: Tensor, n_clusters: int) -> CentroidState:
    r"""Compute the state at frozen labels, differentiable in embeddings and weights.

    .. math::
        \mu_k = \frac{\sum_{i: c_i = k} w_i z_i}{\sum_{i: c_i = k} w_i}, \qquad
        \sigma^2 = \frac{\sum_i w_i \lVert z_i - \mu_{c_i} \rVert^2}{\sum_i w_i}

    Parameters
    ----------
    embedding : Tensor of shape (n_samples, dim)
        Embeddings.
    weights : Tensor of shape (n_samples,)
        Data weights.
    labels : Tensor of shape (n_samples,), int64
        Cluster of each sample; -1 belongs to none.
    n_clusters : int
        Number of clusters.

    Returns
    -------
    CentroidState
        Centroids and pooled variance.

    Examples
    --------
    >>> z = torch.tensor([[0.0], [2.0], [10.0]])
    >>> centroid_state(z, torch.ones(3), torch.tensor([0, 0, 1]), 2).centers.ravel()
    tensor([ 1., 10.])
    """
    members = (labels.unsqueeze(-1) == torch.arange(n_clusters)).to(embedding.dtype)
    mass = members * weights.unsqueeze(-1)
    totals = mass.sum(dim=0).unsqueeze(-1)
    alive = totals > 0
    # An emptied cluster has no centre. Dividing by 1 there and marking it afterwards keeps its NaN out of derivatives.
    means = (mass.T @ embedding) / torch.where(alive, totals, torch.ones_like(totals))
    residual = (embedding - members @ means).square().sum(dim=-1)
    clustered = mass.sum(dim=-1)
    within = (residual * clustered).sum() / clustered.sum()
    return CentroidState(torch.where(alive, means, torch.full_like(means, torch.nan)), within)
