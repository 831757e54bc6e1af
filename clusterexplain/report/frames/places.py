"""Where things are on the map."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from clusterexplain.explanation import Explanation
from clusterexplain.report.exhibit import Exhibit

MAX_DOTS = 4000
"""Dots that are drawn at most; more are sampled, and the chart says so."""
NEIGHBOURS = 8


def shown_rows(present: np.ndarray, wanted: list[int], *, most: int = MAX_DOTS) -> np.ndarray:
    """Return the row numbers of the dots that are drawn: all, or a random sample with the wanted ones in it.

    Parameters
    ----------
    present : ndarray of int
        Row numbers of the training examples of positive weight, ascending.
    wanted : list of int
        Row numbers that must be drawn.
    most : int, default=4000
        Dots that are drawn at most.

    Returns
    -------
    ndarray of int
        Ascending.
    """
    kept = np.unique(np.asarray(wanted, dtype=np.intp))
    if len(present) <= most:
        return np.union1d(present, kept)
    order = np.random.default_rng(0).permutation(present)
    rest = order[~np.isin(order, kept)]
    return np.sort(np.concatenate([kept, rest[: max(0, most - len(kept))]]))


def dots(exhibit: Exhibit, rows: np.ndarray, *, with_rows: bool = True) -> pd.DataFrame:
    """Return the dots of the map.

    Parameters
    ----------
    exhibit : Exhibit
        The fit.
    rows : ndarray of int
        Row numbers to draw.
    with_rows : bool, default=True
        Add what each row is: columns image and row (text), where there is any.

    Returns
    -------
    DataFrame
        Columns id, cluster, x, y, margin (to the runner-up).
    """
    frame = pd.DataFrame(
        {
            "id": exhibit.data.ids[rows].astype(str),
            "cluster": [exhibit.name_of(label) for label in exhibit.labels[rows]],
            "x": exhibit.coordinates[rows, 0],
            "y": exhibit.coordinates[rows, 1],
            "margin": exhibit.margins[rows],
        }
    )
    return _with_rows(frame, exhibit, rows) if with_rows else frame


def middles(exhibit: Exhibit) -> pd.DataFrame:
    """Return where each cluster's number is written on the map: the median of its members."""
    clusters = exhibit.clusters
    places = [np.median(exhibit.coordinates[exhibit.members(one)], axis=0) for one in clusters]
    return pd.DataFrame(
        {
            "cluster": [exhibit.name_of(one) for one in clusters],
            "label": [str(one) for one in clusters],
            "x": [place[0] for place in places],
            "y": [place[1] for place in places],
        }
    )


def rings(exhibit: Exhibit, frame: pd.DataFrame, *, with_rows: bool = True) -> pd.DataFrame:
    """Return the rings around listed examples on the map: `frame` of :func:`listed` with x, y and size."""
    rows = np.array([exhibit.position_of[one] for one in frame["id"]], dtype=np.intp)
    placed = frame.assign(x=exhibit.coordinates[rows, 0], y=exhibit.coordinates[rows, 1], size=frame["influence"].abs())
    columns = ["id", "cluster", "x", "y", "pulls", "side", "size", "if_removed", "if_removed_percent"]
    return _with_rows(placed[columns], exhibit, rows) if with_rows else placed[columns]


def sample(exhibit: Exhibit, explanation: Explanation, query: int) -> pd.DataFrame:
    """Return where the sample is on the map: id, x, y; no row if it was not trained on."""
    position = int(explanation.positions[query])
    picked = [] if position < 0 else [position]
    return pd.DataFrame(
        {
            "id": exhibit.data.ids[picked].astype(str),
            "x": exhibit.coordinates[picked, 0],
            "y": exhibit.coordinates[picked, 1],
        }
    )


def links(exhibit: Exhibit, explanation: Explanation, query: int) -> pd.DataFrame:
    """Return lines on the map from the sample to its nearest neighbours in the embedding: id, distance, x, y, x2, y2."""
    position = int(explanation.positions[query])
    if position < 0:
        return pd.DataFrame({name: [] for name in ("id", "distance", "x", "y", "x2", "y2")})
    rows = exhibit.pipeline.viewed.numpy()
    distances = np.linalg.norm(rows - rows[position], axis=1)
    distances[position] = np.inf
    distances[exhibit.pipeline.weights.numpy() == 0] = np.inf
    near = np.argsort(distances, kind="stable")[: min(NEIGHBOURS, int(np.isfinite(distances).sum()))]
    here, there = exhibit.coordinates[position], exhibit.coordinates[near]
    return pd.DataFrame(
        {
            "id": exhibit.data.ids[near].astype(str),
            "cluster": [exhibit.name_of(one) for one in exhibit.labels[near]],
            "distance": distances[near],
            "x": here[0],
            "y": here[1],
            "x2": there[:, 0],
            "y2": there[:, 1],
        }
    )


def _with_rows(frame: pd.DataFrame, exhibit: Exhibit, rows: np.ndarray) -> pd.DataFrame:
    shown = [exhibit.rows.show(exhibit.data.X[row], int(row)) for row in rows]
    added: dict[str, Any] = {}
    if any(one.image for one in shown):
        added["image"] = [one.image for one in shown]
    if any(one.text for one in shown):
        added["row"] = [one.text for one in shown]
    return frame.assign(**added)
