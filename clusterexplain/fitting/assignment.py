"""Who is in which cluster, how firmly, and which cluster is the runner-up: a clustering and a score at one embedding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from clusterexplain.clustering import Clustering, ClusterInputs, ClusterState
from clusterexplain.clustering.scores import Score
from clusterexplain.statistics.matching import NOISE


@dataclass(frozen=True, eq=False)
class Assignment:
    """The clusters of a fit at the embedding that it shows.

    Parameters
    ----------
    clustering : Clustering
        With the labels.
    score : Score
        How firmly a sample sits in a cluster.
    embedding : Tensor of shape (n_samples, dim), float64
        Embeddings of the training examples in the geometry of the clustering.
    weights : Tensor of shape (n_samples,), float64
        Data weights.
    state : NamedTuple of Tensor
        The clusters there.
    """

    clustering: Clustering
    score: Score
    embedding: Tensor
    weights: Tensor
    state: ClusterState

    @property
    def labels(self) -> Tensor:
        """Cluster of each training example, shape (n_samples,), int64; -1 is noise."""
        return self.clustering.labels

    @property
    def n_clusters(self) -> int:
        """Number of clusters, empty ones included."""
        return self.clustering.n_clusters

    @property
    def nonempty(self) -> np.ndarray:
        """Numbers of the clusters that have members of positive weight, ascending."""
        return np.flatnonzero(self.state.nonempty.numpy()) if self.n_clusters else np.empty(0, dtype=np.intp)

    @property
    def single_cluster(self) -> bool:
        """Whether there is one cluster with members only."""
        return int(self.state.nonempty.sum()) == 1

    @property
    def has_noise(self) -> bool:
        """Whether any training example is noise."""
        return bool((self.labels == NOISE).any())

    @cached_property
    def centers(self) -> np.ndarray:
        """One point for each cluster, shape (n_clusters, dim): its centroid or mean; NaN for a cluster without weight."""
        return np.where(self.state.nonempty.numpy()[:, None], self.state.representatives.numpy(), np.nan)

    def assign(self, rows: Tensor) -> Tensor:
        """Return the cluster of each embedded row that was not trained on, shape (n,), int64; -1 is noise."""
        with torch.no_grad():
            return assigned_to(self.clustering, self.score, rows, self.state)

    def runner_ups(self, rows: Tensor, own: Tensor) -> Tensor:
        """Return the runner-up of embedded rows, shape (n,); noise, where there is no other cluster."""
        runner_up = self.score.runner_up(rows, self.state, own)
        if not self.single_cluster:
            return runner_up
        return torch.where(own == NOISE, runner_up, torch.full_like(runner_up, NOISE))

    def margin_to_runner_up(self, rows: Tensor, own: Tensor) -> Tensor:
        """Return the margins of embedded rows against the runner-up of each, shape (n,)."""
        if not self.n_clusters:
            return torch.full((len(rows),), torch.nan, dtype=rows.dtype)
        noise = bool((own == NOISE).any()) or self.single_cluster
        return self.score.margins(rows, self.state, own, self.runner_ups(rows, own), noise=noise)

    @cached_property
    def train_margins(self) -> Tensor:
        """Margin of each training example against its runner-up, shape (n_samples,)."""
        noise = self.labels == NOISE
        with torch.no_grad():
            if not self.n_clusters or self.single_cluster:
                return self.margin_to_runner_up(self.embedding, self.labels)
            margins = self._train_margins_of_clustered()
            if bool(noise.any()):  # only these are held against every row
                margins[noise] = self.margin_to_runner_up(self.embedding[noise], self.labels[noise])
        return margins

    def _train_margins_of_clustered(self) -> Tensor:
        """Return the margins of all training examples by their logits, shape (n_samples,); of no meaning for noise."""
        own = self.labels.clamp(min=0).unsqueeze(1)
        ranked = self.score.ranked(self._train_logits, self.embedding, self.state)
        runner_up = ranked.scatter(1, own, -torch.inf).argmax(dim=1, keepdim=True)
        margins = (self._train_logits.gather(1, own) - self._train_logits.gather(1, runner_up)).squeeze(1)
        return margins.where(self.state.nonempty[own.squeeze(1)], torch.nan)

    @cached_property
    def _train_logits(self) -> Tensor:
        """Logits of each training example, shape (n_samples, n_clusters)."""
        with torch.no_grad():
            return self.score.logits(self.embedding, self.state)

    def membership(self, rows: Tensor) -> Tensor:
        """Return soft memberships of embedded rows, shape (n, n_clusters)."""
        with torch.no_grad():
            return self.score.membership(rows, self.state)

    def share_with_larger_margin(self, margins: Tensor, own: Tensor) -> np.ndarray:
        """Return which share of the own cluster's members lies deeper inside than a sample.

        Parameters
        ----------
        margins : Tensor of shape (n,)
            Margins of the samples to their runner-ups.
        own : Tensor of shape (n,), int64
            Their clusters; for noise the members are the noise.

        Returns
        -------
        ndarray of shape (n,)
            From 0 to 1.
        """
        present = self.weights > 0
        return np.array(
            [
                _share(self.train_margins[present & (self.labels == cluster)] > margin)
                for cluster, margin in zip(own, margins, strict=True)
            ]
        )

    def agreement(self) -> float:
        """Return the share of the present, clustered training examples whose own cluster alone has the largest logit."""
        if not self.n_clusters:
            return float("nan")
        picked = (self.weights > 0) & (self.labels != NOISE)
        logits = self._train_logits[picked].masked_fill(~self.state.nonempty, -torch.inf)
        own = self.labels[picked]
        of_others = logits.scatter(1, own.unsqueeze(1), -torch.inf).amax(dim=1)
        return _share(torch.gather(logits, 1, own.unsqueeze(1)).squeeze(1) > of_others)

    def agreement_of_noise(self) -> float:
        """Return the share of the present noise that lies outside the edge of every cluster; NaN if there is none."""
        return _share(self.train_margins[(self.weights > 0) & (self.labels == NOISE)] >= 0)

    def agreement_on_edges(self) -> float:
        """Return the share of the present, clustered training examples that lie inside the edge of their own cluster."""
        rows, own = self._present(self.labels != NOISE)
        with torch.no_grad():
            inside = self.score.boundary_margins(rows, self.state)
        return _share(torch.gather(inside, 1, own.unsqueeze(1)).squeeze(1) >= 0)

    def _present(self, which: Tensor) -> tuple[Tensor, Tensor]:
        picked = (self.weights > 0) & which
        return self.embedding[picked], self.labels[picked]


def assigned_to(clustering: Clustering, score: Score, rows: Tensor, state: ClusterState) -> Tensor:
    """Return the cluster of each row that was not trained on: where no rule says it (given labels), that of highest score.

    Parameters
    ----------
    clustering : Clustering
        The clusters.
    score : Score
        What is explained.
    rows : Tensor of shape (n, dim)
        Embeddings in the geometry of the clustering.
    state : NamedTuple of Tensor
        The clusters as a score reads them.

    Returns
    -------
    Tensor of shape (n,), int64
        -1 is noise.
    """
    by_score = clustering.assigns_by_score
    if not clustering.n_clusters or (by_score and not bool(state.nonempty.any())):
        return torch.full((len(rows),), NOISE)
    return score.nearest(rows, state) if by_score else clustering.assign(rows, state)


def with_absent(clustering: Clustering, score: Score, inputs: ClusterInputs) -> Clustering:
    """Return clusters that were found by no rule, with rows of weight 0 where new rows at their places would be.

    Parameters
    ----------
    clustering : Clustering
        Found at the inputs.
    score : Score
        What is explained.
    inputs : ClusterInputs
        Embeddings in the geometry of the clustering, and weights.

    Returns
    -------
    Clustering
        With the labels of the rows of positive weight as they are.
    """
    absent = inputs.weights <= 0
    if not bool(absent.any()):
        return clustering
    labels = clustering.labels.clone()
    labels[absent] = assigned_to(clustering, score, inputs.embedding[absent], clustering.values(inputs))
    return replace(clustering, labels=labels)


def _share(agreeing: Tensor) -> float:
    return float(agreeing.double().mean())
