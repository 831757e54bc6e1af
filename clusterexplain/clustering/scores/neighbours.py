"""The vote of the nearest neighbours: an assignment score for labels that no centroids describe, of a graph clustering."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from clusterexplain.clustering.centroids import LabelledState
from clusterexplain.clustering.scores.base import gather_columns, in_chunks
from clusterexplain.clustering.scores.centroid_distance import CentroidScore, LogRatioMargin

CANDIDATES = 4
"""Rows that are looked at for each neighbour, so that weights below 1 still find enough."""
SOFTENING = 0.5
"""Share of a neighbour's mean vote that every cluster has, so that one without votes keeps a finite logit."""
TIE = 1e-9
"""Weight of centroid distances where clusters have the same votes: it decides which of them is the runner-up, nothing else."""


class NearestNeighbours(CentroidScore):
    r"""Log-ratio of the votes that the k nearest training examples give to two clusters.

    .. math::
        s = \log(v_{own} + a) - \log(v_{rival} + a), \qquad
        v_c = \sum_{j: c_j = c} w_j \left(1 - d_j^2 / h^2\right)_+

    A neighbour's vote falls to 0 at the distance h of the (k + 1)-th neighbour, so that the one that enters when another is
    removed enters with no vote. h is the distance at which the weights add up to k + 1, linear in between: its derivative is
    that of a removal. a is half of the mean vote. A sample is not its own neighbour; noise has no vote.

    The neighbours are kept in derivatives and chosen anew in refits. A sample whose neighbours are all of its own cluster
    has no derivative: no single removal changes the vote.

    Parameters
    ----------
    k : int, default=15
        Number of neighbours.
    """

    name: ClassVar[str] = "knn"
    words: ClassVar[str] = (
        "the log-ratio of the votes of its 15 nearest neighbours for its own cluster and the other cluster"
    )
    reads: ClassVar[tuple[type, ...]] = (LabelledState,)

    def __init__(self, k: int = 15) -> None:
        self.k = k

    def logits(self, rows: Tensor, state: LabelledState) -> Tensor:  # type: ignore[override]  # reads more than centroids
        """Return the logarithm of the softened votes, shape (..., n_clusters)."""
        return in_chunks(lambda some: self._logits(some, state), rows, state.members.numel())

    def runner_up(self, rows: Tensor, state: LabelledState, own: Tensor) -> Tensor:  # type: ignore[override]
        """Return the cluster with the most votes but the own one; of those without votes, that of the nearest centroid."""
        if bool((own < 0).any()):
            return super().runner_up(rows, state, own)
        tied = self.logits(rows, state) + TIE * LogRatioMargin().logits(rows, state)
        own_column = torch.arange(tied.shape[-1]) == own.unsqueeze(-1)
        return self._nonempty(tied, state).masked_fill(own_column, -torch.inf).argmax(dim=-1)

    def _logits(self, rows: Tensor, state: LabelledState) -> Tensor:
        distances, weights, labels = self._candidates(rows, state)  # each (..., m), the nearest first
        reach, within = self._reach(distances, weights)  # h^2: (...); who is no farther: (..., m)
        votes = torch.where(within, weights * (1 - distances / reach.unsqueeze(-1)), 0.0)
        n_clusters = state.nonempty.shape[-1]
        members = one_hot(labels.clamp(min=0), n_clusters).to(rows.dtype)  # noise is absent: its weight is 0
        share = SOFTENING * votes.sum(dim=-1, keepdim=True) / self.k
        return torch.log((votes.unsqueeze(-1) * members).sum(dim=-2) + share + torch.finfo(rows.dtype).tiny ** 0.5)

    def _candidates(self, rows: Tensor, state: LabelledState) -> tuple[Tensor, Tensor, Tensor]:
        """Return squared distance, weight and label of the nearest rows; itself and those that are absent have weight 0."""
        voters = (state.weights.detach() > 0) & (state.labels >= 0)
        z, members = rows.detach(), state.members.detach()
        squared = (
            z.square().sum(-1, keepdim=True) - 2 * z @ members.T + members.square().sum(-1)
        )  # to choose by, no more
        m = min(CANDIDATES * (self.k + 2), len(members))
        index = squared.masked_fill(~voters, torch.inf).topk(m, dim=-1, largest=False).indices
        picked = index.reshape(-1)
        chosen = state.members.index_select(0, picked).reshape(*index.shape, -1)
        distances = (rows.unsqueeze(-2) - chosen).square().sum(dim=-1)
        counts = voters.index_select(0, picked).reshape(index.shape)
        weights = torch.where(counts, state.weights.index_select(0, picked).reshape(index.shape), 0.0)
        order = distances.detach().masked_fill(~counts, torch.inf).argsort(dim=-1)
        distances, weights, index = (torch.gather(part, -1, order) for part in (distances, weights, index))
        is_first = torch.arange(m) == 0
        itself = is_first & (distances.detach() == 0)
        rest = torch.where(weights > 1, weights - 1, 0.0)  # of a row that stands for several, one is the sample
        labels = state.labels.index_select(0, index.reshape(-1)).reshape(index.shape)
        return distances, torch.where(itself, rest, weights), labels

    def _reach(self, distances: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return the squared distance at which the weights add up to k + 1, linear between two rows, and who is within."""
        sums = weights.cumsum(dim=-1)
        last = weights.shape[-1] - 1
        at = ((sums.detach() <= self.k + 1 + 1e-9).sum(dim=-1) - 1).clamp(min=0)
        after = (at + 1).clamp(max=last)
        near, far = gather_columns(distances, at), gather_columns(distances, after)
        weight = gather_columns(weights, after)
        there = weight > 0
        missing = (self.k + 1 - gather_columns(sums, at)) / torch.where(there, weight, 1.0)
        reach = near + torch.where(there, missing * (far - near), 0.0) + torch.finfo(distances.dtype).tiny ** 0.5
        return reach, torch.arange(last + 1) <= at.unsqueeze(-1)
