"""The check: retrain at other data weights and compare with the prediction of the influences."""

from __future__ import annotations

import dataclasses
import numbers
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.execution import Execution
from clusterexplain.fitting.fit import Fit
from clusterexplain.fitting.variants import estimand_name, obstacle, variants_of
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.removals import GROUP, SINGLE, Removal, RemovalKind, RemovalName
from clusterexplain.statistics import metrics
from clusterexplain.verification.check import Check
from clusterexplain.verification.controls.clustering_from_scratch import ClusteringFromScratch
from clusterexplain.verification.controls.duplicates import duplicated
from clusterexplain.verification.controls.planted_duplicates import planted
from clusterexplain.verification.controls.reference_rankings import yardsticks
from clusterexplain.verification.faithfulness import Faithfulness
from clusterexplain.verification.levels import Level, level_of
from clusterexplain.verification.removals import RemovalSampler
from clusterexplain.verification.retraining import ASSIGNMENTS, RetrainedChanges, retrain
from clusterexplain.verification.retraining_cache import RetrainingCache
from clusterexplain.verification.stability.refits import refit_seeds
from clusterexplain.verification.verdicts import summarised

UNSEEN = 0x5EED
"""Mixed into the root seed: the seeds of a check are others than those of an explanation over seeds."""
SEEDS = 2**32
HALF, NINE_TENTHS = RemovalKind(RemovalName.SUBSET, 0.5), RemovalKind(RemovalName.SUBSET, 0.9)
OVER_SEEDS = (SINGLE, GROUP, HALF, NINE_TENTHS)
"""Kinds that are retrained with other seeds and in further training."""
SWEPT = (SINGLE,)


