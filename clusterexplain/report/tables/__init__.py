"""Frames: the numbers behind every chart. Charts draw them, pages list them, nothing is computed twice.

Ids and clusters are text here, as they are shown. What they look like is the business of
:mod:`clusterexplain.report.charts`.
"""

from clusterexplain.report.tables.check import all_retrained, retrained
from clusterexplain.report.tables.clusters import cluster_pulls, distances
from clusterexplain.report.tables.explanation import (
    flip_point,
    group_columns,
    groups,
    label_conflicts,
    predicted_flips,
    removal_steps,
    strongest,
)
from clusterexplain.report.tables.map import (
    MAX_POINTS,
    densest,
    foreign_neighbours,
    highlights,
    label_positions,
    links,
    points,
    sample_point,
    shown_rows,
)
from clusterexplain.report.tables.stability import cluster_stability, sample_stability
from clusterexplain.report.tables.tree import tree_nodes, tree_position

__all__ = [
    "MAX_POINTS",
    "all_retrained",
    "cluster_pulls",
    "cluster_stability",
    "densest",
    "distances",
    "flip_point",
    "foreign_neighbours",
    "group_columns",
    "groups",
    "highlights",
    "label_conflicts",
    "label_positions",
    "links",
    "points",
    "predicted_flips",
    "removal_steps",
    "retrained",
    "sample_point",
    "sample_stability",
    "shown_rows",
    "strongest",
    "tree_nodes",
    "tree_position",
]
