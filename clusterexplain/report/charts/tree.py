"""The condensed tree of HDBSCAN, as an icicle of rectangles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from clusterexplain.report.charts import theme, tooltips
from clusterexplain.report.charts.query_marker import query_marker

if TYPE_CHECKING:
    import altair as alt

COLUMNS = ("node", "cluster", "left", "right", "birth", "death", "size")


def tree_chart(
    nodes: pd.DataFrame,
    *,
    sample: pd.DataFrame | None = None,
    colours: Mapping[int, str] | None = None,
    width: int = 560,
    height: int = 360,
) -> alt.LayerChart:
    """Draw where the condensed tree splits and which of its branches became clusters.

    Parameters
    ----------
    nodes : DataFrame
        One row for each branch: node (number), cluster (display name, "" if it was not selected), left and right
        (horizontal extent, in training rows), birth and death (lambda = 1 / distance at which it splits off and ends, both
        finite), size (training rows at its birth).
    sample : DataFrame, optional
        Where the sample is, one row or none: id, x (in training rows), lambda (at which it falls out of its branch).
    colours : mapping of int to str, optional
        Colours of clusters, by number, in place of the usual ones.
    width, height : int
        Pixels.

    Returns
    -------
    LayerChart
        Selected clusters in their colours, other branches in grey, denser further down.
    """
    frame = nodes[list(COLUMNS)].reset_index(drop=True)
    selected = (frame["cluster"] != "").to_numpy(dtype=bool)
    layers = [_others(frame[~selected]), _selected(frame[selected], colours)]
    if sample is not None and len(sample):
        falls = tooltips.number("lambda", "falls out at lambda", ".4g")
        layers.append(query_marker(sample, "x", "lambda", falls).encode(x=_x("x"), y=_y("lambda")))
    return theme.configured(
        theme.layered(*layers).properties(
            width=width,
            height=height,
            description=(
                "Condensed tree of HDBSCAN: each rectangle is a branch, as wide as it has training rows, from the density at "
                "which it splits off (top) to the density at which it ends (bottom). Coloured: branches selected as "
                "clusters. Grey: the others. Star: where the sample falls out."
            ),
        )
    )


def _x(field: str) -> alt.X:
    import altair as alt

    axis = alt.Axis(grid=False, format="d", tickCount=8, tickMinStep=1, labelOverlap=True)
    return alt.X(f"{field}:Q", title="training rows", axis=axis, scale=alt.Scale(zero=False, nice=False))


def _y(field: str) -> alt.Y:
    import altair as alt

    title = ["lambda (1 / distance):", "denser further down"]
    return alt.Y(f"{field}:Q", title=title, scale=alt.Scale(reverse=True, zero=False), axis=alt.Axis(tickCount=6))


def _branches(frame: pd.DataFrame, name: str) -> alt.Chart:
    import altair as alt

    drawn: alt.Chart = (
        alt.Chart(frame.reset_index(drop=True), name=name)
        .mark_rect(stroke=theme.INK, strokeWidth=0.6, strokeOpacity=0.6)
        .encode(
            x=_x("left"), x2="right:Q", y=_y("birth"), y2="death:Q",
            tooltip=[
                tooltips.number("node", "branch"), tooltips.word("cluster", "cluster"),
                tooltips.number("size", "training rows"),
                tooltips.number("birth", "splits off at lambda", ".4g"), tooltips.number("death", "ends at lambda", ".4g"),
            ],
        )
    )  # fmt: skip
    return drawn


def _others(frame: pd.DataFrame) -> alt.Chart:
    import altair as alt

    return _branches(frame, "branches").encode(color=alt.value(theme.GREY), fillOpacity=alt.value(0.3))


def _selected(frame: pd.DataFrame, given: Mapping[int, str] | None) -> alt.Chart:
    import altair as alt

    names = theme.ordered(frame["cluster"])
    order = frame["cluster"].map({name: i for i, name in enumerate(names)})
    legend = alt.Legend(
        title="selected clusters (other branches in grey)", orient="bottom", symbolLimit=40,
        columns=2, labelLimit=alt.ExprRef("width / 2 - 28"), symbolType="square", symbolStrokeWidth=0,
    )  # fmt: skip
    scale = alt.Scale(range=theme.looks(names, given)[0])
    colour = alt.Color("cluster:N", sort=theme.by("order"), scale=scale, legend=legend)
    return _branches(frame.assign(order=order), "selected").encode(color=colour, fillOpacity=alt.value(0.85))
