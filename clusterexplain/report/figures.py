"""Charts of an explanation with the words that fit its question, each with the table behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from clusterexplain.report import charts, tables
from clusterexplain.report.context import ReportContext
from clusterexplain.report.margin_labels import Ends
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.removals import RANDOM, TOP_PULLERS

if TYPE_CHECKING:
    import altair as alt

TOGETHER = (TOP_PULLERS.label, RANDOM.label)


def titled(chart: alt.LayerChart, title: str, subtitle: str) -> alt.LayerChart:
    """Return a chart with a title of its own, for where no heading stands above it; see :func:`charts.theme.titled`."""
    return chart.properties(title=charts.theme.titled(title, subtitle))


def drawn_check(explanation: Explanation) -> tuple[alt.LayerChart, pd.DataFrame]:
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
    deeper = {Ends.of(explanation, query).deeper for query in range(len(explanation))}
    chart = charts.check_chart(
        table, null=explanation.check.null or None, grade=explanation.status, deeper=", or ".join(sorted(deeper))
    )
    return chart, table


def drawn_waterfall(explanation: Explanation, query: int) -> tuple[alt.LayerChart, pd.DataFrame]:
    """Return the predicted margin as the strongest pullers go: chart and steps."""
    steps, flip = tables.steps(explanation, query)
    known = tables.retrained(explanation, query)
    together = known[known["what"].isin(TOGETHER)]
    ends = Ends.of(explanation, query)
    chart = charts.waterfall_chart(
        steps,
        retrained=together,
        flip=tables.flip_point(steps, flip),
        sides=(ends.stays, ends.leaves),
        above=ends.above,
    )
    return chart, steps


def drawn_map(
    context: ReportContext,
    explanation: Explanation,
    query: int,
    listed: pd.DataFrame,
    dots: pd.DataFrame,
    **options: Any,
) -> alt.LayerChart:
    """Return the map with the sample, its pullers and pushers.

    Parameters
    ----------
    exhibit, explanation, query : ReportContext, Explanation, int
        What is drawn.
    listed : DataFrame
        Pullers and pushers, see :func:`tables.listed`.
    dots : DataFrame
        Of the map, see :func:`tables.dots`.
    **options : object
        with_rows of :func:`tables.rings`; subtitle.

    Returns
    -------
    LayerChart
        See :func:`charts.map_chart`.
    """
    with_rows = options.pop("with_rows", True)
    return charts.map_chart(
        dots,
        rings=tables.rings(context, listed, with_rows=with_rows),
        links=tables.links(context, explanation, query),
        sample=tables.sample(context, explanation, query),
        middles=tables.middles(context),
        sides=explanation.sides(query),
        **options,
    )


def drawn_standing(context: ReportContext, explanation: Explanation, query: int) -> tuple[alt.LayerChart, pd.DataFrame]:
    """Return how a sample stands to the clusters: distances, responsibilities of a mixture, or the condensed tree."""
    clustering = context.fit.clustering
    if clustering.has_tree:
        nodes = tables.tree(context)
        return charts.tree_chart(nodes, sample=tables.on_tree(context, explanation, query)), nodes
    frame = tables.standing(context, explanation, query)
    draw = charts.responsibilities_chart if clustering.has_responsibilities else charts.distances_chart
    return draw(frame), frame
