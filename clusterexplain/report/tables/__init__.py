"""The numbers behind every chart, as tables: charts draw them, pages list them, nothing is computed twice.

Ids and clusters are text here, as they are shown.
"""

from clusterexplain.report.tables.answers import (
    all_retrained,
    flip_point,
    flips,
    group_columns,
    groups,
    listed,
    retrained,
    steps,
    twins,
)
from clusterexplain.report.tables.clusters import (
    cluster_pulls,
    cluster_stability,
    on_tree,
    stability,
    standing,
    tree,
)
from clusterexplain.report.tables.map import (
    MAX_DOTS,
    densest,
    dots,
    links,
    middles,
    rings,
    sample,
    shown_rows,
    strangers,
)

__all__ = [
    "MAX_DOTS",
    "all_retrained",
    "cluster_pulls",
    "cluster_stability",
    "densest",
    "dots",
    "flip_point",
    "flips",
    "group_columns",
    "groups",
    "links",
    "listed",
    "middles",
    "on_tree",
    "retrained",
    "rings",
    "sample",
    "shown_rows",
    "stability",
    "standing",
    "steps",
    "strangers",
    "tree",
    "twins",
]
