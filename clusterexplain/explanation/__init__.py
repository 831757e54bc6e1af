"""Questions beyond "why is this sample here": about whole clusters, pairs of clusters, and what it would take."""

from clusterexplain.explanation.clusters import ClusterAnswer, cohesion_of, cohesions_of, living_clusters, separation_of
from clusterexplain.explanation.flip import Flip, Retrainings, find_flip, shortest_prefix
from clusterexplain.explanation.overview import overview

__all__ = [
    "ClusterAnswer",
    "Flip",
    "Retrainings",
    "cohesion_of",
    "cohesions_of",
    "find_flip",
    "living_clusters",
    "overview",
    "separation_of",
    "shortest_prefix",
]
