"""The card in a notebook: the answer, the map, the two lists, as HTML that holds everything it needs and no script."""

from __future__ import annotations

import html
import importlib.util
import warnings
from typing import Any

import numpy as np
import pandas as pd

from clusterexplain.exceptions import ClusterExplainWarning, ReportWriteError
from clusterexplain.report import tables
from clusterexplain.report.assets import asset
from clusterexplain.report.context import ReportContext
from clusterexplain.report.export import picture
from clusterexplain.report.figures import drawn_check
from clusterexplain.report.plots import Plots
from clusterexplain.report.svg import map_svg, scatter_svg
from clusterexplain.report.text import map_words, place_words, pull_words
from clusterexplain.results.check import Check
from clusterexplain.results.explanation import SIDES, Explanation
from clusterexplain.results.text.names import NOISE, format_change, replace_unprintable

LISTED = 6
CARDS = 3
"""Queries that a card shows at most."""
MOST_DOTS = 2000
LARGEST = 400_000
"""Bytes of a card: pictures of rows are left out rather than that it be larger."""
LONGEST_TEXT = 300
HEADINGS, NOISE_HEADINGS = ("pulled it in", "pushed it away"), ("kept it out", "drew it in")
"""Of the two lists of one sample: in a cluster, and in the noise."""


