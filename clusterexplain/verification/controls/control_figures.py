"""Figures of the controls of a check: what must hold before an agreement means anything."""

from __future__ import annotations

import numpy as np

from clusterexplain.results.removals import (
    DOWN_WEIGHT,
    NEIGHBOUR,
    PLACEBO,
    SINGLE,
    STRONGEST,
    WITHIN,
    RemovalKind,
    RemovalName,
)
from clusterexplain.results.verdict import Estimand
from clusterexplain.statistics import metrics
from clusterexplain.verification.faithfulness import Faithfulness

TOP = 10
"""Removals that lower a score most, of which the precision is."""
GROUP_OF_2, DOWN_WEIGHT_30 = RemovalKind(RemovalName.GROUP, 0.02), RemovalKind(RemovalName.DOWN_WEIGHT, 0.3)


def control_figures(faithfulness: Faithfulness) -> dict[str, float]:
    """Return the figures of the controls.

    Parameters
    ----------
    faithfulness : Faithfulness
        Of one estimand.

    Returns
    -------
    dict of str to float
        NaN where a control was not tried: rerun (largest difference of two equal trainings), null (largest change with nothing
        removed), dissolved and changed (share of the single removals after which a cluster of the pair was another one, or a
        similar one), seed_sd (median spread of the scores over seeds), signal_to_noise (spread of the mean changes by single
        removals over the standard error of those means), placebo (median size of the change by groups of other clusters, over
        that by equal-sized random groups), dose_5 and dose_30 (rank correlation when examples lose 5 % and 30 % of their
        weight, labels kept), precision and precision_chance (of the ten that lower the score most, among all single removals),
        flip_auc, shuffled (97.5 % quantile), p_value (share of shuffles that reach the agreement), ceiling.
    """
    single = faithfulness.of_kind(SINGLE, WITHIN, STRONGEST, NEIGHBOUR)
    predicted, retrained = faithfulness.predicted["kept"][single], faithfulness.mean("kept")[single]
    precision, chance = metrics.precision_at(predicted, retrained, TOP)
    flips = metrics.flip_auc(faithfulness.scores, faithfulness.predicted["continued"], faithfulness.mean("continued"))
    trains_the_same = faithfulness.estimand is not Estimand.RECIPE
    return {
        "rerun": faithfulness.rerun,
        "null": float(np.abs(faithfulness.null_changes).max(initial=0.0)) if trains_the_same else float("nan"),
        "dissolved": faithfulness.dissolved["continued"],
        "changed": faithfulness.changed,
        "seed_sd": _seed_sd(faithfulness),
        "signal_to_noise": _signal_to_noise(faithfulness),
        "placebo": _placebo(faithfulness),
        "dose_5": faithfulness.figure(DOWN_WEIGHT, "kept"),
        "dose_30": faithfulness.figure(DOWN_WEIGHT_30, "kept"),
        "precision": metrics.average(precision),
        "precision_chance": metrics.average(chance),
        "flip_auc": metrics.average(flips),
        "shuffled": faithfulness.evidence["kept"].band,
        "p_value": faithfulness.shuffled["kept"].p_value,
        "ceiling": faithfulness.evidence["kept"].ceiling.mean,
    }


def _seed_sd(faithfulness: Faithfulness) -> float:
    if faithfulness.n_seeds < 2:
        return float("nan")
    return float(np.median(faithfulness.null_changes.std(axis=0, ddof=1)))


def _signal_to_noise(faithfulness: Faithfulness) -> float:
    changes = faithfulness.retrained["kept"][:, faithfulness.of_kind(SINGLE)]
    told = np.isfinite(changes).all(axis=0).any(axis=0)  # queries that some removal tells something about
    changes = changes if told.all() else changes[..., told]
    if faithfulness.n_seeds < 2 or not changes.size:
        return float("nan")
    error = np.sqrt(np.nanmean(changes.var(axis=0, ddof=1), axis=0) / faithfulness.n_seeds)
    signal = np.nanstd(changes.mean(axis=0), axis=0)
    known = error > 0
    return float(np.median(signal[known] / error[known])) if known.any() else float("nan")


def _placebo(faithfulness: Faithfulness) -> float:
    """Return the median size of a change by a placebo, over that by a random group of the same size."""
    sizes = [np.abs(faithfulness.mean("kept")[faithfulness.of_kind(kind)]) for kind in (PLACEBO, GROUP_OF_2)]
    if not all(np.isfinite(changes).any() for changes in sizes):
        return float("nan")
    return float(np.nanmedian(sizes[0]) / np.nanmedian(sizes[1]))
