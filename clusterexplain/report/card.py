"""The card in a notebook: the answer, the map, the two lists, as HTML that holds everything it needs and no script."""

from __future__ import annotations

import html
import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clusterexplain.exceptions import ClusterExplainWarning, ReportWriteError, warn
from clusterexplain.report import tables
from clusterexplain.report.assets import asset
from clusterexplain.report.context import ReportContext
from clusterexplain.report.export import picture
from clusterexplain.report.figures import check_figure
from clusterexplain.report.plots import Plots
from clusterexplain.report.svg import map_svg, scatter_svg
from clusterexplain.report.text import concentration, map_note, misplaced
from clusterexplain.results.check import Check
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.tables.example_table import COLUMNS
from clusterexplain.results.text.explanation import side_heading
from clusterexplain.results.text.margins import SIDES
from clusterexplain.results.text.names import format_change, replace_unprintable
from clusterexplain.results.text.stability import own_check_note, stability_note

if TYPE_CHECKING:
    import altair as alt

LISTED = 6
CARDS = 3
"""Queries that a card shows at most."""
MOST_POINTS = 2000
LARGEST = 400_000
"""Bytes of a card: pictures of rows are left out rather than that it be larger."""
LONGEST_TEXT = 300


def card(explanation: Explanation, context: ReportContext) -> str:
    """Return the card of an explanation.

    Parameters
    ----------
    explanation : Explanation
        Its first ``CARDS`` queries are shown.
    context : ReportContext
        Its fit.

    Returns
    -------
    str
        HTML without scripts and without references, at most ``LARGEST`` bytes.
    """
    whole = _card(explanation, context, pictures=True)
    return whole if len(whole.encode(errors="replace")) <= LARGEST else _card(explanation, context, pictures=False)


def bundle(explanation: Explanation, context: ReportContext) -> dict[str, Any]:
    """Return what a notebook can show: text, the card, and with the extra ``export`` the map as PNG."""
    text: dict[str, Any] = {"text/plain": repr(explanation), "text/html": card(explanation, context)}
    return text | _png(Plots(explanation, context).map(0))


def check_card(check: Check) -> str:
    """Return the card of a check: the verdict, the scatter, the figures."""
    table = check.table[check.table["continued"].notna() & check.table["predicted_continued"].notna()]
    picture = scatter_svg(
        table["predicted_continued"].to_numpy(dtype=float),
        table["continued"].to_numpy(dtype=float),
        "Predicted and retrained changes of the margin; on the dashed line they are equal",
    )
    status = check.explanation.status_words
    known = check.summary[check.summary["spearman"].notna()]
    summary = known.to_html(index=False, float_format="{:.3f}".format, na_rep="\N{EN DASH}", border=0)
    return (
        f'{style()}<div class="cx"><p><b class="cx-badge">{html.escape(status)}</b> {html.escape(check.verdict)}.</p>'
        f'<div class="cx-two"><div>{picture}<p><small>Each point is one retraining with the clustering continued.</small></p>'
        f"</div><div>{summary}</div></div></div>"
    )


def check_bundle(check: Check) -> dict[str, Any]:
    """Return what a notebook can show of a check."""
    chart = check_figure(check.explanation)[0]
    return {"text/plain": repr(check), "text/html": check_card(check)} | _png(chart)


def style() -> str:
    """Return the style of cards, as an element."""
    return f"<style>{asset('card.css')}</style>"


def _png(chart: alt.LayerChart) -> dict[str, Any]:
    if importlib.util.find_spec("vl_convert") is None:
        return {}
    try:
        return {"image/png": picture(chart, ".png")}
    except ReportWriteError as error:
        warn(f"The card has no picture. {error}", ClusterExplainWarning)
        return {}


def _card(explanation: Explanation, context: ReportContext, *, pictures: bool) -> str:
    blocks = [_block(explanation, context, query, pictures=pictures) for query in range(min(len(explanation), CARDS))]
    more = len(explanation) - CARDS
    rest = f"<p>... and {more} more queries; e.report(path) shows them all.</p>" if more > 0 else ""
    return replace_unprintable(
        f'{style()}<div class="cx">{"".join(blocks)}{rest}'
        f"<p><small>The margin is {html.escape(explanation.score_words)}. Method {html.escape(explanation.method_words)}."
        f"</small></p>"
        f'<p><b class="cx-badge">{html.escape(explanation.status_words)}</b> This answer is '
        f"{html.escape(explanation.checked)}.</p></div>"
    )


