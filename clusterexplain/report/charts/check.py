"""Predicted against retrained changes of the margin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clusterexplain.report.charts import theme, tooltips
from clusterexplain.results.removals import DOWN_WEIGHT, GROUP, RANDOM, SINGLE, TOP_PULLERS
from clusterexplain.results.text.check import ASSIGNMENTS

if TYPE_CHECKING:
    import altair as alt

SHOWN_ASSIGNMENTS = (ASSIGNMENTS["kept"], ASSIGNMENTS["continued"])
REMOVAL_LABELS = tuple(kind.label for kind in (SINGLE, GROUP, TOP_PULLERS, RANDOM, DOWN_WEIGHT))
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left")
X_TITLE = "predicted change of the margin"
DEEPER = "deeper in its cluster"
Y_TITLE = ["change of the margin", "after retraining"]


def check_chart(
    table: pd.DataFrame,
    *,
    null: float | None = None,
    grade: str = "",
    deeper: str = DEEPER,
    width: int = 420,
    height: int = 420,
) -> alt.LayerChart:
    """Draw what was predicted against what retraining gave.

    The parameter ``shown`` holds the assignments picked in the legend; the others fade.

    Parameters
    ----------
    table : DataFrame
        One row for each (query, retraining, assignments): query (id), kind ("single", "group", "top pullers" or another
        word), assignments ("labels kept" or "clustering continued"), n_removed (training examples), predicted and retrained
        (change of the margin; positive is deeper in its cluster).
    null : float, optional
        Half-width of the band around 0 in which a retrained change cannot be told from none, in units of the margin;
        None or missing draws no band.
    grade : str, default=""
        A short verdict for the corner.
    deeper : str, default="deeper in its cluster"
        What a positive change is.
    width, height : int
        Pixels.

    Returns
    -------
    LayerChart
        On the diagonal, prediction and retraining agree.
    """
    null = None if null is None or pd.isna(null) else null
    layers = [] if null is None else _band(null)
    layers += [_diagonal(table, null, deeper), _point_layer(table, deeper)]
    if grade:
        layers.append(_grade_layer(grade))
    return theme.configured(
        theme.layered(*layers).properties(
            width=width,
            height=height,
            description=(
                "Scatter plot: predicted change of the margin (across) against the change after retraining (up), one "
                "symbol for each sample and retraining. On the dashed diagonal the two agree. In the grey band "
                "around 0 a retrained change cannot be told from none."
            ),
        )
    )


def _x(field: str, deeper: str) -> alt.X:
    import altair as alt

    return alt.X(
        f"{field}:Q", title=[X_TITLE, f"(positive: {deeper})"], axis=theme.signed_axis(), scale=alt.Scale(zero=False)
    )


def _y(field: str) -> alt.Y:
    import altair as alt

    return alt.Y(f"{field}:Q", title=Y_TITLE, axis=theme.signed_axis(), scale=alt.Scale(zero=False))


def _diagonal(table: pd.DataFrame, null: float | None, deeper: str) -> alt.Chart:
    """Draw the identity from the least to the largest number: it gives both axes the same ends."""
    import altair as alt

    both = pd.concat([table["predicted"], table["retrained"], pd.Series([-null, null] if null else [], dtype=float)])
    both = both.dropna()
    ends = pd.DataFrame({"end": [both.min(), both.max()] if len(both) else []}, dtype=float)
    drawn: alt.Chart = alt.Chart(ends, name="diagonal").mark_line(
        color=theme.INK, strokeDash=[5, 4], strokeWidth=1.2, opacity=0.7
    ).encode(x=_x("end", deeper), y=_y("end"))  # fmt: skip
    return drawn


def _band(null: float) -> list[alt.Chart]:
    import altair as alt

    frame = pd.DataFrame({"low": [-null], "high": [null], "label": ["no clear change"]})
    base = alt.Chart(frame)
    band = base.properties(name="band").mark_rect(color=theme.GREY, opacity=0.22).encode(y=_y("low"), y2="high:Q")
    text = base.properties(name="band_label").mark_text(
        align="right", baseline="bottom", dx=-4, dy=-2, fontSize=11, fontStyle="italic"
    ).encode(x=alt.value("width"), y=_y("low"), text="label:N")  # fmt: skip
    return [band, text]


def _point_layer(table: pd.DataFrame, deeper: str) -> alt.Chart:
    import altair as alt

    frame = table[["query", "kind", "assignments", "n_removed", "predicted", "retrained"]].reset_index(drop=True)
    places = {kind: i for i, kind in enumerate(REMOVAL_LABELS)}
    kinds = sorted(set(frame["kind"]), key=lambda kind: (places.get(kind, len(places)), kind))
    frame["order"] = frame["kind"].map({kind: i for i, kind in enumerate(kinds)})
    shapes = [SHAPES[i % len(SHAPES)] for i in range(len(kinds))]
    shown = alt.selection_point(name="shown", fields=["assignments"], bind="legend")
    colour = alt.Scale(domain=list(SHOWN_ASSIGNMENTS), range=list(theme.PAIR))
    fill = alt.Scale(domain=list(SHOWN_ASSIGNMENTS), range=["transparent", "rgba(238, 51, 119, 0.45)"])
    legend = alt.Legend(
        title="clusters (click to single out)", orient="bottom", symbolType="circle", symbolStrokeWidth=1.5, columns=1
    )
    kind = alt.Legend(
        title="removed", orient="bottom", symbolStrokeColor=theme.INK, symbolFillColor="transparent", columns=1
    )
    drawn: alt.Chart = (
        alt.Chart(frame, name="points")
        .mark_point(size=55, strokeWidth=1.5)
        .encode(
            x=_x("predicted", deeper), y=_y("retrained"),
            stroke=alt.Stroke("assignments:N", scale=colour, legend=legend),
            fill=alt.Fill("assignments:N", scale=fill, legend=legend),
            shape=alt.Shape("kind:N", sort=theme.by("order"), scale=alt.Scale(range=shapes), legend=kind),
            opacity=alt.when(shown).then(alt.value(0.9)).otherwise(alt.value(0.06)),
            tooltip=[
                tooltips.word("query", "sample"), tooltips.word("kind", "removed"), tooltips.number("n_removed", "how many"),
                tooltips.word("assignments", "clusters"), tooltips.signed("predicted", "predicted change of the margin"),
                tooltips.signed("retrained", "change after retraining"),
            ],
        )
        .add_params(shown)
    )  # fmt: skip
    return drawn


def _grade_layer(grade: str) -> alt.Chart:
    import altair as alt

    drawn: alt.Chart = (
        alt.Chart(pd.DataFrame({"grade": [grade]}), name="grade")
        .mark_text(align="left", baseline="top", fontSize=14, fontWeight="bold", limit=200)
        .encode(x=alt.value(6), y=alt.value(4), text="grade:N")
    )
    return drawn
