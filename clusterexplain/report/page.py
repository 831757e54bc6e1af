"""The first page: the answer in words, the map, the two lists. One file, no scripts, no network."""

from __future__ import annotations

import html
import json
import os
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np

from clusterexplain._version import __version__
from clusterexplain.data import Dataset
from clusterexplain.explanation import SIDES, Explanation
from clusterexplain.report.map import map_svg
from clusterexplain.report.rows import row_html

TOP = 10


def write_page(
    explanation: Explanation, data: Dataset, coordinates: np.ndarray, path: str | os.PathLike[str], *, top: int = TOP
) -> Path:
    """Write the page about an explanation.

    Parameters
    ----------
    explanation : Explanation
        All its queries are shown, one section each.
    data : Dataset
        The training data, for thumbnails and column names.
    coordinates : ndarray of shape (n_train, 2)
        The two-dimensional view.
    path : path-like
        Where to write; the folder is made if it is missing.
    top : int, default=10
        Examples on each side.

    Returns
    -------
    Path
        The file.
    """
    sections = [_section(explanation, data, coordinates, query, top) for query in range(len(explanation))]
    page = Template(files("clusterexplain.report").joinpath("page.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(_title(explanation)),
        score=html.escape(explanation.score_words),
        sections="".join(sections),
        checked=html.escape(explanation.checked),
        agreement=f"{explanation.agreement:.1%}",
        method=html.escape(explanation.method_words),
        version=html.escape(__version__),
        answer=_safe_json(explanation.to_dict(top)),
    )
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page, encoding="utf-8")
    return target


def _title(explanation: Explanation) -> str:
    named = ", ".join(map(str, explanation.query_ids[:5]))
    if explanation.mixed is not None:
        return f"What {' and what '.join(explanation.sides())}: {named}"
    return f"Why is sample {named} in its cluster?"


def _section(explanation: Explanation, data: Dataset, coordinates: np.ndarray, query: int, top: int) -> str:
    parts = {name: float(getattr(explanation, name)[query].sum()) for name in ("encoder", "cluster", "direct")}
    whole = explanation.mixed is not None
    reference = data.X.mean(axis=0) if whole else explanation.queries[query]
    name = html.escape(str(explanation.query_ids[query]))
    thumbnail = "" if whole else row_html(data, reference, reference)
    badge = "" if explanation.stability is None else f" Stability: {explanation.stability.badges[query]}."
    return (
        f"<section><h2>{name if whole else f'Sample {name}'}</h2>"
        f'<p class="answer">{thumbnail} <span>{html.escape(explanation.headline(query) + badge)}</span></p>'
        f"<figure>{map_svg(explanation, coordinates, query=query, top=top)}</figure>"
        f'<div class="lists">{_list(explanation, data, reference, query, top, 0)}'
        f"{_list(explanation, data, reference, query, top, 1)}</div>"
        f'<p class="note">All training examples together: {parts["encoder"]:+.3f} by moving the sample\'s own embedding, '
        f"{parts['cluster']:+.3f} by moving the clusters through the network, {parts['direct']:+.3f} by their own weight in "
        f"the centroids.</p></section>"
    )


def _list(explanation: Explanation, data: Dataset, reference: np.ndarray, query: int, top: int, side: int) -> str:
    listed = explanation.top(top, query=query, side=SIDES[side])

    def itself(one: object) -> str:
        return " (itself)" if explanation.positions[query] >= 0 and one == explanation.query_ids[query] else ""

    where = {str(one): i for i, one in enumerate(explanation.train_ids)}
    rows = "".join(
        f'<tr><td class="row">{row_html(data, data.X[where[str(row.id)]], reference)}</td>'
        f"<td>{html.escape(str(row.id))}{itself(row.id)}</td><td>{row.cluster}</td>"
        f"<td>{row.if_removed:+.4f} ({row.if_removed_percent:+.1f} %)</td></tr>"
        for row in listed.itertuples()
    )
    words = explanation.sides(query)[side]
    heading = (words if explanation.mixed is not None else words.replace(" ", " it ")).capitalize()
    return (
        f"<table><caption>{heading}</caption><thead><tr><th>example</th><th>id</th><th>cluster</th>"
        f"<th>if removed, change of margin (predicted)</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _safe_json(answer: object) -> str:
    """Return JSON that cannot end the script element that holds it."""
    text = json.dumps(answer, allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
