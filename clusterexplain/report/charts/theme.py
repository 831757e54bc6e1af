"""What all charts share: colours, shapes, fonts, axes.

Colours are Paul Tol's, or as dark, so that they are told apart by colour-blind readers and on light and dark pages. What
pulls in is blue and solid, what pushes away is orange and dashed. Everything else (axes, titles, rules) is drawn in
``currentColor``, the colour of the text around the chart.

Texts from the data stay in the data sets of a specification: orders, colours and shapes of clusters are given by position,
never by name, and no expression is built from data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

from clusterexplain.report.charts import tooltips

if TYPE_CHECKING:
    import altair as alt

    Drawn = TypeVar("Drawn", alt.Chart, alt.LayerChart, alt.FacetChart, alt.ConcatChart)

INK, GREY, GRID = "currentColor", "#888888", "#88888833"
PULL, PUSH = "#0077bb", "#d06000"
PALE_PUSH = "rgba(208, 96, 0, 0.45)"
"""Fills what is outlined in ``PUSH`` and dashes."""
CHOSEN = "#cc3311"
"""Fills the star or diamond of the explained sample."""
PARTS = ("#228833", "#ccbb44", "#ee3377")
"""The embedding moved, the clusters moved, own weight: neither blue nor orange, which are taken by the sides."""
PAIR = ("#009988", "#ee3377")
"""Two things that are no sides."""
CLUSTERS = (
    "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#999933", "#882255", "#44aa99", "#ddaa33",
)  # fmt: skip
SHAPES = ("circle", "triangle-up", "diamond", "square", "triangle-down")
NOISE_NAME, NOISE_SHAPE = "noise", "M-1,-.6L-.6,-1L0,-.4L.6,-1L1,-.6L.4,0L1,.6L.6,1L0,.4L-.6,1L-1,.6L-.4,0Z"
SOLID, DASHED = [1, 0], [4, 2]
UNSIGNED_ZERO = "datum.value === 0 ? '0' : datum.label"
FONT = "system-ui, sans-serif"
LINE = 50
"""Letters in a line of a subtitle: about 300 pixels, so that it fits a phone."""
NUMBERED = re.compile(r"cluster ([0-9]{1,9})(?![0-9])")


def configured(chart: Drawn) -> Drawn:
    """Give a chart its fonts and inks; applied to every chart as its last step.

    Parameters
    ----------
    chart : Chart, LayerChart, FacetChart or ConcatChart
        Without a configuration.

    Returns
    -------
    Chart, LayerChart, FacetChart or ConcatChart
        A copy: transparent, text and axes in ``currentColor``, grid lines in a grey for light and dark, 12-pixel labels.
    """
    import altair as alt

    text: dict[str, Any] = {"labelColor": INK, "titleColor": INK, "labelFontSize": 12, "titleFontSize": 12}
    drawn: Drawn = chart.configure(
        background="transparent",
        font=FONT,
        view=alt.ViewConfig(stroke="transparent"),
        axis=alt.AxisConfig(
            **text,
            titleFontWeight="normal",
            titleLineHeight=15,
            domainColor=INK,
            tickColor=INK,
            gridColor=GRID,
            domainOpacity=0.5,
            tickOpacity=0.5,
            labelLimit=130,
        ),
        legend=alt.LegendConfig(**text, titleFontWeight="normal", titleLimit=320, labelLimit=140),
        title=alt.TitleConfig(
            color=INK, subtitleColor=INK, anchor="start", fontSize=13, subtitleFontSize=11, subtitlePadding=4
        ),
        text=alt.MarkConfig(color=INK, fontSize=12),
        rule=alt.MarkConfig(color=INK),
    )
    return drawn


def layered(*layers: alt.Chart) -> alt.LayerChart:
    """Put charts over one another, the last on top."""
    import altair as alt

    return alt.LayerChart(layer=list(layers))


def titled(text: str, subtitle: str = "") -> alt.Title:
    """Return a title whose subtitle is broken into lines that fit a phone.

    Parameters
    ----------
    text : str
        The title.
    subtitle : str, default=""
        Broken at its line ends, and where a line is longer than ``LINE`` letters.

    Returns
    -------
    Title
        For the property ``title`` of a chart.
    """
    import textwrap

    import altair as alt

    lines = [part for line in subtitle.split("\n") for part in textwrap.wrap(line, LINE)]
    return alt.Title(text, subtitle=lines) if lines else alt.Title(text)


def pick(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return the columns that a chart draws, with ``row`` and ``image`` if the frame has them."""
    return frame[[*columns, *(name for name in tooltips.EXTRAS if name in frame)]].reset_index(drop=True)


