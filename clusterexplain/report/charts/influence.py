"""Pullers and pushers as ranked bars, each split into the three ways in which an example has influence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clusterexplain.report.charts import theme, tooltips

if TYPE_CHECKING:
    import altair as alt

STEP = 22
PARTS = {
    "encoder": "its embedding moved",
    "cluster_part": "clusters moved",
    "direct": "own weight",
}
NUMBERS = ("influence", *PARTS, "if_removed", "if_removed_percent")


def influence_chart(listed: pd.DataFrame, *, width: int = 560, height: int | None = None) -> alt.LayerChart:
    """Draw the strongest pullers and pushers of one sample.

    Parameters
    ----------
    listed : DataFrame
        One row for each example: rank (order from top to bottom, pullers first), id, cluster, pulls (True pulled in, False
        pushed away), side (the word for it), influence (on the margin, positive pulled in), its three parts encoder (the
        sample's embedding moved), cluster_part (the clusters moved) and direct (the example's own weight), if_removed
        (predicted change of the margin if the example is removed), if_removed_percent (of the margin); optional row and
        image.
    width : int, default=560
        Pixels.
    height : int, optional
        Pixels; by default from the number of rows.

    Returns
    -------
    LayerChart
        Parts are stacked to the right of 0 if positive, to the left if negative; the mark is their sum.
    """
    frame = theme.pick(listed, "rank", "id", "cluster", "pulls", "side", *NUMBERS)
    chart = theme.layered(_parts(frame), _zero(), _between(frame), _totals(frame), *_sides(frame))
    drawn: alt.LayerChart = theme.configured(
        chart.resolve_scale(shape="independent").properties(
            width=width,
            height=height or max(STEP * len(frame), 2 * STEP),
            description=(
                "Ranked bars: influence of training examples on the sample's margin, pullers (positive) above, pushers "
                "(negative) below. Each bar is split into three parts; a circle (pulled in) or a square (pushed away) marks "
                "their sum."
            ),
        )
    )
    return drawn


def _row(title: str | None = "training example") -> alt.Y:
    import altair as alt

    return alt.Y(
        "id:N", sort=theme.by("rank"), title=title, axis=theme.names_axis(120),
        scale=alt.Scale(paddingInner=0.3, paddingOuter=0.2),
    )  # fmt: skip


def _amount(field: str) -> alt.X:
    import altair as alt

    return alt.X(
        f"{field}:Q",
        title=["influence on the margin", "positive: pulled in", "negative: pushed away"],
        axis=theme.signed_axis(),
    )


def _tooltip(frame: pd.DataFrame, *more: alt.Tooltip) -> list[alt.Tooltip]:
    return [
        tooltips.word("id", "id"),
        tooltips.word("side", "side"),
        tooltips.word("cluster", "cluster"),
        *more,
        tooltips.signed("influence", "influence, all parts"),
        tooltips.signed("if_removed", "if removed, change of margin"),
        tooltips.word("percent_shown", "in % of the margin"),
        *tooltips.extras(frame),
    ]


def _parts(frame: pd.DataFrame) -> alt.Chart:
    import altair as alt

    columns, words = list(PARTS), list(PARTS.values())
    name = f"datum.part == '{columns[0]}' ? '{words[0]}' : datum.part == '{columns[1]}' ? '{words[1]}' : '{words[2]}'"
    legend = alt.Legend(
        title="parts (circle or square: their sum)",
        orient="top",
        symbolType="square",
        columns=1,
    )
    drawn: alt.Chart = (
        alt.Chart(frame, name="parts")
        .transform_calculate(percent_shown=tooltips.known("if_removed_percent", "+.1f", after=" %"))
        .transform_fold([*columns], as_=["part", "amount"])
        .transform_calculate(why=name, place=f"datum.part == '{columns[0]}' ? 0 : datum.part == '{columns[1]}' ? 1 : 2")
        .transform_calculate(spoken="datum.id + ', ' + datum.why + ' ' + format(datum.amount, '+.4f')")
        .mark_bar(stroke=theme.INK, strokeWidth=0.5, strokeOpacity=0.7)
        .encode(
            y=_row(),
            x=_amount("amount"),
            color=alt.Color("why:N", scale=alt.Scale(domain=words, range=list(theme.PARTS)), legend=legend),
            order=alt.Order("place:Q"),
            description=tooltips.spoken(),
            tooltip=_tooltip(frame, tooltips.word("why", "part"), tooltips.signed("amount", "influence of this part")),
        )
    )
    return drawn


def _totals(frame: pd.DataFrame) -> alt.Chart:
    import altair as alt

    drawn: alt.Chart = (
        alt.Chart(frame, name="totals")
        .transform_calculate(
            percent_shown=tooltips.known("if_removed_percent", "+.1f", after=" %"),
            spoken="datum.id + ', ' + datum.side + ', influence ' + format(datum.influence, '+.4f')",
        )
        .mark_point(filled=True, size=70, stroke=theme.INK, strokeWidth=1, opacity=1)
        .encode(
            y=_row(),
            x=_amount("influence"),
            fill=alt.when("datum.pulls").then(alt.value(theme.PULL)).otherwise(alt.value(theme.PUSH)),
            shape=alt.when("datum.pulls").then(alt.value("circle")).otherwise(alt.value("square")),
            description=tooltips.spoken(),
            tooltip=_tooltip(frame),
        )
    )
    return drawn


def _zero() -> alt.Chart:
    import altair as alt

    drawn: alt.Chart = (
        alt.Chart(pd.DataFrame({"zero": [0.0]}), name="zero").mark_rule(opacity=0.6).encode(x=_amount("zero"))
    )
    return drawn


def _meeting(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the last puller and the first pusher (one row or none each): between them lies the line between the sides."""
    rows = frame.sort_values("rank", kind="stable")[["rank", "id", "pulls", "side"]]
    pulls = rows["pulls"].to_numpy(dtype=bool)
    return rows[pulls].tail(1), rows[~pulls].head(1)


def _between(frame: pd.DataFrame) -> alt.Chart:
    import altair as alt

    puller, pusher = _meeting(frame)
    rule = alt.Chart(pusher if len(puller) else pusher.head(0), name="between")
    drawn: alt.Chart = rule.mark_rule(strokeDash=[2, 3], opacity=0.6, yOffset=-3).encode(y=_row().bandPosition(0))
    return drawn


def _sides(frame: pd.DataFrame) -> list[alt.Chart]:
    """Write the words for the sides at the right: beyond the shortest bar of the pullers, opposite to the pushers' bars."""
    import altair as alt

    puller, pusher = _meeting(frame)
    labels = [
        alt.Chart(puller, name="pullers").transform_calculate(word="'\u25cf ' + datum.side"),
        alt.Chart(pusher, name="pushers").transform_calculate(word="'\u25a0 ' + datum.side"),
    ]
    return [
        label.mark_text(align="right", fontStyle="italic").encode(y=_row(), x=alt.value("width"), text="word:N")
        for label in labels
    ]
