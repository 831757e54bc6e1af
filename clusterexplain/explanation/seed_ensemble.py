"""What stays of an explanation when the recipe is trained with other seeds."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.explanation.gradients import influence_rows
from clusterexplain.fitting.fit import Fit
from clusterexplain.fitting.recipes import with_seed
from clusterexplain.fitting.variants import obstacle
from clusterexplain.influence import Unrolled
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.influence_rows import InfluenceRows
from clusterexplain.results.variability import SeedVariability
from clusterexplain.statistics import reliability


def average_over_seeds(explanation: Explanation, seeds: list[int]) -> Explanation:
    """Average an explanation over trainings with other seeds, the labels of the fit kept.

    Parameters
    ----------
    explanation : Explanation
        By the exact method; its own seed counts as the first.
    seeds : list of int
        Root seeds of further trainings.

    Returns
    -------
    Explanation
        The three components are means over all seeds; `seed_variability` says how sure they are. Margins are those of the fit.

    Raises
    ------
    InvalidParameterError
        If there are no other seeds to train with, or the clusters are learned by the network itself.
    """
    fit, margins = explanation.fit, explanation.margins
    reason = obstacle(fit, "recipe")
    if reason:
        raise InvalidParameterError(reason)
    if explanation.method != "unrolled":
        raise InvalidParameterError(
            f"n_seeds={len(seeds) + 1} averages exact influences, but method={explanation.method!r}. Expected "
            f"method='unrolled'."
        )
    rows, scores = [explanation.rows], [explanation.scores]
    for seed in fit.execution.track(seeds, "explaining with other seeds"):
        other = _with_seed(fit, seed)
        rows.append(influence_rows(other, margins, Unrolled(other.trajectory, fit.execution.silent())))
        theta, weights = other.trajectory.final, other.weights.numpy()
        scores.append(other.outcome(theta, weights, margins, assignments="kept").scores)
    mean = InfluenceRows(*(np.mean([getattr(row, name) for row in rows], axis=0) for name in InfluenceRows.COMPONENTS))
    totals = np.stack([row.total for row in rows])
    own = explanation.labels[:, None] == explanation.train_labels
    summary = summarise(totals, np.stack(scores), own, explanation.sample_weight > 0)
    return dataclasses.replace(explanation, rows=mean, seed_variability=summary)


def summarise(rows: np.ndarray, margins: np.ndarray, own: np.ndarray, present: np.ndarray) -> SeedVariability:
    """Say how much explanations of several seeds share.

    Parameters
    ----------
    rows : ndarray of shape (n_seeds, n_queries, n_train)
        Influence by seed.
    margins : ndarray of shape (n_seeds, n_queries)
        Margins by seed.
    own : ndarray of shape (n_queries, n_train), bool
        Examples of the queries' own clusters.
    present : ndarray of shape (n_train,), bool
        Examples of positive weight.

    Returns
    -------
    SeedVariability
        Standard errors, stable effects, agreement between seeds.
    """
    effects = reliability.stable_effects(rows[:, :, present])
    error, stable = (np.zeros(rows.shape[1:], dtype=kind) for kind in (float, bool))
    error[:, present], stable[:, present] = effects.standard_error, effects.stable
    shared = np.array([reliability.between_seeds(rows[:, q][:, present]) for q in range(rows.shape[1])])
    within = np.array([reliability.between_seeds(rows[:, q][:, present & own[q]]) for q in range(rows.shape[1])])
    return SeedVariability(len(rows), error, stable, shared, within, margins)


def _with_seed(fit: Fit, seed: int) -> Fit:
    """Return the fit of another seed with the labels of this one."""
    trajectory = fit.record(
        fit.trajectory.weights.numpy(), recipe=with_seed(fit.config, fit.recipe, fit.trajectory.weights, seed)
    )
    with torch.no_grad():
        clustering = fit.clustering.update_kept(fit.cluster_inputs(trajectory.params, trajectory.weights))
    return dataclasses.replace(fit, trajectory=trajectory, clustering=clustering, _jacobians=[])
