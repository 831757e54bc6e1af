"""s: how firmly a sample sits in its cluster, as a differentiable score."""

from clusterexplain.clustering.scores.base import Score
from clusterexplain.clustering.scores.centroid_distance import (
    CentroidScore,
    Cosine,
    DecAssignment,
    LogRatioMargin,
    Softmax,
    StudentT,
)
from clusterexplain.clustering.scores.check_score import check_score
from clusterexplain.clustering.scores.exemplars import Exemplar, HdbscanMembership
from clusterexplain.clustering.scores.registry import SCORES, make_score
from clusterexplain.clustering.scores.responsibility import Responsibility
from clusterexplain.clustering.scores.votes import GraphVote, NearestNeighbours
from clusterexplain.statistics.matching import NOISE

__all__ = [
    "NOISE",
    "SCORES",
    "CentroidScore",
    "Cosine",
    "DecAssignment",
    "Exemplar",
    "GraphVote",
    "HdbscanMembership",
    "LogRatioMargin",
    "NearestNeighbours",
    "Responsibility",
    "Score",
    "Softmax",
    "StudentT",
    "check_score",
    "make_score",
]
