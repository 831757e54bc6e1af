"""The map of the page and of ``e.plot``: examples as points, the sample as a star, pullers as circles, pushers as squares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from clusterexplain.report.charts import theme, tooltips
from clusterexplain.report.charts.query_marker import query_marker
from clusterexplain.results.text.margins import SIDES

if TYPE_CHECKING:
    import altair as alt


def map_chart(
    points: pd.DataFrame,
    *,
    highlights: pd.DataFrame | None = None,
    links: pd.DataFrame | None = None,
    label_positions: pd.DataFrame | None = None,
    sample: pd.DataFrame | None = None,
    sides: tuple[str, str] = SIDES,
    colours: Mapping[int, str] | None = None,
    subtitle: str = "",
    width: int = 560,
    height: int = 420,
) -> alt.LayerChart:
    """Draw the two-dimensional view: to look at, nothing is explained from it.

    Its parameters have fixed names: ``cluster`` (clusters picked in the legend; the others fade), ``window`` (a rectangle
    drawn over the points; filters nothing here), ``picked`` (the id that was clicked), and, if there are links, ``links``
    (checkbox, off at first).

    Parameters
    ----------
    points : DataFrame
        One row for each training example that is drawn: id, cluster (its display name, or "noise"), x, y, margin (may be
        missing); optional row (text) and image (data URI) for the tooltip.
    highlights : DataFrame, optional
        One row for each listed puller or pusher: id, cluster, x, y, pulls (True pulled in, False pushed away), side (the
        word for it), size (size of the influence, above 0), if_removed (change of the margin), if_removed_percent (of the
        margin); optional row and image.
    links : DataFrame, optional
        Lines from the sample to its nearest neighbours in the embedding: id (of the neighbour), x, y, x2, y2.
    label_positions : DataFrame, optional
        Where the clusters' labels go: cluster, label, x, y.
    sample : DataFrame, optional
        The explained sample, one row or none: id, x, y; optional row and image.
    sides : (str, str), default=("pulled in", "pushed away")
        What positive and negative influence did.
    colours : mapping of int to str, optional
        Colours of clusters, by number, in place of the usual ones.
    subtitle : str, default=""
        Which view it is and how many examples it shows; may hold line ends.
    width, height : int
        Pixels.

    Returns
    -------
    LayerChart
        Positive influence in blue circles, negative in dashed orange squares; a larger one is a larger influence.
    """
    layers = [_point_layer(points, colours)]
    if links is not None and len(links):
        layers.insert(0, _link_layer(links))
    if highlights is not None and len(highlights):
        layers.extend(_highlight_layers(highlights))
    if label_positions is not None and len(label_positions):
        layers.extend(_cluster_labels(label_positions))
    if sample is not None and len(sample):
        layers.append(query_marker(sample, "x", "y").encode(**_place()))
    chart = theme.layered(*layers).resolve_scale(
        color="independent", shape="independent", stroke="independent", strokeDash="independent"
    )  # else the legends of one layer would not be merged into one
    drawn: alt.LayerChart = theme.configured(
        chart.properties(
            width=width,
            height=height,
            title=theme.titled("Map of the training examples", subtitle),
            description=(
                "Two-dimensional view of the training examples, coloured by cluster. Star: the explained sample. Blue "
                f"circles: {sides[0]}. Dashed orange squares: {sides[1]}. Larger means more influence. Positions are for "
                "orientation only."
            ),
        )
    )
    return drawn


def _place() -> dict[str, Any]:
    """Return the two position channels; a map has no axes, as its directions mean nothing."""
    import altair as alt

    scale = alt.Scale(zero=False, nice=False, padding=16)
    return {"x": alt.X("x:Q", axis=None, scale=scale), "y": alt.Y("y:Q", axis=None, scale=scale)}


def _point_layer(points: pd.DataFrame, given: Mapping[int, str] | None) -> alt.Chart:
    import altair as alt

    names = theme.ordered(points["cluster"])
    colours, shapes = theme.looks(names, given)
    frame = theme.pick(points, "id", "cluster", "x", "y", "margin").assign(
        order=points["cluster"].map({name: i for i, name in enumerate(names)}).to_numpy()
    )
    legend = alt.Legend(
        title="cluster (click to single out)", orient="bottom", columns=3, labelLimit=alt.ExprRef("width / 3 - 28"),
        symbolLimit=40, symbolOpacity=1, symbolSize=70,
    )  # fmt: skip
    cluster = alt.selection_point(name="cluster", fields=["cluster"], bind="legend")
    window = alt.selection_interval(
        name="window", encodings=["x", "y"],
        mark=alt.BrushConfig(fill=theme.GREY, fillOpacity=0.15, stroke=theme.INK, strokeOpacity=0.7),
    )  # fmt: skip
    picked = alt.selection_point(name="picked", fields=["id"], on="click", nearest=False, toggle=False)
    drawn: alt.Chart = (
        alt.Chart(frame, name="points")
        .transform_calculate(margin_shown=tooltips.known("margin", "+.4f"))
        .mark_point(filled=True, size=26, aria=False)  # thousands: the description of the chart must do
        .encode(
            **_place(),
            color=alt.Color("cluster:N", sort=theme.by("order"), scale=alt.Scale(range=colours), legend=legend),
            shape=alt.Shape("cluster:N", sort=theme.by("order"), scale=alt.Scale(range=shapes), legend=legend),
            opacity=alt.when(cluster).then(alt.value(0.55)).otherwise(alt.value(0.06)),
            tooltip=[
                tooltips.word("id", "id"), tooltips.word("cluster", "cluster"), tooltips.word("margin_shown", "margin"),
                *tooltips.extras(frame),
            ],
        )
        .add_params(cluster, window, picked)
    )  # fmt: skip
    return drawn


def _highlight_layers(highlights: pd.DataFrame) -> list[alt.Chart]:
    """Return circles for pullers and squares for pushers, on a white outline that lifts them off the points."""
    import altair as alt

    columns = ("id", "cluster", "x", "y", "side", "pulls", "size", "if_removed", "if_removed_percent")
    frame = theme.pick(highlights, *columns).assign(order=(~highlights["pulls"].to_numpy(dtype=bool)).astype(int))
    size = alt.Size("size:Q", scale=alt.Scale(zero=True, range=[40, 620]), legend=None)
    base = alt.Chart(frame).encode(**_place(), size=size)
    shape = alt.when("datum.pulls").then(alt.value("circle")).otherwise(alt.value("square"))
    outlines = base.properties(name="highlight_outlines").mark_point(
        filled=False, stroke="#ffffff", strokeWidth=5, opacity=0.55, aria=False
    )
    marks = base.properties(name="highlights").mark_point(filled=False, strokeWidth=2.2, opacity=1)
    tooltip = [
        tooltips.word("id", "id"), tooltips.word("side", "side"), tooltips.word("cluster", "cluster"),
        tooltips.signed("if_removed", "if removed, change of margin"),
        tooltips.word("percent_shown", "in % of the margin"), *tooltips.extras(frame),
    ]  # fmt: skip
    return [
        outlines.encode(shape=shape),
        marks.transform_calculate(
            percent_shown=tooltips.known("if_removed_percent", "+.1f", after=" %"),
            spoken="datum.id + ', ' + datum.side + ', if removed, change of margin ' + format(datum.if_removed, '+.4f')",
        ).encode(**_by_side(sorted(frame["order"].unique())), tooltip=tooltip, description=tooltips.spoken()),
    ]


def _by_side(present: list[int]) -> dict[str, Any]:
    """Return the channels that tell the sides apart, for the sides that are present (0 pulled in, 1 pushed away)."""
    import altair as alt

    legend = alt.Legend(title=None, orient="top", symbolSize=130, symbolStrokeWidth=2, symbolFillColor="transparent")

    def channel(*ends: Any) -> dict[str, Any]:
        scale = alt.Scale(range=[ends[order] for order in present])
        return {"sort": theme.by("order"), "scale": scale, "legend": legend}

    return {
        "stroke": alt.Stroke("side:N", **channel(theme.PULL, theme.PUSH)),
        "strokeDash": alt.StrokeDash("side:N", **channel(theme.SOLID, theme.DASHED)),
        "shape": alt.Shape("side:N", **channel("circle", "square")),
    }


def _link_layer(links: pd.DataFrame) -> alt.Chart:
    import altair as alt

    shown = alt.param(
        name="links", value=False, bind=alt.binding_checkbox(name="show nearest neighbours in the embedding ")
    )
    drawn: alt.Chart = (
        alt.Chart(links[["id", "x", "y", "x2", "y2"]].reset_index(drop=True), name="neighbours")
        .mark_rule(strokeWidth=1.2)
        .encode(**_place(), x2="x2:Q", y2="y2:Q", opacity=alt.when(shown).then(alt.value(0.6)).otherwise(alt.value(0)))
        .add_params(shown)
    )
    return drawn


def _cluster_labels(label_positions: pd.DataFrame) -> list[alt.Chart]:
    """Return the clusters' labels, dark on a white outline: legible on every colour, on light and dark pages."""
    import altair as alt

    base = alt.Chart(label_positions[["cluster", "label", "x", "y"]].reset_index(drop=True)).encode(
        **_place(), text="label:N"
    )
    style: dict[str, Any] = {"fontWeight": "bold", "fontSize": 14, "limit": 140}
    return [
        base.properties(name="cluster_label_outlines").mark_text(
            **style, stroke="#ffffff", strokeWidth=3, strokeOpacity=0.8, aria=False
        ),
        base.properties(name="cluster_labels").mark_text(**style, color="#111111"),
    ]
