"""The check: retrain at other data weights and compare with the prediction of the influences."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from clusterexplain.attached import CheckSummary
from clusterexplain.beside import RETRAINED
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.explanation import Explanation
from clusterexplain.pipeline import Pipeline, Question
from clusterexplain.training import train_replicas
from clusterexplain.verification import metrics
from clusterexplain.verification.removals import Removal, draw_removals

PREDICTED = {"frozen": "predicted", "reclustered": "predicted_reclustered"}
ASSIGNMENTS = tuple(PREDICTED)
SUPPORTED = 0.6
"""Lower bound of the rank correlation with frozen members from which a check counts as support."""
LARGEST_GROUP = 0.5
BLOCK = 512
"""Retrained networks that are kept in memory at a time."""


@dataclass(frozen=True, eq=False, repr=False)
class Check:
    """Predicted against retrained changes of the explained scores.

    Attributes
    ----------
    table : DataFrame
        One row for each (query, retraining): query, position (of the query), retraining, kind, n_removed, own_cluster
        (all removed examples are members of the query's own cluster), predicted (change of the margin with the clusters'
        members frozen), predicted_reclustered (with the members that are predicted to change sides), same_cluster
        (baseline: minus the number of removed members of the own cluster), frozen and reclustered (retrained change
        under either assignment).
    summary : DataFrame
        One row for each (kind, assignments), each truth against its own prediction: n, spearman with low and high (95 %
        bootstrap interval), pearson, slope, within (Spearman among removals from the query's own cluster), same_cluster
        (Spearman of that baseline).
    dissolved : float
        Share of (query, retraining) pairs in which a cluster of the pair lost all its members.
    explanation : Explanation
        The explanation, with the verdict attached.
    null : float
        Largest change of a margin when everything is retrained with nothing removed, members frozen: round-off, unless the
        model arrived trained. No change below it means anything.
    """

    table: pd.DataFrame
    summary: pd.DataFrame
    dissolved: float
    explanation: Explanation
    null: float = float("nan")

    def figure(self, kind: str, assignments: str, column: str = "spearman") -> float:
        """Return one number of the summary, NaN if that kind was not drawn."""
        picked = self.summary[(self.summary["kind"] == kind) & (self.summary["assignments"] == assignments)]
        return float(picked[column].iloc[0]) if len(picked) else float("nan")

    @property
    def status(self) -> str:
        """Say "supported", "not supported" or "untested" of the explanation.

        Supported means two things for removals of random single examples: with the clusters' members frozen, the lower end
        of the interval reaches ``SUPPORTED``; re-clustered, it lies above 0 and the mean above the same-cluster baseline.
        Untested: too few single removals to say.
        """
        low, reclustered = self.figure("single", "frozen", "low"), self.figure("single", "reclustered", "low")
        if np.isnan(low) or np.isnan(reclustered):
            return "untested"
        baseline = np.nan_to_num(self.figure("single", "reclustered", "same_cluster"), nan=-1.0)
        holds = low >= SUPPORTED and reclustered > 0 and self.figure("single", "reclustered") > baseline
        return "supported" if holds else "not supported"

    @property
    def supported(self) -> bool:
        """Whether the status is "supported"."""
        return self.status == "supported"

    @property
    def verdict(self) -> str:
        """The result as a plain sentence."""
        n = self.table["retraining"].nunique()
        opening = {
            "supported": f"supported by {n} retrainings",
            "not supported": f"NOT supported by {n} retrainings",
            "untested": f"untested, {n} retrainings hold too few removals of single examples",
        }[self.status]
        hard = not self.table["frozen"].equals(self.table["reclustered"])
        single, group = (
            f"{self._words(kind, 'frozen')} with the clusters' members frozen, {self._words(kind, 'reclustered')} re-clustered"
            if hard
            else self._words(kind, "frozen")
            for kind in ("single", "group")
        )
        return (
            f"{opening}. Rank correlation of predicted and retrained changes of the margin (1 is perfect): random single "
            f"removals {single}, where knowing only the cluster of the removed example gives "
            f"{self._words('single', 'reclustered', baseline=True)}; random groups {group}. Sizes, retrained over predicted: "
            f"single removals {self._size('single')}, groups {self._size('group')}{self._caveats()}"
        )

    def _caveats(self) -> str:
        turns = self._wrong_side()
        sides = f". Without their top pullers, {turns} of {len(self.explanation)} samples end on another side of the boundary "
        gone = f". In {self.dissolved:.1%} of the cases a cluster of the pair dissolved"
        return (sides + "than predicted" if turns else "") + (gone if self.dissolved else "")

    def _size(self, kind: str) -> str:
        slopes = [self.figure(kind, assignments, "slope") for assignments in ASSIGNMENTS]
        return "not tried" if np.isnan(slopes).any() else f"{slopes[0]:.2f} frozen and {slopes[1]:.2f} re-clustered"

    def _wrong_side(self) -> int:
        """Count the samples whose margin without their top pullers has another sign than predicted."""
        rows = self.table[self.table["kind"] == "top pullers"]
        margins = self.explanation.scores[rows["position"].to_numpy(dtype=int)]
        return int((np.sign(margins + rows["predicted_reclustered"]) != np.sign(margins + rows["reclustered"])).sum())

    def _words(self, kind: str, assignments: str, *, baseline: bool = False) -> str:
        if baseline:
            value = self.figure(kind, assignments, "same_cluster")
            return "nothing" if np.isnan(value) else f"{value:.2f}"
        mean, low, high = (self.figure(kind, assignments, name) for name in ("spearman", "low", "high"))
        return "not tried" if np.isnan(mean) else f"{mean:.3f} [{low:.3f}, {high:.3f}]"

    def to_dict(self) -> dict[str, Any]:
        """Return sentence, figures and retrainings as plain data."""
        summary = self.summary.astype(object).where(self.summary.notna(), None)
        return {
            "sentence": self.verdict,
            "status": self.status,
            "dissolved": self.dissolved,
            "null": self.null if np.isfinite(self.null) else None,
            "summary": summary.to_dict("records"),
        }

    def __repr__(self) -> str:
        """Return verdict and summary as text."""
        return f"Check: {self.verdict}.\n\n{self.summary.to_string(index=False, float_format='{:.3f}'.format)}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """Return the card of a notebook: text, HTML without scripts, and with the extra ``export`` a PNG."""
        return self.explanation.source.bundle_of(self)


def verify(
    pipeline: Pipeline,
    question: Question,
    explanation: Explanation,
    *,
    n_single: int = 48,
    n_within: int = 48,
    n_groups: int = 48,
    n_down: int = 0,
    n_top: int = 10,
    group_share: float = 0.05,
    random_state: int = 0,
    n_jobs: int | None = None,
    show_progress: bool = False,
) -> Check:
    """Retrain without examples, with the same randomness, and compare with the prediction.

    Parameters
    ----------
    pipeline : Pipeline
        The fitted pipeline.
    question : Question
        The explained scores.
    explanation : Explanation
        What is checked.
    n_single, n_within, n_groups : int, default=48
        Removals of random single examples, of single examples from the queries' own clusters, and of random groups.
    n_down : int, default=0
        Down-weightings of single examples by 5 %, which test the derivative rather than the linearity.
    n_top : int, default=10
        Size of each query's set of top pullers, removed together, and of a random set beside it.
    group_share : float, default=0.05
        Size of a random group.
    random_state : int, default=0
        Seed of the draw of removals.
    n_jobs : int or None, default=None
        Retrainings that run side by side.
    show_progress : bool, default=False
        Show a bar on a terminal.

    Returns
    -------
    Check
        Table, summary and verdict.

    Raises
    ------
    InvalidParameterError
        If a count is negative or the share is outside (0, 1).
    """
    counts = {"n_single": n_single, "n_within": n_within, "n_groups": n_groups, "n_down": n_down, "n_top": n_top}
    for name, value in counts.items():
        if value < 0:
            raise InvalidParameterError(f"{name}={value} must be at least 0.")
    if not 0 < group_share <= LARGEST_GROUP:
        raise InvalidParameterError(
            f"group_share={group_share} must lie between 0 and {LARGEST_GROUP}, for example 0.05: a prediction of first order "
            f"says nothing about larger groups."
        )
    base = pipeline.run.weights.double().numpy()
    removals = draw_removals(
        explanation.influence,
        explanation.labels,
        explanation.train_labels,
        np.flatnonzero(base > 0),
        group_share=group_share,
        seed=random_state,
        **counts,
    )
    if not removals:
        raise InvalidParameterError("Nothing to retrain: every count is 0. Expected for example n_single=48.")
    weights = np.stack([base, *(removal.weights(base) for removal in removals)])
    truth, nothing_removed = _retrain(pipeline, question, weights, n_jobs=n_jobs, show_progress=show_progress)
    table = _table(explanation, removals, weights[1:], truth)
    null = float(np.abs(nothing_removed - explanation.scores).max())
    check = Check(table, _summary(table), float(table["frozen"].isna().mean()), explanation, null)
    figures: dict[str, float | None] = {
        f"{kind}_{assignments}": check.figure(kind, assignments)
        for kind in ("single", "group")
        for assignments in ASSIGNMENTS
    }
    summary = CheckSummary(check.verdict, figures, check.status, table[list(RETRAINED)], null)
    checked = dataclasses.replace(explanation, check=summary)
    return dataclasses.replace(check, explanation=checked)


def _retrain(
    pipeline: Pipeline, question: Question, weights: np.ndarray, *, n_jobs: int | None, show_progress: bool
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the change of every score against the null row 0, (n_removals, n_queries) by assignments, and that row."""
    recipe = pipeline.run.recipe
    scores: dict[str, list[np.ndarray]] = {name: [] for name in ASSIGNMENTS}
    tensor = torch.from_numpy(weights).to(recipe.dtype)
    for block in tensor.split(BLOCK):
        trained = train_replicas(recipe, block, n_jobs=n_jobs, show_progress=show_progress)
        for theta, row in zip(trained, block, strict=True):
            for name in ASSIGNMENTS if pipeline.clustering.reclusters else ASSIGNMENTS[:1]:
                found, _ = pipeline.scores(question, recipe.layout.split(theta), row, assignments=name)
                scores[name].append(found.numpy())
    stacked = {name: np.stack(rows or scores[ASSIGNMENTS[0]]) for name, rows in scores.items()}
    return {name: rows[1:] - rows[0] for name, rows in stacked.items()}, stacked[ASSIGNMENTS[0]][0]


def _table(
    explanation: Explanation, removals: list[Removal], weights: np.ndarray, truth: dict[str, np.ndarray]
) -> pd.DataFrame:
    predicted = explanation.predict(weights)
    reclustered = explanation.predict(weights, assignments="reclustered")
    frames = []
    for position, query in enumerate(explanation.query_ids):
        member = explanation.train_labels == explanation.labels[position]
        picked = [number for number, removal in enumerate(removals) if removal.query in (None, position)]
        frames.append(
            pd.DataFrame(
                {
                    "query": query,
                    "position": position,
                    "retraining": picked,
                    "kind": [removals[number].kind for number in picked],
                    "n_removed": [len(removals[number].members) for number in picked],
                    "own_cluster": [bool(member[removals[number].members].all()) for number in picked],
                    "predicted": predicted[picked, position],
                    "predicted_reclustered": reclustered[picked, position],
                    "same_cluster": [-float(member[removals[number].members].sum()) for number in picked],
                    **{name: changes[picked, position] for name, changes in truth.items()},
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _summary(table: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for kind in table["kind"].unique():
        part = table[table["kind"] == kind]
        baseline = _wide(part, "same_cluster")
        own = _wide(part, "own_cluster").astype(bool)
        for name in ASSIGNMENTS:
            truth, predicted = _wide(part, name), _wide(part, PREDICTED[name])
            mean, low, high = metrics.mean_with_interval(predicted, truth)
            rows.append(
                {
                    "kind": kind,
                    "assignments": name,
                    "n": truth.shape[0],
                    "spearman": mean,
                    "low": low,
                    "high": high,
                    "pearson": metrics.average(metrics.pearson(predicted, truth)),
                    "slope": metrics.average(metrics.slope(predicted, truth)),
                    "within": metrics.average(metrics.spearman(np.where(own, predicted, np.nan), truth)),
                    "same_cluster": metrics.average(metrics.spearman(baseline, truth)),
                }
            )
    return pd.DataFrame(rows)


def _wide(part: pd.DataFrame, column: str) -> np.ndarray:
    """Return a column as an array of shape (n_retrainings, n_queries)."""
    return part.pivot(index="retraining", columns="position", values=column).to_numpy(dtype=float)
