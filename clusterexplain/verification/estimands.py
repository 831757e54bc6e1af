"""Which estimands a check asks about, and what retraining gives for each."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.fitting.fit import Fit
from clusterexplain.fitting.variants import estimand_name, obstacle, variants_of
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.removals import GROUP, SINGLE, Removal, RemovalKind, RemovalName
from clusterexplain.results.verdict import Estimand
from clusterexplain.statistics import metrics
from clusterexplain.verification.levels import Level
from clusterexplain.verification.retrained_changes import RetrainedChanges, retrain
from clusterexplain.verification.retraining_cache import RetrainingCache
from clusterexplain.verification.stability.refits import refit_seeds

UNSEEN = 0x5EED
"""Mixed into the root seed: the seeds of a check are others than those of an explanation over seeds."""
KINDS_OVER_SEEDS = (SINGLE, GROUP, RemovalKind(RemovalName.SUBSET, 0.5), RemovalKind(RemovalName.SUBSET, 0.9))
"""Kinds that are retrained with other seeds and in further training."""
KINDS_OVER_LENGTHS = (SINGLE,)
"""Kinds that are retrained for other lengths of further training."""


def choose_estimands(
    explanation: Explanation, level: Level, *, named: bool
) -> tuple[list[Estimand], dict[Estimand, str]]:
    """Return what a check asks about.

    Parameters
    ----------
    explanation : Explanation
        What is checked; a mean over seeds is asked about the recipe first.
    level : Level
        Names the estimands.
    named : bool
        Whether the caller named them, so that none is left out in silence.

    Returns
    -------
    list of Estimand
        The headline first.
    dict of Estimand to str
        What the level would ask but this model does not have, with the reason.

    Raises
    ------
    InvalidParameterError
        If the model has none of them, or one that was named is missing.
    """
    fit = explanation.fit
    wanted = level.estimands
    if explanation.seed_variability is not None and not named:
        wanted = (Estimand.RECIPE, *(estimand for estimand in wanted if estimand is not Estimand.RECIPE))
    reasons = {estimand: obstacle(fit, estimand) for estimand in wanted}
    missing = {estimand: reason for estimand, reason in reasons.items() if reason}
    if missing and (named or len(missing) == len(wanted)):
        raise InvalidParameterError(next(iter(missing.values())))
    asked = [
        Estimand(estimand_name(estimand, pretrained=fit.pretrained)) for estimand in wanted if estimand not in missing
    ]
    return list(dict.fromkeys(asked)), missing


@dataclass(frozen=True, eq=False)
class Retrainings:
    """Everything that a check trains at the weights of its removals.

    Parameters
    ----------
    fit : Fit
        The fit, with the workers and progress bars of this check.
    explanation : Explanation
        What is checked.
    segments : list of list of Removal
        What is removed; blocks of retrainings do not reach over the end of a segment.
    cache : RetrainingCache
        What was retrained before.
    from_scratch : bool
        Whether data are also clustered from scratch.
    """

    fit: Fit
    explanation: Explanation
    segments: list[list[Removal]]
    cache: RetrainingCache
    from_scratch: bool

    @property
    def removals(self) -> list[Removal]:
        """All removals, in order."""
        return [removal for segment in self.segments for removal in segment]

    def changes(self, estimand: Estimand, n_seeds: int) -> list[RetrainedChanges]:
        """Return what retraining for an estimand gave.

        Parameters
        ----------
        estimand : Estimand
            The question.
        n_seeds : int
            Other seeds, for the recipe.

        Returns
        -------
        list of RetrainedChanges
            One for each way to retrain (seed, or length of further training, the usual one first), with a row for every
            removal: NaN for those that this way leaves out.
        """
        seeds = refit_seeds(self.fit.seed ^ UNSEEN, n_seeds)
        everything = estimand is Estimand.SEED or self.fit.pretrained
        changes = []
        for number, variant in enumerate(variants_of(self.fit, estimand, seeds)):
            other_length = estimand is Estimand.MODEL and number > 0
            kinds = KINDS_OVER_LENGTHS if other_length else None if everything else KINDS_OVER_SEEDS
            picked = [
                [removal for removal in segment if kinds is None or removal.kind in kinds] for segment in self.segments
            ]
            retrained = retrain(
                self.fit,
                self.explanation.margins,
                variant,
                picked,
                self.cache,
                from_scratch=self.from_scratch and not other_length,
            )
            changes.append(_with_all_rows(retrained, self.removals, kinds))
        return changes


def agreement_over_lengths(usual: RetrainedChanges, other: RetrainedChanges, removals: Sequence[Removal]) -> np.ndarray:
    """Return the rank correlation of the changes after two lengths of further training, shape (n_queries,)."""
    picked = [row for row, removal in enumerate(removals) if removal.kind in KINDS_OVER_LENGTHS]
    return metrics.spearman(usual.changes["kept"][picked], other.changes["kept"][picked])


def _with_all_rows(
    retrained: RetrainedChanges, removals: list[Removal], kinds: tuple[RemovalKind, ...] | None
) -> RetrainedChanges:
    """Return the same with a row for every removal, NaN for those whose kind was left out; None leaves none out."""
    if kinds is None:
        return retrained
    picked = [row for row, removal in enumerate(removals) if removal.kind in kinds]
    changes = {}
    for name, rows in retrained.changes.items():
        changes[name] = np.full((len(removals), rows.shape[1]), np.nan)
        changes[name][picked] = rows
    overlap = np.full((len(removals), retrained.overlap.shape[1]), np.nan)
    overlap[picked] = retrained.overlap
    scratch = None if retrained.from_scratch is None else retrained.from_scratch.spread(picked, len(removals))
    return dataclasses.replace(retrained, changes=changes, overlap=overlap, from_scratch=scratch)
