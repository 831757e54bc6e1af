"""Pictures of the fragility study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    import altair as alt

AXIS = "Spearman correlation with retraining"


def replication(table: pd.DataFrame) -> alt.FacetChart:
    """Return a chart of the main table: by depth, this run with intervals and the published figures as rings.

    Parameters
    ----------
    table : DataFrame
        The table ``replication``.

    Returns
    -------
    altair.Chart
        One panel for each pattern.
    """
    import altair as alt

    shown = table[table["width"] == 5]
    x, y = alt.X("depth:O", title="hidden layers"), alt.Y("spearman:Q", title=AXIS)
    base = alt.Chart(shown)
    layers = alt.layer(
        base.mark_rule().encode(x=x, y=alt.Y("low:Q", title=AXIS), y2="high:Q"),
        base.mark_point(filled=True, size=60).encode(x=x, y=y),
        base.mark_point(size=120, shape="circle", color="black").encode(x=x, y=alt.Y("published:Q", title=AXIS)),
        base.mark_rule(strokeDash=[4, 4], color="grey").encode(y=alt.datum(0)),
    )
    return layers.properties(width=180, height=180).facet(
        facet=alt.Facet("pattern:N", title="dots: this run, 95 % intervals; rings: published"), columns=3
    )


def switches(table: pd.DataFrame) -> alt.FacetChart:
    """Return a chart of what each changed factor does, one panel for each depth; the first row is the unchanged procedure.

    Parameters
    ----------
    table : DataFrame
        The table ``from_criticised`` or ``from_controlled``.

    Returns
    -------
    altair.Chart
        Intervals of the correlation after each change.
    """
    return _intervals(table.assign(panel="hidden layers: " + table["depth"].astype(str)))


def models(table: pd.DataFrame) -> alt.FacetChart:
    """Return the same for the models with clusters.

    Parameters
    ----------
    table : DataFrame
        The table ``models``.

    Returns
    -------
    altair.Chart
        One panel for each model and end.
    """
    return _intervals(table.assign(panel=table["model"] + ", from the " + table["end"] + " end"))


def _intervals(table: pd.DataFrame) -> alt.FacetChart:
    import altair as alt

    label = (table["factor"] + ": " + table["after"]).where(table["factor"] != "none", "nothing changed")
    shown = table.assign(change=label)
    y = alt.Y("change:N", title=None, sort=list(dict.fromkeys(label)), axis=alt.Axis(labelLimit=320))
    base = alt.Chart(shown)
    layers = alt.layer(
        base.mark_rule().encode(y=y, x=alt.X("low:Q", title=AXIS), x2="high:Q"),
        base.mark_point(filled=True, size=60).encode(y=y, x=alt.X("spearman:Q", title=AXIS)),
    )
    return layers.properties(width=220).facet(facet=alt.Facet("panel:N", title=None), columns=3)


CHARTS = {"replication": replication, "from_criticised": switches, "from_controlled": switches, "models": models}
"""By the table that is drawn."""
