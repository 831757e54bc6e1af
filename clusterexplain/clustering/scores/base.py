"""The contract of an assignment score: one logit for each cluster; a margin is the difference of two."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Generic

import torch
from torch import Tensor

from clusterexplain.clustering.base import ClusterState, StateT
from clusterexplain.execution import budget

FLOOR = 0.01
"""Share of the within-cluster variance that is added to squared distances before a logarithm."""


class Score(ABC, Generic[StateT]):
    """How firmly a sample sits in its cluster, as a differentiable function of its embedding and the clusters.

    Everything derives from :meth:`logits`, one real number for each cluster. The margin of a pair of clusters is
    ``logits[own] - logits[runner_up]``; the soft membership is the softmax of the logits, so that the log-ratio of two
    memberships is the margin and the two can never tell different stories.

    A score of your own is a subclass with :attr:`name`, :attr:`words`, :attr:`reads`, :meth:`logits` and
    :meth:`boundary_margins`; :func:`clusterexplain.clustering.scores.check_score` probes whether it keeps this contract.

    Noise (label -1) is no cluster. It is compared with one: :meth:`boundary_margins` says how far inside the edge of each
    cluster a sample lies, and the margin of a noise sample against cluster k is ``-boundary_margins[k]``.
    """

    name: ClassVar[str]
    words: ClassVar[str]
    """What the score is, to be read after "the margin is"."""
    noise_words: ClassVar[str] = "how far out a sample lies compared with a typical member of the cluster"
    """The same where noise is one of the pair."""
    reads: ClassVar[tuple[type, ...]]
    """The types of the states that the score reads; a state with all fields of one of them, and more, is read too."""
    rotation_invariant: ClassVar[bool] = False
    """Whether the logits stay as they are if the embedding is rotated, and with it rows and clusters."""

    @abstractmethod
    def logits(self, rows: Tensor, state: StateT) -> Tensor:
        """Return the logit of every cluster, shape (..., n_clusters).

        Parameters
        ----------
        rows : Tensor of shape (..., dim)
            Embeddings of the samples asked about, in the geometry of the clustering.
        state : NamedTuple of Tensor
            The clusters.
        """

    @abstractmethod
    def boundary_margins(self, rows: Tensor, state: StateT) -> Tensor:
        """Return how far inside the edge of every cluster the rows lie, shape (..., n_clusters); 0 is the edge."""

    def length_scale(self, state: StateT) -> Tensor | None:
        """Return the shortest length that the score divides by, shape (), in units of the embedding; None if there is none.

        Where it is as short as rounding errors of the embedding, the score is one of them magnified, and is refused.
        """
        return None

    def noise_reason(self, row: Tensor, state: StateT, cluster: int) -> str:
        """Return what a noise sample at `row` of shape (dim,) lacks to join a cluster: "distance" or "density"."""
        return "distance"

    def margins(self, rows: Tensor, state: StateT, own: Tensor, runner_up: Tensor, *, noise: bool = True) -> Tensor:
        """Return the margin of each row: its own cluster against its runner-up.

        Parameters
        ----------
        rows : Tensor of shape (..., dim)
            Embeddings.
        state : NamedTuple of Tensor
            The clusters.
        own, runner_up : Tensor of shape (...), int64
            The fixed pair; one of the two may be -1, which is noise.
        noise : bool, default=True
            False promises that no label is -1 and saves the work for it.

        Returns
        -------
        Tensor of shape (...)
            Positive: on the side of the own cluster. NaN if a cluster of the pair has no weight.
        """
        first, second = own.clamp(min=0), runner_up.clamp(min=0)
        logits = self.logits(rows, state)
        score = gather_columns(logits, first) - gather_columns(logits, second)
        if noise:
            boundary_margins = self.boundary_margins(rows, state)
            score = torch.where(own < 0, -gather_columns(boundary_margins, second), score)
            score = torch.where(runner_up < 0, gather_columns(boundary_margins, first), score)
        nonempty = state.nonempty.expand_as(logits)
        counts = (gather_columns(nonempty, first) | (own < 0)) & (gather_columns(nonempty, second) | (runner_up < 0))
        return torch.where(counts, score, torch.full_like(score, torch.nan))

    def membership(self, rows: Tensor, state: StateT) -> Tensor:
        """Return soft memberships, the softmax of the logits: shape (..., n_clusters), rows sum to 1."""
        return torch.softmax(self._nonempty(self.logits(rows, state), state), dim=-1)

    def ranked(self, logits: Tensor, rows: Tensor, state: StateT) -> Tensor:
        """Return numbers that order the clusters of each row as logits of shape (n, n_clusters) do; -inf for empty ones."""
        return self._nonempty(logits, state)

    def nearest(self, rows: Tensor, state: StateT) -> Tensor:
        """Return the cluster with the largest logit, shape (...), int64."""
        return self.ranked(self.logits(rows, state), rows, state).argmax(dim=-1)

    def runner_up(self, rows: Tensor, state: StateT, own: Tensor) -> Tensor:
        """Return the runner-up of each row: the cluster of largest logit but its own; for noise, the nearest to join.

        Parameters
        ----------
        rows : Tensor of shape (n, dim)
            Embeddings.
        state : NamedTuple of Tensor
            At least two nonempty clusters, or one if every `own` is -1.
        own : Tensor of shape (n,), int64
            Own clusters; -1 is noise.

        Returns
        -------
        Tensor of shape (n,), int64
            The runner-ups.
        """
        logits = self.ranked(self.logits(rows, state), rows, state)
        noise = own < 0
        if bool(noise.any()):
            boundary_margins = self._nonempty(self.boundary_margins(rows, state), state)
            logits = torch.where(noise.unsqueeze(-1), boundary_margins, logits)
        own_column = torch.arange(logits.shape[-1]) == own.unsqueeze(-1)
        return logits.masked_fill(own_column, -torch.inf).argmax(dim=-1)

    @staticmethod
    def _nonempty(logits: Tensor, state: ClusterState) -> Tensor:
        return logits.masked_fill(~state.nonempty, -torch.inf)


def gather_columns(columns: Tensor, which: Tensor) -> Tensor:
    """Return ``columns[..., which]`` row by row; works under vmap."""
    return torch.gather(columns, -1, which.unsqueeze(-1)).squeeze(-1)


def reads_state(score: Score[Any], kind: type[ClusterState]) -> bool:
    """Return whether a score reads states of a type: one that it names, or one that has all fields of such a one."""
    fields = _fields_of(kind)
    return any(issubclass(kind, read) or frozenset() < _fields_of(read) <= fields for read in score.reads)


def _fields_of(kind: type) -> frozenset[str]:
    return frozenset(getattr(kind, "_fields", ()))


def in_chunks(function: Callable[[Tensor], Tensor], rows: Tensor, per_row: int) -> Tensor:
    """Apply a function of rows (..., dim) to so many at a time that the differences fit into memory."""
    step = chunk_of(per_row)
    if rows.dim() < 2 or len(rows) <= step:
        return function(rows)
    return torch.cat([function(some) for some in torch.split(rows, step)])


def chunk_of(per_row: int) -> int:
    """Return the number of rows of a chunk, where so many numbers are held for each."""
    return max(1, budget.DISTANCE_CHUNK // max(per_row, 1))
