"""From queries to a question: the own cluster of each, its rival, and whether the score is fit to answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from clusterexplain.clustering.scores import NOISE
from clusterexplain.exceptions import DisagreementError, InvalidParameterError
from clusterexplain.fitting.fit import Pipeline, Question


def pose(pipeline: Pipeline, inputs: Tensor, positions: np.ndarray, against: str | int) -> Question:
    """Fix the pair of clusters of every query.

    Parameters
    ----------
    pipeline : Pipeline
        The fitted pipeline.
    inputs : Tensor of shape (n_queries, ...)
        Queries as the model sees them.
    positions : ndarray of shape (n_queries,), int
        Row numbers among the training examples, whose labels are kept; -1 for new rows, which are assigned.
    against : "runner-up", "noise" or int
        The rival cluster.

    Returns
    -------
    Question
        The scores that are asked about.

    Raises
    ------
    InvalidParameterError
        If there is no such rival.
    """
    nonempty = np.flatnonzero(pipeline.state.nonempty.numpy()) if pipeline.n_clusters else np.empty(0, dtype=int)
    has_noise = bool((pipeline.labels == NOISE).any())
    _check_rivals(nonempty, has_noise=has_noise)
    assigned = pipeline.assign(inputs)
    of_train = pipeline.labels[torch.from_numpy(np.maximum(positions, 0))]
    own = torch.where(torch.from_numpy(positions >= 0), of_train, assigned)
    _check_own(own, nonempty)
    if isinstance(against, str) and against == "runner-up":
        return Question(inputs, own, pipeline.rivals(pipeline.embed_normalized(inputs), own))
    return Question(inputs, own, torch.full_like(own, _rival(against, own, nonempty, has_noise=has_noise)))


def _check_rivals(nonempty: np.ndarray, *, has_noise: bool) -> None:
    if not len(nonempty):
        raise InvalidParameterError(
            "Every sample is noise, so there is no cluster to explain. Lower min_cluster_size or min_samples "
            "(clusterer_options), or use a clusterer that puts every sample in a cluster, for example 'kmeans'."
        )
    if len(nonempty) < 2 and not has_noise:
        raise InvalidParameterError(
            "There is only one cluster, so no rival to compare with. Fit with n_clusters >= 2, or give labels of two clusters."
        )


def _check_own(own: Tensor, nonempty: np.ndarray) -> None:
    dead = np.setdiff1d(own.numpy(), np.append(nonempty, NOISE))
    if len(dead):
        raise InvalidParameterError(
            f"Cluster {dead[0]} of a query has no members of positive weight, so nobody can have pulled it there. Expected "
            f"queries of other clusters, or data weights that leave this cluster a member."
        )


def _rival(against: Any, own: Tensor, nonempty: np.ndarray, *, has_noise: bool) -> int:
    known = ", ".join([*map(str, nonempty), *(["'noise'"] if has_noise else [])])
    wanted = NOISE if isinstance(against, str) and against == "noise" else against
    whole = isinstance(wanted, (int, np.integer)) and not isinstance(wanted, bool)
    if not whole or not (wanted in nonempty or (wanted == NOISE and has_noise)):
        raise InvalidParameterError(f"against={against!r} is not a cluster. Expected 'runner-up' or one of {known}.")
    if bool((own == wanted).any()):
        raise InvalidParameterError(
            f"against={against!r} is the own cluster of a query. Expected another cluster, or 'runner-up'."
        )
    return int(wanted)


def check_identified(pipeline: Pipeline) -> None:
    """Refuse clusters that are no isolated fixed point of their equations, for which no derivative exists.

    Parameters
    ----------
    pipeline : Pipeline
        The fitted pipeline.

    Raises
    ------
    InvalidParameterError
        If the clustering is not identified.
    """
    if not pipeline.clustering.identified:
        raise InvalidParameterError(
            f"The clusters of {pipeline.clustering.name!r} are not identified: components coincide or drift without end, so "
            f"how they would move cannot be derived. Lower n_clusters, raise reg_covar, choose another covariance_type (or "
            f"lower the temperature of soft k-means), or use clusterer='kmeans'."
        )


def check_agreement(pipeline: Pipeline, own: Tensor, rival: Tensor, least: float) -> float:
    """Refuse a score that does not tell what the labels tell.

    Parameters
    ----------
    pipeline : Pipeline
        The fitted pipeline.
    own, rival : Tensor of shape (n_queries,), int64
        The pairs that are asked about. Noise is judged by how much of the noise the score finds outside of every cluster, and
        where it is the rival, by how many members the score finds inside of theirs.
    least : float
        Least share of training examples on which labels and score must agree.

    Returns
    -------
    float
        The agreement, the lowest one of those that the pairs ask for; 1 if there is nothing to judge by.

    Raises
    ------
    DisagreementError
        If it is lower than `least`.
    """
    asked = {
        "clustered samples have their own cluster first": (own != NOISE) & (rival != NOISE),
        "noise lies outside of every cluster": own == NOISE,
        "clustered samples lie inside the edge of their own cluster": (own != NOISE) & (rival == NOISE),
    }
    judges = (pipeline.agreement, pipeline.agreement_of_noise, pipeline.agreement_on_edges)
    shares = {which: judge() for (which, some), judge in zip(asked.items(), judges, strict=True) if bool(some.any())}
    known = {which: share for which, share in shares.items() if not np.isnan(share)}
    if not known:
        return 1.0
    which = min(known, key=lambda one: known[one])
    if known[which] < least:
        raise DisagreementError(
            f"Only {known[which]:.1%} of the {which} by the score {pipeline.score.name!r}, less than "
            f"min_agreement={least:g}: an answer in terms of this score would explain other clusters than the labels. Expected "
            f"labels that were found in this embedding. Choose another membership_score, fit the clusterer to this embedding, "
            f"or lower min_agreement if you know better."
        )
    return known[which]
