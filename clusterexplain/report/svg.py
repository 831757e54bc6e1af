"""Small static pictures in SVG, for where no script runs: the map of a card, and the scatter of a check.

Altair draws every chart of a page; these two are written by hand, because a card must need neither a script nor vl-convert.
Ink is ``currentColor`` and there is no background, so that a picture follows the theme around it.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

WIDTH, HEIGHT, MARGIN = 560, 360, 16
SIDE = 260
COLOURS = (
    "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#999933", "#882255", "#44aa99", "#ddaa33",
)  # fmt: skip
NOISE_COLOUR = "#888888"
PULL, PUSH, STAR = "#0060c0", "#d06000", "#d00000"


def map_svg(
    coordinates: np.ndarray,
    labels: np.ndarray,
    highlights: pd.DataFrame,
    sample: pd.DataFrame,
    label_positions: pd.DataFrame,
    title: str,
    *,
    colours: Mapping[int, str] | None = None,
) -> str:
    """Draw the map of one query.

    Parameters
    ----------
    coordinates : ndarray of shape (n_shown, 2)
        Where the points are.
    labels : ndarray of shape (n_shown,), int
        Their clusters; -1 is noise.
    highlights, sample, label_positions : DataFrame
        From :mod:`clusterexplain.report.tables`.
    title : str
        For those who cannot see it.
    colours : mapping of int to str, optional
        Colours of clusters, by number, in place of the usual ones.

    Returns
    -------
    str
        An ``svg`` element without scripts or references. All points of a cluster are one path, so it stays small.
    """
    scale = _Scale.around(coordinates)
    points = "".join(
        f'<path d="{_points(scale, coordinates[labels == label])}" stroke="{_colour(int(label), colours)}"/>'
        for label in np.unique(labels)
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title, quote=True)}" '
        f'style="width:100%;max-width:{WIDTH}px;height:auto">'
        f'<g fill="none" stroke-width="3.6" stroke-linecap="round" opacity="0.55">{points}</g>'
        f"{_highlight_shapes(scale, highlights)}{_stars(scale, sample)}{_cluster_labels(scale, label_positions)}</svg>"
    )


def scatter_svg(predicted: np.ndarray, retrained: np.ndarray, title: str) -> str:
    """Draw predicted against retrained changes with the line on which they are equal.

    Parameters
    ----------
    predicted, retrained : ndarray of shape (n,)
        Changes of margins, finite.
    title : str
        For those who cannot see it.

    Returns
    -------
    str
        An ``svg`` element.
    """
    both = np.stack([predicted, -retrained], axis=1)  # upwards is positive
    reach = max(float(np.abs(both).max()), np.finfo(float).tiny) if len(both) else 1.0
    spot = SIDE / 2 + both / reach * (SIDE / 2 - MARGIN)
    path = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in spot)
    low, high = MARGIN / 2, SIDE - MARGIN / 2
    return (
        f'<svg viewBox="0 0 {SIDE} {SIDE}" role="img" aria-label="{html.escape(title, quote=True)}" '
        f'style="width:100%;max-width:{SIDE}px;height:auto">'
        f'<path d="M{SIDE / 2} {low}V{high}M{low} {SIDE / 2}H{high}" stroke="currentColor" opacity="0.3"/>'
        f'<path d="M{low} {high}L{high} {low}" stroke="currentColor" stroke-dasharray="4 3" opacity="0.7"/>'
        f'<path d="{path}" fill="none" stroke="{PULL}" stroke-width="5" stroke-linecap="round" opacity="0.6"/>'
        f'<text x="{high}" y="{SIDE / 2 - 5}" text-anchor="end" font-size="11" fill="currentColor">predicted</text>'
        f'<text x="{SIDE / 2 + 5}" y="{low + 10}" font-size="11" fill="currentColor">retrained</text></svg>'
    )


class _Scale:
    """From coordinates of the view to those of the picture."""

    def __init__(self, low: np.ndarray, high: np.ndarray) -> None:
        self.low = low
        self.extent = np.where(high > low, high - low, 1)

    @classmethod
    def around(cls, coordinates: np.ndarray) -> _Scale:
        return cls(coordinates.min(axis=0), coordinates.max(axis=0))

    def __call__(self, coordinates: np.ndarray) -> np.ndarray:
        unit = (np.asarray(coordinates, dtype=float) - self.low) / self.extent
        return np.asarray(
            MARGIN + np.stack([unit[:, 0] * (WIDTH - 2 * MARGIN), (1 - unit[:, 1]) * (HEIGHT - 2 * MARGIN)], axis=1)
        )


def _points(scale: _Scale, coordinates: np.ndarray) -> str:
    return "".join(f"M{x:.0f} {y:.0f}h0" for x, y in scale(coordinates))


def _highlight_shapes(scale: _Scale, highlights: pd.DataFrame) -> str:
    if not len(highlights):
        return ""
    radius = 4 + 7 * np.sqrt(highlights["size"] / highlights["size"].max())
    return "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}" fill="none" stroke="{PULL}" stroke-width="2"/>'
        if pulls
        else f'<rect x="{x - r:.1f}" y="{y - r:.1f}" width="{2 * r:.1f}" height="{2 * r:.1f}" fill="none" stroke="{PUSH}" '
        f'stroke-width="2" stroke-dasharray="3 2"/>'
        for (x, y), r, pulls in zip(scale(highlights[["x", "y"]].to_numpy()), radius, highlights["pulls"], strict=True)
    )


def _stars(scale: _Scale, sample: pd.DataFrame) -> str:
    return "".join(
        '<polygon fill="{}" stroke="#ffffff" points="{}"/>'.format(
            STAR,
            " ".join(
                f"{x + r * math.sin(a * math.pi / 5):.1f},{y - r * math.cos(a * math.pi / 5):.1f}"
                for a, r in zip(range(10), [9, 4] * 5, strict=True)
            ),
        )
        for x, y in (scale(sample[["x", "y"]].to_numpy()) if len(sample) else [])
    )


def _cluster_labels(scale: _Scale, label_positions: pd.DataFrame) -> str:
    if not len(label_positions):
        return ""
    coordinates = scale(label_positions[["x", "y"]].to_numpy())
    return "".join(
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" font-size="13" font-weight="bold" fill="currentColor">'
        f"{html.escape(label)}</text>"
        for (x, y), label in zip(coordinates, label_positions["label"], strict=True)
    )


def _colour(label: int, given: Mapping[int, str] | None) -> str:
    if given and label in given:
        return html.escape(given[label], quote=True)
    return COLOURS[label % len(COLOURS)] if label >= 0 else NOISE_COLOUR
