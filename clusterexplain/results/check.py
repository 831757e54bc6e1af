"""What a check found, as plain data: predicted beside retrained changes, figures, grades, controls, verdict."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from clusterexplain.results.explanation import Explanation
from clusterexplain.results.removals import Removal, RemovalKind
from clusterexplain.results.verdict import CheckSummary, Estimand, Letter, Status
from clusterexplain.statistics import metrics
from clusterexplain.storage.jsonable import to_jsonable

SHOWN = [
    "kind",
    "assignments",
    "n",
    "spearman",
    "low",
    "high",
    "slope",
    "signs",
    "within",
    "same_cluster",
    "without_direct",
]
"""Columns of the summary that a check is printed with."""


def summary_figure(summary: pd.DataFrame, kind: RemovalKind | str, assignments: str, column: str) -> float:
    """Return one number of a summary, see :attr:`EstimandCheck.summary`; NaN if that kind was not drawn."""
    picked = summary[(summary["kind"] == str(kind)) & (summary["assignments"] == assignments)]
    return float(picked[column].iloc[0]) if len(picked) else float("nan")


@dataclass(frozen=True, eq=False)
class EstimandCheck:
    """What a check found about one estimand.

    Attributes
    ----------
    estimand : Estimand
        What retraining was asked about.
    grade : {"A", "B", "C", "D", "U"}
        The worse one of the grades with labels kept and with the clustering continued.
    sizes : ndarray of shape (n_removals,), int
        Examples that each removal concerns.
    tried : ndarray of shape (n_removals, n_queries), bool
        Which removals were retrained for this estimand and concern the query.
    own_cluster : ndarray of shape (n_removals, n_queries), bool
        Whether all that is removed is of the query's own cluster.
    predicted : dict of str to ndarray of shape (n_removals, n_queries)
        Predicted changes of the scores, with labels "kept", with the clustering "continued", and "without_direct": through the
        parameters alone, that is by encoder and cluster part; NaN where not tried.
    retrained : dict of str to ndarray of shape (n_seeds, n_removals, n_queries)
        Retrained changes, the same (for "without_direct" weights in clusters stay those of the fit, labels kept), and clustered
        from "scratch" where that was tried; NaN where a cluster dissolved, too.
    reference_rankings : dict of str to ndarray of shape (n_removals, n_queries)
        What the baselines predict, see :func:`clusterexplain.verification.controls.reference_rankings.reference_rankings`.
    overlap : dict of str to ndarray of shape (n_seeds, n_removals, n_queries)
        How much of the query's two clusters is the same after the removal, from 0 to 1 (the smaller Jaccard similarity):
        "continued", and from "scratch" where that was tried.
    overlap_unchanged : ndarray of shape (n_seeds, n_starts, n_queries) or None
        The same with nothing removed, clustered from scratch from several starts; None where that was not tried.
    null_changes : ndarray of shape (n_seeds, n_queries)
        Change of each score when everything is retrained with nothing removed, labels kept.
    table : DataFrame
        See :attr:`Check.table`.
    summary : DataFrame
        See :attr:`Check.summary`.
    grades : DataFrame
        See :attr:`Check.grades`.
    from_scratch : DataFrame
        See :attr:`Check.from_scratch`; empty where that was not tried.
    controls : dict of str to float
        See :func:`clusterexplain.verification.controls.control_figures.control_figures`.
    dissolved : dict of str to float
        Share of the single removals after which a cluster of the query's pair was another one, by assignments.
    sweep : dict of str to ndarray of shape (n_queries,)
        By length of further training: rank correlation of the changes by single removals with those after the usual length.
    """

    estimand: Estimand
    grade: Letter
    sizes: np.ndarray
    tried: np.ndarray
    own_cluster: np.ndarray
    predicted: dict[str, np.ndarray]
    retrained: dict[str, np.ndarray]
    reference_rankings: dict[str, np.ndarray]
    overlap: dict[str, np.ndarray]
    overlap_unchanged: np.ndarray | None
    null_changes: np.ndarray
    table: pd.DataFrame
    summary: pd.DataFrame
    grades: pd.DataFrame
    from_scratch: pd.DataFrame
    controls: dict[str, float]
    dissolved: dict[str, float]
    sweep: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False, repr=False)
class Check:
    """Predicted against retrained changes of the explained scores.

    Attributes
    ----------
    explanation : Explanation
        The explanation, with the verdict attached.
    by_estimand : dict of Estimand to EstimandCheck
        What was found, by estimand ("seed", "model", "recipe"); the first is the headline, which the verdict is about.
    level : str
        How much was retrained: "quick", "standard", "full" or "custom".
    removals : list of Removal
        What was removed, in the order of the rows of `retrained`.
    planted_duplicates : DataFrame
        The positive control: of near-duplicates of a query that were planted in the runner-up cluster, the share found among
        those that push most; see :func:`clusterexplain.verification.controls.planted_duplicates.planted_duplicates`. No rows
        where it was not asked for.
    duplicates : DataFrame
        The placebo of duplicates: whether removing an example and removing its exact duplicate do the same; see
        :func:`clusterexplain.verification.controls.duplicates.duplicates`. No rows where it was not asked for.
    """

    explanation: Explanation
    by_estimand: dict[Estimand, EstimandCheck]
    level: str
    removals: list[Removal]
    planted_duplicates: pd.DataFrame
    duplicates: pd.DataFrame

    @property
    def headline(self) -> EstimandCheck:
        """What the verdict is about: this seed, if that was asked."""
        return next(iter(self.by_estimand.values()))

    @property
    def sweep(self) -> dict[str, float]:
        """Whether the answer depends on the length of further training, for the estimand "model".

        By length: rank correlation of the changes by single removals with those after the usual length, the mean over
        queries; from 0.9 on the length hardly matters.
        """
        further = self.by_estimand.get(Estimand.MODEL)
        return {} if further is None else {label: metrics.average(values) for label, values in further.sweep.items()}

    @property
    def table(self) -> pd.DataFrame:
        """One row for each (query, retraining) of the headline.

        Columns query, position (of the query), retraining, kind, n_removed, own_cluster (all removed examples are members of
        the query's own cluster), predicted_kept (change of the margin with the clusters' labels kept), predicted_continued
        (with the clustering continued: members that are predicted to change sides do), same_cluster (that baseline), kept and
        continued (retrained change under either assignment, the mean over seeds), predicted_without_direct and without_direct
        (both through the parameters alone, labels kept).
        """
        return self.headline.table

    @property
    def summary(self) -> pd.DataFrame:
        """One row for each (estimand, kind, assignments): retrained changes against predictions of the same assignments.

        Columns n (retrainings), spearman with low and high (95 %), kendall, pearson, slope (Theil-Sen, retrained on predicted),
        skill (1 - squared errors over squared changes), signs (share of clear changes whose sign was predicted), within
        (Spearman among removals from the query's own cluster), same_cluster (Spearman of that baseline), without_direct with
        without_direct_low and without_direct_high (Spearman of the changes through the parameters alone, labels kept, so the
        same for both assignments; NaN for a model without parameters). All are means over queries.
        """
        return self._joined("summary")

    @property
    def grades(self) -> pd.DataFrame:
        """One row for each (estimand, assignments): grade, reason, and the evidence behind it."""
        return self._joined("grades")

    @property
    def controls(self) -> pd.DataFrame:
        """Figures of the controls, one row for each estimand; see :attr:`EstimandCheck.controls`."""
        rows = [{"estimand": name.value, **found.controls} for name, found in self.by_estimand.items()]
        return pd.DataFrame(rows)

    @property
    def from_scratch(self) -> pd.DataFrame:
        """Clustered from scratch: are the clusters found again, and does the prediction hold?

        One row for each (estimand, kind), columns as in
        :meth:`clusterexplain.verification.controls.clustering_from_scratch.ClusteringFromScratch.row`; no rows where it was
        not tried ("quick", or a clusterer without random start).
        """
        return self._joined("from_scratch")

    @property
    def dissolved(self) -> float:
        """Share of the single removals after which a cluster of the query's pair was another one, clustering continued."""
        return self.headline.dissolved["continued"]

    @property
    def null(self) -> float:
        """Largest change of a margin when everything is retrained with nothing removed, labels kept.

        No change below it means anything. NaN for further training, which moves the margins by itself.
        """
        return self._summarized.together.null

    def figure(
        self, kind: RemovalKind | str, assignments: str, column: str = "spearman", *, estimand: str | None = None
    ) -> float:
        """Return one number of :attr:`summary`, NaN if that kind was not drawn; of the headline unless an estimand is named.

        A kind is named by its label in the table, for example "single" or "subset 50 %".
        """
        found = self.headline if estimand is None else self.by_estimand[Estimand(estimand)]
        return summary_figure(found.summary, kind, assignments, column)

    @property
    def grade(self) -> Letter:
        """The letter of the headline, about all samples together; ``explanation[0].check`` is about one."""
        return self.headline.grade

    @property
    def status(self) -> Status:
        """Say "supported" (grade A or B), "not supported" (C, D) or "untested" (U) of the explanation.

        The grade is the worse one of two: with the clusters' labels kept, and with the clustering continued. It rests on
        removals of random single examples. See :mod:`clusterexplain.verification.grade`.
        """
        return self._summarized.together.status

    @property
    def supported(self) -> bool:
        """Whether the status is "supported"."""
        return self.status == "supported"

    @property
    def verdict(self) -> str:
        """The result as a plain sentence."""
        return self._summarized.sentence

    @property
    def _summarized(self) -> CheckSummary:
        assert self.explanation.check is not None
        return self.explanation.check

    def _joined(self, table: str) -> pd.DataFrame:
        """Return one table of all estimands, with the estimand as the first column."""
        frames: list[pd.DataFrame] = [
            getattr(found, table).assign(estimand=name.value) for name, found in self.by_estimand.items()
        ]
        whole = pd.concat(frames, ignore_index=True)
        return whole[["estimand", *(column for column in whole if column != "estimand")]]

    def to_dict(self) -> dict[str, Any]:
        """Return sentence, figures and grades as plain data."""
        found = {
            "sentence": self.verdict,
            "status": self.status,
            "grade": self.grade,
            "level": self.level,
            "dissolved": self.dissolved,
            "null": self.null,
            "grades": self.grades,
            "controls": self.controls,
            "from_scratch": self.from_scratch,
            "sweep": self.sweep,
            "planted_duplicates": self.planted_duplicates,
            "duplicates": self.duplicates,
            "summary": self.summary,
            "each": [
                {"sample": query, "status": verdict.status, "grade": verdict.grade, "sentence": verdict.sentence}
                for query, verdict in zip(self.explanation.query_ids.tolist(), self._summarized.each, strict=True)
            ],
        }
        return {name: to_jsonable(value) for name, value in found.items()}

    def __repr__(self) -> str:
        """Return verdict and summary as text."""
        tried = self.summary[self.summary["n"] > 0]
        shown = tried[(["estimand"] if len(self.by_estimand) > 1 else []) + SHOWN]
        return f"Check: {self.verdict}.\n\n{shown.to_string(index=False, float_format='{:.3f}'.format)}"

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, Any]:
        """Return the card of a notebook: text, HTML without scripts, and with the extra ``export`` a PNG."""
        from clusterexplain.report import check_bundle

        return check_bundle(self)
