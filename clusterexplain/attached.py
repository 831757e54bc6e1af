"""What is attached to an explanation: what its scores are made of, how stable its samples are, what a check found."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np
import pandas as pd


@dataclass(frozen=True, eq=False)
class Mixed:
    """Scores that are combinations of many samples' scores: the mean over a cluster's members.

    Attributes
    ----------
    positions, own, rival : ndarray of shape (n_pairs,), int
        Row numbers in the training data and the pair of clusters of each.
    mix : ndarray of shape (n_queries, n_pairs)
        The combinations.
    names : tuple of str
        What each combination is called.
    titles : tuple of str
        What each combination is, as a sentence.
    sides : tuple of str
        What a positive and a negative influence do.
    """

    positions: np.ndarray
    own: np.ndarray
    rival: np.ndarray
    mix: np.ndarray
    names: tuple[str, ...]
    titles: tuple[str, ...]
    sides: tuple[str, str]

    def __getitem__(self, picked: np.ndarray) -> Mixed:
        """Select combinations by position."""
        names, titles = (tuple(part[one] for one in picked) for part in (self.names, self.titles))
        return dataclasses.replace(self, mix=self.mix[picked], names=names, titles=titles)


@dataclass(frozen=True, eq=False)
class StabilitySummary:
    """How often each query kept its cluster in refits with other seeds and on other data.

    Attributes
    ----------
    kept, counted : ndarray of shape (n_queries,), int
        Refits in which the sample kept its cluster, and refits that count for it; 0 of 0 for rows not trained on.
    badges : tuple of str
        The same in words.
    """

    kept: np.ndarray
    counted: np.ndarray
    badges: tuple[str, ...]

    def __getitem__(self, picked: np.ndarray) -> StabilitySummary:
        """Select queries by position."""
        return StabilitySummary(self.kept[picked], self.counted[picked], tuple(self.badges[one] for one in picked))


@dataclass(frozen=True)
class CheckSummary:
    """What a retraining check found, in the words and figures that every surface shows.

    Attributes
    ----------
    sentence : str
        The plain verdict.
    figures : dict
        Named agreement figures.
    status : str
        "supported", "not supported" or "untested".
    retrained : DataFrame or None
        One row for each (query, retraining): position (of the query), kind, n_removed, predicted and frozen (change of the
        margin with the clusters' members frozen, predicted and retrained), predicted_reclustered and reclustered (with the
        members chosen anew).
    null : float
        Largest change of a margin when everything was retrained with nothing removed: no change below it means anything.
    """

    sentence: str
    figures: dict[str, float | None] = field(default_factory=dict)
    status: str = "untested"
    retrained: pd.DataFrame | None = field(default=None, compare=False)
    null: float = float("nan")

    def __getitem__(self, picked: np.ndarray) -> CheckSummary:
        """Select queries by position."""
        if self.retrained is None:
            return self
        numbers = {int(old): new for new, old in enumerate(picked)}
        kept = self.retrained[self.retrained["position"].isin(list(numbers))]
        renamed = kept.assign(position=kept["position"].map(numbers)).reset_index(drop=True)
        return dataclasses.replace(self, retrained=renamed)
