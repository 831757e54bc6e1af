"""What a fit is at other data weights: labels, scores, and what became of the clusters."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class Assignments(StrEnum):
    """What happens to the assignment of samples to clusters at other data weights."""

    KEPT = "kept"
    """Labels stay as they are: isolates the mathematics of the training."""
    CONTINUED = "continued"
    """The clustering goes on from the old clusters, so that cluster k stays cluster k."""
    SCRATCH = "scratch"
    """Clustered from scratch with other initialisations, clusters matched to the old ones."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """A fit at other parameters and data weights, clusters in the numbers of the fit.

    Attributes
    ----------
    assignments : Assignments
        What happened to the assignment.
    labels : ndarray of shape (n_samples,), int
        Cluster of each training example; -1 is noise. Clustered from scratch, numbers beyond those of the fit are clusters
        without a partner.
    scores : ndarray of shape (n_scores,)
        The margins that were asked about; NaN exactly where `reasons` says why.
    final_clusters : ndarray of shape (n_pairs,), int
        The cluster that each sample ends in: its label if it is a training example of positive weight, the cluster that it
        is assigned to otherwise.
    dissolved : tuple of int
        Clusters of the fit that are left without a member of positive weight, or without a partner.
    reasons : tuple of str
        For each score why it is not known, "" where it is.
    """

    assignments: Assignments
    labels: np.ndarray
    scores: np.ndarray
    final_clusters: np.ndarray
    dissolved: tuple[int, ...]
    reasons: tuple[str, ...]

    @property
    def known(self) -> np.ndarray:
        """Which scores are known, shape (n_scores,), bool."""
        return np.array([not reason for reason in self.reasons], dtype=bool)