def _block(explanation: Explanation, context: ReportContext, query: int, *, pictures: bool) -> str:
    whole = explanation.combined
    words = [explanation.headline(query), concentration(explanation, query), explanation.parts_words(query)]
    if explanation.stability is not None:
        words.append(stability_note(explanation.stability.badges[query].text))
    if explanation.seed_variability is not None:
        words.append(explanation.seed_words(query))
    if explanation.check is not None and len(explanation) > 1:
        words.append(own_check_note(explanation.check.each[query].words))
    shown = (
        ""
        if whole
        else _face(context, explanation.queries[query], int(explanation.positions[query]), pictures=pictures)
    )
    before = f"<p>{shown}</p>" if shown else ""
    lists = "".join(_list(explanation, context, query, side, pictures=pictures) for side in (0, 1))
    return (
        f"{before}<p>{_limited(' '.join(filter(None, words)), 2000)}</p>{_map(explanation, context, query)}"
        f'<div class="cx-two">{lists}</div>'
    )


def _map(explanation: Explanation, context: ReportContext, query: int) -> str:
    strongest = tables.strongest(explanation, query, LISTED)
    wanted = [context.position_of[id_] for id_ in strongest["id"]]
    rows = tables.shown_rows(context.present, wanted, most=MOST_POINTS)
    lines = [*map_note(context, len(rows)).split("\n"), misplaced(context, explanation, query)]
    words = "; ".join(line for line in lines if line)
    return (
        map_svg(
            context.coordinates[rows],
            context.labels[rows],
            tables.highlights(context, strongest, with_rows=False),
            tables.sample_point(context, explanation, query),
            tables.label_positions(context),
            f"Map: {explanation.query_ids[query]} (star), what {explanation.sides(query)[0]} (circles) and what "
            f"{explanation.sides(query)[1]} (dashed squares)"[:LONGEST_TEXT],
            colours=context.colours,
        )
        + f"<p><small>{_limited(words, LONGEST_TEXT)}</small></p>"
    )


def _list(explanation: Explanation, context: ReportContext, query: int, side: int, *, pictures: bool) -> str:
    listed = explanation.top(LISTED, query=query, side=SIDES[side], show=_beside(explanation))
    beside = [name for name in listed.columns if name not in COLUMNS]
    heading = side_heading(explanation.sides(query)[side], combination=explanation.combined)
    largest = max(abs(explanation.influence[query]).max(), np.finfo(float).tiny)
    rows = "".join(
        _table_row(row, beside, explanation, context, query, side, largest, pictures=pictures)
        for row in listed.to_dict("records")
    )
    titles = "".join(f"<th>{_limited(name, 40)}</th>" for name in beside)
    return (
        f"<table><caption>{html.escape(heading)}</caption><thead><tr><th></th><th>id</th><th>cluster</th>"
        f"{titles}<th>if removed, change of margin (predicted)</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _beside(explanation: Explanation) -> tuple[str, ...]:
    """Return the columns that are shown beside every example but the text, which stands in front of it anyway."""
    metadata, text = explanation.metadata, explanation.fit.data.text
    known = () if metadata is None else metadata.columns
    return tuple(name for name in explanation.show if (name if name in known else text) != text)


def _table_row(
    row: dict[Any, Any],
    beside: list[str],
    explanation: Explanation,
    context: ReportContext,
    query: int,
    side: int,
    largest: float,
    *,
    pictures: bool,
) -> str:
    position = context.position_of[str(row["id"])]
    itself = " (itself)" if position == explanation.positions[query] else ""
    share = 100 * abs(row["influence"]) / largest
    percent = row["if_removed_percent"]
    known = "".join(f"<td>{'' if pd.isna(row[name]) else _limited(str(row[name]), 40)}</td>" for name in beside)
    words = f"{row['if_removed']:+.4f}" if pd.isna(percent) else format_change(row["if_removed"], percent)
    return (
        f"<tr><td>{_face(context, context.data.X[position], position, pictures=pictures)}</td>"
        f"<td>{_limited(str(row['id']), 40)}{itself}</td><td>{_limited(explanation.name_of(row['cluster']), 40)}</td>{known}"
        f'<td class="cx-wide">{words}<span class="cx-bar{" cx-push" if side else ""}" style="width:{share:.1f}%">'
        "</span></td></tr>"
    )


def _face(context: ReportContext, row: np.ndarray, position: int, *, pictures: bool) -> str:
    preview = context.previews.preview(row, position)
    if preview.image and pictures:
        return f'<img alt="" src="{preview.image}">'
    return _limited(preview.text, 120) if preview.text else ""


def _limited(text: str, limit: int) -> str:
    cut = text if len(text) <= limit else text[:limit] + "\N{HORIZONTAL ELLIPSIS}"
    return f"<bdi>{html.escape(cut)}</bdi>"
