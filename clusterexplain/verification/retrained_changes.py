"""What retraining did: the changes of the explained scores, for each way to retrain and each removal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from clusterexplain.execution.executors import one_thread
from clusterexplain.fitting.fit import Fit
from clusterexplain.fitting.variants import Variant
from clusterexplain.results.margins import Margins
from clusterexplain.results.outcome import Assignments
from clusterexplain.results.removals import Removal
from clusterexplain.statistics.matching import jaccard
from clusterexplain.verification.controls.clustering_from_scratch import (
    N_STARTS,
    REMOVAL_KINDS,
    SEED,
    ClusteringFromScratch,
)
from clusterexplain.verification.retraining_cache import RetrainingCache

ASSIGNMENTS: tuple[str, ...] = (Assignments.KEPT, Assignments.CONTINUED)
WITHOUT_DIRECT = "without_direct"
"""Changes through the parameters alone: retrained, but weights in clusters stay those of the fit, labels kept."""


@dataclass(frozen=True, eq=False)
class RetrainedChanges:
    """What one way to retrain gave.

    Attributes
    ----------
    label : str
        Which way.
    null : ndarray of shape (n_queries,)
        Scores with nothing removed, labels kept.
    rerun : float
        Largest difference of two such trainings: 0 unless something is random that should not be.
    changes : dict of str to ndarray of shape (n_removals, n_queries)
        Change of each score against the null, by assignments and for ``WITHOUT_DIRECT``; NaN where a cluster of the pair lost
        all its weight, and where the removal was not tried (it belongs to another query, or this way to retrain skips its
        kind).
    overlap : ndarray of shape (n_removals, n_queries)
        How much of the query's two clusters is the same with the clustering continued: the smaller Jaccard similarity of the
        two, among the examples that stay; NaN where the removal was not tried.
    from_scratch : ClusteringFromScratch or None
        What clustering from scratch gave; None where that was not asked for or has no start that could be another one.
    """

    label: str
    null: np.ndarray
    rerun: float
    changes: dict[str, np.ndarray]
    overlap: np.ndarray
    from_scratch: ClusteringFromScratch | None = None


def retrain(
    fit: Fit,
    margins: Margins,
    variant: Variant,
    segments: list[list[Removal]],
    cache: RetrainingCache,
    *,
    from_scratch: bool,
) -> RetrainedChanges:
    """Retrain one way at all weights and score.

    Parameters
    ----------
    fit : Fit
        The fit: clusters are matched to its own.
    margins : Margins
        The explained scores.
    variant : Variant
        How to retrain.
    segments : list of list of Removal
        What is removed; blocks of retrainings do not reach over the end of a segment.
    cache : RetrainingCache
        What was retrained before.
    from_scratch : bool
        Whether to cluster from scratch, too.

    Returns
    -------
    RetrainedChanges
        In the order of the segments' removals.
    """
    base = fit.weights.numpy()
    changes: dict[str, list[np.ndarray]] = {}
    overlaps: list[np.ndarray] = []
    scratch: list[ClusteringFromScratch] = []
    null: dict[str, np.ndarray] = {}
    rerun = 0.0
    for removals in segments:
        if not removals and null:
            continue
        # every segment is trained with nothing removed, too: what that gives must not depend on its company
        weights = np.stack([base, *(removal.weights(base) for removal in removals)])
        key = f"{fit.key} {variant.key}"
        trained = cache.trained(fit, variant.recipe, key, weights)
        scored, overlap = _scores(fit, margins, trained, weights)
        overlaps.append(overlap[1:])
        if from_scratch and fit.clustering.has_random_init:
            scratch.append(_from_scratch(fit, margins, trained, weights, removals))
        for name, rows in scored.items():
            null.setdefault(name, rows[0])
            rerun = max(rerun, float(np.nanmax(np.abs(rows[0] - null[name]), initial=0.0)))
            changes.setdefault(name, []).append(rows[1:] - null[name])
    n = len(null["kept"])
    joined = {name: np.concatenate([np.empty((0, n)), *parts]) for name, parts in changes.items()}
    same = np.concatenate([np.empty((0, n)), *overlaps])
    queries = [removal.query for removals in segments for removal in removals]
    for rows in (*joined.values(), same):
        for place, query in enumerate(queries):
            if query is not None:
                rows[place, np.arange(n) != query] = np.nan
    joined_scratch = ClusteringFromScratch.joined(scratch, axis=1) if scratch else None
    return RetrainedChanges(variant.label, null["kept"], rerun, joined, same, joined_scratch)


def _scores(
    fit: Fit, margins: Margins, trained: torch.Tensor, weights: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return scores by assignments, at the first row's weights for ``WITHOUT_DIRECT``, and overlaps: (n, n_queries) each."""
    labels = fit.clustering.labels.numpy()
    tried = ASSIGNMENTS if fit.clustering.reassigns else ASSIGNMENTS[:1]
    scores: dict[str, list[np.ndarray]] = {name: [] for name in (*ASSIGNMENTS, WITHOUT_DIRECT)}
    overlaps = []
    moves = fit.recipe.layout.size > 0  # an embedding that is given has no parameters
    with one_thread():  # not in threads: a module that is called with other parameters holds them for that moment
        for theta, row in zip(trained, weights, strict=True):
            outcomes = fit.outcomes(theta, row, margins, tried)
            for name in ASSIGNMENTS:
                scores[name].append(outcomes[name if name in tried else tried[-1]].scores)
            if moves or not scores[WITHOUT_DIRECT]:
                held = fit.outcome(theta, weights[0], margins, assignments="kept").scores
            scores[WITHOUT_DIRECT].append(held)
            similarity = jaccard(labels, outcomes[tried[-1]].labels, row)
            overlaps.append(_overlap(margins, similarity, fit.clustering.n_clusters, unseen=1.0))
    return {name: np.stack(rows) for name, rows in scores.items()}, np.stack(overlaps)


