"""What is asked about: margins, each of a sample between its own and its runner-up cluster, or combinations of many."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from clusterexplain.statistics.matching import NOISE


class Topic(StrEnum):
    """What a combination of margins measures."""

    COHESION = "cohesion"
    """Mean margin of a cluster's members, each against its own runner-up."""
    AGAINST = "against"
    """Mean margin of a cluster's members against one other cluster."""
    SEPARATION = "separation"
    """Mean margin of the members of two clusters, each against the other one."""


@dataclass(frozen=True)
class Subject:
    """What one combination of margins is about.

    Attributes
    ----------
    topic : Topic
        What it measures.
    clusters : tuple of int
        The cluster, or the two clusters.
    sizes : tuple of int
        Members of positive weight of each cluster whose margins are combined.
    """

    topic: Topic
    clusters: tuple[int, ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Combination:
    """Weighted sums of margins that are asked about in place of each margin.

    The influence on such a sum costs as much as that on one margin, however many margins it sums.

    Attributes
    ----------
    weights : ndarray of shape (n_scores, n_pairs)
        Row s holds the weight of every margin in sum s.
    subjects : tuple of Subject
        What each sum is about.
    """

    weights: np.ndarray
    subjects: tuple[Subject, ...]

    def __getitem__(self, picked: np.ndarray) -> Combination:
        """Select sums by position."""
        return Combination(self.weights[picked], tuple(self.subjects[position] for position in picked))


@dataclass(frozen=True, eq=False)
class Margins:
    """A batch of margins: samples, each with its own and its runner-up cluster; or combinations of many of them.

    The margin of a sample is the assignment score of its own cluster minus that of its runner-up cluster: positive is inside
    the own cluster, 0 is the boundary. The runner-up cluster is the nearest other one, or the one that a user named with
    ``against``. The pair is fixed, whatever happens to the clustering.

    Attributes
    ----------
    ids : ndarray of shape (n_scores,)
        What is asked about: ids of samples ("new 0", ... for rows that were never trained on), or names of combinations.
    rows : ndarray of shape (n_pairs, n_features)
        The samples as the user gave them; without rows if all are training examples and only their positions are needed.
    positions : ndarray of shape (n_pairs,), int
        Row numbers in the training data; -1 for rows that were never trained on.
    own, runner_up : ndarray of shape (n_pairs,), int
        The pair of clusters of each sample; one of the two may be -1, noise.
    combination : Combination or None
        If sums of margins are asked about; n_scores is n_pairs otherwise.
    """

    ids: np.ndarray
    rows: np.ndarray
    positions: np.ndarray
    own: np.ndarray
    runner_up: np.ndarray
    combination: Combination | None = None

    def __len__(self) -> int:
        """Return the number of scores that are asked about."""
        return len(self.ids)

    def __getitem__(self, picked: np.ndarray) -> Margins:
        """Select scores by position."""
        if self.combination is not None:
            return dataclasses.replace(self, ids=self.ids[picked], combination=self.combination[picked])
        columns = (self.ids, self.rows, self.positions, self.own, self.runner_up)
        return Margins(*(column[picked] for column in columns))

    @property
    def has_noise(self) -> bool:
        """Whether noise is part of any pair."""
        return bool((self.own == NOISE).any() or (self.runner_up == NOISE).any())

    @property
    def labels(self) -> np.ndarray:
        """Own cluster of each score, shape (n_scores,); -1 for a combination of several."""
        return self._for_each_score(self.own)

    @property
    def runner_ups(self) -> np.ndarray:
        """Runner-up cluster of each score, shape (n_scores,); -1 for a combination of several."""
        return self._for_each_score(self.runner_up)

    @property
    def score_positions(self) -> np.ndarray:
        """Row number of each score's sample, shape (n_scores,); -1 for new rows and for combinations."""
        return self.positions if self.combination is None else np.full(len(self), -1)

    def combine(self, margins: np.ndarray) -> np.ndarray:
        """Return the scores that are asked about from the margin of each sample.

        Parameters
        ----------
        margins : ndarray of shape (n_pairs,)
            Margins; one that is in no combination does not make it NaN.

        Returns
        -------
        ndarray of shape (n_scores,)
            The margins themselves, or their combinations.
        """
        if self.combination is None:
            return margins
        weights = self.combination.weights
        combined: np.ndarray = np.where(weights != 0, weights * margins, 0.0).sum(axis=1)
        return combined

    def _for_each_score(self, clusters: np.ndarray) -> np.ndarray:
        if self.combination is None:
            return clusters
        shared = [np.unique(clusters[weights != 0]) for weights in self.combination.weights]
        return np.array([int(several[0]) if len(several) == 1 else NOISE for several in shared])