def card(explanation: Explanation, context: ReportContext) -> str:
    """Return the card of an explanation.

    Parameters
    ----------
    explanation : Explanation
        Its first ``CARDS`` queries are shown.
    exhibit : ReportContext
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
    found: dict[str, Any] = {"text/plain": repr(explanation), "text/html": card(explanation, context)}
    return found | _png(Plots(explanation, context).map(0))


def check_card(check: Check) -> str:
    """Return the card of a check: the verdict, the scatter, the figures."""
    table = check.table[check.table["continued"].notna() & check.table["predicted_continued"].notna()]
    picture = scatter_svg(
        table["predicted_continued"].to_numpy(dtype=float),
        table["continued"].to_numpy(dtype=float),
        "Predicted and retrained changes of the margin; on the dashed line they are equal",
    )
    known = check.summary[check.summary["spearman"].notna()]
    summary = known.to_html(index=False, float_format="{:.3f}".format, na_rep="\N{EN DASH}", border=0)
    return (
        f'{style()}<div class="cx"><p><b class="cx-badge">{html.escape(check.status)}</b> {html.escape(check.verdict)}.</p>'
        f'<div class="cx-two"><div>{picture}<p><small>Each dot is one retraining, clusters re-clustered.</small></p></div>'
        f"<div>{summary}</div></div></div>"
    )


def check_bundle(check: Check) -> dict[str, Any]:
    """Return what a notebook can show of a check."""
    chart = drawn_check(check.explanation)[0]
    return {"text/plain": repr(check), "text/html": check_card(check)} | _png(chart)


def style() -> str:
    """Return the style of cards, as an element."""
    return f"<style>{asset('card.css')}</style>"


def _png(chart: Any) -> dict[str, Any]:
    if importlib.util.find_spec("vl_convert") is None:
        return {}
    try:
        return {"image/png": picture(chart, ".png")}
    except ReportWriteError as error:
        warnings.warn(f"The card has no picture. {error}", ClusterExplainWarning, stacklevel=2)
        return {}


def _card(explanation: Explanation, context: ReportContext, *, pictures: bool) -> str:
    blocks = [_block(explanation, context, query, pictures=pictures) for query in range(min(len(explanation), CARDS))]
    more = len(explanation) - CARDS
    rest = f"<p>... and {more} more queries; e.report(path) shows them all.</p>" if more > 0 else ""
    return replace_unprintable(
        f'{style()}<div class="cx">{"".join(blocks)}{rest}'
        f"<p><small>The margin is {html.escape(explanation.score_words)}. Method {html.escape(explanation.method_words)}."
        f"</small></p>"
        f'<p><b class="cx-badge">{html.escape(explanation.status)}</b> This answer is '
        f"{html.escape(explanation.checked)}.</p></div>"
    )


def _block(explanation: Explanation, context: ReportContext, query: int, *, pictures: bool) -> str:
    whole = explanation.combined
    words = [explanation.headline(query), pull_words(explanation, query)]
    if explanation.stability is not None:
        words.append(f"Stability: {explanation.stability.badges[query]}.")
    if explanation.seed_variability is not None:
        words.append(explanation.seed_words(query))
    if explanation.check is not None and len(explanation) > 1:
        words.append(f"Its own check: {explanation.check.each[query].status}.")
    shown = (
        ""
        if whole
        else _face(context, explanation.queries[query], int(explanation.positions[query]), pictures=pictures)
    )
    before = f"<p>{shown}</p>" if shown else ""
    lists = "".join(_list(explanation, context, query, side, pictures=pictures) for side in (0, 1))
    return (
        f"{before}<p>{_text(' '.join(words), 2000)}</p>{_map(explanation, context, query)}"
        f'<div class="cx-two">{lists}</div>'
    )


def _map(explanation: Explanation, context: ReportContext, query: int) -> str:
    listed = tables.listed(explanation, query, LISTED)
    wanted = [context.position_of[one] for one in listed["id"]]
    rows = tables.shown_rows(context.present, wanted, most=MOST_DOTS)
    lines = [*map_words(context, len(rows)).split("\n"), place_words(context, explanation, query)]
    words = "; ".join(line for line in lines if line)
    return (
        map_svg(
            context.coordinates[rows],
            context.labels[rows],
            tables.rings(context, listed, with_rows=False),
            tables.sample(context, explanation, query),
            tables.middles(context),
            f"Map: {explanation.query_ids[query]} (star), what {explanation.sides(query)[0]} (circles) and what "
            f"{explanation.sides(query)[1]} (dashed squares)"[:LONGEST_TEXT],
        )
        + f"<p><small>{_text(words, LONGEST_TEXT)}</small></p>"
    )


def _list(explanation: Explanation, context: ReportContext, query: int, side: int, *, pictures: bool) -> str:
    listed = explanation.top(LISTED, query=query, side=SIDES[side])
    heading = _headings(explanation, query)[side]
    largest = max(abs(explanation.influence[query]).max(), np.finfo(float).tiny)
    rows = "".join(
        _row(row, explanation, context, query, side, largest, pictures=pictures) for row in listed.to_dict("records")
    )
    return (
        f"<table><caption>{html.escape(heading.capitalize())}</caption><thead><tr><th></th><th>id</th><th>cluster</th>"
        f"<th>if removed, change of margin (predicted)</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _headings(explanation: Explanation, query: int) -> tuple[str, str]:
    """Return the headings of the two lists: what a positive and a negative influence did to a sample, or to a combination."""
    if explanation.combined:
        return explanation.sides(query)
    return NOISE_HEADINGS if explanation.labels[query] == NOISE else HEADINGS


def _row(
    row: dict[Any, Any],
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
    words = f"{row['if_removed']:+.4f}" if pd.isna(percent) else format_change(row["if_removed"], percent)
    return (
        f"<tr><td>{_face(context, context.data.X[position], position, pictures=pictures)}</td>"
        f"<td>{_text(str(row['id']), 40)}{itself}</td><td>{_text(explanation.name_of(row['cluster']), 40)}</td>"
        f'<td class="cx-wide">{words}<span class="cx-bar{" cx-push" if side else ""}" style="width:{share:.1f}%">'
        "</span></td></tr>"
    )


def _face(context: ReportContext, row: np.ndarray, position: int, *, pictures: bool) -> str:
    shown = context.rows.show(row, position)
    if shown.image and pictures:
        return f'<img alt="" src="{shown.image}">'
    return _text(shown.text, 120) if shown.text else ""


def _text(text: str, limit: int) -> str:
    cut = text if len(text) <= limit else text[:limit] + "\N{HORIZONTAL ELLIPSIS}"
    return f"<bdi>{html.escape(cut)}</bdi>"
