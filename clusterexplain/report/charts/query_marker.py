"""The explained sample, a star on every chart that has a place for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clusterexplain.report.charts import theme, tooltips

if TYPE_CHECKING:
    import altair as alt

SHAPE = (
    "M0,-1L.257,-.354L.951,-.309L.416,.135L.588,.809L0,.438L-.588,.809L-.416,.135L-.951,-.309L-.257,-.354Z"
)  # fmt: skip


def query_marker(sample: pd.DataFrame, x: str, y: str, *lines: alt.Tooltip) -> alt.Chart:
    """Draw the explained sample; the caller gives the channels x and y.

    Parameters
    ----------
    sample : DataFrame
        One row: id and the two columns of its place; optional row and image.
    x, y : str
        Names of the columns that hold its place.
    *lines : Tooltip
        More lines for the tooltip.

    Returns
    -------
    Chart
        A red star with an outline in the colour of the text.
    """
    import altair as alt

    frame = theme.pick(sample, "id", x, y)
    drawn: alt.Chart = (
        alt.Chart(frame, name="sample")
        .transform_calculate(spoken="'the explained sample, ' + datum.id")
        .mark_point(shape=SHAPE, filled=True, fill=theme.CHOSEN, stroke=theme.INK, size=230, opacity=1)
        .encode(
            tooltip=[tooltips.word("id", "the explained sample"), *lines, *tooltips.extras(frame)],
            description=tooltips.spoken(),
        )
    )
    return drawn
