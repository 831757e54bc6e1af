"""Agreement, intervals, reliability, matching of clusters and sums over groups, on plain arrays."""

from clusterexplain.statistics import metrics
from clusterexplain.statistics.groups import group_sums, main_source
from clusterexplain.statistics.intervals import (
    LEVEL,
    UNKNOWN,
    Interval,
    Shuffled,
    difference_interval,
    mean_interval,
    shuffle,
    spearman_interval,
)
from clusterexplain.statistics.matching import jaccard, match, overlap, renumbered
from clusterexplain.statistics.reliability import Effects, between_seeds, ceiling, spearman_brown, stable_effects

__all__ = [
    "LEVEL",
    "UNKNOWN",
    "Effects",
    "Interval",
    "Shuffled",
    "between_seeds",
    "ceiling",
    "difference_interval",
    "group_sums",
    "jaccard",
    "main_source",
    "match",
    "mean_interval",
    "metrics",
    "overlap",
    "renumbered",
    "shuffle",
    "spearman_brown",
    "spearman_interval",
    "stable_effects",
]
