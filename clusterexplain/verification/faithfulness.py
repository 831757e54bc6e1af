"""What retrainings say about predictions: agreement by kind of removal, a grade, a sentence."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from clusterexplain.fitting.variants import WORDS
from clusterexplain.results.annotations import WORST_LAST, Verdict
from clusterexplain.results.removals import (
    DOWN_WEIGHT,
    GROUP,
    NEIGHBOUR,
    PLACEBO,
    SINGLE,
    STRONGEST,
    TOP_PULLERS,
    WITHIN,
    RemovalKind,
    RemovalName,
)
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
    KINDS,
    OTHER,
    SAME,
    ClusteringFromScratch,
    in_words,
)
from clusterexplain.verification.grade import MEANINGS, Evidence, Grade, grade
from clusterexplain.verification.retraining import ASSIGNMENTS

ROUNDING = 1e-6
"""Largest difference between two equal trainings that still counts as the same, in spreads of the changes by removals."""
EPS = float(np.finfo(np.float32).eps)
TOP = 10
GROUP_OF_2, DOWN_WEIGHT_30 = RemovalKind(RemovalName.GROUP, 0.02), RemovalKind(RemovalName.DOWN_WEIGHT, 0.3)
GRADIENT = "gradient_dot"
BASELINES = {
    "direct": "the direct part alone",
    "same_cluster": "knowing the cluster",
    GRADIENT: "the product of gradients",
}
SIZED = (RemovalName.GROUP, RemovalName.SUBSET)
"""Kinds whose other sizes a verdict lists."""
PLATEAU = 0.9
"""Rank correlation from which on shorter or longer further training counts as giving the same changes."""


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """Predicted against retrained changes of some scores, for one estimand.

    Parameters
    ----------
    estimand : str
        What was asked of retraining.
    kinds : tuple of RemovalKind, of length n_removals
        Kinds of the removals.
    sizes : ndarray of shape (n_removals,), int
        Examples that each removal concerns.
    predicted : dict of str to ndarray of shape (n_removals, n_queries)
        Predicted changes by assignments.
    truth : dict of str to ndarray of shape (n_seeds, n_removals, n_queries)
        Retrained changes by assignments; NaN where a removal was not tried for a query or a cluster dissolved.
    tried : ndarray of shape (n_removals, n_queries), bool
        Whether it was tried.
    yardsticks : dict of str to ndarray of shape (n_removals, n_queries)
        What baselines predict.
    own : ndarray of shape (n_removals, n_queries), bool
        All removed examples are members of the query's own cluster.
    scores : ndarray of shape (n_queries,)
        The explained scores.
    nulls : ndarray of shape (n_seeds, n_queries)
        Score when everything is retrained with nothing removed, less the explained one.
    overlap : ndarray of shape (n_seeds, n_removals, n_queries)
        How much of the query's clusters is the same after re-clustering, see :class:`Outcome`.
    rerun : float
        Largest difference between two equal trainings.
    cap : str
        The best grade that a check of this size can give.
    group_share : float
        Size of the random groups of the kind "group".
    independent : Independent, optional
        What clustering from scratch gave.
    sweep : dict of str to ndarray of shape (n_queries,)
        By length of further training: rank correlation of the changes by single removals with those after the usual length.
    """

    estimand: str
    kinds: tuple[RemovalKind, ...]
    sizes: np.ndarray
    predicted: dict[str, np.ndarray]
    truth: dict[str, np.ndarray]
    tried: np.ndarray
    yardsticks: dict[str, np.ndarray]
    own: np.ndarray
    scores: np.ndarray
    nulls: np.ndarray
    overlap: np.ndarray
    rerun: float
    cap: str
    group_share: float = 0.05
    independent: ClusteringFromScratch | None = None
    sweep: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __getitem__(self, query: int) -> Faithfulness:
        """Return the findings about one query."""

        def cut(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {name: part[..., [query]] for name, part in values.items()}

        return dataclasses.replace(
            self,
            predicted=cut(self.predicted),
            truth=cut(self.truth),
            tried=self.tried[:, [query]],
            yardsticks=cut(self.yardsticks),
            own=self.own[:, [query]],
            scores=self.scores[[query]],
            nulls=self.nulls[:, [query]],
            overlap=self.overlap[..., [query]],
            independent=None if self.independent is None else self.independent[query],
            sweep=cut(self.sweep),
        )

    def of_kind(self, *kinds: RemovalKind) -> np.ndarray:
        """Return which removals are of some kinds, shape (n_removals,), bool."""
        return np.array([kind in kinds for kind in self.kinds], dtype=bool)

    @property
    def n_seeds(self) -> int:
        """Seeds that the truth is a mean of."""
        return len(self.truth[ASSIGNMENTS[0]])

    @property
    def hard(self) -> bool:
        """Whether re-clustering gives something else than frozen members."""
        return not np.array_equal(self.truth["kept"], self.truth["continued"], equal_nan=True)

    def mean(self, assignments: str) -> np.ndarray:
        """Return the retrained changes, the mean over seeds, shape (n_removals, n_queries)."""
        return np.asarray(self.truth[assignments].mean(axis=0))

    @cached_property
    def dissolved(self) -> dict[str, float]:
        """Share of the single removals after which a cluster of the query's pair was another one, by assignments.

        Frozen: it lost all its weight. Re-clustered: besides, the Jaccard similarity of the examples that stay is below
        ``OTHER``, Hennig's convention.
        """
        picked = self.of_kind(SINGLE)[:, None] & self.tried
        if not picked.any():
            return dict.fromkeys(ASSIGNMENTS, 0.0)
        gone = {name: np.isnan(self.truth[name])[:, picked] for name in ASSIGNMENTS}
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
        """One row for each (kind, assignments), see :attr:`Check.summary`."""
        rows = [self._row(kind, name) for kind in dict.fromkeys(self.kinds) for name in ASSIGNMENTS]
        return pd.DataFrame(rows)

    def _row(self, kind: RemovalKind, name: str) -> dict[str, object]:
        picked = self.of_kind(kind)
        predicted, truth = self.predicted[name][picked], self.truth[name][:, picked]
        mean = truth.mean(axis=0)
        interval = spearman_interval(predicted, truth)
        baseline = self.yardsticks.get("same_cluster")
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
            "signs": metrics.average(metrics.sign_agreement(predicted, mean, self._noise(truth))),
            "within": metrics.average(metrics.spearman(np.where(self.own[picked], predicted, np.nan), mean)),
            "same_cluster": float("nan")
            if baseline is None
            else metrics.average(metrics.spearman(baseline[picked], mean)),
        }

    @cached_property
    def independent_rows(self) -> pd.DataFrame:
        """One row for each kind that was clustered from scratch, see :meth:`Independent.row`."""
        if self.independent is None:
            return pd.DataFrame()
        predicted, tracked = self.predicted["continued"], self.truth["continued"]
        rows = [
            self.independent.row(kind, self.of_kind(kind), predicted, tracked) for kind in KINDS if kind in self.kinds
        ]
        return pd.DataFrame(rows)

    def _noise(self, truth: np.ndarray) -> np.ndarray:
        """Return the sizes of changes that mean nothing: what seeds differ by, or what removing nothing gives."""
        if self.n_seeds > 1:
            return np.nan_to_num(truth.std(axis=0, ddof=1) / np.sqrt(self.n_seeds))
        return np.abs(self.nulls[0]) if self.estimand == "seed" else np.zeros(self.nulls.shape[1])

    def figure(self, kind: RemovalKind | str, assignments: str, column: str = "spearman") -> float:
        """Return one number of the summary, NaN if that kind was not drawn; a kind, or its label in the table."""
        summary = self.summary
        picked = summary[(summary["kind"] == str(kind)) & (summary["assignments"] == assignments)]
        return float(picked[column].iloc[0]) if len(picked) else float("nan")

    @cached_property
    def evidence(self) -> dict[str, Evidence]:
        """What the grades rest on, by assignments."""
        return {name: self._evidence(name) for name in ASSIGNMENTS}

    def _evidence(self, name: str) -> Evidence:
        picked = self.of_kind(SINGLE)
        predicted, truth = self.predicted[name][picked], self.truth[name][:, picked]
        mean = truth.mean(axis=0)
        agreements = {
            one: metrics.average(metrics.spearman(rows[picked], mean)) for one, rows in self.yardsticks.items()
        }
        ranked = sorted(agreements, key=lambda one: -np.nan_to_num(agreements[one], nan=-1.0))
        best = ranked[0] if ranked else ""
        over = {one: self._over(one, name) for one in {best, GRADIENT} if one in self.yardsticks}
        spread = metrics.average(
            np.array([np.nanstd(column) if np.isfinite(column).any() else np.nan for column in mean.T])
        )
        limit = ROUNDING * spread if np.isfinite(spread) else 0.0
        return Evidence(
            spearman=spearman_interval(predicted, truth),
            ceiling=ceiling(truth),
            signs=self.figure(SINGLE, name, "signs"),
            slope=self.figure(SINGLE, name, "slope"),
            drift=self._drift(mean),
            over_baselines=over.get(best, UNKNOWN),
            best_baseline=BASELINES.get(best, best.replace("_", " ")),
            over_gradient=over.get(GRADIENT, UNKNOWN),
            band=self.shuffled[name].band,
            dissolved=self.dissolved[name],
            n_single=int(self.tried[picked].any(axis=1).sum()),
            repeats=self.rerun <= limit + EPS * float(np.abs(self.scores).max(initial=1.0)),
            cap=self.cap,
        )

    def _over(self, baseline: str, name: str) -> Interval:
        picked = self.of_kind(SINGLE)
        return difference_interval(
            self.predicted[name][picked], self.yardsticks[baseline][picked], self.truth[name][:, picked]
        )

    def _drift(self, mean: np.ndarray) -> float:
        if self.estimand == "recipe":
            return 0.0
        spread = np.array([np.nanstd(column) if np.isfinite(column).any() else np.nan for column in mean.T])
        known = spread > 0
        return float(np.median(np.abs(self.nulls[0])[known] / spread[known])) if known.any() else float("nan")

    @cached_property
    def grades(self) -> dict[str, Grade]:
        """Grades by assignments."""
        return {name: grade(one) for name, one in self.evidence.items()}

    @property
    def grade(self) -> Grade:
        """The worse one of the two grades: what is exact with members frozen can still miss what really happens.

        What is wrong one way (D) is not made untestable by the other (U), unless nothing can be repeated.
        """
        if not all(one.repeats for one in self.evidence.values()):
            return next(one for name, one in self.grades.items() if not self.evidence[name].repeats)
        return max(self.grades.values(), key=lambda one: WORST_LAST.index(one.letter))

    @property
    def status(self) -> str:
        """Say "supported" (grade A or B), "not supported" (C, D) or "untested" (U)."""
        return self.grade.status

    @property
    def verdict(self) -> Verdict:
        """Status, sentence and figures as they are attached to an explanation."""
        figures: dict[str, float | None] = {
            f"{kind}_{assignments}": self.figure(kind, assignments)
            for kind in (SINGLE, GROUP)
            for assignments in ASSIGNMENTS
        }
        null = float(np.abs(self.nulls).max(initial=0.0)) if self.estimand == "seed" else float("nan")
        return Verdict(self.status, self.sentence, figures, null, self.grade.letter, self.estimand, self.grade.reason)

    @property
    def sentence(self) -> str:
        """The result in words."""
        n = int(self.tried.any(axis=1).sum()) * self.n_seeds
        opening = {
            "supported": f"supported by {n:,} retrainings",
            "not supported": f"NOT supported by {n:,} retrainings",
            "untested": f"untested after {n:,} retrainings",
        }[self.status]
        whose = f"{self.n_seeds} other seeds" if self.n_seeds > 1 else WORDS[self.estimand]
        groups = f"random groups of {100 * self.group_share:g} % {self._words(GROUP)}{self._sizes()}"
        return (
            f"{opening} ({whose}). {self._graded()}. Rank correlation of predicted and retrained changes of the margin (1 is "
            f"perfect): random single removals {self._words(SINGLE)}, where knowing only the cluster of the removed example "
            f"gives {self._baseline()}; {groups}. Sizes, retrained over "
            f"predicted: single removals {self._slope(SINGLE)}, groups {self._slope(GROUP)}{self._caveats()}"
        )

    def _graded(self) -> str:
        found = self.grades
        worst = self.grade
        if not self.hard or len({one.letter for one in found.values()}) == 1:
            return f"Grade {worst.letter}, {MEANINGS[worst.letter]}: {worst.reason}"
        return (
            f"Grade {found['kept'].letter} with the clusters' members frozen, {found['continued'].letter} re-clustered; so "
            f"{worst.letter}, {MEANINGS[worst.letter]}: {worst.reason}"
        )

    def _words(self, kind: RemovalKind) -> str:
        frozen, again = (self._interval(kind, name) for name in ASSIGNMENTS)
        return f"{frozen} with the clusters' members frozen, {again} re-clustered" if self.hard else str(frozen)

    def _interval(self, kind: RemovalKind, name: str) -> Interval:
        return Interval(*(self.figure(kind, name, column) for column in ("spearman", "low", "high")))

    def _baseline(self) -> str:
        value = self.figure(SINGLE, "continued", "same_cluster")
        return "no order" if np.isnan(value) else f"{value:.2f}"

    def _sizes(self) -> str:
        sized = [kind for kind in dict.fromkeys(self.kinds) if kind.name in SIZED and kind.share is not None]
        figures = {kind.label: self.figure(kind, "continued") for kind in sized}
        known = [f"{label} {value:.2f}" for label, value in figures.items() if not np.isnan(value)]
        return f"; re-clustered, {', '.join(known)}" if known else ""

    def _slope(self, kind: RemovalKind) -> str:
        slopes = [self.figure(kind, name, "slope") for name in ASSIGNMENTS]
        if np.isnan(slopes).any():
            return "not tried"
        return f"{slopes[0]:.2f} frozen and {slopes[1]:.2f} re-clustered" if self.hard else f"{slopes[0]:.2f}"

    def _caveats(self) -> str:
        turns, n = self.wrong_side(), len(self.scores)
        whose = f"{turns} of {n} samples end" if n > 1 else "it ends"
        sides = f". Without their top pullers, {whose} on another side of the boundary than predicted" if turns else ""
        share = self.dissolved["continued"]
        gone = f". After {share:.1%} of the single removals a cluster of the pair was another one" if share else ""
        moved = float(np.abs(self.nulls).max(initial=0.0))
        drift = f". Further training itself moves the margins by up to {moved:.2g}, which is subtracted"
        moved_by_training = drift + self.swept if self.estimand == "model" else ""
        return sides + gone + in_words(self.independent_rows) + moved_by_training

    @property
    def swept(self) -> str:
        """Whether the changes depend on how long one trains further, as a sentence; empty where that is not known."""
        known = {label: metrics.average(values) for label, values in self.sweep.items()}
        if not known or self.grade.letter == "U" or not np.isfinite(list(known.values())).all():
            return ""
        moved = [f"{label} {value:.2f}" for label, value in known.items() if value < PLATEAU]
        if moved:
            return (
                f". The order of single removals depends on how long one trains further (rank correlation with the usual "
                f"length, needed {PLATEAU:g}: {', '.join(moved)})"
            )
        return ". The order of single removals hardly depends on how long one trains further"

    def wrong_side(self) -> int:
        """Count the samples whose margin without their top pullers has another sign than predicted."""
        picked = self.of_kind(TOP_PULLERS)
        predicted, truth = self.predicted["continued"][picked], self.mean("continued")[picked]
        differ = np.sign(self.scores + predicted) != np.sign(self.scores + truth)
        return int((differ & self.tried[picked] & np.isfinite(truth)).sum())

    @cached_property
    def controls(self) -> dict[str, float]:
        """Figures of the controls, NaN where they were not tried.

        rerun (largest difference of two equal trainings), null (largest change with nothing removed), dissolved and changed
        (share of the single removals after which a cluster of the pair was another one, or a similar one), seed_sd (median
        spread of the scores over seeds), signal_to_noise (spread of the mean changes by single removals over the standard error
        of those means), placebo (median size of
        the change by groups of other clusters, over that by equal-sized random groups), dose_5 and dose_30 (rank correlation
        when examples lose 5 % and 30 % of their weight, frozen), precision and precision_chance (of the ten that lower the
        score most, among all single removals), flip_auc, shuffled (97.5 % quantile), p_value (share of shuffles that reach the
        agreement), ceiling.
        """
        single = self.of_kind(SINGLE, WITHIN, STRONGEST, NEIGHBOUR)
        precision, chance = metrics.precision_at(self.predicted["kept"][single], self.mean("kept")[single], TOP)
        return {
            "rerun": self.rerun,
            "null": float(np.abs(self.nulls).max(initial=0.0)) if self.estimand != "recipe" else float("nan"),
            "dissolved": self.dissolved["continued"],
            "changed": self.changed,
            "seed_sd": self._seed_sd(),
            "signal_to_noise": self._signal_to_noise(),
            "placebo": self._placebo(),
            "dose_5": self.figure(DOWN_WEIGHT, "kept"),
            "dose_30": self.figure(DOWN_WEIGHT_30, "kept"),
            "precision": metrics.average(precision),
            "precision_chance": metrics.average(chance),
            "flip_auc": metrics.average(
                metrics.flip_auc(self.scores, self.predicted["continued"], self.mean("continued"))
            ),
            "shuffled": self.evidence["kept"].band,
            "p_value": self.shuffled["kept"].p_value,
            "ceiling": self.evidence["kept"].ceiling.mean,
        }

    @cached_property
    def shuffled(self) -> dict[str, Shuffled]:
        """What shuffled predictions reach, by assignments."""
        picked = self.of_kind(SINGLE)
        return {name: shuffle(self.predicted[name][picked], self.mean(name)[picked]) for name in ASSIGNMENTS}

    def _seed_sd(self) -> float:
        return float(np.median(self.nulls.std(axis=0, ddof=1))) if self.n_seeds > 1 else float("nan")

    def _signal_to_noise(self) -> float:
        truth = self.truth["kept"][:, self.of_kind(SINGLE)]
        if self.n_seeds < 2 or not truth.shape[1]:
            return float("nan")
        error = np.sqrt(np.nanmean(truth.var(axis=0, ddof=1), axis=0) / self.n_seeds)
        signal = np.nanstd(truth.mean(axis=0), axis=0)
        known = error > 0
        return float(np.median(signal[known] / error[known])) if known.any() else float("nan")

    def _placebo(self) -> float:
        sizes = [np.abs(self.mean("kept")[self.of_kind(kind)]) for kind in (PLACEBO, GROUP_OF_2)]
        if not all(np.isfinite(one).any() for one in sizes):
            return float("nan")
        return float(np.nanmedian(sizes[0]) / np.nanmedian(sizes[1]))
