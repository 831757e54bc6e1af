"""Means of one figure per seed or restart, with their intervals: trainings are independent, so they may be drawn again."""

from __future__ import annotations

import numpy as np
from scipy import stats

from clusterexplain.statistics.intervals import LEVEL, UNKNOWN, Interval

DRAWS = 10_000


def mean_interval(values: np.ndarray, *, largest: float = np.inf) -> Interval:
    r"""Return the mean of one figure for each training with its 95 % interval by Student's distribution.

    :math:`\bar x \pm t_{0.975, n - 1} \, s / \sqrt{n}` with the standard deviation s of the n figures.

    Parameters
    ----------
    values : ndarray of shape (n,)
        NaN where a training has no figure; it does not count.
    largest : float, default=inf
        What no mean can exceed in size: 1 for correlations.

    Returns
    -------
    Interval
        Cut at the largest value; without ends for fewer than two figures.

    Examples
    --------
    >>> print(mean_interval(np.array([0.5, 0.6, 0.7]), largest=1.0))
    0.600 [0.352, 0.848]
    """
    known = values[np.isfinite(values)]
    n = len(known)
    if not n:
        return UNKNOWN
    mean = float(known.mean())
    if n < 2:
        return Interval(mean, float("nan"), float("nan"))
    half = float(stats.t.ppf(0.5 + LEVEL / 2, n - 1) * known.std(ddof=1) / np.sqrt(n))
    return Interval(mean, max(mean - half, -largest), min(mean + half, largest))


def bootstrap_interval(values: np.ndarray, *, largest: float = np.inf) -> Interval:
    """Return the mean of one figure for each training with its 95 % bootstrap interval.

    Parameters
    ----------
    values : ndarray of shape (n,)
        NaN where a training has no figure; it does not count.
    largest : float, default=inf
        What no mean can exceed in size: 1 for correlations.

    Returns
    -------
    Interval
        Percentiles of means of trainings that were drawn again. A bootstrap of few is too narrow: its ends are moved
        outwards by sqrt(n / (n - 1)) and by Student's quantile over the normal one. No ends for fewer than three figures.

    Examples
    --------
    >>> print(bootstrap_interval(np.array([0.0, 0.2, 0.4, 0.6])))
    0.300 [-0.075, 0.675]
    """
    known = values[np.isfinite(values)]
    n = len(known)
    if not n:
        return UNKNOWN
    mean = float(known.mean())
    if n < 3:
        return Interval(mean, float("nan"), float("nan"))
    rng = np.random.default_rng(0)
    means = known[rng.integers(n, size=(DRAWS, n))].mean(axis=1)  # (DRAWS,)
    low, high = np.quantile(means, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    wider = float(np.sqrt(n / (n - 1)) * stats.t.ppf(0.5 + LEVEL / 2, n - 1) / stats.norm.ppf(0.5 + LEVEL / 2))
    ends = (mean + wider * float(end - mean) for end in (low, high))
    return Interval(mean, *(max(-largest, min(largest, end)) for end in ends))
