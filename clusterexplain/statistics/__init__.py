"""Agreement, intervals, reliability, matching of clusters and sums over groups, on plain arrays."""

from clusterexplain.statistics import metrics
from clusterexplain.statistics.groups import group_sums, main_source
from clusterexplain.statistics.intervals import (
    LEVEL,
    UNKNOWN,
    Interval,
    Shuffled,
    bootstrap_interval,
    difference_interval,
    mean_interval,
    shuffle,
    spearman_interval,
)
from clusterexplain.statistics.matching import jaccard, match, overlap, renumbered
from clusterexplain.statistics.metrics import average, pearson, sign_agreement, spearman
from clusterexplain.statistics.reliability import Effects, between_seeds, ceiling, spearman_brown, stable_effects

__all__ = [
    "LEVEL",
    "UNKNOWN",
    "Effects",
    "Interval",
    "Shuffled",
    "average",
    "between_seeds",
    "bootstrap_interval",
    "ceiling",
    "difference_interval",
    "group_sums",
    "jaccard",
    "main_source",
    "match",
    "mean_interval",
    "metrics",
    "overlap",
    "pearson",
    "renumbered",
    "shuffle",
    "sign_agreement",
    "spearman",
    "spearman_brown",
    "spearman_interval",
    "stable_effects",
]
