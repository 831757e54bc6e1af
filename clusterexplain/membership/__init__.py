"""s: how firmly a sample sits in its cluster, as a differentiable score."""

from clusterexplain.membership.centroids import (
    CentroidScore,
    Cosine,
    DecAssignment,
    LogRatioMargin,
    Softmax,
    StudentT,
)
from clusterexplain.membership.exemplars import Exemplar, HdbscanMembership
from clusterexplain.membership.responsibility import Responsibility
from clusterexplain.membership.score import NOISE, Score

SCORES: dict[str, Score] = {
    score.name: score
    for score in (
        LogRatioMargin(),
        StudentT(),
        Softmax(),
        Cosine(),
        DecAssignment(),
        Responsibility(),
        Exemplar(),
        HdbscanMembership(),
    )
}
"""Every assignment score by name."""

__all__ = [
    "NOISE",
    "SCORES",
    "CentroidScore",
    "Cosine",
    "DecAssignment",
    "Exemplar",
    "HdbscanMembership",
    "LogRatioMargin",
    "Responsibility",
    "Score",
    "Softmax",
    "StudentT",
]
