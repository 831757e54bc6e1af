"""Assignment scores against the exemplars of density clusters, and the edge between a cluster and noise."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor

from clusterexplain.clustering.centroids import squared_distances
from clusterexplain.clustering.density.hdbscan_state import HDBSCANState, reach_of
from clusterexplain.clustering.pairwise_distances import Points, distances_of_pairs, has_many
from clusterexplain.clustering.scores.base import FLOOR, Score, in_chunks

GUARD = 1e-12
"""The same share where nothing is to be smoothed, only kept finite."""

SAME_POINT = 1e-9
"""Squared distance, as a share of the pooled within-cluster variance, below which two points are one: embeddings in float32 of
the same row differ by about 1e-12, which is of the size of ``GUARD``, so that the logarithm would be a function of rounding."""

TINY = 1e-150
"""What is left of a floor where clusters are single points; its reciprocal can still be summed."""

FAR = math.sqrt(torch.finfo(torch.float64).max)
"""Squared distance to a cluster without members."""

POWER = 4
"""Exponent of the power mean: large enough that the nearest exemplars count, small enough to be smooth."""

LARGEST_SHARE = math.exp(150.0)
"""Largest ratio of distances that is raised to that power: far from overflow in float64."""


class DensityScore(Score[HDBSCANState]):
    r"""What scores of density clusters share: the edge between a cluster and noise.

    A row z is inside cluster k if its mutual reachability distance to a member is below the one at which k was born:

    .. math::
        inside_k = \log \epsilon_k^2 - \log \rho_k^2, \qquad
        \rho_k^2 = \min_{x \in k} \max(core^2(z), core^2(x), \lVert z - x \rVert^2)

    Positive: dense and near enough to belong. It is what single linkage asks: in the tree that HDBSCAN has found no
    member is on the negative side of its own cluster and no noise row on the positive side of any. A row that is an end
    of the edge itself is exactly on it: 0, with derivative 0, because the edge moves along.
    """

    noise_words: ClassVar[str] = (
        "log squared mutual reachability distance to the cluster minus that at which the cluster splits off"
    )
    reads: ClassVar[tuple[type, ...]] = (HDBSCANState,)
    rotation_invariant: ClassVar[bool] = True

    def boundary_margins(self, rows: Tensor, state: HDBSCANState) -> Tensor:
        """Return ``boundary_margins``, shape (..., n_clusters); unit: logarithm of a ratio of squared distances."""
        at = Points.of_many(rows, state.members)

        def boundary_margins(some: Tensor) -> Tensor:
            core, link = _terms(some, state, at)  # rho_k^2 is the larger of the two
            floor = GUARD * state.within + TINY
            return torch.log(state.edge + floor) - torch.log(torch.maximum(core.unsqueeze(-1), link) + floor)

        return in_chunks(boundary_margins, rows, len(state.members))

    def length_scale(self, state: HDBSCANState) -> Tensor | None:
        """Return the root mean squared distance of a member to the mean of its cluster."""
        return state.within.sqrt()

    def noise_reason(self, row: Tensor, state: HDBSCANState, cluster: int) -> str:
        """Return which term of the reach keeps a noise sample out; see :func:`noise_reason_of`."""
        return noise_reason_of(row, state, cluster)


class Exemplar(DensityScore):
    r"""How much closer a sample is to the exemplars of its own cluster than to its runner-up's: the default for HDBSCAN.

    .. math::
        e_k = \frac{1}{p} \log \sum_{e \in k} w_e \, (\lVert z - z_e \rVert^2 + \epsilon)^{-p}, \qquad p = 4

    The smooth version of :math:`-\log \min_e \lVert z - z_e \rVert^2`: a power sum, in which the nearest exemplars
    count most and every exemplar by its data weight, so that it has a derivative in weights. The floor is 1 % of the
    pooled within-cluster variance; the score is free of rotation and scale.
    """

    name: ClassVar[str] = "exemplar"
    words: ClassVar[str] = (
        "log squared distance to the other cluster's nearest exemplars minus that to its own cluster's"
    )

    def logits(self, rows: Tensor, state: HDBSCANState) -> Tensor:
        """Return the logits, shape (..., n_clusters); finite, also for a cluster without weight."""
        floor, at = FLOOR * state.within + TINY, Points.of_many(rows, state.exemplars)

        def logits(some: Tensor) -> Tensor:
            if not len(state.exemplars):
                return some.new_zeros((*some.shape[:-1], state.nonempty.shape[-1]))
            distances = squared_distances(some, state.exemplars, at)  # shape (..., n_exemplars)
            mine = zip(*_by_cluster(state, distances, state.exemplar_weights), strict=True)
            return _stack([self._power_sum(to + floor, weights) for to, weights in mine], some)

        return in_chunks(logits, rows, len(state.exemplars))

    @staticmethod
    def _power_sum(distances: Tensor, weights: Tensor) -> Tensor:
        """Return (1/p) log sum_e w_e d_e^-p of squared distances (..., n) to the exemplars of one cluster, shape (...)."""
        counted = weights > 0
        if not len(weights):
            return distances.new_zeros(distances.shape[:-1])
        # the smallest distance is taken out of the sum and kept out of the derivative
        smallest = distances.detach().masked_fill(~counted, torch.inf).amin(dim=-1)
        smallest = torch.where(smallest.isinf(), torch.ones_like(smallest), smallest)
        shares = (smallest.unsqueeze(-1) / distances).clamp(max=LARGEST_SHARE)  # w_e = 0 may be nearer than all others
        total = (shares.square().square() * weights).sum(dim=-1)  # to the power p
        total = torch.where(counted.any(dim=-1), total, torch.ones_like(total))
        return torch.log(total) / POWER - torch.log(smallest)


class HdbscanMembership(DensityScore):
    r"""Log-ratio of the soft memberships that ``hdbscan.all_points_membership_vectors`` gives to training rows.

    .. math:: e_k = -\log \min_{e \in k} \lVert z - z_e \rVert + \log t_k

    The first term is the package's distance part, to the nearest exemplar of positive weight; t is its tree part, which
    is piecewise constant: that of the nearest training row, which for a training row is the row itself. The exponents
    of both are 1 (those of ``hdbscan.membership_vector`` are 1/2 and 2, with another tree part). It depends on weights
    only through embeddings, and on those of one exemplar per cluster: a rougher score than :class:`Exemplar`. For an
    exemplar itself the distance is 0, also where rounding makes it a little more; a tiny floor stands in for it, and it has
    no derivative.
    """

    name: ClassVar[str] = "hdbscan_membership"
    words: ClassVar[str] = "the log-ratio of HDBSCAN's soft memberships in its own cluster and the other cluster's"

    def logits(self, rows: Tensor, state: HDBSCANState) -> Tensor:
        """Return the logarithm of distance part times tree part, shape (..., n_clusters), up to a constant per row."""
        floor, at = GUARD * state.within + TINY, Points.of_many(rows, state.members)

        def logits(some: Tensor) -> Tensor:
            # log t_k of the nearest training row, a constant
            nearest = squared_distances(some.detach(), state.members.detach(), at).argmin(dim=-1)
            tree = state.tree.index_select(0, nearest.reshape(-1)).reshape(*nearest.shape, -1)  # works under vmap
            if not len(state.exemplars):
                return tree
            distances = squared_distances(some, state.exemplars)
            distances = distances.masked_fill(distances <= SAME_POINT * state.within, 0.0)
            mine = zip(*_by_cluster(state, distances, state.exemplar_weights), strict=True)
            parts = [_smallest(to.masked_fill(weights <= 0, torch.inf)) for to, weights in mine]
            # -log of the distance, half the log of its square
            return tree - 0.5 * torch.log(_stack(parts, some) + floor)

        return in_chunks(logits, rows, len(state.members))


def noise_reason_of(row: Tensor, state: HDBSCANState, cluster: int) -> Literal["density", "distance"]:
    """Say what keeps a noise sample out of a cluster.

    Parameters
    ----------
    row : Tensor of shape (dim,)
        Its embedding.
    state : HDBSCANState
        The clusters.
    cluster : int
        The cluster.

    Returns
    -------
    str
        "density" if the sample has too few neighbours near by (its own core distance is the largest term of its reach),
        "distance" if it is too far from the cluster's members.
    """
    core, link = _terms(row, state)
    return "density" if bool(core >= link[cluster]) else "distance"


def _terms(rows: Tensor, state: HDBSCANState, at: Points | None = None) -> tuple[Tensor, Tensor]:
    """Squared core distances (...), and squared distances to join each cluster (..., n_clusters) given density."""
    distances, core = reach_of(rows, state, at)
    reach = torch.maximum(distances, state.core).masked_fill(~state.present, torch.inf)
    order = torch.argsort(state.labels, stable=True)[int((state.labels < 0).sum()) :]  # noise is in no cluster
    sizes = _sizes(state.labels[order], state)
    mine = zip(torch.split(reach.index_select(-1, order), sizes, dim=-1), torch.split(order, sizes), strict=True)
    return core, _stack([_link(rows, to, members, state) for to, members in mine], rows)


def _link(rows: Tensor, reach: Tensor, members: Tensor, state: HDBSCANState) -> Tensor:
    """Return the smallest reach to the members of one cluster, (..., n_members) and (n_members,): shape (...)."""
    smallest = _smallest(reach)
    if not len(members) or not has_many(rows, state.members):
        return smallest
    nearest = members[reach.argmin(dim=-1)]  # to the last digit: it may be an edge
    exact = torch.maximum(distances_of_pairs(rows, state.members[nearest]), state.core[nearest])
    return torch.where(state.present[nearest], exact, smallest)


def _sizes(clusters: Tensor, state: HDBSCANState) -> list[int]:
    """Return how often each cluster stands among ascending numbers."""
    sizes: list[int] = torch.bincount(clusters, minlength=state.nonempty.shape[-1]).tolist()
    return sizes


def _by_cluster(state: HDBSCANState, *columns: Tensor) -> list[tuple[Tensor, ...]]:
    """Split what the exemplars have, each (..., n_exemplars), by their clusters."""
    sizes = _sizes(state.exemplar_cluster, state)
    return [torch.split(column, sizes, dim=-1) for column in columns]


def _stack(columns: list[Tensor], rows: Tensor) -> Tensor:
    return torch.stack(columns, dim=-1) if columns else rows.new_zeros((*rows.shape[:-1], 0))


def _smallest(distances: Tensor) -> Tensor:
    """Return the smallest of each row; what has nothing to be near to is very far away, but not infinitely."""
    if not distances.shape[-1]:
        return distances.new_full(distances.shape[:-1], FAR)
    smallest = distances.amin(dim=-1)
    return torch.where(smallest.isinf(), FAR, smallest)
