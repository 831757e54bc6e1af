"""The check: retrain at other data weights and compare with the prediction of the influences."""

from __future__ import annotations

import dataclasses
import numbers
from pathlib import Path

import numpy as np

from clusterexplain.clustering.given.reclustered_labels import refuse_unequal_weights
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.execution import Execution
from clusterexplain.influence import TrainingJacobian
from clusterexplain.results.check import Check
from clusterexplain.results.explanation import Explanation
from clusterexplain.verification.comparison import compare, estimand_check
from clusterexplain.verification.controls.duplicates import duplicates
from clusterexplain.verification.controls.planted_duplicates import planted_duplicates
from clusterexplain.verification.controls.reference_rankings import reference_rankings
from clusterexplain.verification.estimands import Retrainings, choose_estimands
from clusterexplain.verification.levels import Level, level_of
from clusterexplain.verification.removal_sampler import RemovalSampler
from clusterexplain.verification.retraining_cache import RetrainingCache
from clusterexplain.verification.verdicts import check_summary

SEEDS = 2**32


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
    n_duplicates: int | None = None,
    random_state: int = 0,
    cache: str | Path | None = None,
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
        Queries for the positive control: near-duplicates are planted in the runner-up cluster, everything is trained again, and
        they should be found. 4 for "full", else 0.
    n_duplicates : int, optional
        Examples that are duplicated, to train again and remove each original and each duplicate in turn, which should do the
        same. 16 for "full", else 0.
    random_state : int, default=0
        Seed of the draw of removals.
    cache : path-like, optional
        A run directory: what is retrained without examples is kept there, so that an interrupted check resumes, a larger
        one uses the retrainings of a smaller one, and the check of another sample trains only what belongs to that
        sample. Without it nothing is kept. Trainings with more rows (planted near-duplicates, exact duplicates) are done again.
    execution : Execution, optional
        Workers and progress bars; those of the fit by default.

    Returns
    -------
    Check
        Figures, grades and verdict.

    Raises
    ------
    InvalidParameterError
        If a parameter is out of range, or an estimand does not exist for this model.
    """
    counts = {"n_single": n_single, "n_within": n_within, "n_groups": n_groups, "n_down": n_down, "n_top": n_top}
    controls = {"n_planted": n_planted, "n_duplicates": n_duplicates}
    other = {"group_share": group_share, "estimands": estimands, "n_seeds": n_seeds}
    size = level_of(level, counts | other | controls)
    _check_controls(explanation, size)
    fit = explanation.fit if execution is None else dataclasses.replace(explanation.fit, execution=execution)
    _check_seed(random_state)
    retraining_cache = RetrainingCache(None if cache is None else _folder(cache))
    asked, left_out = choose_estimands(explanation, size, named=estimands is not None)
    segments = _sampler(explanation, random_state, size.group_share).draw(size.stages)
    retrainings = Retrainings(fit, explanation, segments, retraining_cache, size.from_scratch)
    removals = retrainings.removals
    if not removals:
        raise InvalidParameterError("Nothing to retrain: every count is 0. Expected for example n_single=48.")
    rankings = reference_rankings(explanation, seed=random_state)
    compared = {
        estimand: compare(estimand, explanation, removals, retrainings.changes(estimand, size.n_seeds), rankings, size)
        for estimand in asked
    }
    planted = planted_duplicates(fit, explanation, size.n_planted, seed=random_state)
    duplicated = duplicates(fit, explanation, size.n_duplicates, seed=random_state, cache=retraining_cache)
    checked = dataclasses.replace(
        explanation, check=check_summary(compared, left_out, planted, labels_given=fit.clustering.labels_given)
    )
    by_estimand = {
        estimand: estimand_check(faithfulness, explanation.query_ids) for estimand, faithfulness in compared.items()
    }
    return Check(checked, by_estimand, size.name, removals, planted, duplicated)


def _check_controls(explanation: Explanation, size: Level) -> None:
    """Refuse controls that fit more rows if the method is known for these rows alone, and weights that cannot be clustered."""
    if any(count for stage in size.stages for count in stage.down.values()):
        refuse_unequal_weights(
            explanation.fit.clustering, f"A check of level {size.name!r} lowers the weights of single examples"
        )
    if isinstance(explanation.influence_method, TrainingJacobian) and (size.n_planted or size.n_duplicates):
        raise InvalidParameterError(
            f"n_planted={size.n_planted} and n_duplicates={size.n_duplicates} fit the recipe with more rows, and the method "
            f"{explanation.method!r} was given as an object for these rows. Expected both 0, or an explanation whose method is "
            f"a function of the recorded training: ce.explain(..., method=make_jacobian)."
        )


def _check_seed(seed: object) -> None:
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral) or not 0 <= int(seed) < SEEDS:
        raise InvalidParameterError(f"random_state={seed!r} must be a whole number from 0 to 2**32 - 1, for example 0.")


def _folder(cache: str | Path) -> Path:
    folder = Path(cache)
    if not folder.is_dir():
        raise InvalidParameterError(
            f"cache={str(cache)!r} is not a folder. Expected a run directory, from ce.save(...), or another folder that exists."
        )
    return folder


def _sampler(explanation: Explanation, seed: int, share: float) -> RemovalSampler:
    """Return what removals are drawn from."""
    fit = explanation.fit

    def near(query: int) -> np.ndarray:
        if explanation.combined:
            return np.empty(0, dtype=np.intp)
        row = fit.embed_normalized(fit.query_inputs(explanation.margins)[[query]]).numpy()
        order = np.argsort(np.linalg.norm(fit.assignment.embedding.numpy() - row, axis=1), kind="stable")
        others: np.ndarray = order[order != explanation.positions[query]]
        return others

    candidates = np.flatnonzero(fit.weights.numpy() > 0)
    pairs = explanation.labels, explanation.runner_ups
    return RemovalSampler(explanation.influence, *pairs, explanation.train_labels, candidates, near, seed, share)
