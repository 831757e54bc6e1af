"""The check: retrain at other data weights and compare with the prediction of the influences."""

from __future__ import annotations

import dataclasses
import numbers
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from clusterexplain.answering import Answers
from clusterexplain.attached import CheckSummary, Verdict
from clusterexplain.beside import RETRAINED
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.explanation import Explanation
from clusterexplain.pipeline import Question
from clusterexplain.stability.refits import refit_seeds
from clusterexplain.verification import metrics
from clusterexplain.verification.estimands import WORDS, estimand_name, obstacle, variants_of
from clusterexplain.verification.findings import Findings
from clusterexplain.verification.kept import Kept
from clusterexplain.verification.levels import Level, level_of
from clusterexplain.verification.outcomes import ASSIGNMENTS, Outcome, retrain
from clusterexplain.verification.planted import planted
from clusterexplain.verification.selection import GROUP, HEADLINE, Pool, Removal
from clusterexplain.verification.yardsticks import yardsticks

UNSEEN = 0x5EED
"""Mixed into the root seed: the seeds of a check are others than those of an explanation over seeds."""
SEEDS = 2**32
OVER_SEEDS = (HEADLINE, GROUP, "subset 50 %", "subset 90 %")
"""Kinds that are retrained with other seeds and in further training."""
SWEPT = (HEADLINE,)


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
    sweep : dict of str to float
        For the estimand "model": rank correlation of the changes by single removals after shorter and longer further training
        with those after the usual length; from 0.9 on the answer does not depend on it.
    planted : DataFrame
        The positive control: of near-copies of a query that were planted in the rival cluster, the share found among those
        that push most; see :func:`clusterexplain.verification.planted.planted`. No rows where it was not asked for.
    """

    explanation: Explanation
    findings: dict[str, Findings]
    level: Level
    removals: list[Removal]
    sweep: dict[str, float]
    planted: pd.DataFrame

    @property
    def headline(self) -> Findings:
        """The findings that the verdict is about: of this seed, if that was asked."""
        return next(iter(self.findings.values()))

    @property
    def table(self) -> pd.DataFrame:
        """One row for each (query, retraining) of the headline.

        Columns query, position (of the query), retraining, kind, n_removed, own_cluster (all removed examples are members of
        the query's own cluster), predicted (change of the margin with the clusters' members frozen), predicted_reclustered
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
                "kind": found.kinds[picked],
                "n_removed": found.sizes[picked],
                "own_cluster": found.own[picked, position],
                "predicted": found.predicted["frozen"][picked, position],
                "predicted_reclustered": found.predicted["reclustered"][picked, position],
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
    def dissolved(self) -> float:
        """Share of the single removals after which a cluster of the query's pair was another one, re-clustered."""
        return self.headline.dissolved["reclustered"]

    @property
    def null(self) -> float:
        """Largest change of a margin when everything is retrained with nothing removed, members frozen.

        No change below it means anything. NaN for further training, which moves the margins by itself.
        """
        return self._summarised.together.null

    def figure(self, kind: str, assignments: str, column: str = "spearman", *, estimand: str | None = None) -> float:
        """Return one number of the summary, NaN if that kind was not drawn; of the headline unless an estimand is named."""
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
        return {
            "sentence": self.verdict,
            "status": self.status,
            "grade": self.grade,
            "level": self.level.name,
            "dissolved": self.dissolved,
            "null": self.null if np.isfinite(self.null) else None,
            "grades": _plain(self.grades),
            "controls": _plain(self.controls),
            "sweep": self.sweep,
            "planted": _plain(self.planted),
            "summary": _plain(self.summary),
            "each": [
                {"sample": one, "status": verdict.status, "grade": verdict.grade, "sentence": verdict.sentence}
                for one, verdict in zip(self.explanation.query_ids.tolist(), self._summarised.each, strict=True)
            ],
        }

    def __repr__(self) -> str:
        """Return verdict and summary as text."""
        columns = ["kind", "assignments", "n", "spearman", "low", "high", "slope", "signs", "within", "same_cluster"]
        shown = self.summary[(["estimand"] if len(self.findings) > 1 else []) + columns]
        return f"Check: {self.verdict}.\n\n{shown.to_string(index=False, float_format='{:.3f}'.format)}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """Return the card of a notebook: text, HTML without scripts, and with the extra ``export`` a PNG."""
        return self.explanation.source.bundle_of(self)


def verify(
    explainer: Any,
    explanation: Explanation,
    *,
    level: str = "quick",
    estimands: str | tuple[str, ...] | None = None,
    n_seeds: int | None = None,
    n_single: int | None = None,
    n_within: int | None = None,
    n_groups: int | None = None,
    n_down: int | None = None,
    n_top: int | None = None,
    group_share: float | None = None,
    n_planted: int | None = None,
    random_state: int = 0,
    keep: str | Path | None = None,
    n_jobs: int | None = None,
    show_progress: bool = False,
) -> Check:
    """Retrain without examples, with the same randomness, and compare with the prediction.

    Parameters
    ----------
    explainer : ClusterExplainer
        Fitted.
    explanation : Explanation
        What is checked.
    level : {"quick", "standard", "full"}, default="quick"
        How much is retrained: about 150 times, about 1,500, or about 6,000. A larger level holds the retrainings of a smaller
        one. "quick" gives grade B at best.
    estimands : str or tuple of str, optional
        What is asked: "seed" (this recipe with this randomness), "model" (further training of the fitted model), "recipe" (the
        mean over other seeds). By default "seed", from "standard" on "recipe" too, and all three for "full".
    n_seeds : int, optional
        Seeds for "recipe".
    n_single, n_within, n_groups : int, optional
        Removals of random single examples, of single examples from the queries' own clusters, and of random groups, instead
        of those of the level; 48 each if any count is given.
    n_down : int, optional
        Down-weightings of single examples by 5 %, which test the derivative rather than the linearity.
    n_top : int, optional
        Size of each query's set of top pullers, removed together, and of a random set beside it.
    group_share : float, optional
        Size of a random group; 0.05 by default.
    n_planted : int, optional
        Queries for the positive control: near-copies are planted in the rival cluster, everything is trained again, and the
        copies should be found. 4 for "full", else 0.
    random_state : int, default=0
        Seed of the draw of removals.
    keep : path-like, optional
        A run directory: what is retrained is kept there, so that an interrupted check goes on where it was, a larger one uses a
        smaller one's work, and the check of another sample trains only what belongs to that sample.
    n_jobs : int or None, default=None
        Retrainings that run side by side.
    show_progress : bool, default=False
        Show a bar on a terminal.

    Returns
    -------
    Check
        Findings, grades and verdict.

    Raises
    ------
    InvalidParameterError
        If a parameter is out of range, or an estimand does not exist for this model.
    """
    counts = {"n_single": n_single, "n_within": n_within, "n_groups": n_groups, "n_down": n_down, "n_top": n_top}
    other = {"group_share": group_share, "estimands": estimands, "n_seeds": n_seeds, "n_planted": n_planted}
    size = level_of(level, counts | other)
    answers = cast(Answers, explanation.basis)
    if (
        isinstance(random_state, bool)
        or not isinstance(random_state, numbers.Integral)
        or not 0 <= random_state < SEEDS
    ):
        raise InvalidParameterError(
            f"random_state={random_state!r} must be a whole number from 0 to 2**32 - 1, for example 0."
        )
    folder = None if keep is None else _folder(keep)
    question = answers.question_of(explanation)
    asked, left_out = _estimands(explainer, explanation, size, named=estimands is not None)
    segments = _pool(answers, question, explanation, random_state, size.usual_share).draw(size.stages)
    removals = [one for part in segments for one in part]
    if not removals:
        raise InvalidParameterError("Nothing to retrain: every count is 0. Expected for example n_single=48.")
    trainings = _Trainings(explainer, explanation, question, segments, Kept(folder), n_jobs, show_progress)
    rows = yardsticks(answers, question, explanation, seed=random_state)
    found: dict[str, Findings] = {}
    sweep: dict[str, float] = {}
    for estimand in asked:
        outcomes = trainings.outcomes(estimand, size.n_seeds)
        if estimand == "model":
            sweep = {one.label: _agreement(outcomes[0], one, removals) for one in outcomes[1:]}
            outcomes = outcomes[:1]
        found[estimand] = _findings(estimand, explanation, removals, outcomes, rows, size)
    checked = dataclasses.replace(explanation, check=_summary(found, left_out))
    control = planted(explainer, explanation, size.n_planted, seed=random_state, show_progress=show_progress)
    return Check(checked, found, size, removals, sweep, control)


@dataclass(frozen=True, eq=False)
class _Trainings:
    """Everything that a check trains."""

    explainer: Any
    explanation: Explanation
    question: Question
    segments: list[list[Removal]]
    kept: Kept
    n_jobs: int | None
    show_progress: bool

    def outcomes(self, estimand: str, n_seeds: int) -> list[Outcome]:
        """Return what retraining for an estimand gave, a row for every removal, NaN for those that it leaves out."""
        pipeline = cast(Answers, self.explanation.basis).pipeline
        seeds = refit_seeds(self.explainer.seed_ ^ UNSEEN, n_seeds)
        everything = estimand == "seed" or pipeline.arrived
        found = []
        for number, variant in enumerate(variants_of(self.explainer, pipeline, estimand, seeds)):
            control = estimand == "model" and number > 0
            only = SWEPT if control else None if everything else OVER_SEEDS
            picked = [[one for one in part if only is None or one.kind in only] for part in self.segments]
            outcome = retrain(
                pipeline,
                self.question,
                variant,
                picked,
                self.kept,
                self.explanation.fit_key,
                n_jobs=self.n_jobs,
                show_progress=self.show_progress,
            )
            found.append(_spread(outcome, [one for part in self.segments for one in part], only))
        return found


def _folder(keep: str | Path) -> Path:
    folder = Path(keep)
    if not folder.is_dir():
        raise InvalidParameterError(
            f"keep={str(keep)!r} is no folder. Expected a run directory, from ce.save(...), or another folder that exists."
        )
    return folder


def _estimands(
    explainer: Any, explanation: Explanation, size: Level, *, named: bool
) -> tuple[list[str], dict[str, str]]:
    """Return what is asked, the headline first, and what a level would ask but this model has not, with the reason."""
    pipeline = cast(Answers, explanation.basis).pipeline
    wanted = size.estimands
    if explanation.over_seeds is not None and not named:  # a mean over seeds is an answer about the recipe
        wanted = ("recipe", *(one for one in wanted if one != "recipe"))
    reasons = {one: obstacle(explainer, pipeline, one) for one in wanted}
    missing = {one: reason for one, reason in reasons.items() if reason}
    if missing and (named or len(missing) == len(wanted)):
        raise InvalidParameterError(next(iter(missing.values())))
    asked = [estimand_name(one, arrived=pipeline.arrived) for one in wanted if one not in missing]
    return list(dict.fromkeys(asked)), missing


def _pool(answers: Answers, question: Question, explanation: Explanation, seed: int, share: float) -> Pool:
    """Return what removals are drawn from."""
    pipeline = answers.pipeline

    def near(query: int) -> np.ndarray:
        if question.mix is not None:
            return np.empty(0, dtype=np.intp)
        row = pipeline.look(question.inputs[[query]]).numpy()
        order = np.argsort(np.linalg.norm(pipeline.viewed.numpy() - row, axis=1), kind="stable")
        return order[order != explanation.positions[query]]

    candidates = np.flatnonzero(pipeline.run.weights.double().numpy() > 0)
    pairs = explanation.labels, explanation.rivals
    return Pool(explanation.influence, *pairs, explanation.train_labels, candidates, near, seed, share)


def _spread(outcome: Outcome, removals: list[Removal], only: tuple[str, ...] | None) -> Outcome:
    """Return the outcome with a row for every removal, NaN for those whose kind was left out."""
    if only is None:
        return outcome
    picked = [number for number, one in enumerate(removals) if one.kind in only]
    changes = {}
    for name, rows in outcome.changes.items():
        changes[name] = np.full((len(removals), rows.shape[1]), np.nan)
        changes[name][picked] = rows
    overlap = np.full((len(removals), outcome.overlap.shape[1]), np.nan)
    overlap[picked] = outcome.overlap
    return dataclasses.replace(outcome, changes=changes, overlap=overlap)


def _agreement(usual: Outcome, other: Outcome, removals: list[Removal]) -> float:
    picked = [number for number, one in enumerate(removals) if one.kind in SWEPT]
    return metrics.average(metrics.spearman(usual.changes["frozen"][picked], other.changes["frozen"][picked]))


def _findings(
    estimand: str,
    explanation: Explanation,
    removals: list[Removal],
    outcomes: list[Outcome],
    rows: dict[str, np.ndarray],
    size: Level,
) -> Findings:
    base = explanation.sample_weight
    weights = np.stack([one.weights(base) for one in removals])
    relative = np.divide(weights, base, out=np.ones_like(weights), where=base > 0) - 1
    truth = {name: np.stack([one.changes[name] for one in outcomes]) for name in ASSIGNMENTS}
    overlap = np.stack([one.overlap for one in outcomes])
    mine = np.array([[one.query in (None, query) for query in range(len(explanation))] for one in removals])
    left_out = np.array([one.kind not in OVER_SEEDS for one in removals]) & (estimand != "seed")
    if (
        estimand == "model" and np.isfinite(truth["frozen"][:, left_out]).any()
    ):  # it arrived trained: nothing was left out
        left_out[:] = False
    tried = mine & ~left_out[:, None]
    member = explanation.labels[:, None] == explanation.train_labels
    own = np.array([member[:, one.members].all(axis=1) for one in removals])
    predicted = {name: explanation.predict(weights, assignments=name) for name in ASSIGNMENTS}
    return Findings(
        estimand=estimand,
        kinds=np.array([one.kind for one in removals]),
        sizes=np.array([len(one.members) for one in removals]),
        predicted={name: np.where(tried, one, np.nan) for name, one in predicted.items()},
        truth=truth,
        tried=tried,
        yardsticks={name: relative @ one.T for name, one in rows.items()},
        own=own,
        scores=explanation.scores,
        nulls=np.stack([one.null for one in outcomes]) - explanation.scores,
        overlap=overlap,
        rerun=max(one.rerun for one in outcomes),
        cap="B" if size.name == "custom" else size.cap,
        group_share=size.usual_share,
    )


def _summary(found: dict[str, Findings], left_out: dict[str, str]) -> CheckSummary:
    first, *others = found.values()
    n = len(first.scores)
    together = _verdict(first, others, left_out)
    each = (
        [_verdict(first[one], [other[one] for other in others], left_out) for one in range(n)] if n > 1 else [together]
    )
    return CheckSummary(together, tuple(each), n, _retrained(first))


def _verdict(first: Findings, others: list[Findings], left_out: dict[str, str]) -> Verdict:
    """Return the verdict of the headline, with a clause about every other estimand."""
    more = "".join(f". About {WORDS[one.estimand]}: grade {one.grade.letter}, {one.grade.reason}" for one in others)
    more += "".join(f". Nothing was retrained about {WORDS[one]}" for one in left_out)
    return dataclasses.replace(first.verdict, sentence=first.verdict.sentence + more)


def _retrained(found: Findings) -> pd.DataFrame:
    """Return what is kept with an explanation, see :attr:`CheckSummary.retrained`."""
    rows, positions = np.nonzero(found.tried)
    order = np.lexsort((rows, positions))
    rows, positions = rows[order], positions[order]
    frame = pd.DataFrame(
        {
            "position": positions,
            "kind": found.kinds[rows],
            "n_removed": found.sizes[rows],
            "predicted": found.predicted["frozen"][rows, positions],
            "frozen": found.mean("frozen")[rows, positions],
            "predicted_reclustered": found.predicted["reclustered"][rows, positions],
            "reclustered": found.mean("reclustered")[rows, positions],
        }
    )
    return frame[list(RETRAINED)]


def _plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", frame.astype(object).where(frame.notna(), None).to_dict("records"))
