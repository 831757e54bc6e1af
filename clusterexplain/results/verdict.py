"""The verdict of a check, as every surface shows it: status, grade, sentence, figures."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from clusterexplain.results.text.check import LABELS_GIVEN, NOT_RUN_AGAIN
from clusterexplain.storage.check_schema import Estimand as Estimand
from clusterexplain.storage.check_schema import Letter as Letter
from clusterexplain.storage.check_schema import Status as Status

UNTESTED: Status = "untested"
EXIT_CODES: dict[Status, int] = {"supported": 0, "not supported": 3, UNTESTED: 4}
"""What a script gets."""
WORST_LAST = "ABCUD"
"""Grades of checks: wrong is worse than not known."""


@dataclass(frozen=True)
class Verdict:
    """What a retraining check found about some answers.

    Attributes
    ----------
    status : {"supported", "not supported", "untested"}
        What the grade says.
    sentence : str
        The same with its figures.
    grade : {"A", "B", "C", "D", "U"}
        "A" (best) to "D", or "U" where nothing can be said; see :mod:`clusterexplain.verification.grade`.
    figures : dict
        Named agreement figures.
    null : float
        Largest change of a margin when everything was retrained with nothing removed: no change below it means anything. NaN
        where it is not known, and where training is another one, which moves the margins by itself.
    estimand : Estimand
        What retraining was asked about.
    reason : str
        What kept the grade from a better one, as a clause.
    labels_given : bool
        Whether labels were given and the clustering was not run again.
    """

    status: Status
    sentence: str
    figures: dict[str, float | None] = field(default_factory=dict)
    null: float = float("nan")
    grade: Letter = "U"
    estimand: Estimand = Estimand.SEED
    reason: str = ""
    labels_given: bool = False

    @property
    def words(self) -> str:
        """The status, with its scope: not this seed, or given labels."""
        asked = {Estimand.MODEL: "this model, trained further", Estimand.RECIPE: "other seeds"}
        scope = [asked.get(self.estimand, ""), NOT_RUN_AGAIN if self.labels_given else ""]
        said = "; ".join(filter(None, scope))
        return f"{self.status} ({said})" if said else self.status

    def with_labels_given(self) -> Verdict:
        """Return the same verdict, which says that labels were given and the clustering was not run again."""
        return dataclasses.replace(self, sentence=f"{self.sentence}. {LABELS_GIVEN}", labels_given=True)

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain data; :meth:`of` reads it."""
        figures = {
            name: None if figure is None or not np.isfinite(figure) else figure for name, figure in self.figures.items()
        }
        null = self.null if np.isfinite(self.null) else None
        words = {"status": self.status, "grade": self.grade, "sentence": self.sentence}
        asked = {"estimand": self.estimand.value, "reason": self.reason, "labels_given": self.labels_given}
        return {**words, **asked, "figures": figures, "null": null}

    @classmethod
    def of(cls, stored: dict[str, Any], *, labels_given: bool = False) -> Verdict:
        """Return the verdict that :meth:`to_dict` wrote; one that does not know whether labels were given is told."""
        null = float("nan") if stored["null"] is None else float(stored["null"])
        asked = Estimand(stored["estimand"]), stored["reason"], bool(stored.get("labels_given", False))
        verdict = cls(stored["status"], stored["sentence"], stored["figures"], null, stored["grade"], *asked)
        return verdict.with_labels_given() if labels_given and "labels_given" not in stored else verdict


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
        One row for each (query, retraining): position (of the query), kind, n_removed, predicted_kept and kept
        (change of the margin with the clusters' labels kept, predicted and retrained), predicted_continued and continued (with
        the clustering continued).
    """

    together: Verdict
    each: tuple[Verdict, ...]
    n_together: int
    retrained: pd.DataFrame | None = field(default=None, compare=False)

    @property
    def status(self) -> Status:
        """The status of a single query, of all that were checked together, or the worst one of those selected of them."""
        return self.shown.status

    @property
    def grade(self) -> Letter:
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
            "each": [verdict.to_dict() for verdict in self.each],
            "n_together": self.n_together,
            "retrained": None if table is None else table.astype(object).where(table.notna(), None).to_dict("list"),
        }

    @classmethod
    def of(cls, stored: dict[str, Any], *, labels_given: bool = False) -> CheckSummary:
        """Return the check that :meth:`to_dict` wrote; one that does not know whether labels were given is told."""
        table = None if stored["retrained"] is None else pd.DataFrame(stored["retrained"])
        each = tuple(Verdict.of(verdict, labels_given=labels_given) for verdict in stored["each"])
        together = Verdict.of(stored["together"], labels_given=labels_given)
        return cls(together, each, int(stored["n_together"]), table)

    @property
    def shown(self) -> Verdict:
        """The verdict that status, grade and figures are of."""
        if len(self.each) == self.n_together > 1:
            return self.together
        return max(self.each, key=lambda verdict: WORST_LAST.index(verdict.grade))

    def __getitem__(self, picked: np.ndarray) -> CheckSummary:
        """Select queries by position, which may repeat."""
        each = tuple(self.each[int(query)] for query in picked)
        if self.retrained is None:
            return dataclasses.replace(self, each=each)
        parts = [
            self.retrained[self.retrained["position"] == old].assign(position=new) for new, old in enumerate(picked)
        ]
        kept = pd.concat(parts, ignore_index=True) if parts else self.retrained[:0]
        return dataclasses.replace(self, each=each, retrained=kept)
