"""Clustered from scratch after retraining: would the clusters be found again, and does the prediction hold for them?

The two other outcomes of a check know the clusters of the fit: their labels are kept, or the clustering is continued. A
clustering from other initialisations knows nothing, so it can end elsewhere even with nothing removed; its clusters are matched
to those of the fit by the weight that they share (Hungarian).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clusterexplain.results.removals import GROUP, SINGLE, RemovalKind
from clusterexplain.statistics import metrics
from clusterexplain.statistics.intervals import spearman_interval

REMOVAL_KINDS = (SINGLE, GROUP)
"""Kinds of removals after which the clusters are looked for from scratch."""
SEED = 0xC1A5
"""Of the initialisations: the same after every removal, so that what differs is the removal."""
N_STARTS = 10
"""Initialisations that are tried with nothing removed, to tell how often a start finds the clusters again."""
OTHER, SAME = 0.5, 0.75
"""Jaccard similarity below which a cluster is another one, and from which on it is the same (C. Hennig, 2007)."""


@dataclass(frozen=True, eq=False)
class ClusteringFromScratch:
    """What clustering from scratch gave, for one or several ways to retrain.

    Parameters
    ----------
    changes : ndarray of shape (n_seeds, n_removals, n_queries)
        Change of each score against nothing removed, both clustered from scratch; NaN where not tried or a cluster of the
        pair has no partner.
    overlap : ndarray of shape (n_seeds, n_removals, n_queries)
        The smaller Jaccard similarity of the two clusters of the pair with the fit's, NaN where not tried.
    unmoved : ndarray of shape (n_seeds, n_starts, n_queries)
        The same with nothing removed, from ``N_STARTS`` starts.
    """

    changes: np.ndarray
    overlap: np.ndarray
    unmoved: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[ClusteringFromScratch], axis: int) -> ClusteringFromScratch:
        """Join along the seeds (axis 0) or the removals (axis 1), of which every part repeats `unmoved`."""
        changes, overlap = (np.concatenate([getattr(part, name) for part in parts], axis=axis) for name in _BOTH)
        unmoved = np.concatenate([part.unmoved for part in parts]) if axis == 0 else parts[0].unmoved
        return cls(changes, overlap, unmoved)

    def __getitem__(self, query: int) -> ClusteringFromScratch:
        """Return what concerns one query."""
        return ClusteringFromScratch(self.changes[..., [query]], self.overlap[..., [query]], self.unmoved[..., [query]])

    def spread(self, picked: Sequence[int], n_removals: int) -> ClusteringFromScratch:
        """Return the same with a row for every removal of a check, NaN for those that are not `picked`."""
        changes, overlap = (
            np.full((len(self.changes), n_removals, self.changes.shape[2]), np.nan) for _ in range(len(_BOTH))
        )
        changes[:, list(picked)], overlap[:, list(picked)] = self.changes, self.overlap
        return ClusteringFromScratch(changes, overlap, self.unmoved)

    def row(
        self, kind: RemovalKind, picked: np.ndarray, predicted: np.ndarray, continued: np.ndarray
    ) -> dict[str, object]:
        """Describe what removals of one kind gave.

        Parameters
        ----------
        kind : RemovalKind
            One of ``REMOVAL_KINDS``.
        picked : ndarray of shape (n_removals,), bool
            Removals of this kind.
        predicted : ndarray of shape (n_removals, n_queries)
            Predicted changes, clustering continued.
        continued : ndarray of shape (n_seeds, n_removals, n_queries)
            Retrained changes, clustering continued from the clusters of the fit.

        Returns
        -------
        dict
            kind, n (retrainings), unmoved (share of the pairs whose clusters are found again, similarity from 0.75, over
            ``N_STARTS`` starts with nothing removed), same, changed (similarity from 0.5) and dissolved (the rest) after a
            removal, spearman with low and high (predicted against changes from scratch, the mean over seeds), continued (the
            same for the changes that are continued from the clusters of the fit, of the same removals).
        """
        overlap, changes = self.overlap[:, picked], self.changes[:, picked]
        similar = overlap[np.isfinite(overlap)]
        interval = spearman_interval(predicted[picked], changes)
        same_removals = np.where(np.isfinite(changes.mean(axis=0)), continued[:, picked].mean(axis=0), np.nan)
        return {
            "kind": kind.label,
            "n": int(picked.sum()) * len(changes),
            "unmoved": float((self.unmoved >= SAME).mean()),
            "same": _share(similar >= SAME),
            "changed": _share((similar >= OTHER) & (similar < SAME)),
            "dissolved": _share(similar < OTHER),
            "spearman": interval.mean,
            "low": interval.low,
            "high": interval.high,
            "continued": metrics.average(metrics.spearman(predicted[picked], same_removals)),
        }


_BOTH = ("changes", "overlap")


def _share(true: np.ndarray) -> float:
    return float(true.mean()) if true.size else float("nan")
