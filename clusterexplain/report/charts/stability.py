"""How often refits keep samples in their clusters, and how alike the clusters come out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clusterexplain.report.charts import theme, tooltips

if TYPE_CHECKING:
    import altair as alt

STEP = 30
THRESHOLDS = (0.5, 0.75)


def stability_chart(
    samples: pd.DataFrame, *, chosen: pd.DataFrame | None = None, width: int = 560, height: int | None = None
) -> alt.LayerChart:
    """Draw how often the samples stay in its cluster when everything is fitted again.

    Parameters
    ----------
    samples : DataFrame
        One row for each sample: id, cluster, share (of the refits that keep the sample in its cluster, 0 to 1; missing if
        none tested it); optional row and image.
    chosen : DataFrame, optional
        The explained samples: id, cluster, share; optional row and image.
    width : int, default=560
        Pixels.
    height : int, optional
        Pixels; by default from the number of clusters.

    Returns
    -------
    LayerChart
        A strip for each cluster; a tick is longer where more samples of the cluster lie.
    """
    picked = samples.head(0) if chosen is None else chosen
    names = theme.ordered(pd.concat([samples["cluster"], picked["cluster"]]))
    places = {name: i for i, name in enumerate(names)}
    layers = [_ticks(_placed(samples, places))]
    if len(picked):
        layers.append(_diamond(_placed(picked, places)))
    return theme.configured(
        theme.layered(*layers).properties(
            width=width,
            height=height or max(STEP * len(names), 2 * STEP),
            description=(
                "Strips, one for each cluster: ticks are samples, placed by the share of refits that keep them in their "
                "cluster (0 % never, 100 % always); longer where there are more. Diamond: the explained sample."
            ),
        )
    )


def cluster_stability_chart(clusters: pd.DataFrame, *, width: int = 560, height: int | None = None) -> alt.LayerChart:
    """Draw how alike each cluster comes out of the refits.

    Parameters
    ----------
    clusters : DataFrame
        One row for each cluster: cluster, size (members), jaccard (mean Jaccard similarity to its best match in each refit,
        0 to 1, may be missing), low and high (ends of the 95 % interval, may be missing), verdict (a word).
    width : int, default=560
        Pixels.
    height : int, optional
        Pixels; by default from the number of clusters.

    Returns
    -------
    LayerChart
        Points with intervals; lines at 0.5 (below it a cluster dissolves) and 0.75 (from it on a cluster is stable).
    """
    names = theme.ordered(clusters["cluster"])
    places = {name: i for i, name in enumerate(names)}
    frame = clusters[["cluster", "size", "jaccard", "low", "high", "verdict"]].reset_index(drop=True)
    frame["order"] = frame["cluster"].map(places)
    return theme.configured(
        theme.layered(*_thresholds(), *_point_layers(frame)).properties(
            width=width,
            height=height or max(STEP * len(names), 2 * STEP),
            description=(
                "Points with 95 % intervals: mean Jaccard similarity of each cluster to its match in refits (0 nothing in "
                "common, 1 the same members). Lines: below 0.5 a cluster dissolves, from 0.75 on it is stable."
            ),
        )
    )


def _placed(samples: pd.DataFrame, places: dict[str, int]) -> pd.DataFrame:
    return theme.pick(samples, "id", "cluster", "share").assign(order=samples["cluster"].map(places).to_numpy())


def _row() -> alt.Y:
    import altair as alt

    return alt.Y("cluster:N", sort=theme.by("order"), title=None, axis=theme.names_axis())


def _share() -> alt.X:
    import altair as alt

    return alt.X(
        "share:Q", title=["share of refits that keep the", "sample in its cluster"],
        scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%", tickCount=5),
    )  # fmt: skip


def _ticks(frame: pd.DataFrame) -> alt.Chart:
    import altair as alt

    drawn: alt.Chart = (
        alt.Chart(frame, name="samples")
        .transform_filter("isValid(datum.share)")
        .transform_aggregate(samples="count()", order="min(order)", groupby=["cluster", "share"])
        .transform_joinaggregate(most="max(samples)", groupby=["cluster"])
        .transform_calculate(size="datum.samples / datum.most")
        .mark_tick(thickness=4, color=theme.PAIR[0], opacity=0.9)
        .encode(
            x=_share(),
            y=_row(),
            size=alt.Size("size:Q", scale=alt.Scale(domain=[0, 1], range=[2, 24]), legend=None),
            tooltip=[
                tooltips.word("cluster", "cluster"),
                tooltips.number("share", "share of refits that keep them", ".0%"),
                tooltips.number("samples", "samples"),
            ],
        )
    )
    return drawn


def _diamond(frame: pd.DataFrame) -> alt.Chart:
    import altair as alt

    drawn: alt.Chart = (
        alt.Chart(frame, name="chosen")
        .transform_calculate(spoken="datum.id + ', kept in ' + format(datum.share, '.0%') + ' of the refits'")
        .transform_filter("isValid(datum.share)")
        .mark_point(
            shape="diamond", filled=True, fill=theme.CHOSEN, stroke=theme.INK, strokeWidth=1.2, size=170, opacity=1
        )
        .encode(x=_share(), y=_row(), tooltip=_tooltip(frame), description=tooltips.spoken())
    )
    return drawn


def _tooltip(frame: pd.DataFrame) -> list[alt.Tooltip]:
    return [
        tooltips.word("id", "id"),
        tooltips.word("cluster", "cluster"),
        tooltips.number("share", "share of refits that keep it", ".0%"),
        *tooltips.extras(frame),
    ]


def _jaccard(field: str) -> alt.X:
    import altair as alt

    return alt.X(
        f"{field}:Q", title=["mean Jaccard similarity to the", "matching cluster of each refit"],
        scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".2~f", tickCount=5),
    )  # fmt: skip


def _thresholds() -> list[alt.Chart]:
    import altair as alt

    frame = pd.DataFrame({"at": THRESHOLDS, "label": ["dissolves below 0.5", "stable from 0.75"]})
    rules = alt.Chart(frame, name="thresholds").mark_rule(strokeDash=[5, 4], opacity=0.7).encode(x=_jaccard("at"))
    words = alt.Chart(frame, name="threshold_labels").mark_text(
        baseline="bottom", dy=alt.ExprRef("datum.at > 0.6 ? -17 : -3"), fontSize=11
    )  # one above the other, so that they do not collide on a phone
    return [rules, words.encode(x=_jaccard("at"), y=alt.value(0), text="label:N")]


def _point_layers(frame: pd.DataFrame) -> list[alt.Chart]:
    import altair as alt

    interval = (
        "isValid(datum.low) && isValid(datum.high) ? format(datum.low, '.3f') + ' to ' + format(datum.high, '.3f')"
        " : 'too few refits'"
    )
    base = alt.Chart(frame).transform_calculate(interval=interval)
    tooltip = [
        tooltips.word("cluster", "cluster"), tooltips.number("size", "members"), tooltips.word("verdict", "verdict"),
        tooltips.number("jaccard", "mean Jaccard similarity", ".3f"), tooltips.word("interval", "95 % interval"),
    ]  # fmt: skip
    known = base.transform_filter("isValid(datum.low) && isValid(datum.high)")
    rules = known.properties(name="intervals").mark_rule(strokeWidth=2, color=theme.PAIR[0])
    points = base.properties(name="clusters").transform_filter("isValid(datum.jaccard)")
    words = base.properties(name="verdicts").mark_text(align="left", fontStyle="italic", limit=90)
    return [
        rules.encode(x=_jaccard("low"), x2="high:Q", y=_row()),
        points.mark_point(filled=True, size=80, color=theme.PAIR[0], opacity=1).encode(
            x=_jaccard("jaccard"), y=_row(), tooltip=tooltip
        ),
        words.encode(x=alt.value(4), y=_row(), text="verdict:N"),
    ]
