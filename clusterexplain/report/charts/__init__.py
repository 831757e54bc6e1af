"""Charts of the report: functions from frames to Altair charts.

They compute nothing but orders and labels, they neither save nor show, and they do not touch Altair's settings. Frames of
more than 5,000 rows must be thinned out by the caller. Texts from the data appear in data sets, titles and descriptions
alone, never in an expression, a selection or a scale.
"""

from clusterexplain.report.charts.check import check_chart
from clusterexplain.report.charts.clusterer import distances_chart, responsibilities_chart
from clusterexplain.report.charts.clusters import heatmap_chart
from clusterexplain.report.charts.groups import groups_chart
from clusterexplain.report.charts.influence import influence_chart
from clusterexplain.report.charts.map import map_chart
from clusterexplain.report.charts.stability import cluster_stability_chart, stability_chart
from clusterexplain.report.charts.tree import tree_chart
from clusterexplain.report.charts.waterfall import waterfall_chart

__all__ = [
    "check_chart",
    "cluster_stability_chart",
    "distances_chart",
    "groups_chart",
    "heatmap_chart",
    "influence_chart",
    "map_chart",
    "responsibilities_chart",
    "stability_chart",
    "tree_chart",
    "waterfall_chart",
]