def _from_scratch(
    fit: Fit, margins: Margins, trained: torch.Tensor, weights: np.ndarray, removals: list[Removal]
) -> ClusteringFromScratch:
    """Cluster from scratch with nothing removed, the first row, and after the removals of ``REMOVAL_KINDS``."""

    def cluster(number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        outcome = fit.outcome(trained[number], weights[number], margins, assignments="scratch", seed=seed)
        similarity = jaccard(fit.clustering.labels.numpy(), outcome.labels, weights[number])
        return outcome.scores, _overlap(margins, similarity, fit.clustering.n_clusters, unseen=0.0)

    picked = [number for number, removal in enumerate(removals) if removal.kind in REMOVAL_KINDS]
    with one_thread():
        starts = [cluster(0, SEED + start) for start in range(N_STARTS)]
        removed = [cluster(number + 1, SEED) for number in picked]
    n = len(starts[0][0])
    changes = np.array([scores - starts[0][0] for scores, _ in removed]).reshape(1, -1, n)
    overlap = np.array([similar for _, similar in removed]).reshape(1, -1, n)
    unmoved = np.stack([similar for _, similar in starts])[None]
    return ClusteringFromScratch(changes, overlap, unmoved).spread(picked, len(removals))


def _overlap(margins: Margins, similarity: np.ndarray, n_clusters: int, *, unseen: float) -> np.ndarray:
    """Return the smaller similarity of the two clusters of each query, or of the worst pair that it is a mean of.

    The similarity of a cluster that no example has as its label (a mixture can have one) is `unseen`; noise, -1, is no cluster
    that could dissolve.
    """
    known = np.full(n_clusters + 1, unseen)
    known[: len(similarity)] = np.nan_to_num(similarity)
    known[-1] = 1.0
    each = np.minimum(known[margins.own], known[margins.runner_up])
    if margins.combination is None:
        least: np.ndarray = each
        return least
    return np.array([each[row != 0].min(initial=1.0) for row in margins.combination.weights])
