"""Influence summed over groups of training examples, as bars with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clusterexplain.report.charts import theme, tooltips

if TYPE_CHECKING:
    import altair as alt

STEP = 26
SIGNS = ("pulls in", "pushes away")


def groups_chart(
    frame: pd.DataFrame, *, what: str = "group", width: int = 560, height: int | None = None
) -> alt.LayerChart:
    """Draw the influence of groups on one sample, largest first.

    Parameters
    ----------
    frame : DataFrame
        One row for each group: group, n (training examples in it), influence (sum over them, on the margin; positive pulls
        in), low and high (ends of the 95 % interval, may be missing), if_removed (predicted change of the margin if the
        whole group is removed), pull_share (of all positive influence, 0 to 1), push_share (of all negative), size_share
        (of the training examples).
    what : str, default="group"
        What the groups are, for example "batch".
    width : int, default=560
        Pixels.
    height : int, optional
        Pixels; by default from the number of rows.

    Returns
    -------
    LayerChart
        Bars with interval rules; sums in blue pull in, in pale and dashed orange push away.
    """
    import altair as alt

    numbers = ["n", "influence", "low", "high", "if_removed", "pull_share", "push_share", "size_share"]
    rows = frame[["group", *numbers]].reset_index(drop=True)
    rows["order"] = rows["influence"].abs().rank(method="first", ascending=False)
    zero = alt.Chart(pd.DataFrame({"zero": [0.0]}), name="zero").mark_rule(opacity=0.6).encode(x=_x("zero"))
    return theme.configured(
        theme.layered(_bars(rows), zero, *_intervals(rows)).properties(
            width=width,
            height=height or max(STEP * len(rows), 2 * STEP),
            title=theme.titled(f"Influence by {what}"),
            description=(
                f"Bars: influence summed over the training examples of each {what}, on the sample's margin, largest first. "
                "Blue, to the right (positive): pulls in. Orange, dashed, to the left (negative): pushes away. Lines: 95 % "
                "intervals."
            ),
        )
    )


def _y() -> alt.Y:
    """Return the rows; their title is fixed, as titles of axes find their way into expressions of Vega."""
    import altair as alt

    return alt.Y(
        "group:N", sort=theme.by("order"), title=None, axis=theme.names_axis(), scale=alt.Scale(paddingInner=0.35)
    )


def _x(field: str) -> alt.X:
    import altair as alt

    title = ["influence on the margin, summed", "positive: pulls in", "negative: pushes away"]
    return alt.X(f"{field}:Q", title=title, axis=theme.signed_axis())


def _bars(rows: pd.DataFrame) -> alt.Chart:
    import altair as alt

    interval = (
        "isValid(datum.low) && isValid(datum.high) ? format(datum.low, '+.4f') + ' to ' + format(datum.high, '+.4f')"
        " : 'too few to say'"
    )
    drawn: alt.Chart = (
        alt.Chart(rows, name="groups")
        .transform_calculate(sign=f"datum.influence < 0 ? '{SIGNS[1]}' : '{SIGNS[0]}'", interval=interval)
        .mark_bar(strokeWidth=1.2)
        .encode(
            y=_y(), x=_x("influence"),
            **theme.two_ways("sign", SIGNS),
            tooltip=[
                tooltips.word("group", "group"), tooltips.number("n", "training examples"),
                tooltips.signed("influence", "influence, summed"), tooltips.word("interval", "95 % interval"),
                tooltips.signed("if_removed", "if removed, change of margin"),
                tooltips.number("pull_share", "share of all pull", ".1%"),
                tooltips.number("push_share", "share of all push", ".1%"),
                tooltips.number("size_share", "share of the examples", ".1%"),
            ],
        )
    )  # fmt: skip
    return drawn


def _intervals(rows: pd.DataFrame) -> list[alt.Chart]:
    import altair as alt

    known = alt.Chart(rows).transform_filter("isValid(datum.low) && isValid(datum.high)")
    rule = known.properties(name="intervals").mark_rule(strokeWidth=1.6)
    cap = known.mark_tick(thickness=1.6, size=8, color=theme.INK)
    return [
        rule.encode(y=_y(), x=_x("low"), x2="high:Q"),
        cap.properties(name="lows").encode(y=_y(), x=_x("low")),
        cap.properties(name="highs").encode(y=_y(), x=_x("high")),
    ]