def verify(
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
    n_duplicated: int | None = None,
    random_state: int = 0,
    keep: str | Path | None = None,
    execution: Execution | None = None,
) -> Check:
    """Retrain without examples, with the same randomness, and compare with the prediction.

    Parameters
    ----------
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
    n_duplicated : int, optional
        Examples that are copied, to train again and remove each original and each copy in turn, which should do the same. 16
        for "full", else 0.
    random_state : int, default=0
        Seed of the draw of removals.
    keep : path-like, optional
        A run directory: what is retrained is kept there, so that an interrupted check goes on where it was, a larger one uses a
        smaller one's work, and the check of another sample trains only what belongs to that sample.
    execution : Execution, optional
        Workers and progress bars; those of the fit by default.

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
    controls = {"n_planted": n_planted, "n_duplicated": n_duplicated}
    other = {"group_share": group_share, "estimands": estimands, "n_seeds": n_seeds}
    size = level_of(level, counts | other | controls)
    fit = explanation.fit if execution is None else dataclasses.replace(explanation.fit, execution=execution)
    _check_seed(random_state)
    folder = None if keep is None else _folder(keep)
    asked, left_out = _estimands(explanation, size, named=estimands is not None)
    segments = _pool(explanation, random_state, size.usual_share).draw(size.stages)
    removals = [one for part in segments for one in part]
    if not removals:
        raise InvalidParameterError("Nothing to retrain: every count is 0. Expected for example n_single=48.")
    trainings = _Trainings(fit, explanation, segments, RetrainingCache(folder), size.independent)
    rows = yardsticks(explanation, seed=random_state)
    found: dict[str, Faithfulness] = {}
    for estimand in asked:
        outcomes = trainings.outcomes(estimand, size.n_seeds)
        found[estimand] = _findings(estimand, explanation, removals, outcomes, rows, size)
    control = planted(fit, explanation, size.n_planted, seed=random_state)
    copies = duplicated(fit, explanation, size.n_duplicated, seed=random_state, kept=trainings.kept)
    checked = dataclasses.replace(explanation, check=summarised(found, left_out, control))
    return Check(checked, found, size, removals, control, copies)


@dataclass(frozen=True, eq=False)
class _Trainings:
    """Everything that a check trains."""

    fit: Fit
    explanation: Explanation
    segments: list[list[Removal]]
    kept: RetrainingCache
    independent: bool

    def outcomes(self, estimand: str, n_seeds: int) -> list[RetrainedChanges]:
        """Return what retraining for an estimand gave, a row for every removal, NaN for those that it leaves out."""
        seeds = refit_seeds(self.fit.seed ^ UNSEEN, n_seeds)
        everything = estimand == "seed" or self.fit.pretrained
        found = []
        for number, variant in enumerate(variants_of(self.fit, estimand, seeds)):
            control = estimand == "model" and number > 0
            only = SWEPT if control else None if everything else OVER_SEEDS
            picked = [[one for one in part if only is None or one.kind in only] for part in self.segments]
            from_scratch = self.independent and not control
            outcome = retrain(self.fit, self.explanation.margins, variant, picked, self.kept, independent=from_scratch)
            found.append(_spread(outcome, [one for part in self.segments for one in part], only))
        return found


def _check_seed(seed: Any) -> None:
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral) or not 0 <= int(seed) < SEEDS:
        raise InvalidParameterError(f"random_state={seed!r} must be a whole number from 0 to 2**32 - 1, for example 0.")


def _folder(keep: str | Path) -> Path:
    folder = Path(keep)
    if not folder.is_dir():
        raise InvalidParameterError(
            f"keep={str(keep)!r} is no folder. Expected a run directory, from ce.save(...), or another folder that exists."
        )
    return folder


def _estimands(explanation: Explanation, size: Level, *, named: bool) -> tuple[list[str], dict[str, str]]:
    """Return what is asked, the headline first, and what a level would ask but this model has not, with the reason."""
    fit = explanation.fit
    wanted = size.estimands
    if explanation.seed_variability is not None and not named:  # a mean over seeds is an answer about the recipe
        wanted = ("recipe", *(one for one in wanted if one != "recipe"))
    reasons = {one: obstacle(fit, one) for one in wanted}
    missing = {one: reason for one, reason in reasons.items() if reason}
    if missing and (named or len(missing) == len(wanted)):
        raise InvalidParameterError(next(iter(missing.values())))
    asked = [estimand_name(one, pretrained=fit.pretrained) for one in wanted if one not in missing]
    return list(dict.fromkeys(asked)), missing


def _pool(explanation: Explanation, seed: int, share: float) -> RemovalSampler:
    """Return what removals are drawn from."""
    fit = explanation.fit

    def near(query: int) -> np.ndarray:
        if explanation.combined:
            return np.empty(0, dtype=np.intp)
        row = fit.embed_normalized(fit.query_inputs(explanation.margins)[[query]]).numpy()
        order = np.argsort(np.linalg.norm(fit.assignment.embedding.numpy() - row, axis=1), kind="stable")
        return order[order != explanation.positions[query]]

    candidates = np.flatnonzero(fit.weights.numpy() > 0)
    pairs = explanation.labels, explanation.rivals
    return RemovalSampler(explanation.influence, *pairs, explanation.train_labels, candidates, near, seed, share)


def _spread(
    outcome: RetrainedChanges, removals: list[Removal], only: tuple[RemovalKind, ...] | None
) -> RetrainedChanges:
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
    anew = None if outcome.independent is None else outcome.independent.spread(picked, len(removals))
    return dataclasses.replace(outcome, changes=changes, overlap=overlap, independent=anew)


def _agreement(usual: RetrainedChanges, other: RetrainedChanges, removals: list[Removal]) -> np.ndarray:
    picked = [number for number, one in enumerate(removals) if one.kind in SWEPT]
    return metrics.spearman(usual.changes["kept"][picked], other.changes["kept"][picked])


def _findings(
    estimand: str,
    explanation: Explanation,
    removals: list[Removal],
    outcomes: list[RetrainedChanges],
    rows: dict[str, np.ndarray],
    size: Level,
) -> Faithfulness:
    sweep = {one.label: _agreement(outcomes[0], one, removals) for one in outcomes[1:]} if estimand == "model" else {}
    if estimand == "model":  # the other lengths are a control
        outcomes = outcomes[:1]
    base = explanation.sample_weight
    weights = np.stack([one.weights(base) for one in removals])
    relative = np.divide(weights, base, out=np.ones_like(weights), where=base > 0) - 1
    truth = {name: np.stack([one.changes[name] for one in outcomes]) for name in ASSIGNMENTS}
    overlap = np.stack([one.overlap for one in outcomes])
    anew = [one.independent for one in outcomes if one.independent is not None]
    mine = np.array([[one.query in (None, query) for query in range(len(explanation))] for one in removals])
    left_out = np.array([one.kind not in OVER_SEEDS for one in removals]) & (estimand != "seed")
    if estimand == "model" and np.isfinite(truth["kept"][:, left_out]).any():  # it is pretrained: nothing was left out
        left_out[:] = False
    tried = mine & ~left_out[:, None]
    member = explanation.labels[:, None] == explanation.train_labels
    own = np.array([member[:, one.members].all(axis=1) for one in removals])
    predicted = {name: explanation.predict(weights, assignments=name) for name in ASSIGNMENTS}
    return Faithfulness(
        estimand=estimand,
        kinds=tuple(one.kind for one in removals),
        sizes=np.array([len(one.members) for one in removals]),
        predicted={name: np.where(tried, one, np.nan) for name, one in predicted.items()},
        truth=truth,
        tried=tried,
        yardsticks={name: relative @ one.T for name, one in rows.items()},
        own=own,
        scores=explanation.scores,
        nulls=np.stack([one.null for one in outcomes]) - explanation.scores,
        overlap=overlap,
        independent=ClusteringFromScratch.joined(anew, axis=0) if anew else None,
        sweep=sweep,
        rerun=max(one.rerun for one in outcomes),
        cap="B" if size.name == "custom" else size.cap,
        group_share=size.usual_share,
    )
