"""Which cluster's examples hold which cluster together: a heat map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clusterexplain.report.charts import theme, tooltips

if TYPE_CHECKING:
    import altair as alt

WRITTEN = 12
"""Up to this many clusters the numbers are written into the cells."""
COLOURS = ("#b24d00", "#f0a868", "#f4f2ee", "#6fb1dc", "#00568f")
"""From orange (loosens) through nearly white (nothing) to blue (holds)."""


def heatmap_chart(frame: pd.DataFrame, *, width: int = 480, height: int = 400) -> alt.LayerChart:
    """Draw the influence of each cluster's examples on each cluster's members.

    Parameters
    ----------
    frame : DataFrame
        One row for each pair: target (cluster whose members), source (cluster that pulls), target_rank and source_rank
        (their order), influence (sum over the source's examples on the mean margin of the target's members; positive
        holds, negative loosens), if_removed (predicted change of that mean margin if the source's examples are removed; missing
        where that would leave no target), n (examples in source).
    width, height : int
        Pixels.

    Returns
    -------
    LayerChart
        Blue cells hold, orange cells loosen; up to 12 clusters with the numbers in the cells.
    """
    columns = ["target", "source", "target_rank", "source_rank", "influence", "if_removed", "n"]
    cells = frame[columns].reset_index(drop=True)
    layers = [_cell_layer(cells)]
    if max(cells["target"].nunique(), cells["source"].nunique()) <= WRITTEN:
        layers.append(_numbers(cells))
    return theme.configured(
        theme.layered(*layers).properties(
            width=width,
            height=height,
            description=(
                "Heat map: rows are clusters whose members are looked at, columns are clusters whose training examples pull. "
                "Blue (positive): these examples hold the members in their cluster. Orange (negative): they loosen them. "
                "Colour is the summed influence on the mean margin of the members, each to its own runner-up. On the diagonal "
                "it is what training on the cluster itself does to it."
            ),
        )
    )


def _places() -> tuple[alt.X, alt.Y]:
    import altair as alt

    scale = alt.Scale(padding=0.04)
    x = alt.X(
        "source:N", sort=theme.by("source_rank"), title="pulled by examples of", scale=scale,
        axis=alt.Axis(labelAngle=-40, labelLimit=100, labelPadding=4, ticks=False, domain=False),
    )  # fmt: skip
    y = alt.Y(
        "target:N", sort=theme.by("target_rank"), title="members of", scale=scale,
        axis=theme.names_axis(110),
    )  # fmt: skip
    return x, y


def _cell_layer(cells: pd.DataFrame) -> alt.Chart:
    import altair as alt

    largest = float(cells["influence"].abs().max()) if len(cells) else 0.0
    end = largest if largest > 0 else 1.0
    x, y = _places()
    colour = alt.Color(
        "influence:Q",
        scale=alt.Scale(domain=[-end, -end / 2, 0, end / 2, end], range=list(COLOURS), interpolate="lab"),
        legend=alt.Legend(
            title=["summed influence on the mean margin", "(positive holds, negative loosens)"], orient="bottom",
            format="+.2~r", gradientLength=alt.ExprRef("min(240, width)"), values=[-end, 0, end], labelExpr=theme.UNSIGNED_ZERO,
        ),
    )  # fmt: skip
    drawn: alt.Chart = (
        alt.Chart(cells, name="cells")
        .transform_calculate(removed_shown=tooltips.known("if_removed", "+.4f", "its own examples: no cluster is left"))
        .mark_rect()
        .encode(
            x=x, y=y, color=colour,
            tooltip=[
                tooltips.word("target", "members of"), tooltips.word("source", "pulled by examples of"),
                tooltips.signed("influence", "influence on the mean margin, summed"),
                tooltips.word("removed_shown", "if removed, change of mean margin"),
                tooltips.number("n", "examples that pull"),
            ],
        )
    )  # fmt: skip
    return drawn


def _numbers(cells: pd.DataFrame) -> alt.Chart:
    """Write the numbers: white on strong colours, and none where the cells are too narrow for them."""
    import altair as alt

    x, y = _places()
    size = "clamp(bandwidth('x') / 3.6, 7, 12)"
    digits = "clamp(1 - floor(log(datum.largest) / LN10), 0, 6)"  # two digits of the largest, the same for all
    drawn: alt.Chart = (
        alt.Chart(cells, name="numbers")
        .transform_calculate(strength="abs(datum.influence)")
        .transform_joinaggregate(largest="max(strength)")
        .transform_calculate(shown=f"format(datum.influence, '+.' + {digits} + 'f')")
        .mark_text(fontSize=alt.ExprRef(size), opacity=alt.ExprRef("bandwidth('x') < 25 ? 0 : 1"))
        .encode(
            x=x, y=y, text="shown:N",
            color=alt.when("datum.strength > 0.7 * datum.largest").then(alt.value("#ffffff")).otherwise(
                alt.value("#111111")
            ),
        )
    )  # fmt: skip
    return drawn
