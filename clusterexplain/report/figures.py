"""Charts of an explanation with the words that fit its question, each with the table behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from clusterexplain.report import charts, tables
from clusterexplain.report.context import ReportContext
from clusterexplain.report.text import labels_of
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.removals import RANDOM, TOP_PULLERS

if TYPE_CHECKING:
    import altair as alt

TOGETHER = (TOP_PULLERS.label, RANDOM.label)


def titled(chart: alt.LayerChart, title: str, subtitle: str) -> alt.LayerChart:
    """Return a chart with a title of its own, for where no heading stands above it; see :func:`charts.theme.titled`."""
    return chart.properties(title=charts.theme.titled(title, subtitle))


def check_figure(explanation: Explanation) -> tuple[alt.LayerChart, pd.DataFrame]:
    """Return predicted against retrained changes of all queries.

    Parameters
    ----------
    explanation : Explanation
        With a check.

    Returns
    -------
    chart : LayerChart
        With the check's status in its corner, and a band within which nothing is told from no change, if it is known.
    table : DataFrame
        What it draws, see :func:`tables.all_retrained`.
    """
    assert explanation.check is not None
    table = tables.all_retrained(explanation)
    increases = {labels_of(explanation, query).increase for query in range(len(explanation))}
    chart = charts.check_chart(
        table, null=explanation.check.null or None, grade=explanation.status, deeper=", or ".join(sorted(increases))
    )
    return chart, table


def waterfall_figure(explanation: Explanation, query: int) -> tuple[alt.LayerChart, pd.DataFrame]:
    """Return the predicted margin as the strongest pullers go: chart and steps."""
    steps, flip = tables.removal_steps(explanation, query)
    known = tables.retrained(explanation, query)
    together = known[known["what"].isin(TOGETHER)]
    labels = labels_of(explanation, query)
    chart = charts.waterfall_chart(
        steps,
        retrained=together,
        flip=tables.flip_point(steps, flip),
        sides=(labels.above, labels.below),
        above=labels.axis,
    )
    return chart, steps


def map_figure(
    context: ReportContext,
    explanation: Explanation,
    query: int,
    strongest: pd.DataFrame,
    points: pd.DataFrame,
    **options: Any,
) -> alt.LayerChart:
    """Return the map with the sample, its pullers and pushers.

    Parameters
    ----------
    context, explanation, query : ReportContext, Explanation, int
        What is drawn.
    strongest : DataFrame
        Pullers and pushers, see :func:`tables.strongest`.
    points : DataFrame
        Of the map, see :func:`tables.points`.
    **options : object
        with_rows of :func:`tables.highlights`; subtitle.

    Returns
    -------
    LayerChart
        See :func:`charts.map_chart`.
    """
    with_rows = options.pop("with_rows", True)
    return charts.map_chart(
        points,
        highlights=tables.highlights(context, strongest, with_rows=with_rows),
        links=tables.links(context, explanation, query),
        sample=tables.sample_point(context, explanation, query),
        label_positions=tables.label_positions(context),
        sides=explanation.sides(query),
        colours=context.colours,
        **options,
    )


def distances_figure(
    context: ReportContext, explanation: Explanation, query: int
) -> tuple[alt.LayerChart, pd.DataFrame]:
    """Return the distances to the clusters: of a mixture the responsibilities, of HDBSCAN the condensed tree."""
    clustering = context.fit.clustering
    if clustering.has_tree:
        nodes = tables.tree_nodes(context)
        sample = tables.tree_position(context, explanation, query)
        return charts.tree_chart(nodes, sample=sample, colours=context.colours), nodes
    frame = tables.distances(context, explanation, query)
    draw = charts.responsibilities_chart if clustering.has_responsibilities else charts.distances_chart
    return draw(frame), frame
