"""Assignment scores against the exemplars of density clusters, and the edge between a cluster and noise."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor

from clusterexplain.clustering.centroids import squared_distances
from clusterexplain.clustering.density.hdbscan_state import HDBSCANState, reach_of
from clusterexplain.clustering.scores.base import FLOOR, Score, in_chunks

GUARD = 1e-12
"""The same share where nothing is to be smoothed, only kept finite."""

SAME_POINT = 1e-9
"""Squared distance, as a share of the pooled within-cluster variance, below which two points are one: embeddings in float32 of
the same row differ by about 1e-12, which is of the size of ``GUARD``, so that the logarithm would be a function of rounding."""

TINY = 1e-150
"""What is left of a floor where clusters are single points; its reciprocal can still be summed."""

POWER = 4
"""Exponent of the power mean: large enough that the nearest exemplars count, small enough to be smooth."""

HUGE = 600.0
"""Largest exponent that is raised: far from overflow in float64."""


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

        def boundary_margins(some: Tensor) -> Tensor:
            core, link = _terms(some, state)  # rho_k^2 is the larger of the two
            floor = GUARD * state.within + TINY
            return torch.log(state.edge + floor) - torch.log(torch.maximum(core.unsqueeze(-1), link) + floor)

        return in_chunks(boundary_margins, rows, state.members.numel())

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
        floor = FLOOR * state.within + TINY

        def logits(some: Tensor) -> Tensor:
            if not len(state.exemplars):
                return some.new_zeros((*some.shape[:-1], len(_clusters(state))))
            # log of (|z - z_e|^2 + eps)^-p, shape (..., n_exemplars)
            exponents = -POWER * torch.log(squared_distances(some, state.exemplars) + floor)
            return _stack([self._power_sum(exponents, _mine(state, k), state) for k in _clusters(state)], some)

        return in_chunks(logits, rows, state.exemplars.numel())

    @staticmethod
    def _power_sum(exponents: Tensor, mine: Tensor, state: HDBSCANState) -> Tensor:
        # a weighted log-sum-exp, the largest exponent taken out of the sum and kept out of the derivative
        counted = mine & (state.exemplar_weights > 0)
        largest = exponents.detach().masked_fill(~counted, -torch.inf).amax(dim=-1)
        largest = torch.where(largest.isinf(), torch.zeros_like(largest), largest)
        terms = torch.exp((exponents - largest.unsqueeze(-1)).clamp(max=HUGE))  # w_e = 0 may be nearer than all others
        total = (torch.where(mine, terms, torch.zeros_like(terms)) * state.exemplar_weights).sum(dim=-1)
        total = torch.where(counted.any(dim=-1), total, torch.ones_like(total))
        return (largest + torch.log(total)) / POWER


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
        floor = GUARD * state.within + TINY

        def logits(some: Tensor) -> Tensor:
            # log t_k of the nearest training row, a constant
            nearest = squared_distances(some.detach(), state.members.detach()).argmin(dim=-1)
            tree = state.tree.index_select(0, nearest.reshape(-1)).reshape(*nearest.shape, -1)  # works under vmap
            if not len(state.exemplars):
                return tree
            distances = squared_distances(some, state.exemplars)
            distances = distances.masked_fill(distances <= SAME_POINT * state.within, 0.0)
            parts = [self._nearest(distances, _mine(state, k), state) for k in _clusters(state)]
            # -log of the distance, half the log of its square
            return tree - 0.5 * torch.log(_stack(parts, some) + floor)

        return in_chunks(logits, rows, state.members.numel())

    @staticmethod
    def _nearest(distances: Tensor, mine: Tensor, state: HDBSCANState) -> Tensor:
        counted = mine & (state.exemplar_weights > 0)
        return _finite(distances.masked_fill(~counted, torch.inf).amin(dim=-1))


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


def _terms(rows: Tensor, state: HDBSCANState) -> tuple[Tensor, Tensor]:
    """Squared core distances (...), and squared distances to join each cluster (..., n_clusters) given density."""
    distances, core = reach_of(rows, state)
    reach = torch.maximum(distances, state.core)
    links = []
    for k in _clusters(state):
        member = state.present & (state.labels == k)
        links.append(_finite(reach.masked_fill(~member, torch.inf).amin(dim=-1)))
    return core, _stack(links, rows)


def _clusters(state: HDBSCANState) -> range:
    return range(state.nonempty.shape[-1])


def _mine(state: HDBSCANState, cluster: int) -> Tensor:
    return state.exemplar_cluster == cluster


def _stack(columns: list[Tensor], rows: Tensor) -> Tensor:
    return torch.stack(columns, dim=-1) if columns else rows.new_zeros((*rows.shape[:-1], 0))


def _finite(distances: Tensor) -> Tensor:
    """Nothing to be near to is very far away, but not infinitely."""
    return torch.where(distances.isinf(), math.sqrt(torch.finfo(distances.dtype).max), distances)
