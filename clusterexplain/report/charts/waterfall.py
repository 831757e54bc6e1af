"""What becomes of the margin as the strongest pullers go, one after another: predicted, and retrained where it was tried."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd

from clusterexplain.report.charts import theme, tooltips
from clusterexplain.results.removals import RANDOM, TOP_PULLERS
from clusterexplain.results.text.check import ASSIGNMENTS

if TYPE_CHECKING:
    import altair as alt

OUTCOMES = ("stays in its cluster", "changes sides")
SHOWN_ASSIGNMENTS = (ASSIGNMENTS["kept"], ASSIGNMENTS["continued"])
X_TITLE = "strongest pullers removed"
ABOVE = "above 0: in its cluster"
BOUNDARY = "datum.value === 0 ? 'boundary 0' : datum.label"
"""The word stands at the axis: inside the plot there is no place that no bar ever covers."""


def waterfall_chart(
    steps: pd.DataFrame,
    *,
    retrained: pd.DataFrame | None = None,
    flip: pd.DataFrame | None = None,
    sides: tuple[str, str] = OUTCOMES,
    above: str = ABOVE,
    width: int = 560,
    height: int = 300,
) -> alt.LayerChart:
    """Draw the predicted margin while the strongest pullers are removed.

    The parameter ``k`` is bound to a slider: steps after the first k fade, and the margin after k is written at the top.

    Parameters
    ----------
    steps : DataFrame
        One row for each step: removed (1 to n, how many of the strongest pullers are gone), id (the one that goes in this
        step), called (the same as it is shown: "7 (itself)" for the sample), before and after (predicted margin; above 0 in
        its cluster, below 0 across the boundary), pulls (True: the one that goes pulled in); optional row and image.
    retrained : DataFrame, optional
        One row for each retraining: removed (how many), what ("top pullers", "random" or another word), assignments
        ("labels kept" or "clustering continued"), predicted and margin (predicted, and after retraining); optional low and high
        (ends of an interval for margin, may be missing).
    flip : DataFrame, optional
        One row or none: removed and margin where the prediction crosses the boundary.
    sides : (str, str), default=("stays in its cluster", "changes sides")
        What a margin above 0 and one below are called.
    above : str, default="above 0: in its cluster"
        The same at the axis.
    width, height : int
        Pixels.

    Returns
    -------
    LayerChart
        A floating bar for each step, dots for retrainings, the boundary as a line at 0.
    """
    layers = [_boundary(above), _bars(steps, sides, above), _reading(steps)]
    own = steps[steps["called"] != steps["id"]]
    if len(own):
        layers.append(_itself(own, above))
    if flip is not None and len(flip):
        layers.extend(_flip_layers(flip, len(steps)))
    if retrained is not None and len(retrained):
        layers.extend(_retrained_layers(retrained, above))
    chart = theme.layered(*layers).resolve_scale(
        fill="independent", stroke="independent", strokeDash="independent", shape="independent"
    )
    drawn: alt.LayerChart = theme.configured(
        chart.properties(
            width=width,
            height=height,
            description=(
                "Waterfall: the predicted margin from left to right as the strongest pullers are removed one by one. "
                f"Blue, solid bars: {sides[0]} (margin above 0). Orange, dashed bars: {sides[1]} (margin below 0). Symbols: "
                "margins after retraining."
            ),
        )
    )
    return drawn


def _x(field: str = "removed") -> alt.X:
    import altair as alt

    axis = alt.Axis(format="d", tickMinStep=1, grid=False, labelOverlap=True)
    return alt.X(f"{field}:Q", title=X_TITLE, axis=axis, scale=alt.Scale(zero=False, nice=False, padding=6))


def _y(field: str, above: str) -> alt.Y:
    import altair as alt

    axis = alt.Axis(format="~g", tickCount=6, labelExpr=BOUNDARY)
    return alt.Y(f"{field}:Q", title=["margin", f"({above})"], axis=axis)


def _boundary(above: str) -> alt.Chart:
    import altair as alt

    frame = pd.DataFrame({"margin": [0.0]})
    drawn: alt.Chart = alt.Chart(frame, name="boundary").mark_rule(strokeWidth=1.5).encode(y=_y("margin", above))
    return drawn


def _bars(steps: pd.DataFrame, sides: tuple[str, str], above: str) -> alt.Chart:
    import altair as alt

    n = max(len(steps), 1)
    k = alt.param(name="k", value=n, bind=alt.binding_range(min=1, max=n, step=1, name="remove the first … pullers: "))
    drawn: alt.Chart = (
        alt.Chart(theme.pick(steps, "removed", "id", "called", "before", "after"), name="steps")
        .transform_calculate(
            start="datum.removed - 0.42",
            end="datum.removed + 0.42",
            change="datum.after - datum.before",
            spoken="'without the first ' + datum.removed + ': margin ' + format(datum.after, '+.4f')",
            side=f"datum.after > 0 ? {json.dumps(sides[0])} : {json.dumps(sides[1])}",
        )
        .mark_bar(strokeWidth=1.2)  # not rect, which Vega-Lite never draws dashed
        .encode(
            x=_x("start"), x2="end:Q", y=_y("before", above), y2="after:Q",
            **theme.two_ways("side", sides),
            description=tooltips.spoken(),
            opacity=alt.when(alt.datum.removed <= k).then(alt.value(1)).otherwise(alt.value(0.15)),
            tooltip=[
                tooltips.number("removed", "removed so far"), tooltips.word("called", "the one that goes"),
                tooltips.signed("before", "margin before"), tooltips.signed("after", "margin after"),
                tooltips.signed("change", "change of margin"), *tooltips.extras(steps),
            ],
        )
        .add_params(k)
    )  # fmt: skip
    return drawn


def _reading(steps: pd.DataFrame) -> alt.Chart:
    import altair as alt

    drawn: alt.Chart = (
        alt.Chart(steps[["removed", "after"]].reset_index(drop=True), name="reading")
        .transform_filter("datum.removed == k")
        .transform_calculate(reading="'predicted margin after ' + datum.removed + ': ' + format(datum.after, '+.4f')")
        .mark_text(align="right", baseline="bottom", fontWeight="bold")
        .encode(x=alt.value("width"), y=alt.value(-4), text="reading:N")
    )
    return drawn


def _itself(own: pd.DataFrame, above: str) -> alt.Chart:
    import altair as alt

    drawn: alt.Chart = (
        alt.Chart(own[["removed", "before"]].reset_index(drop=True), name="itself")
        .mark_text(baseline="bottom", dy=-2, fontStyle="italic")
        .encode(x=_x(), y=_y("before", above), text=alt.value("itself"))
    )
    return drawn


def _flip_layers(flip: pd.DataFrame, n: int) -> list[alt.Chart]:
    import altair as alt

    late = float(flip["removed"].iloc[0]) > n / 2
    base = alt.Chart(flip[["removed", "margin"]].head(1).reset_index(drop=True))
    rule = base.properties(name="flip").mark_rule(strokeDash=[6, 3], strokeWidth=1.5).encode(x=_x())
    text = (
        base.properties(name="flip_label")
        .transform_calculate(label="'predicted to change\\nsides after ' + datum.removed")
        .mark_text(align="right" if late else "left", dx=-6 if late else 6, dy=-22, baseline="bottom", lineBreak="\n")
    )
    return [rule, text.encode(x=_x(), y=alt.value("height"), text="label:N")]


def _retrained_layers(retrained: pd.DataFrame, above: str) -> list[alt.Chart]:
    """Return interval rules, if there are intervals, and dots: shape by assignments, filled by what was removed."""
    import altair as alt

    ends = [name for name in ("low", "high") if name in retrained]
    frame = retrained[["removed", "what", "assignments", "predicted", "margin", *ends]].reset_index(drop=True)
    kinds = sorted(set(frame["what"]), key=lambda what: (what != TOP_PULLERS.label, what != RANDOM.label, what))
    frame["order"] = frame["what"].map({what: i for i, what in enumerate(kinds)})
    fills = [{TOP_PULLERS.label: theme.INK, RANDOM.label: "transparent"}.get(what, theme.PAIR[1]) for what in kinds]
    ink: dict[str, Any] = {"orient": "bottom", "symbolStrokeColor": theme.INK, "columns": 1}
    legend = alt.Legend(title="fill: retrained without", symbolType="square", **ink)
    shape = alt.Legend(title="shape: clusters", symbolFillColor=theme.GREY, **ink)
    scale = alt.Scale(domain=list(SHOWN_ASSIGNMENTS), range=["circle", "triangle-up"])
    dots = (
        alt.Chart(frame, name="retrained")
        .mark_point(size=70, strokeWidth=1.6, stroke=theme.INK, opacity=1)
        .encode(
            x=_x(), y=_y("margin", above),
            shape=alt.Shape("assignments:N", scale=scale, legend=shape),
            fill=alt.Fill("what:N", sort=theme.by("order"), scale=alt.Scale(range=fills), legend=legend),
            tooltip=[
                tooltips.word("what", "retrained without"), tooltips.number("removed", "removed"),
                tooltips.word("assignments", "clusters"), tooltips.signed("predicted", "predicted margin"),
                tooltips.signed("margin", "margin after retraining"),
            ],
        )
    )  # fmt: skip
    if len(ends) < 2:
        return [dots]
    rules = alt.Chart(frame, name="intervals").transform_filter("isValid(datum.low) && isValid(datum.high)")
    return [rules.mark_rule(strokeWidth=1.4).encode(x=_x(), y=_y("low", above), y2="high:Q"), dots]
