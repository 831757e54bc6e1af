"""Two pictures: how well each method agrees with retraining, and predictions against retraining for a few points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clusterexplain.report import theme

if TYPE_CHECKING:
    import altair as alt


def agreement_chart(table: pd.DataFrame) -> alt.FacetChart:
    """Draw the Pearson correlations of all methods with their intervals over seeds.

    Parameters
    ----------
    table : DataFrame
        Of :func:`~clusterexplain.experiments.mixture.tables.agreement`.

    Returns
    -------
    FacetChart
        A panel for each variant, arm and truth.
    """
    import altair as alt

    frame = table.assign(panel=table["variant"] + ", " + table["arm"] + ": " + table["truth"])
    order = list(dict.fromkeys(frame["method"]))
    base = alt.Chart().encode(y=alt.Y("method:N", sort=order, title=None, axis=theme.names_axis()))
    scale = alt.Scale(domain=[-1, 1])
    bars = base.mark_rule(color=theme.PULL, strokeWidth=2).encode(
        x=alt.X("pearson_low:Q", scale=scale, title="Pearson correlation with retraining"), x2="pearson_high:Q"
    )
    dots = base.mark_point(color=theme.PULL, filled=True, size=50, opacity=1).encode(x=alt.X("pearson:Q", scale=scale))
    layers = alt.layer(bars, dots, data=frame).properties(width=240, height=110)
    panels = list(dict.fromkeys(frame["panel"]))
    facet = alt.Facet("panel:N", sort=panels, title=None, header=alt.Header(labelColor=theme.INK, labelLimit=330))
    return theme.configured(layers.facet(facet, columns=2))


def changes_chart(table: pd.DataFrame) -> alt.FacetChart:
    """Draw predicted against retrained changes, one panel for each method and query.

    Parameters
    ----------
    table : DataFrame
        Columns method, query, member, predicted, retrained.

    Returns
    -------
    FacetChart
        Each panel has its own axes; members of the query's cluster are told apart.
    """
    import altair as alt

    frame = table.assign(
        removed=["same cluster" if member else "other cluster" for member in table["member"]],
        panel=table["method"] + ", point " + table["query"].astype(str),
    )
    kinds = ["same cluster", "other cluster"]
    points = (
        alt.Chart(frame)
        .mark_point(size=25, strokeWidth=1.2)
        .encode(
            x=alt.X("predicted:Q", title="predicted change", axis=theme.signed_axis(), scale=alt.Scale(zero=False)),
            y=alt.Y(
                "retrained:Q", title="change after retraining", axis=theme.signed_axis(), scale=alt.Scale(zero=False)
            ),
            color=alt.Color(
                "removed:N", scale=alt.Scale(domain=kinds, range=list(theme.PAIR)), legend=alt.Legend(orient="top")
            ),
            shape=alt.Shape("removed:N", scale=alt.Scale(domain=kinds, range=["circle", "triangle-up"])),
        )
        .properties(width=190, height=150)
    )
    header = alt.Header(labelColor=theme.INK, labelLimit=260)
    facet = alt.Facet("panel:N", sort=list(dict.fromkeys(frame["panel"])), title=None, header=header)
    chart = points.facet(facet, columns=frame["query"].nunique()).resolve_scale(x="independent", y="independent")
    configured: alt.FacetChart = theme.configured(chart)
    return configured
