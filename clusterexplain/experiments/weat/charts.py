"""Charts of the experiment on word embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clusterexplain.report import theme

if TYPE_CHECKING:
    import altair as alt

SHOWN = {"score": "all words", "second_half": "held-out words"}


def agreement(retrained: pd.DataFrame) -> alt.ConcatChart:
    """Draw retrained against predicted changes, one panel for each kind of removal."""
    import altair as alt

    panels = []
    for kind, part in retrained[["kind", "predicted", "retrained"]].groupby("kind", sort=False):
        range_ = [part[["predicted", "retrained"]].min().min(), part[["predicted", "retrained"]].max().max()]
        line = alt.Chart(pd.DataFrame({"predicted": range_, "retrained": range_})).mark_line(
            opacity=0.5, color=theme.GREY
        )
        points = alt.Chart(part).mark_circle(size=40, opacity=0.7, color=theme.PULL)
        scale = alt.Scale(zero=False)
        x = alt.X("predicted:Q", title="predicted change", scale=scale)
        y = alt.Y("retrained:Q", title="after retraining", scale=scale)
        layers = [layer.encode(x=x, y=y) for layer in (line, points)]
        panels.append(alt.layer(*layers).properties(width=220, height=220, title=str(kind)))
    drawn: alt.ConcatChart = alt.concat(*panels, columns=2)
    return theme.configured(drawn)


def decades(by_decade: pd.DataFrame) -> alt.Chart:
    """Draw the influence of the speeches of every decade."""
    import altair as alt

    drawn: alt.Chart = (
        alt.Chart(by_decade)
        .mark_bar()
        .encode(
            x=alt.X("decade:O", title=None),
            y=alt.Y("influence:Q", title="influence on the effect size, summed"),
            color=alt.condition("datum.influence > 0", alt.value(theme.PULL), alt.value(theme.PUSH)),
        )
        .properties(width=560, height=240, title="Which decades raise (blue) and lower (orange) the effect size")
    )
    return theme.configured(drawn)


def changes(summary: pd.DataFrame) -> alt.FacetChart:
    """Draw the change of the effect size by every intervention and arm, with intervals over seeds."""
    import altair as alt

    rows = summary[summary["measure"].isin(list(SHOWN)) & summary["change"].notna()].reset_index(drop=True)
    rows = rows[(rows["arm"] != "chosen by half the words") ^ (rows["measure"] == "second_half")]
    rows = rows.assign(label=rows["arm"] + ", " + rows["measure"].map(SHOWN))
    base = alt.Chart(rows).encode(y=alt.Y("label:N", title=None, axis=alt.Axis(labelLimit=300)))
    layers = alt.layer(
        base.mark_rule().encode(x=alt.X("low:Q", title="change of the effect size"), x2="high:Q"),
        base.mark_circle(size=60, color=theme.PULL).encode(x="change:Q"),
    ).properties(width=420, height=90)
    drawn: alt.FacetChart = layers.facet(row=alt.Row("intervention:N", title=None, sort=None))
    return theme.configured(drawn)
