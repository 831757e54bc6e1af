"""Everything that follows from trained parameters: embedded, clustered and scored for real, nothing linearised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from clusterexplain.clustering import Clustering, ClusterInputs
from clusterexplain.fitting.assignment import assigned_to
from clusterexplain.results.margins import Margins
from clusterexplain.results.outcome import Assignments, Outcome
from clusterexplain.results.text.outcome import DIVERGED, reasons
from clusterexplain.statistics.matching import NOISE, match, renumbered

if TYPE_CHECKING:
    from clusterexplain.fitting.fit import Fit

LOST = -2
"""Partner of a cluster that is not found again; -1 is noise, which has none either."""


def outcome_of(
    fit: Fit, assignments: Assignments, inputs: ClusterInputs, embedded: Tensor, margins: Margins, seed: int
) -> Outcome:
    """Cluster and score embeddings; see :meth:`clusterexplain.fitting.fit.Fit.outcome`.

    Parameters
    ----------
    fit : Fit
        Whose clusters, in whose numbers.
    assignments : Assignments
        What happens to the labels.
    inputs : ClusterInputs
        Embeddings of the training examples in the geometry of the clustering, data weights, the model's own centroids.
    embedded : Tensor of shape (n_pairs, dim), float64
        Embeddings of the margins' samples, as the model gives them.
    margins : Margins
        What is scored.
    seed : int
        Seed of the initialisations, where clusters are found from scratch.

    Returns
    -------
    Outcome
        In the numbers of the fit.
    """
    with torch.no_grad():
        clustering = _clustered(fit, assignments, inputs, seed)
        labels, partners = _matched(fit.clustering, clustering, inputs.weights, assignments)
        state, rows = clustering.values(inputs), clustering.normalize(embedded)
        own, runner_up = (torch.where(side < 0, side, partners[side]) for side in pair_of(margins))
        each = torch.full((len(rows),), torch.nan, dtype=rows.dtype)
        if clustering.n_clusters:
            pair = own.clamp(min=NOISE), runner_up.clamp(min=NOISE)
            each = fit.score.margins(rows, state, *pair, noise=margins.has_noise)
            each = each.masked_fill((own == LOST) | (runner_up == LOST), torch.nan)
        assigned = assigned_to(clustering, fit.score, rows, state).numpy()
    if assignments is Assignments.SCRATCH:  # numbers of its own: those of the labels say which of the fit's they are
        assigned = np.array([_first(labels, clustering.labels.numpy() == cluster) for cluster in assigned])
    at = np.maximum(margins.positions, 0)
    present = (margins.positions >= 0) & (inputs.weights.numpy()[at] > 0)
    final = np.where(present, labels[at], assigned)
    nonempty = state.nonempty.tolist()
    alive = [cluster for cluster, partner in enumerate(partners.tolist()) if partner >= 0 and nonempty[partner]]
    dissolved = tuple(int(cluster) for cluster in np.setdiff1d(fit.assignment.nonempty, alive))
    scores = margins.combine(each.numpy())
    peopled = np.unique(labels[inputs.weights.numpy() > 0]).tolist()
    return Outcome(assignments, labels, scores, final, dissolved, reasons(margins, scores, alive, final, peopled))


def diverged(assignments: Assignments, labels: np.ndarray, margins: Margins) -> Outcome:
    """Return what is left of a training that diverged: nothing is known, and that is said.

    Parameters
    ----------
    assignments : Assignments
        What was asked for.
    labels : ndarray of shape (n_samples,), int
        Labels of the fit.
    margins : Margins
        What was to be scored.
    """
    n = len(margins)
    return Outcome(assignments, labels.copy(), np.full(n, np.nan), margins.own.copy(), (), (DIVERGED,) * n)


def pair_of(margins: Margins) -> tuple[Tensor, Tensor]:
    """Return own clusters and runner-ups as tensors of shape (n_pairs,), int64."""
    return torch.from_numpy(margins.own.astype(np.int64)), torch.from_numpy(margins.runner_up.astype(np.int64))


def _clustered(fit: Fit, assignments: Assignments, inputs: ClusterInputs, seed: int) -> Clustering:
    if assignments is Assignments.KEPT:
        return fit.clustering.update_kept(inputs)
    if assignments is Assignments.CONTINUED:
        return fit.continued(inputs)
    from_scratch = fit.clustering.from_scratch if fit.clustering.has_random_init else fit.cluster_from_scratch
    return from_scratch(inputs, seed=seed)


def _matched(
    fitted: Clustering, found: Clustering, weights: Tensor, assignments: Assignments
) -> tuple[np.ndarray, Tensor]:
    """Return labels in the numbers of the fit, and the partner of each of its clusters; ``LOST`` where it has none."""
    after = found.labels.numpy()
    if assignments is not Assignments.SCRATCH:
        return after, torch.arange(fitted.n_clusters)
    before, there = fitted.labels.numpy(), weights.numpy()
    partners = torch.full((fitted.n_clusters,), LOST)  # a component of a mixture can be nobody's largest
    matched = torch.from_numpy(match(before, after, there))
    partners[: len(matched)] = torch.where(matched < 0, LOST, matched)
    return renumbered(before, after, there), partners


def _first(values: np.ndarray, where: np.ndarray) -> int:
    return int(values[where][0]) if where.any() else NOISE
