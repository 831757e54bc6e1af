"""Questions to a fit: why is a sample here, what holds a cluster together, what would move a sample."""

from clusterexplain.explanation.clusters import (
    ClusterAnswer,
    cohesion_of,
    cohesions_of,
    explain_cluster,
    living_clusters,
    separation_of,
)
from clusterexplain.explanation.explain import explain, explain_combinations
from clusterexplain.explanation.flip import Flip, Retrainings, find_flip, shortest_prefix
from clusterexplain.explanation.label_conflicts import label_conflicts
from clusterexplain.explanation.overview import overview

__all__ = [
    "ClusterAnswer",
    "Flip",
    "Retrainings",
    "cohesion_of",
    "cohesions_of",
    "explain",
    "explain_cluster",
    "explain_combinations",
    "find_flip",
    "label_conflicts",
    "living_clusters",
    "overview",
    "separation_of",
    "shortest_prefix",
]