def ordered(names: pd.Series) -> list[str]:
    """Return the names of clusters without repetition: by number, then by name, noise last.

    Examples
    --------
    >>> ordered(pd.Series(["noise", "cluster 10", "cluster 9", "cluster 9"]))
    ['cluster 9', 'cluster 10', 'noise']
    """

    def key(name: str) -> tuple[bool, float, str]:
        number = NUMBERED.match(name)
        return name == NOISE_NAME, int(number[1]) if number else float("inf"), name

    return sorted({str(name) for name in names}, key=key)


def looks(names: list[str], given: Mapping[int, str] | None = None) -> tuple[list[str], list[str]]:
    """Return a colour and a shape for each cluster; a numbered cluster has the same in every chart.

    Parameters
    ----------
    names : list of str
        What clusters are called.
    given : mapping of int to str, optional
        Colours of clusters, by number, in place of the usual ones.

    Returns
    -------
    colours, shapes : list of str
        In the order of the names.

    Examples
    --------
    >>> looks(["cluster 0", "cluster 10"])
    (['#4477aa', '#4477aa'], ['circle', 'triangle-up'])
    """
    colours, shapes = [], []
    for position, name in enumerate(names):
        match = NUMBERED.match(name)
        number = int(match[1]) if match else position
        usual = GREY if name == NOISE_NAME else CLUSTERS[number % len(CLUSTERS)]
        colours.append(given[number] if given and match and number in given else usual)
        shapes.append(NOISE_SHAPE if name == NOISE_NAME else SHAPES[number // len(CLUSTERS) % len(SHAPES)])
    return colours, shapes


def by(field: str) -> alt.EncodingSortField:
    """Return a sorting order: ascending in a numeric field."""
    import altair as alt

    return alt.EncodingSortField(field, op="min", order="ascending")


def names_axis(limit: int = 130) -> alt.Axis:
    """Return an axis for names, which may be long: cut by the renderer, whole in the data."""
    import altair as alt

    return alt.Axis(ticks=False, domain=False, labelLimit=limit, labelPadding=6)


def signed_axis() -> alt.Axis:
    """Return an axis for changes: every number but 0 with its sign."""
    import altair as alt

    return alt.Axis(format="+~g", labelExpr=UNSIGNED_ZERO, tickCount=5, labelOverlap=True)


def two_ways(field: str, words: tuple[str, str]) -> dict[str, Any]:
    """Return the channels of bars that differ by side: blue and solid against orange, pale and dashed.

    Parameters
    ----------
    field : str
        Holds one of two fixed words in each row.
    words : tuple of str
        The word for pulling in, the word for pushing away.

    Returns
    -------
    dict
        Channels for ``encode``, with one legend above the chart.
    """
    import altair as alt

    legend = alt.Legend(title=None, orient="top", symbolType="square", symbolStrokeWidth=1.5)

    def scale(first: str | list[int], second: str | list[int]) -> alt.Scale:
        return alt.Scale(domain=list(words), range=[first, second])

    return {
        "fill": alt.Fill(f"{field}:N", scale=scale(PULL, PALE_PUSH), legend=legend),
        "stroke": alt.Stroke(f"{field}:N", scale=scale(PULL, PUSH), legend=legend),
        "strokeDash": alt.StrokeDash(f"{field}:N", scale=scale(SOLID, DASHED), legend=legend),
    }
