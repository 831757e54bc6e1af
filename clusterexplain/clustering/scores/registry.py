"""The assignment scores that can be asked for by name, and those of a user's own."""

from __future__ import annotations

from typing import Any

from clusterexplain.clustering.base import Clustering
from clusterexplain.clustering.scores.base import Score, reads_state
from clusterexplain.clustering.scores.centroid_distance import (
    Cosine,
    DecAssignment,
    LogRatioMargin,
    Softmax,
    StudentT,
)
from clusterexplain.clustering.scores.exemplars import Exemplar, HdbscanMembership
from clusterexplain.clustering.scores.responsibility import Responsibility
from clusterexplain.clustering.scores.votes import GraphVote, NearestNeighbours
from clusterexplain.exceptions import InvalidParameterError, InvalidScoreError

SCORES: dict[str, Score[Any]] = {
    score.name: score
    for score in (
        LogRatioMargin(),
        StudentT(),
        Softmax(),
        Cosine(),
        NearestNeighbours(),
        GraphVote(),
        DecAssignment(),
        Responsibility(),
        Exemplar(),
        HdbscanMembership(),
    )
}
"""Every assignment score by name."""


def make_score(score: str | Score[Any], clustering: Clustering[Any] | type[Clustering[Any]]) -> Score[Any]:
    """Return the assignment score of a clustering.

    Parameters
    ----------
    score : str or Score
        A name from ``SCORES``, "auto" for the first of ``clustering.scores``, or a score of your own.
    clustering : Clustering, or type of Clustering
        What is scored.

    Returns
    -------
    Score
        One that reads the state of the clustering.

    Raises
    ------
    InvalidParameterError
        If the score does not read this clustering.
    InvalidScoreError
        If a score of your own lacks a name, or what it reads.

    Examples
    --------
    >>> import torch
    >>> from clusterexplain.clustering import KMeansClustering
    >>> make_score("auto", KMeansClustering(torch.tensor([0, 0, 1]), 2)).name
    'margin'
    """
    if isinstance(score, Score):
        return _checked(score, clustering)
    if score == "auto" and not clustering.scores:
        raise InvalidParameterError(
            f"membership_score='auto', but clusterer {clustering.name!r} names no score. Expected an instance of your own "
            f"Score that reads {clustering.state_type.__name__}: membership_score=YourScore()."
        )
    name = clustering.scores[0] if score == "auto" else score
    if name not in clustering.scores:
        known = (
            f"one of {', '.join(map(repr, clustering.scores))}, or 'auto' for the first of them"
            if clustering.scores
            else "an instance of your own Score"
        )
        raise InvalidParameterError(
            f"membership_score={name!r} cannot score clusterer {clustering.name!r}. Expected {known}."
        )
    return SCORES[name]


def _checked(score: Score[Any], clustering: Clustering[Any] | type[Clustering[Any]]) -> Score[Any]:
    kind = type(score)
    missing = [name for name in ("name", "words", "reads") if not hasattr(kind, name)]
    if missing:
        raise InvalidScoreError(
            f"{kind.__name__} has no {', '.join(missing)}. Expected class attributes, for example name = 'my_score', "
            f"words = 'what the margin is' and reads = (CentroidState,)."
        )
    if score.name in SCORES and kind is not type(SCORES[score.name]):
        raise InvalidScoreError(
            f"{kind.__name__}.name={score.name!r} is the name of {type(SCORES[score.name]).__name__}. Expected a name of its "
            f"own."
        )
    if not reads_state(score, clustering.state_type):
        states = " or ".join(state.__name__ for state in score.reads)
        raise InvalidScoreError(
            f"membership_score={kind.__name__}() reads {states}, but clusterer {clustering.name!r} has a "
            f"{clustering.state_type.__name__}. Expected a score that reads it, or another clusterer."
        )
    return score
