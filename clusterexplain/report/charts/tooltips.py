"""The words of a chart: lines of tooltips, and what a screen reader says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    import altair as alt

EXTRAS = ("row", "image")
"""Optional columns, a text snippet and the data URI of a picture: shown in tooltips where a frame has them."""


def signed(field: str, title: str) -> alt.Tooltip:
    """Return the line of a tooltip that shows a number with its sign."""
    import altair as alt

    return alt.Tooltip(f"{field}:Q", title=title, format="+.4f")


def word(field: str, title: str) -> alt.Tooltip:
    """Return the line of a tooltip that shows a text."""
    import altair as alt

    return alt.Tooltip(f"{field}:N", title=title)


def number(field: str, title: str, form: str = "d") -> alt.Tooltip:
    """Return the line of a tooltip that shows a number in a d3 format."""
    import altair as alt

    return alt.Tooltip(f"{field}:Q", title=title, format=form)


def extras(frame: pd.DataFrame) -> list[alt.Tooltip]:
    """Return the lines for the snippet and the picture, where there are any; vega-tooltip draws a field called image."""
    return [word(name, name) for name in EXTRAS if name in frame]


def known(field: str, form: str, otherwise: str = "not known", after: str = "") -> str:
    """Return an expression that formats a field which may be missing (a missing number would be shown as 0).

    Parameters
    ----------
    field : str
        A column's fixed name, never text from the data.
    form : str
        A d3 format.
    otherwise : str, default="not known"
        What to show for a missing number.
    after : str, default=""
        Follows the number.

    Returns
    -------
    str
        A Vega expression.
    """
    return f"isValid(datum['{field}']) ? format(datum['{field}'], '{form}') + '{after}' : '{otherwise}'"


def spoken() -> alt.Description:
    """Return the channel for what a screen reader says of a mark; else it would read the picture's data URI out.

    The field ``spoken`` is calculated in the chart.
    """
    import altair as alt

    return alt.Description("spoken:N")
