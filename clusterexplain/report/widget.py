"""The live chart in a notebook, whose selections come back to Python."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np

from clusterexplain.exceptions import MissingExtraError
from clusterexplain.report.context import ReportContext

if TYPE_CHECKING:
    import altair as alt
    from altair.typing import ChartType

NEEDED = {"anywidget": "anywidget", "vl_convert": "vl-convert-python"}


def live(chart: ChartType) -> alt.JupyterChart:
    """Return a chart as a widget that needs no network.

    Parameters
    ----------
    chart : altair chart
        From ``explanation.plot``.

    Returns
    -------
    altair.JupyterChart
        Selections are in its ``selections``, by name.

    Raises
    ------
    MissingExtraError
        If the extra ``widget`` is not installed.
    """
    missing = [package for module, package in NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise MissingExtraError(
            f"The live chart needs {' and '.join(missing)}, not installed here. Expected the extra 'widget': pip install "
            f"'clusterexplain[widget]'. plot.map() draws the same chart without it."
        )
    import altair as alt

    alt.JupyterChart.enable_offline()
    return alt.JupyterChart(chart)


def selected(widget: alt.JupyterChart, context: ReportContext) -> list[Any]:
    """Return the ids of the training examples that are selected on a live map.

    Parameters
    ----------
    widget : altair.JupyterChart
        From :func:`live`, of a map.
    context : ReportContext
        The fit.

    Returns
    -------
    list
        Ids as the data set has them: inside the window that was dragged; without one those that were clicked.
    """
    window = getattr(widget.selections, "window", None)
    corners = {} if window is None or not window.value else dict(window.value)
    if {"x", "y"} <= set(corners):
        low, high = (np.array([pick(corners[axis]) for axis in ("x", "y")]) for pick in (min, max))
        inside = ((context.coordinates >= low) & (context.coordinates <= high)).all(axis=1)
        return list(context.data.ids[inside].tolist())
    picked = getattr(widget.selections, "picked", None)
    clicked = [] if picked is None else [str(point["id"]) for point in picked.value or []]
    return [context.data.ids[context.position_of[id_]].item() for id_ in clicked if id_ in context.position_of]
