"""Whether a fit can be explained at all: clusters that are no function of the weights, or that are rounding, are refused."""

from __future__ import annotations

import numpy as np
import torch

from clusterexplain.clustering.centroids import CentroidState
from clusterexplain.clustering.given.graph_labels import distances_reason
from clusterexplain.clustering.scores.base import reads_state
from clusterexplain.data.selection import Samples
from clusterexplain.exceptions import (
    AdoptedClustersWarning,
    ClusterExplainError,
    DegenerateClustersWarning,
    FewerClustersWarning,
    InvalidDataError,
    InvalidParameterError,
    warn,
)
from clusterexplain.explanation.queries import EmbeddedQueries, check_agreement, margins_of
from clusterexplain.fitting.config import Config
from clusterexplain.fitting.fit import Fit
from clusterexplain.results.margins import Margins
from clusterexplain.statistics.matching import NOISE

ROUNDING_ERRORS = 100
"""A length is known to one percent where it is as many rounding errors long, and so is what is divided by it."""


def reason_against(fit: Fit) -> str:
    """Say why no sample of a fit can be explained.

    Parameters
    ----------
    fit : Fit
        The fit.

    Returns
    -------
    str
        Sentences that say what is wrong, what was expected and what to do; empty where a sample can be explained.
    """
    return _too_few_clusters(fit) or degeneracy(fit)


def degeneracy(fit: Fit) -> str:
    """Say whether the clusters have no derivative: their members coincide, or they are no isolated fixed point.

    Parameters
    ----------
    fit : Fit
        The fit.

    Returns
    -------
    str
        As :func:`reason_against`; empty for clusters that have one, also for a single cluster.
    """
    return (fit.clustering.n_clusters > 0 and _unresolved(fit)) or _not_identified(fit)


def warn_of_clusters(fit: Fit, config: Config) -> None:
    """Warn of fewer clusters than were asked for, of clusters that have no derivative, of a graph that looks like distances.

    Parameters
    ----------
    fit : Fit
        As it was just made.
    config : Config
        What was asked for.
    """
    n_clusters = fit.clustering.n_clusters
    if config.takes_number and n_clusters < config.n_clusters:
        warn(
            f"Only {n_clusters} clusters were found for n_clusters={config.n_clusters}: there are fewer distinct embeddings. "
            f"Lower n_clusters, or look for duplicate rows.",
            FewerClustersWarning,
        )
    if reason := degeneracy(fit):
        warn(reason, DegenerateClustersWarning)
    if reason := distances_reason(fit.clustering, fit.embedding):
        warn(reason, AdoptedClustersWarning)


def check_answerable(fit: Fit) -> None:
    """Refuse a fit of which no sample can be explained.

    Parameters
    ----------
    fit : Fit
        The fit.

    Raises
    ------
    InvalidParameterError
        If there is no pair of clusters to compare, or the clusters are no isolated fixed point of their equations.
    InvalidDataError
        If the members of all clusters coincide, so that the score divides by rounding errors.
    """
    if reason := _too_few_clusters(fit):
        raise InvalidParameterError(reason)
    if reason := _unresolved(fit):
        raise InvalidDataError(reason)
    if reason := _not_identified(fit):
        raise InvalidParameterError(reason)


def check_apart(fit: Fit, margins: Margins) -> None:
    """Refuse margins between two clusters whose centroids coincide: such a margin is 0 and its derivative rounding.

    Parameters
    ----------
    fit : Fit
        The fit.
    margins : Margins
        What is asked about.

    Raises
    ------
    InvalidDataError
        Naming the first such pair.
    """
    if not reads_state(fit.score, CentroidState):
        return
    centers, least = fit.assignment.centers, rounding(fit)
    for own, runner_up in sorted(set(zip(margins.own.tolist(), margins.runner_up.tolist(), strict=True))):
        if own != NOISE and runner_up != NOISE and np.linalg.norm(centers[own] - centers[runner_up]) <= least:
            raise InvalidDataError(
                f"The centroids of clusters {own} and {runner_up} coincide, so no sample is nearer to one than to the other. "
                f"Expected clusters that are apart. Lower n_clusters (or the temperature of soft k-means), or name another "
                f"cluster with against=."
            )


def answerable_row(fit: Fit) -> tuple[int | None, str]:
    """Return a training example that can be explained: the first one, or the first of another cluster.

    Parameters
    ----------
    fit : Fit
        The fit.

    Returns
    -------
    row : int or None
        Its row number; None if no example can be explained.
    reason : str
        Why none can be, or the first one cannot be; empty otherwise.
    """
    reason = reason_against(fit)
    if reason:
        return None, reason
    present = np.flatnonzero(fit.weights.numpy() > 0)
    _, first = np.unique(fit.clustering.labels.numpy()[present], return_index=True)
    for row in [0, *sorted(present[first].tolist())]:
        positions = np.array([row])
        samples = Samples(fit.data.ids[positions], fit.data.X[positions], positions)
        queries = EmbeddedQueries.of(fit, samples.rows, positions)
        try:
            margins = margins_of(fit, samples, queries, "runner-up")
            check_apart(fit, margins)
            check_agreement(fit, margins, fit.config.min_agreement)
        except ClusterExplainError as error:
            reason = reason or str(error)
        else:
            return row, reason
    return None, reason


def rounding(fit: Fit) -> float:
    """Return the length below which differences of embeddings are not known, in units of the embedding."""
    present = fit.assignment.embedding[fit.weights > 0]
    return ROUNDING_ERRORS * torch.finfo(fit.recipe.dtype).eps * float(present.abs().max())


def _too_few_clusters(fit: Fit) -> str:
    nonempty = fit.assignment.nonempty
    if not len(nonempty):
        return (
            "Every sample is noise, so there is no cluster to explain. Lower min_cluster_size or min_samples "
            "(clusterer_options), or use a clusterer that puts every sample in a cluster, for example 'kmeans'."
        )
    if len(nonempty) < 2 and not fit.assignment.has_noise:
        return (
            "There is only one cluster, so no runner-up cluster to compare with. Fit with n_clusters >= 2, or give labels "
            "of two clusters."
        )
    return ""


def _not_identified(fit: Fit) -> str:
    if fit.clustering.identified:
        return ""
    return (
        f"The clusters of {fit.clustering.name!r} are not identified: components coincide or drift without end, so "
        f"how they would move cannot be derived. Lower n_clusters, raise reg_covar, choose another covariance_type (or "
        f"lower the temperature of soft k-means), or use clusterer='kmeans'."
    )


def _unresolved(fit: Fit) -> str:
    with torch.no_grad():
        unit = fit.score.length_scale(fit.assignment.state)
    if unit is None or float(unit) > rounding(fit):
        return ""
    return (
        f"The score {fit.score.name!r} measures in units of the spread within clusters, which is {float(unit):.2g}: rounding, "
        f"beside embeddings of {float(fit.assignment.embedding.abs().max()):.2g}. The members of every cluster coincide. "
        f"Expected clusters with spread. Lower n_clusters, merge equal rows into one with their number as sample_weight, "
        f"or use clusterer='gmm' with a larger reg_covar, whose score does not divide by the spread."
    )
