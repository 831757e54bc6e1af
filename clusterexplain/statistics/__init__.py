"""Agreement, intervals, reliability, matching of clusters and sums over groups, on plain arrays."""

from clusterexplain.statistics.intervals import LEVEL, UNKNOWN, Interval, spearman_interval
from clusterexplain.statistics.means import bootstrap_interval, mean_interval
from clusterexplain.statistics.metrics import average, pearson, sign_agreement, spearman

__all__ = [
    "LEVEL",
    "UNKNOWN",
    "Interval",
    "average",
    "bootstrap_interval",
    "mean_interval",
    "pearson",
    "sign_agreement",
    "spearman",
    "spearman_interval",
]
