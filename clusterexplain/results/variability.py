"""How far an explanation varies: how often its samples kept their clusters in refits, how sure its numbers are over seeds."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from clusterexplain.results.badge import Badge
from clusterexplain.statistics.reliability import spearman_brown


@dataclass(frozen=True, eq=False)
class StabilitySummary:
    """How often each query kept its cluster in refits with other seeds and on other data.

    Attributes
    ----------
    kept, counted : ndarray of shape (n_queries,), int
        Refits in which the sample kept its cluster, and refits that count for it; 0 of 0 for rows not trained on.
    badges : tuple of Badge
        The same with a level and in words.
    """

    kept: np.ndarray
    counted: np.ndarray
    badges: tuple[Badge, ...]

    def __getitem__(self, picked: np.ndarray) -> StabilitySummary:
        """Select queries by position."""
        return StabilitySummary(self.kept[picked], self.counted[picked], tuple(self.badges[query] for query in picked))


@dataclass(frozen=True, eq=False)
class SeedVariability:
    """How sure an explanation is that was averaged over trainings with several seeds.

    Attributes
    ----------
    n_seeds : int
        Trainings, that of the fit among them.
    standard_error : ndarray of shape (n_queries, n_train)
        Of the mean influence.
    stable : ndarray of shape (n_queries, n_train), bool
        Effects whose mean differs from 0 over seeds: t-test, false discovery rate of 5 % for each query (Benjamini-Hochberg).
    shared, within : ndarray of shape (n_queries,)
        Mean rank correlation between the influences of two seeds: over all examples, and over those of the own cluster.
    margins : ndarray of shape (n_seeds, n_queries)
        Margins by seed, that of the fit first.
    """

    n_seeds: int
    standard_error: np.ndarray
    stable: np.ndarray
    shared: np.ndarray
    within: np.ndarray
    margins: np.ndarray

    def __getitem__(self, picked: np.ndarray) -> SeedVariability:
        """Select queries by position."""
        per_query = ("standard_error", "stable", "shared", "within")
        return dataclasses.replace(
            self, margins=self.margins[:, picked], **{name: getattr(self, name)[picked] for name in per_query}
        )

    def of_mean(self, query: int) -> float:
        """Return the correlation to expect between this mean and that of as many other seeds (Spearman-Brown)."""
        return float(spearman_brown(self.shared[query], self.n_seeds))
