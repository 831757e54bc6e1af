"""Centroids as a differentiable function of embeddings and weights; explanation/gradients.py takes the derivative."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from clusterexplain.clustering.pairwise_distances import Points, distances_by_products, has_many
from clusterexplain.execution.budget import DIFFERENCES_BLOCK, DISTANCE_CHUNK
from clusterexplain.execution.executors import one_thread


class Centroids(Protocol):
    """What a score against centroids reads of a state; see :class:`CentroidState`."""

    @property
    def centers(self) -> Tensor:
        """Centroids, shape (n_clusters, dim)."""

    @property
    def within(self) -> Tensor:
        """Pooled within-cluster variance, shape ()."""

    @property
    def spread(self) -> Tensor:
        """The same for each cluster, shape (n_clusters,)."""

    @property
    def nonempty(self) -> Tensor:
        """Whether each cluster has any weight, shape (n_clusters,), bool."""

    @property
    def representatives(self) -> Tensor:
        """The centroids."""


class CentroidState(NamedTuple):
    """Centroids and the scale of the clusters.

    Attributes
    ----------
    centers : Tensor of shape (n_clusters, dim)
        Weighted means of the members; 0 for a cluster without weight, so that no NaN enters a derivative.
    within : Tensor of shape ()
        Pooled within-cluster variance: weighted mean squared distance of a member to its centroid.
    spread : Tensor of shape (n_clusters,)
        The same for each cluster by itself.
    nonempty : Tensor of shape (n_clusters,), bool
        Whether the cluster has any weight.
    """

    centers: Tensor
    within: Tensor
    spread: Tensor
    nonempty: Tensor

    @property
    def representatives(self) -> Tensor:
        """The centroids, shape (n_clusters, dim)."""
        return self.centers


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
        Centroids and variances.

    Examples
    --------
    >>> z = torch.tensor([[0.0], [2.0], [10.0]])
    >>> centroid_state(z, torch.ones(3), torch.tensor([0, 0, 1]), 2).centers.ravel()
    tensor([ 1., 10.])
    """
    members = indicator(labels, n_clusters).to(embedding.dtype)
    mass = members * weights.unsqueeze(-1)  # w_i 1[c_i = k], shape (n_samples, n_clusters)
    means = weighted_means(embedding, mass)
    # sum_i w_i |z_i - mu|^2 = sum_i w_i |z_i - a|^2 - W |mu - a|^2 for every a. At a = mu, held fixed, value and derivatives
    # of every order are the same, and no derivative takes the long way through the mean of all rows.
    fixed = means.detach()
    moved = mass.sum(dim=0) * (means - fixed).square().sum(dim=-1)
    return _state_of(means, _own_distances(fixed, embedding, members).unsqueeze(-1) * mass, mass, moved)


def indicator(labels: Tensor, n_clusters: int) -> Tensor:
    """Return 1[c_i = k], shape (n_samples, n_clusters), bool; a row of -1 belongs to none."""
    return labels.unsqueeze(-1) == torch.arange(n_clusters)


def weighted_means(embedding: Tensor, mass: Tensor) -> Tensor:
    """Return the mean of the rows for each column of `mass` (n_samples, n_clusters); 0 for a column without mass."""
    totals = mass.sum(dim=0).unsqueeze(-1)
    return (mass.T @ embedding) / torch.where(totals > 0, totals, torch.ones_like(totals))


def around(centers: Tensor, embedding: Tensor, mass: Tensor) -> CentroidState:
    """Measure the spread of weighted rows around given centroids.

    Parameters
    ----------
    centers : Tensor of shape (n_clusters, dim)
        Centroids.
    embedding : Tensor of shape (n_samples, dim)
        Embeddings.
    mass : Tensor of shape (n_samples, n_clusters)
        Weight with which each sample belongs to each cluster.

    Returns
    -------
    CentroidState
        With these centroids.
    """
    return _state_of(centers, squared_distances_of_all(embedding, centers) * mass, mass)


def around_members(centers: Tensor, embedding: Tensor, weights: Tensor, labels: Tensor) -> CentroidState:
    """Return :func:`around` for labels of shape (n_samples,): a row is held against its own centroid alone.

    Its memory grows with n_samples (dim + n_clusters), and not with their product.
    """
    members = indicator(labels, len(centers)).to(embedding.dtype)
    mass = members * weights.unsqueeze(-1)
    return _state_of(centers, _own_distances(centers, embedding, members).unsqueeze(-1) * mass, mass)


def _own_distances(centers: Tensor, embedding: Tensor, members: Tensor) -> Tensor:
    """Return |z_i - mu_{c_i}|^2, shape (n_samples,); `members` is the indicator."""
    return (embedding - members @ centers).square().sum(dim=-1)


def _state_of(centers: Tensor, scattered: Tensor, mass: Tensor, moved: Tensor | float = 0.0) -> CentroidState:
    """Return the state of m_ik |z_i - a_k|^2 and m_ik (n_samples, n_clusters), and of W_k |mu_k - a_k|^2 (n_clusters,)."""
    totals = mass.sum(dim=0)
    nonempty = totals > 0
    scatter = scattered.sum(dim=0) - moved
    spread = scatter / torch.where(nonempty, totals, torch.ones_like(totals))
    return CentroidState(centers, scatter.sum() / totals.sum(), spread, nonempty)


def squared_distances(rows: Tensor, centers: Tensor, at: Points | None = None) -> Tensor:
    """Return squared Euclidean distances of shape (..., n_centers), by subtraction (to many also by products): exact near zero.

    `at` holds the centers prepared for many calls, see :meth:`Points.of_many`.
    """
    if has_many(rows, centers):
        return distances_by_products(rows, centers, at)
    recorded = torch.is_grad_enabled()  # a graph keeps the differences in any case, and is slow in small pieces
    block = max(1, (DISTANCE_CHUNK if recorded else DIFFERENCES_BLOCK) // max(1, centers.numel()))
    if rows.ndim != 2 or len(rows) <= block:
        return (rows.unsqueeze(-2) - centers).square().sum(dim=-1)
    if recorded:
        return torch.cat([squared_distances(some, centers) for some in torch.split(rows, block)])
    # Filled in place: results that are allocated between the blocks' differences keep these from being used again, and the
    # memory grew by all of them. It is made of both arguments, so that vmap may batch either.
    found = rows[:, :1] + centers[:, 0]
    with one_thread():  # on a busy machine two threads that wait for each other at every block were 10 times slower
        for start in range(0, len(rows), block):
            found[start : start + block] = (rows[start : start + block].unsqueeze(-2) - centers).square_().sum(dim=-1)
    return found


def squared_distances_of_all(rows: Tensor, centers: Tensor) -> Tensor:
    """Return :func:`squared_distances`, shape (n_rows, n_centers), of which a derivative keeps these numbers alone.

    The graph of a subtraction keeps n_rows x n_centers x dim differences. Here the value comes from subtraction and is held
    fixed; the derivatives, of every order, are those of |z|^2 + |mu|^2 - 2 z mu, which is the same function.
    """
    origin = centers.detach().mean(dim=0)
    z, mu = rows - origin, centers - origin
    products = z.square().sum(dim=-1, keepdim=True) + mu.square().sum(dim=-1) - 2 * (z @ mu.T)
    return squared_distances(rows.detach(), centers.detach()) + (products - products.detach())
