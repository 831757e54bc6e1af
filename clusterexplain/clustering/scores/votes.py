"""Assignment scores for labels that no centroid describes: the vote of nearest neighbours, and that of a graph's."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from clusterexplain.clustering.given.labelled_state import GraphState, LabelledState
from clusterexplain.clustering.pairwise_distances import MANY_POINTS, SPARE, Points, nearest_points
from clusterexplain.clustering.scores.base import Score, chunk_of, in_chunks
from clusterexplain.clustering.scores.centroid_distance import LogRatioMargin

SHARE, BEFOREHAND = 0.02, 0.01
"""Every cluster has this share of all votes, and this part of a vote, beforehand: one without votes keeps a finite logit."""
SAME_POINT = 1e-9
"""Squared distance, as a share of the pooled within-cluster variance, below which two rows are one."""
ROUNDING = 1e-12
"""The same as a share of the squared distance from the mean of the rows: float32 keeps about 1e-7 of a coordinate."""
TIE = 1e-9
"""Weight of centroid distances where clusters have the same votes: it decides which of them is first or next, nothing else."""


class Vote(Score[LabelledState]):
    r"""What scores by vote share: the log-ratio of the votes that neighbours give to two clusters.

    .. math:: s = \log(v_{own} + \epsilon) - \log(v_{\text{runner-up}} + \epsilon)

    :math:`\epsilon` is 2 % of all votes about the sample, and a hundredth of a vote. Neither a sample nor a row at its very
    place has a vote about it, so that no label decides about itself. Noise is one more label: its votes are what a cluster
    is compared with. A sample that gets no votes at all has margin 0 for every pair.
    """

    noise_words: ClassVar[str] = "the log-ratio of its neighbours' votes for noise and for the cluster"

    @abstractmethod
    def votes(self, rows: Tensor, state: LabelledState) -> Tensor:
        """Return the votes about rows of shape (..., dim), shape (..., n_clusters + 1); the last column is noise."""

    def logits(self, rows: Tensor, state: LabelledState) -> Tensor:
        """Return the logarithm of the votes for each cluster, shape (..., n_clusters)."""
        return _log_votes(self.votes(rows, state))[..., :-1]

    def boundary_margins(self, rows: Tensor, state: LabelledState) -> Tensor:
        """Return the log-ratio of the votes for each cluster and for noise, shape (..., n_clusters)."""
        logs = _log_votes(self.votes(rows, state))
        return logs[..., :-1] - logs[..., -1:]

    def runner_up(self, rows: Tensor, state: LabelledState, own: Tensor) -> Tensor:
        """Return the cluster with the most votes but the own one; of those with equal votes, that of the nearest centroid."""
        ranked = self.ranked(self.logits(rows, state), rows, state)
        own_column = torch.arange(ranked.shape[-1]) == own.unsqueeze(-1)
        return ranked.masked_fill(own_column, -torch.inf).argmax(dim=-1)

    def ranked(self, logits: Tensor, rows: Tensor, state: LabelledState) -> Tensor:
        """Return the logits; of clusters with equal votes (or none) that of the nearest centroid is first."""
        return self._nonempty(logits + TIE * LogRatioMargin().logits(rows, state), state)


class NearestNeighbours(Vote):
    r"""Log-ratio of the votes that the 15 nearest training examples give to two clusters.

    .. math::
        v_c = \sum_{j: c_j = c} w_j \left(1 - d_j^4 / h^4\right)_+

    A vote falls from 1 at the sample to 0 at distance h, so that a neighbour that enters when another is removed enters with no
    vote. :math:`h^2` is the mean squared distance of the neighbours between the ranks 11.5 and 18.5, where a row of weight w
    takes w ranks: weight 2 is the same as the row twice, weight 0 the same as none. With less than 18.5 of weight in all, the
    ranks shrink in proportion.

    The neighbours are kept in derivatives and chosen anew in refits. A sample whose neighbours are all of its own cluster
    has no derivative: no single weight moves the vote to first order. For another number of neighbours make a subclass with
    a :attr:`name` and a :attr:`k` of its own.
    """

    name: ClassVar[str] = "knn"
    words: ClassVar[str] = "the log-ratio of its nearest neighbours' votes for its own cluster and the other cluster"
    reads: ClassVar[tuple[type, ...]] = (LabelledState,)
    rotation_invariant: ClassVar[bool] = True
    k: ClassVar[int] = 15
    """Number of neighbours, by weight."""

    def votes(self, rows: Tensor, state: LabelledState) -> Tensor:
        """Return the votes, see :meth:`Vote.votes`; 0 is the least and about a quarter of k the most of all together."""
        most = self._enough(state.weights)
        places, n = _Places.of(state), len(state.members)
        per_row = n + most * (rows.shape[-1] + len(state.nonempty) + 1)
        many = not torch.is_grad_enabled() and rows.ndim == 2 and n >= MANY_POINTS
        room = state.members.new_empty(chunk_of(per_row) if many else 0, n)

        def votes(some: Tensor) -> Tensor:
            if many:
                return self._votes(some, state, *places.nearest_of_many(some, state.within, most, room))
            return self._votes(some, state, *places.nearest(some, state.within, most))

        return in_chunks(votes, rows, per_row)

    def _votes(self, rows: Tensor, state: LabelledState, index: Tensor, counts: Tensor) -> Tensor:
        distances, masses, labels = _votes_of(rows, state, index, counts)  # each (..., most), the nearest first
        reach = self._reach(distances, masses).unsqueeze(-1)  # h^2
        ratio = distances / torch.where(reach > 0, reach, 1.0)
        votes = masses * torch.relu(1 - ratio.square())
        n_clusters = state.nonempty.shape[-1]
        column = torch.where(labels < 0, n_clusters, labels).unsqueeze(-1) == torch.arange(n_clusters + 1)
        return (votes.unsqueeze(-1) * column.to(votes.dtype)).sum(dim=-2)

    def _reach(self, distances: Tensor, masses: Tensor) -> Tensor:
        """Return the mean squared distance between two ranks, shape (...); 0 where there are no neighbours."""
        low, high = self._ranks()
        upto = masses.cumsum(dim=-1)
        scale = (upto[..., -1:] / high).clamp(max=1.0)
        low_, high_ = low * scale, high * scale
        overlap = _between(upto, low_, high_) - _between(upto - masses, low_, high_)
        width = (high_ - low_).squeeze(-1)
        return (overlap * distances).sum(dim=-1) / torch.where(width > 0, width, 1.0)

    def _ranks(self) -> tuple[float, float]:
        """Return the ranks between which h lies; halves, so that whole weights are not at an edge."""
        half = self.k // 4 + 0.5
        return self.k - half, self.k + half

    def _enough(self, weights: Tensor) -> int:
        """Return a number of rows of positive weight that reaches the upper rank whichever rows they are."""
        positive = weights.detach()[weights.detach() > 0].sort().values
        return min(int((positive.cumsum(dim=0) < self._ranks()[1]).sum()) + SPARE, len(weights))


class GraphVote(Vote):
    r"""Log-ratio of the votes that the neighbours in a given graph give to two clusters.

    .. math:: v_c = \sum_{j: c_j = c} a_{qj} w_j

    :math:`a_{qj}` is the strength of the edge between the sample and row j. The graph is held fixed: how it was made, and
    that it would be another one without an example, is not part of the derivative, which is the direct part alone. A new row
    has the edges of the training example that is nearest to it.
    """

    name: ClassVar[str] = "graph"
    words: ClassVar[str] = (
        "the log-ratio of the votes of its neighbours in the given graph, which is held fixed, for its own cluster and the "
        "other cluster"
    )
    reads: ClassVar[tuple[type, ...]] = (GraphState,)
    rotation_invariant: ClassVar[bool] = True

    def votes(self, rows: Tensor, state: GraphState) -> Tensor:  # type: ignore[override]  # reads more than LabelledState
        """Return the votes, see :meth:`Vote.votes`, in the strength of the strongest edge."""
        places = _Places.of(state)
        present = places.present

        def votes(some: Tensor) -> Tensor:
            distances, same = places.apart(some, state.within)
            there = same & (present | ~(same & present).any(dim=-1, keepdim=True))  # the sample, and its copies
            candidates = torch.where(same.any(dim=-1, keepdim=True), there, present.expand_as(same))
            nearest = distances.masked_fill(~candidates, torch.inf)
            picked = candidates & (same | (nearest == nearest.amin(dim=-1, keepdim=True)))
            shares = picked.to(some.dtype)
            return shares @ state.votes / shares.sum(dim=-1, keepdim=True).clamp(min=1.0)

        return in_chunks(votes, rows, len(state.members))


def _log_votes(votes: Tensor) -> Tensor:
    return torch.log(votes + SHARE * votes.sum(dim=-1, keepdim=True) + BEFOREHAND)


def _between(ranks: Tensor, low: Tensor, high: Tensor) -> Tensor:
    return torch.maximum(torch.minimum(ranks, high), low)


class _Places(NamedTuple):
    """Where the training examples are, to choose neighbours by; nothing here is differentiated.

    Attributes
    ----------
    at : Points
        The rows, with their squared lengths from their mean.
    present : Tensor of shape (n_samples,), bool
        Whether each has any weight.
    """

    at: Points
    present: Tensor

    @classmethod
    def of(cls, state: LabelledState | GraphState) -> _Places:
        """Return the places of a state, computed once for many rows."""
        return cls(Points.of(state.members), state.weights.detach() > 0)

    def apart(self, rows: Tensor, within: Tensor) -> tuple[Tensor, Tensor]:
        """Return squared distances less the length of each row, shape (..., n_samples), and which are at its very place."""
        z = rows.detach() - self.at.origin
        shifted = self.at.lengths - 2 * (z @ self.at.moved.T)
        return shifted, shifted <= _same_place(z, within)

    def nearest(self, rows: Tensor, within: Tensor, most: int) -> tuple[Tensor, Tensor]:
        """Return the numbers of the nearest rows elsewhere, shape (..., most), and whether each counts: 0 of them may."""
        shifted, same = self.apart(rows, within)
        counted = self.present & ~same
        index = torch.where(counted, shifted, torch.inf).topk(most, dim=-1, largest=False).indices
        return index, torch.gather(counted, -1, index)

    def nearest_of_many(self, rows: Tensor, within: Tensor, most: int, room: Tensor) -> tuple[Tensor, Tensor]:
        """Return :meth:`nearest` of rows (n, dim), looking only at a few of the nearest for those at the very place."""
        at = self.at._replace(lengths=torch.where(self.present, self.at.lengths, torch.inf))
        found = nearest_points(rows, at, most, room)
        counted = (found.values < torch.inf) & (found.values > _same_place(rows - at.origin, within))
        order = (~counted).to(torch.int8).argsort(dim=-1, stable=True)[:, :most]
        index, counts = found.indices.gather(-1, order), counted.gather(-1, order)
        lacking = ~counts.all(dim=-1)  # more copies than are looked at, or fewer rows in all
        if bool(lacking.any()):
            index[lacking], counts[lacking] = self.nearest(rows[lacking], within, most)
        return index, counts


def _same_place(z: Tensor, within: Tensor) -> Tensor:
    """Return up to where |x|^2 - 2 z x is that of a row x at the very place of z, from the mean of the rows."""
    return SAME_POINT * within.detach() + (ROUNDING - 1) * z.square().sum(-1, keepdim=True)


def _votes_of(rows: Tensor, state: LabelledState, index: Tensor, counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return squared distance, weight and label of chosen rows, the nearest first; weight 0 of those that do not count."""
    flat = index.reshape(-1)  # works under vmap
    chosen = state.members.index_select(0, flat).reshape(*index.shape, -1)
    distances = (rows.unsqueeze(-2) - chosen).square().sum(dim=-1)
    masses = torch.where(counts, state.weights.index_select(0, flat).reshape(index.shape), 0.0)
    labels = state.labels.index_select(0, flat).reshape(index.shape)
    order = distances.detach().masked_fill(~counts, torch.inf).argsort(dim=-1)
    return torch.gather(distances, -1, order), torch.gather(masses, -1, order), torch.gather(labels, -1, order)
