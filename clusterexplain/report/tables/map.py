"""Where things are on the map."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from clusterexplain.report.context import ReportContext
from clusterexplain.results.explanation import Explanation

MAX_POINTS = 4000
"""Points that are drawn at most; more are sampled, and the chart says so."""
NEIGHBOURS = 10
"""Nearest training examples that are told about, and joined to the sample by lines."""
MOST_COMPARED = 600
"""Members of a cluster that are looked at to place its number; of more a random sample."""


def shown_rows(present: np.ndarray, wanted: list[int], *, most: int = MAX_POINTS) -> np.ndarray:
    """Return the row numbers of the points that are drawn: all, or a random sample with the wanted ones in it.

    Parameters
    ----------
    present : ndarray of int
        Row numbers of the training examples of positive weight, ascending.
    wanted : list of int
        Row numbers that must be drawn.
    most : int, default=4000
        Points that are drawn at most.

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


def points(context: ReportContext, rows: np.ndarray, *, with_rows: bool = True) -> pd.DataFrame:
    """Return the points of the map.

    Parameters
    ----------
    context : ReportContext
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
            "id": context.data.ids[rows].astype(str),
            "cluster": [context.name_of(label) for label in context.labels[rows]],
            "x": context.coordinates[rows, 0],
            "y": context.coordinates[rows, 1],
            "margin": context.margins[rows],
        }
    )
    return _with_rows(frame, context, rows) if with_rows else frame


def label_positions(context: ReportContext) -> pd.DataFrame:
    """Return where each cluster's number is written on the map: at its :func:`densest` member."""
    clusters = context.clusters
    centers = [densest(context.coordinates[context.members(cluster)]) for cluster in clusters]
    return pd.DataFrame(
        {
            "cluster": [context.name_of(cluster) for cluster in clusters],
            "label": [str(cluster) for cluster in clusters],
            "x": [x for x, _ in centers],
            "y": [y for _, y in centers],
        }
    )


def densest(coordinates: np.ndarray) -> np.ndarray:
    """Return the place around which a third of the others lie closest.

    A cluster that the map splits has its number on one of its parts; a mean or a median would put it between them, where
    another cluster may be, and so would half of the others for a cluster in three parts.

    Parameters
    ----------
    coordinates : ndarray of shape (n_members, 2)
        At least one.

    Returns
    -------
    ndarray of shape (2,)
        One of them.
    """
    if len(coordinates) > MOST_COMPARED:
        coordinates = coordinates[np.random.default_rng(0).permutation(len(coordinates))[:MOST_COMPARED]]
    distances = np.linalg.norm(coordinates[:, None] - coordinates, axis=2)
    return np.asarray(coordinates[np.quantile(distances, 1 / 3, axis=1).argmin()])


def highlights(context: ReportContext, frame: pd.DataFrame, *, with_rows: bool = True) -> pd.DataFrame:
    """Return the marks around listed examples on the map: `frame` of :func:`tables.strongest` with x, y and size."""
    rows = np.array([context.position_of[id_] for id_ in frame["id"]], dtype=np.intp)
    placed = frame.assign(x=context.coordinates[rows, 0], y=context.coordinates[rows, 1], size=frame["influence"].abs())
    columns = ["id", "cluster", "x", "y", "pulls", "side", "size", "if_removed", "if_removed_percent"]
    return _with_rows(placed[columns], context, rows) if with_rows else placed[columns]


def sample_point(context: ReportContext, explanation: Explanation, query: int) -> pd.DataFrame:
    """Return where the sample is on the map: id, x, y; no row if it was not trained on."""
    position = int(explanation.positions[query])
    picked = [] if position < 0 else [position]
    return pd.DataFrame(
        {
            "id": context.data.ids[picked].astype(str),
            "x": context.coordinates[picked, 0],
            "y": context.coordinates[picked, 1],
        }
    )


def links(context: ReportContext, explanation: Explanation, query: int) -> pd.DataFrame:
    """Return lines on the map from the sample to its nearest neighbours in the embedding: id, distance, x, y, x2, y2."""
    position = int(explanation.positions[query])
    if position < 0:
        return pd.DataFrame({name: [] for name in ("id", "distance", "x", "y", "x2", "y2")})
    near, distances = _nearest(context, context.fit.assignment.embedding.numpy(), position)
    here, there = context.coordinates[position], context.coordinates[near]
    return pd.DataFrame(
        {
            "id": context.data.ids[near].astype(str),
            "cluster": [context.name_of(cluster) for cluster in context.labels[near]],
            "distance": distances,
            "x": here[0],
            "y": here[1],
            "x2": there[:, 0],
            "y2": there[:, 1],
        }
    )


def foreign_neighbours(context: ReportContext, explanation: Explanation, query: int) -> tuple[int, int, int]:
    """Count the sample's nearest training examples that are of other clusters.

    Parameters
    ----------
    context, explanation, query : ReportContext, Explanation, int
        Whose.

    Returns
    -------
    on_map, in_embedding, n : int
        How many of its `n` nearest on the map, and of its `n` nearest in the embedding; all 0 if it was not trained on.
    """
    position = int(explanation.positions[query])
    if position < 0:
        return 0, 0, 0
    views = (context.coordinates, context.fit.assignment.embedding.numpy())
    near = [_nearest(context, view, position)[0] for view in views]
    others = [int((context.labels[rows] != explanation.labels[query]).sum()) for rows in near]
    return others[0], others[1], len(near[0])


def _nearest(context: ReportContext, view: np.ndarray, position: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the row numbers of the nearest training examples of positive weight, nearest first, and their distances."""
    distances = np.linalg.norm(view - view[position], axis=1)
    distances[position] = np.inf
    distances[context.fit.weights.numpy() == 0] = np.inf
    near = np.argsort(distances, kind="stable")[: min(NEIGHBOURS, int(np.isfinite(distances).sum()))]
    return near, distances[near]


def _with_rows(frame: pd.DataFrame, context: ReportContext, rows: np.ndarray) -> pd.DataFrame:
    previews = [context.previews.preview(context.data.X[row], int(row)) for row in rows]
    added: dict[str, Any] = {}
    if any(preview.image for preview in previews):
        added["image"] = [preview.image for preview in previews]
    if any(preview.text for preview in previews):
        added["row"] = [preview.text for preview in previews]
    return frame.assign(**added)
