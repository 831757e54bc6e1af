"""Near-duplicates: rows that are almost the same; those with different labels are label conflicts."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from clusterexplain.exceptions import InvalidDataError, InvalidParameterError
from clusterexplain.execution import DEFAULT_EXECUTION, Execution

COLUMNS = ["id", "cluster", "near_duplicate", "near_duplicate_cluster", "distance", "relative"]
SHARE = 0.01
"""Share of the smallest nearest-neighbour distances that count as those of near-duplicates."""
CLOSEST = 0.75
"""Largest distance of near-duplicates, in typical nearest-neighbour distances. Without it a grid, where every
distance to the nearest neighbour is the same, would be all near-duplicates."""
ROUNDING = 1e-9


def find_label_conflicts(
    rows: np.ndarray,
    labels: np.ndarray,
    ids: np.ndarray,
    *,
    share: float = SHARE,
    closest: float = CLOSEST,
    n: int | None = None,
    execution: Execution = DEFAULT_EXECUTION,
) -> pd.DataFrame:
    """List near-duplicates with different labels: where the clustering draws a line that the data hardly show.

    Two rows are near-duplicates if they are exact duplicates, or if their distance is

    * at most the `share`-quantile of the nearest-neighbour distances in the data (99 % of the rows are farther from
      their nearest neighbour), and
    * at most `closest` times the median nearest-neighbour distance, the typical one.

    Both compare distances of the same data, so multiplying all rows by a constant changes nothing but the column
    distance. Nearest-neighbour distances are those among the distinct rows: duplicates do not drag the typical distance
    to 0.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, n_features)
        The input rows as the model sees them, that is after its scaling: not the embedding, in which the model may have
        moved apart what is alike. Rows of data weight 0 are best left out.
    labels : ndarray of shape (n_samples,), int
        Clusters; -1 is noise. Noise against a cluster counts as different.
    ids : ndarray of shape (n_samples,)
        Names of the rows.
    share : float, default=0.01
        In [0, 1); 0 leaves only exact duplicates.
    closest : float, default=0.75
        In (0, 1).
    n : int, optional
        Keep only the closest pairs; all by default. A thousand duplicates, half of them in another cluster, are 250,000
        pairs.
    execution : Execution, default=DEFAULT_EXECUTION
        Its `n_jobs` is that of the search for neighbours.

    Returns
    -------
    DataFrame
        Columns id, cluster, near_duplicate, near_duplicate_cluster, distance (Euclidean, in units of `rows`), relative
        (distance over the typical nearest-neighbour distance). Closest first, ties in the order of the rows; each pair
        once, with the earlier row as id. ``attrs`` holds limit (largest distance that counts) and typical, both as distances.

    Raises
    ------
    InvalidDataError
        If lengths differ or rows are not finite numbers.
    InvalidParameterError
        If `share`, `closest` or `n` is out of range.

    Notes
    -----
    Nearest neighbours are searched (tree or brute force in blocks), so memory does not grow with the square of the
    number of rows. About a `share` of the distinct rows has a near-duplicate, so the second search is small.
    Distances are recomputed from differences: the search's own, from inner products, cancel where rows nearly agree.

    Examples
    --------
    >>> rows = np.array([[0.0], [1.0], [2.0], [3.0], [3.1]])
    >>> find_label_conflicts(rows, np.array([0, 0, 0, 0, 1]), np.arange(5))[["id", "near_duplicate", "near_duplicate_cluster"]]
       id  near_duplicate  near_duplicate_cluster
    0   3               4                       1
    """
    rows, labels, ids = _checked(rows, labels, ids, share=share, closest=closest, n=n)
    distinct, group = np.unique(rows, axis=0, return_inverse=True)
    group = group.ravel()
    nearest = _nearest(distinct, execution)
    typical = float(np.median(nearest)) if len(nearest) else 0.0
    limit = min(float(np.quantile(nearest, share)), closest * typical) if share > 0 and len(nearest) else 0.0
    first, second, distance = _pairs(distinct, np.flatnonzero(nearest <= limit * (1 + ROUNDING)), limit, execution)
    i, j, apart = _expanded(first, second, distance, group, labels)
    order = np.lexsort((j, i, apart))[:n]
    i, j, apart = i[order], j[order], apart[order]
    relative = apart / typical if typical > 0 else np.zeros_like(apart)
    columns = (ids[i], labels[i], ids[j], labels[j], apart, relative)
    table = pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))
    table.attrs.update(limit=limit, typical=typical)
    return table


def label_conflicts_of(conflicts: pd.DataFrame, sample: object) -> pd.DataFrame:
    """Return the near-duplicates of one sample with another label, whichever side of the pair it is on.

    Parameters
    ----------
    conflicts : DataFrame
        From :func:`find_label_conflicts`.
    sample : int or str
        Its id.

    Returns
    -------
    DataFrame
        Columns id, cluster, distance, relative of the near-duplicates, closest first; empty if it has none.

    Examples
    --------
    >>> found = find_label_conflicts(np.array([[0.0], [0.0], [5.0]]), np.array([0, 1, 1]), np.array(["a", "b", "c"]))
    >>> label_conflicts_of(found, "b")["id"].tolist()
    ['a']
    """
    second = [name for name in conflicts.columns if str(name).startswith("near_duplicate_")]
    other = {"near_duplicate": "id", **{name: name.removeprefix("near_duplicate_") for name in second}}
    forth, back = conflicts[conflicts["id"] == sample], conflicts[conflicts["near_duplicate"] == sample]
    picked = [
        forth.drop(columns=list(other.values())).rename(columns=other),
        back.drop(columns=list(other)),
    ]
    filled = [part for part in picked if len(part)] or picked[:1]
    table: pd.DataFrame = pd.concat(filled).sort_index().reset_index(drop=True)
    return table


def _checked(
    rows: np.ndarray, labels: np.ndarray, ids: np.ndarray, *, share: float, closest: float, n: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if not 0 <= share < 1:
        raise InvalidParameterError(
            f"share={share} must lie in [0, 1), for example {SHARE}; 0 is for exact duplicates only."
        )
    if not 0 < closest < 1:
        raise InvalidParameterError(f"closest={closest} must lie between 0 and 1, for example {CLOSEST}.")
    if n is not None and n < 1:
        raise InvalidParameterError(f"n={n} must be at least 1, or None for all pairs.")
    rows, labels, ids = np.asarray(rows, dtype=np.float64), np.asarray(labels), np.asarray(ids)
    if rows.ndim != 2 or labels.shape != rows.shape[:1] or ids.shape != labels.shape:
        raise InvalidDataError(
            f"rows, labels and ids have shapes {rows.shape}, {labels.shape} and {ids.shape}, expected (n, n_features), "
            f"(n,) and (n,): one label and one id for each row."
        )
    if not np.isfinite(rows).all():
        raise InvalidDataError(
            "rows hold NaN or infinity. Expected finite numbers; drop these rows or fill them in first."
        )
    return rows + 0.0, labels, ids  # -0.0 and 0.0 are the same number


def _nearest(distinct: np.ndarray, execution: Execution) -> np.ndarray:
    """Return the distance of each distinct row to its nearest other one; empty if there is none."""
    if len(distinct) < 2:
        return np.empty(0)
    found = NearestNeighbors(n_neighbors=1, n_jobs=execution.n_jobs).fit(distinct - distinct.mean(axis=0))
    neighbour = found.kneighbors(return_distance=False)[:, 0]
    distances: np.ndarray = np.linalg.norm(distinct - distinct[neighbour], axis=1)
    return distances


def _pairs(
    distinct: np.ndarray, candidates: np.ndarray, limit: float, execution: Execution
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pairs of distinct rows within the limit, both ends of which are candidates, and their distances."""
    if len(candidates) < 2:
        return np.empty(0, dtype=int), np.empty(0, dtype=int), np.empty(0)
    centred = distinct[candidates] - distinct[candidates].mean(axis=0)
    slack = 1e-12 * np.square(centred).sum(axis=1).max()  # what inner products may lose of a squared distance
    found = NearestNeighbors(radius=float(np.sqrt(limit**2 * (1 + ROUNDING) + slack)), n_jobs=execution.n_jobs).fit(
        centred
    )
    neighbours = found.radius_neighbors(return_distance=False)
    first = np.repeat(candidates, [len(one) for one in neighbours])
    second = candidates[np.concatenate(neighbours).astype(int)]
    once = first < second
    first, second = first[once], second[once]
    distance = np.linalg.norm(distinct[first] - distinct[second], axis=1)
    close = distance <= limit * (1 + ROUNDING)
    return first[close], second[close], distance[close]


def _expanded(
    first: np.ndarray, second: np.ndarray, distance: np.ndarray, group: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pairs (i < j) of rows with different labels: duplicates, and members of groups of near-duplicates."""
    order = np.argsort(group, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(group))[:-1])
    repeated = [one for one in np.flatnonzero(np.bincount(group) > 1) if len(np.unique(labels[members[one]])) > 1]
    jobs = [(one, one, 0.0) for one in repeated] + list(zip(first, second, distance, strict=True))
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = [
        (np.empty(0, dtype=int), np.empty(0, dtype=int), np.empty(0))
    ]
    for a, b, apart in jobs:
        rows, columns = np.nonzero(labels[members[a]][:, None] != labels[members[b]])
        i, j = members[a][rows], members[b][columns]
        if a == b:
            i, j = i[i < j], j[i < j]
        parts.append((np.minimum(i, j), np.maximum(i, j), np.full(len(i), apart)))
    i, j, apart = (np.concatenate(part) for part in zip(*parts, strict=True))
    return i, j, apart
