"""Agreement of predicted and retrained changes: signed, for each query, then averaged, with intervals."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import stats

FEWEST = 5
"""Removals below which no correlation is reported."""


def spearman(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the signed rank correlation of each column.

    Parameters
    ----------
    predicted, truth : ndarray of shape (n_removals, n_queries)
        Changes of the scores; NaN marks a removal that does not count for a query.

    Returns
    -------
    ndarray of shape (n_queries,)
        NaN where fewer than ``FEWEST`` removals count or one side is constant.

    Examples
    --------
    >>> a = np.arange(6.0)[:, None]
    >>> spearman(a, a**3)
    array([1.])
    """
    return _columns(_rank_correlation, predicted, truth)


def pearson(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the signed linear correlation of each column; arguments as :func:`spearman`."""
    return _columns(_linear_correlation, predicted, truth)


def slope(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the least-squares slope of truth on prediction of each column, with intercept; 1 is calibrated."""
    return _columns(_slope, predicted, truth)


def mean_with_interval(
    predicted: np.ndarray, truth: np.ndarray, *, draws: int = 300, seed: int = 0
) -> tuple[float, float, float]:
    """Return the mean Spearman correlation over queries and its 95 % bootstrap interval.

    Parameters
    ----------
    predicted, truth : ndarray of shape (n_removals, n_queries)
        Changes of the scores.
    draws : int, default=300
        Bootstrap draws; each resamples queries, and removals once for all queries, since they share them.
    seed : int, default=0
        Seed of the draws.

    Returns
    -------
    mean, low, high : float
        NaN if no query has enough removals.
    """
    rng = np.random.default_rng(seed)
    n, queries = truth.shape
    means = []
    for _ in range(draws):
        rows, columns = rng.integers(n, size=n), rng.integers(queries, size=queries)
        means.append(average(spearman(predicted[np.ix_(rows, columns)], truth[np.ix_(rows, columns)])))
    finite = np.array([mean for mean in means if np.isfinite(mean)])
    low, high = np.quantile(finite, [0.025, 0.975]) if len(finite) else (np.nan, np.nan)
    return average(spearman(predicted, truth)), float(low), float(high)


def average(values: np.ndarray) -> float:
    """Return the mean of the finite values, NaN if there are none."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")


def _columns(function: object, predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    results = []
    for x, y in zip(predicted.T, truth.T, strict=True):
        counts = np.isfinite(x) & np.isfinite(y)
        x, y = x[counts], y[counts]
        usable = len(x) >= FEWEST and np.ptp(x) > 0 and np.ptp(y) > 0
        results.append(function(x, y) if usable else np.nan)  # type: ignore[operator]
    return np.array(results)


def _rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    return _linear_correlation(stats.rankdata(x), stats.rankdata(y))


def _linear_correlation(x: np.ndarray, y: np.ndarray) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(np.corrcoef(x, y)[0, 1])


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    centred = x - x.mean()
    return float(centred @ (y - y.mean()) / (centred @ centred))
