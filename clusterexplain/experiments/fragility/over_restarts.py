"""Means over restarts with intervals: restarts are independent, so that they may be drawn again."""

from __future__ import annotations

import numpy as np
from scipy import stats

from clusterexplain.statistics import LEVEL, UNKNOWN, Interval

DRAWS = 10_000


def mean_interval(values: np.ndarray, *, largest: float = np.inf) -> Interval:
    """Return the mean of one figure per restart, with its bootstrap interval.

    Parameters
    ----------
    values : ndarray of shape (n_restarts,)
        NaN where a restart has no figure.
    largest : float, default=inf
        What no mean can exceed in size: 1 for correlations.

    Returns
    -------
    Interval
        Percentiles of means of restarts that were drawn again. A bootstrap of few is too narrow: its ends are moved outwards by
        sqrt(n / (n - 1)) and by Student's quantile over the normal one. No ends with fewer than three restarts.

    Examples
    --------
    >>> print(mean_interval(np.array([0.0, 0.2, 0.4, 0.6])))
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
    means = known[rng.integers(n, size=(DRAWS, n))].mean(axis=1)
    low, high = np.quantile(means, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    wider = float(np.sqrt(n / (n - 1)) * stats.t.ppf(0.5 + LEVEL / 2, n - 1) / stats.norm.ppf(0.5 + LEVEL / 2))
    ends = (mean + wider * float(end - mean) for end in (low, high))
    return Interval(mean, *(max(-largest, min(largest, end)) for end in ends))
