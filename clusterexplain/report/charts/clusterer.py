"""What the clusterer itself saw: distances to centroids, memberships of a mixture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from clusterexplain.report.charts import theme, tooltips

if TYPE_CHECKING:
    import altair as alt

STEP = 26
ROLES = ("own", "compared with", "other")


def distances_chart(frame: pd.DataFrame, *, width: int = 560, height: int | None = None) -> alt.LayerChart:
    """Draw how far the sample is from each cluster's centroid, nearest first.

    Parameters
    ----------
    frame : DataFrame
        One row for each cluster: cluster, distance (in the embedding, 0 or more), role ("own", "compared with" or "other").
    width : int, default=560
        Pixels.
    height : int, optional
        Pixels; by default from the number of rows.

    Returns
    -------
    LayerChart
        Bars; the sample's own cluster in blue, the runner-up in pale and dashed orange, the others in grey.
    """
    rows = frame[["cluster", "distance", "role"]].reset_index(drop=True)
    rows["order"] = rows["distance"].rank(method="first")
    return _bars(
        rows, "distance", "distance to the centroid (embedding units)", {"zero": True, "nice": True}, width, height,
        "Bars: distance of the sample to the centroid of each cluster, in the embedding, nearest first. The sample's own "
        "cluster and its runner-up are marked.",
    )  # fmt: skip


def responsibilities_chart(frame: pd.DataFrame, *, width: int = 560, height: int | None = None) -> alt.LayerChart:
    """Draw the sample's memberships in the clusters, largest first.

    Parameters
    ----------
    frame : DataFrame
        One row for each cluster: cluster, membership (0 to 1; they sum to 1), role ("own", "compared with" or "other").
    width : int, default=560
        Pixels.
    height : int, optional
        Pixels; by default from the number of rows.

    Returns
    -------
    LayerChart
        Bars; the sample's own cluster in blue, the runner-up in pale and dashed orange, the others in grey.
    """
    rows = frame[["cluster", "membership", "role"]].reset_index(drop=True)
    rows["order"] = rows["membership"].rank(method="first", ascending=False)
    return _bars(
        rows, "membership", ["membership", "(the memberships sum to 1)"], {"domain": [0, 1]}, width, height,
        "Bars: membership of the sample in each cluster, between 0 and 1, largest first. The sample's own cluster and its "
        "runner-up are marked.",
    )  # fmt: skip


def _bars(
    rows: pd.DataFrame,
    field: str,
    title: str | list[str],
    scale: dict[str, Any],
    width: int,
    height: int | None,
    description: str,
) -> alt.LayerChart:
    import altair as alt

    y = alt.Y(
        "cluster:N", sort=theme.by("order"), title=None, axis=theme.names_axis(), scale=alt.Scale(paddingInner=0.3)
    )
    x = alt.X(f"{field}:Q", title=title, scale=alt.Scale(**scale), axis=alt.Axis(tickCount=5, format=".3~g"))
    tooltip = [tooltips.word("cluster", "cluster"), tooltips.word("role", "role"), tooltips.number(field, field, ".4f")]
    bars = alt.Chart(rows, name="clusters").mark_bar(strokeWidth=1.2).encode(x=x, y=y, tooltip=tooltip, **_by_role())
    late = f"scale('x', datum.{field}) > width - 45"  # no room for the word beyond the bar
    words = (
        alt.Chart(rows, name="roles")
        .transform_filter(f"datum.role != '{ROLES[2]}'")
        .mark_text(
            align=alt.ExprRef(f"{late} ? 'right' : 'left'"), dx=alt.ExprRef(f"{late} ? -6 : 6"), fontWeight="bold"
        )
        .encode(x=x, y=y, text="role:N")
    )
    size = height or max(STEP * len(rows), 2 * STEP)
    return theme.configured(theme.layered(bars, words).properties(width=width, height=size, description=description))


def _by_role() -> dict[str, Any]:
    import altair as alt

    def scale(*ends: Any) -> alt.Scale:
        return alt.Scale(domain=list(ROLES), range=list(ends))

    colours = scale(theme.PULL, theme.PUSH, theme.GREY)
    return {
        "fill": alt.Fill("role:N", scale=scale(theme.PULL, theme.PALE_PUSH, theme.GRID), legend=None),
        "stroke": alt.Stroke("role:N", scale=colours, legend=None),
        "strokeDash": alt.StrokeDash("role:N", scale=scale(theme.SOLID, theme.DASHED, theme.SOLID), legend=None),
    }
