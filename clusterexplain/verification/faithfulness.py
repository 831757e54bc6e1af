"""Predicted against retrained changes of one estimand: agreement by kind of removal, and the evidence for a grade."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from clusterexplain.results.check import summary_figure
from clusterexplain.results.removals import SINGLE, RemovalKind
from clusterexplain.results.verdict import WORST_LAST, Estimand, Letter
from clusterexplain.statistics import metrics
from clusterexplain.statistics.intervals import (
    UNKNOWN,
    Interval,
    Shuffled,
    difference_interval,
    shuffle,
    spearman_interval,
)
from clusterexplain.statistics.reliability import ceiling
from clusterexplain.verification.controls.clustering_from_scratch import (
    OTHER,
    REMOVAL_KINDS,
    SAME,
    ClusteringFromScratch,
)
from clusterexplain.verification.grade import Evidence, Grade, grade
from clusterexplain.verification.retrained_changes import ASSIGNMENTS, WITHOUT_DIRECT

ROUNDING = 1e-6
"""Largest difference between two equal trainings that still counts as the same, in spreads of the changes by removals."""
EPS = float(np.finfo(np.float32).eps)
GRADIENT = "gradient_dot"
BASELINES = {
    "direct": "the direct part alone",
    "same_cluster": "knowing the cluster",
    GRADIENT: "the product of gradients",
}
"""What sentences call the reference rankings."""


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """Predicted against retrained changes of some scores, for one estimand.

    Parameters
    ----------
    estimand : Estimand
        What was asked of retraining.
    kinds : tuple of RemovalKind, of length n_removals
        Kinds of the removals.
    sizes : ndarray of shape (n_removals,), int
        Examples that each removal concerns.
    predicted : dict of str to ndarray of shape (n_removals, n_queries)
        Predicted changes by assignments, and ``WITHOUT_DIRECT``: through the parameters alone.
    retrained : dict of str to ndarray of shape (n_seeds, n_removals, n_queries)
        Retrained changes, the same; NaN where a removal was not tried for a query or a cluster dissolved.
    tried : ndarray of shape (n_removals, n_queries), bool
        Whether it was tried.
    reference_rankings : dict of str to ndarray of shape (n_removals, n_queries)
        What baselines predict.
    own_cluster : ndarray of shape (n_removals, n_queries), bool
        All removed examples are members of the query's own cluster.
    scores : ndarray of shape (n_queries,)
        The explained scores.
    null_changes : ndarray of shape (n_seeds, n_queries)
        Score when everything is retrained with nothing removed, less the explained one.
    overlap : ndarray of shape (n_seeds, n_removals, n_queries)
        How much of the query's clusters is the same with the clustering continued, see
        :class:`clusterexplain.verification.retrained_changes.RetrainedChanges`.
    rerun : float
        Largest difference between two equal trainings.
    cap : {"A", "B", "C", "D", "U"}
        The best grade that a check of this size can give.
    group_share : float
        Size of the random groups of the kind "group".
    from_scratch : ClusteringFromScratch, optional
        What clustering from scratch gave.
    sweep : dict of str to ndarray of shape (n_queries,)
        By length of further training: rank correlation of the changes by single removals with those after the usual length.
    """

    estimand: Estimand
    kinds: tuple[RemovalKind, ...]
    sizes: np.ndarray
    predicted: dict[str, np.ndarray]
    retrained: dict[str, np.ndarray]
    tried: np.ndarray
    reference_rankings: dict[str, np.ndarray]
    own_cluster: np.ndarray
    scores: np.ndarray
    null_changes: np.ndarray
    overlap: np.ndarray
    rerun: float
    cap: Letter
    group_share: float = 0.05
    from_scratch: ClusteringFromScratch | None = None
    sweep: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __getitem__(self, query: int) -> Faithfulness:
        """Return what concerns one query."""

        def cut(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {name: part[..., [query]] for name, part in values.items()}

        return dataclasses.replace(
            self,
            predicted=cut(self.predicted),
            retrained=cut(self.retrained),
            tried=self.tried[:, [query]],
            reference_rankings=cut(self.reference_rankings),
            own_cluster=self.own_cluster[:, [query]],
            scores=self.scores[[query]],
            null_changes=self.null_changes[:, [query]],
            overlap=self.overlap[..., [query]],
            from_scratch=None if self.from_scratch is None else self.from_scratch[query],
            sweep=cut(self.sweep),
        )

    def of_kind(self, *kinds: RemovalKind) -> np.ndarray:
        """Return which removals are of some kinds, shape (n_removals,), bool."""
        return np.array([kind in kinds for kind in self.kinds], dtype=bool)

    @property
    def n_seeds(self) -> int:
        """Seeds that the retrained changes are a mean of."""
        return len(self.retrained[ASSIGNMENTS[0]])

    @property
    def labels_change(self) -> bool:
        """Whether a continued clustering gives something else than labels that are kept."""
        return not np.array_equal(self.retrained["kept"], self.retrained["continued"], equal_nan=True)

    def mean(self, assignments: str) -> np.ndarray:
        """Return the retrained changes, the mean over seeds, shape (n_removals, n_queries)."""
        return np.asarray(self.retrained[assignments].mean(axis=0))

    @cached_property
    def dissolved(self) -> dict[str, float]:
        """Share of the single removals after which a cluster of the query's pair was another one, by assignments.

        With labels kept: it lost all its weight. Continued: besides, the Jaccard similarity of the examples that stay is below
        ``OTHER``, Hennig's convention.
        """
        picked = self.of_kind(SINGLE)[:, None] & self.tried
        if not picked.any():
            return dict.fromkeys(ASSIGNMENTS, 0.0)
        gone = {name: np.isnan(self.retrained[name])[:, picked] for name in ASSIGNMENTS}
        other = self.overlap[:, picked] < OTHER
        return {"kept": float(gone["kept"].mean()), "continued": float((gone["continued"] | other).mean())}

    @cached_property
    def changed(self) -> float:
        """Share of the single removals after which a cluster of the pair was changed: similarity from 0.5 to below 0.75."""
        picked = self.of_kind(SINGLE)[:, None] & self.tried
        similar = self.overlap[:, picked]
        return float(((similar >= OTHER) & (similar < SAME)).mean()) if picked.any() else 0.0

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row for each (kind, assignments), see :attr:`clusterexplain.results.check.Check.summary`."""
        rows = [self._row(kind, name) for kind in dict.fromkeys(self.kinds) for name in ASSIGNMENTS]
        return pd.DataFrame(rows)

    def _row(self, kind: RemovalKind, name: str) -> dict[str, object]:
        picked = self.of_kind(kind)
        predicted, retrained = self.predicted[name][picked], self.retrained[name][:, picked]
        mean = retrained.mean(axis=0)
        interval = spearman_interval(predicted, retrained)
        baseline = self.reference_rankings.get("same_cluster")
        return {
            "kind": kind.label,
            "assignments": name,
            "n": int(self.tried[picked].any(axis=1).sum()),
            "spearman": interval.mean,
            "low": interval.low,
            "high": interval.high,
            "kendall": metrics.average(metrics.kendall(predicted, mean)),
            "pearson": metrics.average(metrics.pearson(predicted, mean)),
            "slope": metrics.average(metrics.theil_sen(predicted, mean)[0]),
            "skill": metrics.average(metrics.skill(predicted, mean)),
            "signs": metrics.average(metrics.sign_agreement(predicted, mean, self._noise(retrained))),
            "within": metrics.average(metrics.spearman(np.where(self.own_cluster[picked], predicted, np.nan), mean)),
            "same_cluster": float("nan")
            if baseline is None
            else metrics.average(metrics.spearman(baseline[picked], mean)),
            **self._without_direct(kind),
        }

    def _without_direct(self, kind: RemovalKind) -> dict[str, float]:
        """Return the rank correlation of the changes through the parameters alone, labels kept, with its interval."""
        picked, interval = self.of_kind(kind), UNKNOWN
        if WITHOUT_DIRECT in self.predicted and not self.is_all_direct:
            interval = spearman_interval(
                self.predicted[WITHOUT_DIRECT][picked], self.retrained[WITHOUT_DIRECT][:, picked]
            )
        names = (WITHOUT_DIRECT, f"{WITHOUT_DIRECT}_low", f"{WITHOUT_DIRECT}_high")
        return dict(zip(names, (interval.mean, interval.low, interval.high), strict=True))

    @property
    def is_all_direct(self) -> bool:
        """Whether no parameters moved: the embedding is given, so there is nothing but the direct part."""
        changes = self.retrained.get(WITHOUT_DIRECT, np.array(np.nan))
        return bool(np.isfinite(changes).any()) and not np.nan_to_num(changes).any()

    @cached_property
    def scratch_summary(self) -> pd.DataFrame:
        """One row for each kind that was clustered from scratch, see :meth:`ClusteringFromScratch.row`."""
        if self.from_scratch is None:
            return pd.DataFrame()
        predicted, continued = self.predicted["continued"], self.retrained["continued"]
        kinds = [kind for kind in REMOVAL_KINDS if kind in self.kinds]
        return pd.DataFrame([self.from_scratch.row(kind, self.of_kind(kind), predicted, continued) for kind in kinds])

    def _noise(self, retrained: np.ndarray) -> np.ndarray:
        """Return the sizes of changes that mean nothing: what seeds differ by, or what removing nothing gives."""
        if self.n_seeds > 1:
            spread: np.ndarray = np.nan_to_num(retrained.std(axis=0, ddof=1) / np.sqrt(self.n_seeds))
            return spread
        if self.estimand is Estimand.SEED:
            size: np.ndarray = np.abs(self.null_changes[0])
            return size
        return np.zeros(self.null_changes.shape[1])

    def figure(self, kind: RemovalKind, assignments: str, column: str = "spearman") -> float:
        """Return one number of the summary, NaN if that kind was not drawn."""
        return summary_figure(self.summary, kind, assignments, column)

    @cached_property
    def evidence(self) -> dict[str, Evidence]:
        """What the grades rest on, by assignments."""
        return {name: self._evidence(name) for name in ASSIGNMENTS}

    def _evidence(self, name: str) -> Evidence:
        picked = self.of_kind(SINGLE)
        predicted, retrained = self.predicted[name][picked], self.retrained[name][:, picked]
        mean = retrained.mean(axis=0)
        best = self._best_baseline(mean)
        compared = [baseline for baseline in {best, GRADIENT} if baseline in self.reference_rankings]
        over = {baseline: self._over(baseline, name) for baseline in compared}
        spread = metrics.average(_spreads(mean))
        limit = ROUNDING * spread if np.isfinite(spread) else 0.0
        return Evidence(
            spearman=spearman_interval(predicted, retrained),
            ceiling=ceiling(retrained),
            signs=self.figure(SINGLE, name, "signs"),
            slope=self.figure(SINGLE, name, "slope"),
            drift=self._drift(mean),
            over_baselines=over.get(best, UNKNOWN),
            best_baseline=BASELINES.get(best, best.replace("_", " ")),
            over_gradient=over.get(GRADIENT),
            band=self.shuffled[name].band,
            dissolved=self.dissolved[name],
            n_single=int(self.tried[picked].any(axis=1).sum()),
            repeats=self.rerun <= limit + EPS * float(np.abs(self.scores).max(initial=1.0)),
            cap=self.cap,
        )

    def _best_baseline(self, mean: np.ndarray) -> str:
        """Return the name of the baseline that agrees best with the mean changes by single removals; "" if there is none."""
        picked = self.of_kind(SINGLE)
        agreements = {
            name: metrics.average(metrics.spearman(rows[picked], mean))
            for name, rows in self.reference_rankings.items()
        }
        ranked = sorted(agreements, key=lambda name: -np.nan_to_num(agreements[name], nan=-1.0))
        return ranked[0] if ranked else ""

    def _over(self, baseline: str, name: str) -> Interval:
        picked = self.of_kind(SINGLE)
        rows = self.predicted[name][picked], self.reference_rankings[baseline][picked]
        return difference_interval(*rows, self.retrained[name][:, picked])

    def _drift(self, mean: np.ndarray) -> float:
        if self.estimand is Estimand.RECIPE:
            return 0.0
        spread = _spreads(mean)
        known = spread > 0
        return float(np.median(np.abs(self.null_changes[0])[known] / spread[known])) if known.any() else float("nan")

    @cached_property
    def grades(self) -> dict[str, Grade]:
        """Grades by assignments."""
        return {name: grade(evidence) for name, evidence in self.evidence.items()}

    @property
    def grade(self) -> Grade:
        """The worse one of the two grades: what agrees with labels kept can fail with the clustering continued.

        What is wrong one way (D) is not made untestable by the other (U), unless nothing can be repeated.
        """
        if not all(evidence.repeats for evidence in self.evidence.values()):
            return next(graded for name, graded in self.grades.items() if not self.evidence[name].repeats)
        return max(self.grades.values(), key=lambda graded: WORST_LAST.index(graded.letter))

    @cached_property
    def shuffled(self) -> dict[str, Shuffled]:
        """What shuffled predictions reach, by assignments."""
        picked = self.of_kind(SINGLE)
        return {name: shuffle(self.predicted[name][picked], self.mean(name)[picked]) for name in ASSIGNMENTS}


def _spreads(mean: np.ndarray) -> np.ndarray:
    """Return the spread of each query's changes, shape (n_queries,); NaN for a query without any."""
    return np.array([np.nanstd(column) if np.isfinite(column).any() else np.nan for column in mean.T])
