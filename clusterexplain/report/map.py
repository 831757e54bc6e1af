"""The map: every training example as a dot, the sample as a star, its pullers and pushers as rings. Inline SVG."""

from __future__ import annotations

import html
import math

import numpy as np

from clusterexplain.explanation import Explanation

WIDTH, HEIGHT, MARGIN = 640, 480, 14
MAX_DOTS = 5000
COLOURS = (
    "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#999933", "#882255", "#44aa99", "#ddaa33",
)  # fmt: skip
CAPTION = (
    "A two-dimensional view (UMAP, or PCA below 10 rows), to look at only: the explanation comes from the embedding, not from "
    "this map, and what lies close here need not lie close there. Red star: the sample. Blue rings pulled it in, orange dashed "
    "rings pushed it away; a larger ring is a larger influence. Numbers name the clusters."
)


def map_svg(explanation: Explanation, coordinates: np.ndarray, *, query: int, top: int) -> str:
    """Draw the map of one query.

    Parameters
    ----------
    explanation : Explanation
        Whose query it is.
    coordinates : ndarray of shape (n_train, 2)
        The two-dimensional view.
    query : int
        Position of the query.
    top : int
        Pullers and pushers on each side.

    Returns
    -------
    str
        An ``svg`` element without scripts or references.
    """
    place = _scaled(coordinates)
    shown = _sample(len(place))
    dots = "".join(
        f'<circle cx="{place[i, 0]:.1f}" cy="{place[i, 1]:.1f}" r="2.2" fill="{_colour(explanation.train_labels[i])}">'
        f"<title>{html.escape(str(explanation.train_ids[i]))}, cluster {explanation.train_labels[i]}</title></circle>"
        for i in shown
    )
    note = "" if len(shown) == len(place) else f" {len(shown)} of {len(place)} examples drawn."
    where = ""
    if explanation.mixed is None and explanation.positions[query] < 0:
        where = " The sample was not trained on, so it has no place on the map."
    label = f"Map of the training examples; {explanation.query_ids[query]} and its pullers and pushers.{note}"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(label, quote=True)}">'
        f'<g opacity="0.6">{dots}</g>{_rings(explanation, place, query, top)}{_star(explanation, place, query)}'
        f'{_numbers(explanation, place)}</svg>{_legend(explanation, query)}<p class="note">{CAPTION}{where}{note}</p>'
    )


def _numbers(explanation: Explanation, place: np.ndarray) -> str:
    """Write each cluster's number at the middle of its members."""
    labels = np.unique(explanation.train_labels[explanation.train_labels >= 0])
    middles = [np.median(place[explanation.train_labels == label], axis=0) for label in labels]
    return "".join(
        f'<text x="{x:.1f}" y="{y:.1f}" class="number">{label}</text>'
        for label, (x, y) in zip(labels, middles, strict=True)
    )


def _legend(explanation: Explanation, query: int) -> str:
    own, rival = int(explanation.labels[query]), int(explanation.rivals[query])
    if explanation.mixed is not None:
        return ""
    dot = '<svg viewBox="0 0 10 10" aria-hidden="true"><circle cx="5" cy="5" r="5" fill="{}"/></svg>'
    return (
        f'<p class="legend"><span>{dot.format(_colour(own))} {html.escape(explanation.name_of(own))}, its own</span>'
        f"<span>{dot.format(_colour(rival))} {html.escape(explanation.name_of(rival))}, the rival</span></p>"
    )


def _rings(explanation: Explanation, place: np.ndarray, query: int, top: int) -> str:
    listed = explanation.top(top, query=query)
    largest = listed["influence"].abs().max() if len(listed) else 1.0
    position = {str(one): i for i, one in enumerate(explanation.train_ids)}
    rings = []
    for row in listed.to_dict("records"):  # type: Any
        i = position[str(row["id"])]
        pulled = row["side"] == "pulled in"
        style = 'stroke="#0060c0"' if pulled else 'stroke="#d06000" stroke-dasharray="3 2"'
        radius = 4 + 8 * math.sqrt(abs(row["influence"]) / largest)
        rings.append(
            f'<circle cx="{place[i, 0]:.1f}" cy="{place[i, 1]:.1f}" r="{radius:.1f}" fill="none" stroke-width="2" {style}>'
            f"<title>{html.escape(str(row['id']))} {row['side']}: if removed, margin {row['if_removed']:+.4f}</title></circle>"
        )
    return "".join(rings)


def _star(explanation: Explanation, place: np.ndarray, query: int) -> str:
    if explanation.positions[query] < 0:
        return ""
    x, y = place[explanation.positions[query]]
    corners = [
        (x + r * math.sin(a * math.pi / 5), y - r * math.cos(a * math.pi / 5))
        for a, r in zip(range(10), [9, 4] * 5, strict=True)
    ]
    points = " ".join(f"{px:.1f},{py:.1f}" for px, py in corners)
    title = html.escape(f"sample {explanation.query_ids[query]}")
    return f'<polygon points="{points}" class="star"><title>{title}</title></polygon>'


def _scaled(coordinates: np.ndarray) -> np.ndarray:
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    unit = (coordinates - low) / np.where(high > low, high - low, 1)
    return MARGIN + unit * (np.array([WIDTH, HEIGHT]) - 2 * MARGIN)


def _sample(n: int) -> np.ndarray:
    if n <= MAX_DOTS:
        return np.arange(n)
    return np.sort(np.random.default_rng(0).choice(n, MAX_DOTS, replace=False))


def _colour(label: int) -> str:
    return COLOURS[label % len(COLOURS)] if label >= 0 else "#888888"
