"""s: how firmly a sample sits in its cluster, as a differentiable score."""

from clusterexplain.clustering.scores.base import NOISE, Score
from clusterexplain.clustering.scores.centroid_distance import (
    CentroidScore,
    Cosine,
    DecAssignment,
    LogRatioMargin,
    Softmax,
    StudentT,
)
from clusterexplain.clustering.scores.exemplars import Exemplar, HdbscanMembership
from clusterexplain.clustering.scores.responsibility import Responsibility

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
