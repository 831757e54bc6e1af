"""Which samples a check asks about if none is named: from deep inside to the boundary, over all clusters."""

from __future__ import annotations

import numpy as np

DEPTHS = 3


def choose_queries(
    margins: np.ndarray, labels: np.ndarray, present: np.ndarray, n: int, *, seed: int = 0
) -> np.ndarray:
    """Choose samples, a third each from the largest, the middle and the smallest margins of every cluster.

    Parameters
    ----------
    margins : ndarray of shape (n_samples,)
        Margin of each training example to its runner-up.
    labels : ndarray of shape (n_samples,)
        Clusters; noise (-1) is left out.
    present : ndarray of shape (n_samples,), bool
        Examples of positive weight.
    n : int
        How many.
    seed : int, default=0
        Of the draw.

    Returns
    -------
    ndarray of int
        Row numbers, ascending; fewer than n if there are no more.

    Examples
    --------
    >>> choose_queries(np.arange(12.0), np.repeat([0, 1], 6), np.ones(12, dtype=bool), 6).tolist()
    [1, 3, 5, 6, 8, 11]
    """
    rng = np.random.default_rng(seed)
    pools = []
    for cluster in np.unique(labels[labels >= 0]):
        rows = np.flatnonzero((labels == cluster) & present & np.isfinite(margins))
        ordered = rows[np.argsort(margins[rows], kind="stable")]
        pools.append([rng.permutation(part).tolist() for part in np.array_split(ordered, DEPTHS)])
    chosen: list[int] = []
    turn = 0
    while len(chosen) < n and any(part for pool in pools for part in pool):
        place, round_ = turn % len(pools), turn // len(pools)
        part = pools[place][(round_ + place) % DEPTHS]
        if part:
            chosen.append(part.pop())
        turn += 1
    return np.sort(np.array(chosen, dtype=np.intp))
