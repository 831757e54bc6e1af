"""What a check found: predicted against retrained changes, grades, controls, verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd

from clusterexplain.results.annotations import CheckSummary
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.removals import Removal, RemovalKind
from clusterexplain.statistics import metrics
from clusterexplain.verification.faithfulness import Faithfulness
from clusterexplain.verification.levels import Level
from clusterexplain.verification.retraining import ASSIGNMENTS


@dataclass(frozen=True, eq=False, repr=False)
class Check:
    """Predicted against retrained changes of the explained scores.

    Attributes
    ----------
    explanation : Explanation
        The explanation, with the verdict attached.
    findings : dict of str to Findings
        What was found, by estimand: "seed", "model", "recipe".
    level : Level
        How much was retrained.
    removals : list of Removal
        What was removed, in the order of the findings' rows.
    planted : DataFrame
        The positive control: of near-copies of a query that were planted in the rival cluster, the share found among those
        that push most; see :func:`clusterexplain.verification.controls.planted_duplicates.planted`. No rows where it was not
        asked for.
    duplicated : DataFrame
        The placebo of copies: whether removing an example and removing its copy do the same; see
        :func:`clusterexplain.verification.controls.duplicates.duplicated`. No rows where it was not asked for.
    """

    explanation: Explanation
    findings: dict[str, Faithfulness]
    level: Level
    removals: list[Removal]
    planted: pd.DataFrame
    duplicated: pd.DataFrame

    @property
    def headline(self) -> Faithfulness:
        """The findings that the verdict is about: of this seed, if that was asked."""
        return next(iter(self.findings.values()))

    @property
    def sweep(self) -> dict[str, float]:
        """Whether the answer depends on the length of further training, for the estimand "model".

        By length: rank correlation of the changes by single removals with those after the usual length, the mean over
        queries; from 0.9 on the length hardly matters.
        """
        found = self.findings.get("model")
        return {} if found is None else {label: metrics.average(values) for label, values in found.sweep.items()}

    @property
    def table(self) -> pd.DataFrame:
        """One row for each (query, retraining) of the headline.

        Columns query, position (of the query), retraining, kind, n_removed, own_cluster (all removed examples are members of
        the query's own cluster), predicted (change of the margin with the clusters' members frozen), predicted_continued
        (with the members that are predicted to change sides), same_cluster (that baseline), frozen and reclustered (retrained
        change under either assignment, the mean over seeds).
        """
        return self.table_of(next(iter(self.findings)))

    def table_of(self, estimand: str) -> pd.DataFrame:
        """Return :attr:`table` for one estimand."""
        found, frames = self.findings[estimand], []
        for position, query in enumerate(self.explanation.query_ids):
            picked = np.flatnonzero(found.tried[:, position])
            columns = {
                "retraining": picked,
                "kind": [found.kinds[row].label for row in picked],
                "n_removed": found.sizes[picked],
                "own_cluster": found.own[picked, position],
                "predicted": found.predicted["kept"][picked, position],
                "predicted_continued": found.predicted["continued"][picked, position],
                **{name: rows[picked, position] for name, rows in found.yardsticks.items() if name == "same_cluster"},
                **{name: found.mean(name)[picked, position] for name in ASSIGNMENTS},
            }
            frames.append(pd.DataFrame({"query": query, "position": position, **columns}))
        return pd.concat(frames, ignore_index=True)

    @property
    def summary(self) -> pd.DataFrame:
        """One row for each (estimand, kind, assignments), each truth against its own prediction.

        Columns n (retrainings), spearman with low and high (95 %), kendall, pearson, slope (Theil-Sen, truth on prediction),
        skill (1 - squared errors over squared changes), signs (share of clear changes whose sign was predicted), within
        (Spearman among removals from the query's own cluster), same_cluster (Spearman of that baseline). All are means over
        queries.
        """
        frames = [found.summary.assign(estimand=name) for name, found in self.findings.items()]
        whole = pd.concat(frames, ignore_index=True)
        return whole[["estimand", *(name for name in whole if name != "estimand")]]

    @property
    def grades(self) -> pd.DataFrame:
        """One row for each (estimand, assignments): grade, reason, and the evidence behind it."""
        rows = []
        for estimand, found in self.findings.items():
            for name, grade in found.grades.items():
                evidence = found.evidence[name]
                rows.append(
                    {
                        "estimand": estimand,
                        "assignments": name,
                        "grade": grade.letter,
                        "spearman": evidence.spearman.mean,
                        "low": evidence.spearman.low,
                        "ceiling": evidence.ceiling.mean,
                        "ceiling_low": evidence.ceiling.low,
                        "signs": evidence.signs,
                        "slope": evidence.slope,
                        "drift": evidence.drift,
                        "over_baselines": evidence.over_baselines.mean,
                        "over_low": evidence.over_baselines.low,
                        "best_baseline": evidence.best_baseline,
                        "shuffled": evidence.band,
                        "reason": grade.reason,
                    }
                )
        return pd.DataFrame(rows)

    @property
    def controls(self) -> pd.DataFrame:
        """Figures of the controls, one row for each estimand; see :attr:`Findings.controls`."""
        rows = [{"estimand": name, **found.controls} for name, found in self.findings.items()]
        return pd.DataFrame(rows)

    @property
    def independent(self) -> pd.DataFrame:
        """Clustered from scratch: are the clusters found again, and does the prediction hold?

        One row for each (estimand, kind), columns as in :meth:`Independent.row`; no rows where it was not tried ("quick", or
        a clusterer without random start).
        """
        frames = [found.independent_rows.assign(estimand=name) for name, found in self.findings.items()]
        whole = pd.concat(frames, ignore_index=True)
        return whole[["estimand", *(name for name in whole if name != "estimand")]]

    @property
    def dissolved(self) -> float:
        """Share of the single removals after which a cluster of the query's pair was another one, re-clustered."""
        return self.headline.dissolved["continued"]

    @property
    def null(self) -> float:
        """Largest change of a margin when everything is retrained with nothing removed, members frozen.

        No change below it means anything. NaN for further training, which moves the margins by itself.
        """
        return self._summarised.together.null

    def figure(
        self, kind: RemovalKind | str, assignments: str, column: str = "spearman", *, estimand: str | None = None
    ) -> float:
        """Return one number of :attr:`summary`, NaN if that kind was not drawn; of the headline unless an estimand is named."""
        found = self.headline if estimand is None else self.findings[estimand]
        return found.figure(kind, assignments, column)

    @property
    def grade(self) -> str:
        """The letter of the headline, about all samples together; ``explanation[0].check`` is about one."""
        return self.headline.grade.letter

    @property
    def status(self) -> str:
        """Say "supported" (grade A or B), "not supported" (C, D) or "untested" (U) of the explanation.

        The grade is the worse one of two: with the clusters' members frozen, and re-clustered. It rests on removals of random
        single examples. See :mod:`clusterexplain.verification.grade`.
        """
        return self._summarised.together.status

    @property
    def supported(self) -> bool:
        """Whether the status is "supported"."""
        return self.status == "supported"

    @property
    def verdict(self) -> str:
        """The result as a plain sentence."""
        return self._summarised.sentence

    @property
    def _summarised(self) -> CheckSummary:
        assert self.explanation.check is not None
        return self.explanation.check

    def to_dict(self) -> dict[str, Any]:
        """Return sentence, figures and grades as plain data."""
        found = {
            "sentence": self.verdict,
            "status": self.status,
            "grade": self.grade,
            "level": self.level.name,
            "dissolved": self.dissolved,
            "null": self.null,
            "grades": _plain(self.grades),
            "controls": _plain(self.controls),
            "independent": _plain(self.independent),
            "sweep": self.sweep,
            "planted": _plain(self.planted),
            "duplicated": _plain(self.duplicated),
            "summary": _plain(self.summary),
            "each": [
                {"sample": one, "status": verdict.status, "grade": verdict.grade, "sentence": verdict.sentence}
                for one, verdict in zip(self.explanation.query_ids.tolist(), self._summarised.each, strict=True)
            ],
        }
        return cast("dict[str, Any]", _finite(found))

    def __repr__(self) -> str:
        """Return verdict and summary as text."""
        columns = ["kind", "assignments", "n", "spearman", "low", "high", "slope", "signs", "within", "same_cluster"]
        tried = self.summary[self.summary["n"] > 0]
        shown = tried[(["estimand"] if len(self.findings) > 1 else []) + columns]
        return f"Check: {self.verdict}.\n\n{shown.to_string(index=False, float_format='{:.3f}'.format)}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """Return the card of a notebook: text, HTML without scripts, and with the extra ``export`` a PNG."""
        from clusterexplain.report import card

        return card.check_bundle(self)


def _plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", frame.to_dict("records"))


def _finite(value: Any) -> Any:
    """Return plain data with None for what JSON has no number for."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, (float, np.floating)) and not np.isfinite(value) else value
