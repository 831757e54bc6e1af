"""What is attached to an explanation: what its scores are made of, how stable its samples are, what a check found."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from clusterexplain.results.badge import Badge

UNTESTED = "untested"
"""Status of a check that could not tell."""
WORST_LAST = "ABCUD"
"""Grades of checks: wrong is worse than not known."""


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
        return StabilitySummary(self.kept[picked], self.counted[picked], tuple(self.badges[one] for one in picked))


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
        one = self.shared[query]
        return float(self.n_seeds * one / (1 + (self.n_seeds - 1) * one)) if one > 0 else 0.0


@dataclass(frozen=True)
class Verdict:
    """What a retraining check found about some answers.

    Attributes
    ----------
    status : str
        "supported", "not supported" or "untested".
    sentence : str
        The same with its figures.
    grade : str
        "A" (best) to "D", or "U" where nothing can be said; see :mod:`clusterexplain.verification.grade`.
    figures : dict
        Named agreement figures.
    null : float
        Largest change of a margin when everything was retrained with nothing removed: no change below it means anything. NaN
        where it is not known, and where training is another one, which moves the margins by itself.
    estimand : str
        What retraining was asked about: "seed", "model" or "recipe".
    reason : str
        What kept the grade from a better one, as a clause.
    """

    status: str
    sentence: str
    figures: dict[str, float | None] = field(default_factory=dict)
    null: float = float("nan")
    grade: str = "U"
    estimand: str = "seed"
    reason: str = ""

    @property
    def words(self) -> str:
        """The status, and what retraining was asked about where that is not this seed."""
        return self.status + {"model": " (this model, trained further)", "recipe": " (other seeds)"}.get(
            self.estimand, ""
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain data; :meth:`of` reads it."""
        figures = {name: None if one is None or not np.isfinite(one) else one for name, one in self.figures.items()}
        null = self.null if np.isfinite(self.null) else None
        words = {"status": self.status, "grade": self.grade, "sentence": self.sentence}
        asked = {"estimand": self.estimand, "reason": self.reason}
        return {**words, **asked, "figures": figures, "null": null}

    @classmethod
    def of(cls, stored: dict[str, Any]) -> Verdict:
        """Return the verdict that :meth:`to_dict` wrote."""
        null = float("nan") if stored["null"] is None else float(stored["null"])
        asked = stored.get("estimand", "seed"), stored.get("reason", "")
        return cls(stored["status"], stored["sentence"], stored["figures"], null, stored["grade"], *asked)


@dataclass(frozen=True)
class CheckSummary:
    """A retraining check as every surface shows it: a verdict about all samples together, and one about each.

    Attributes
    ----------
    together : Verdict
        About all samples that were checked together.
    each : tuple of Verdict
        About each query by itself, from the same retrainings.
    n_together : int
        Samples that `together` is about: more than there are queries, once some were selected.
    retrained : DataFrame or None
        One row for each (query, retraining): position (of the query), kind, n_removed, predicted and frozen (change of the
        margin with the clusters' members frozen, predicted and retrained), predicted_continued and reclustered (with the
        members chosen anew).
    """

    together: Verdict
    each: tuple[Verdict, ...]
    n_together: int
    retrained: pd.DataFrame | None = field(default=None, compare=False)

    @property
    def status(self) -> str:
        """The status of a single query, of all that were checked together, or the worst one of those selected of them."""
        return self.shown.status

    @property
    def grade(self) -> str:
        """The grade of a single query, of all that were checked together, or the worst one of those selected of them."""
        return self.shown.grade

    @property
    def sentence(self) -> str:
        """The verdict in words, which say how many samples it is about."""
        if len(self.each) == 1:
            return self.each[0].sentence
        selected = f", of which {len(self.each)} are here" if len(self.each) < self.n_together else ""
        return f"{self.n_together} samples together{selected}: {self.together.sentence}"

    @property
    def figures(self) -> dict[str, float | None]:
        """The figures behind the sentence."""
        return self.shown.figures

    @property
    def null(self) -> float:
        """Largest change when nothing was removed, see :class:`Verdict`."""
        return self.shown.null

    def to_dict(self) -> dict[str, Any]:
        """Return the check as plain data; :meth:`of` reads it."""
        table = self.retrained
        return {
            "together": self.together.to_dict(),
            "each": [one.to_dict() for one in self.each],
            "n_together": self.n_together,
            "retrained": None if table is None else table.astype(object).where(table.notna(), None).to_dict("list"),
        }

    @classmethod
    def of(cls, stored: dict[str, Any]) -> CheckSummary:
        """Return the check that :meth:`to_dict` wrote."""
        table = None if stored["retrained"] is None else pd.DataFrame(stored["retrained"])
        each = tuple(Verdict.of(one) for one in stored["each"])
        return cls(Verdict.of(stored["together"]), each, int(stored["n_together"]), table)

    @property
    def shown(self) -> Verdict:
        """The verdict that status, grade and figures are of."""
        if len(self.each) == self.n_together > 1:
            return self.together
        return max(self.each, key=lambda one: WORST_LAST.index(one.grade))

    def __getitem__(self, picked: np.ndarray) -> CheckSummary:
        """Select queries by position, which may repeat."""
        each = tuple(self.each[int(one)] for one in picked)
        if self.retrained is None:
            return dataclasses.replace(self, each=each)
        parts = [
            self.retrained[self.retrained["position"] == old].assign(position=new) for new, old in enumerate(picked)
        ]
        kept = pd.concat(parts, ignore_index=True) if parts else self.retrained[:0]
        return dataclasses.replace(self, each=each, retrained=kept)
