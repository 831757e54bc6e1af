"""Means over restarts with intervals: restarts are independent, so that they may be drawn again."""

from __future__ import annotations

import numpy as np

from clusterexplain.verification.intervals import LEVEL, UNKNOWN, Interval

DRAWS = 10_000


def mean_interval(values: np.ndarray) -> Interval:
    """Return the mean of one figure per restart, with its bootstrap interval.

    Parameters
    ----------
    values : ndarray of shape (n_restarts,)
        NaN where a restart has no figure.

    Returns
    -------
    Interval
        Percentiles of means of restarts that were drawn again; widened by sqrt(n / (n - 1)), as a bootstrap of few is too
        narrow. No ends with fewer than three restarts.

    Examples
    --------
    >>> print(mean_interval(np.array([0.0, 0.2, 0.4, 0.6])))
    0.300 [0.069, 0.531]
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
    wider = float(np.sqrt(n / (n - 1)))
    return Interval(mean, mean + wider * float(low - mean), mean + wider * float(high - mean))
