"""Agreement of predicted and retrained changes: signed, for each query, then averaged, with intervals."""

from __future__ import annotations

import warnings
from collections.abc import Callable

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


def kendall(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return Kendall's tau-b of each column; arguments as :func:`spearman`."""
    return _columns(lambda x, y: float(stats.kendalltau(x, y).statistic), predicted, truth)


def theil_sen(predicted: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return slope and intercept of truth on prediction that half of all pairs lie above (Theil-Sen), of each column.

    Parameters
    ----------
    predicted, truth : ndarray of shape (n_removals, n_queries)
        As for :func:`spearman`.

    Returns
    -------
    slope, intercept : ndarray of shape (n_queries,)
        1 and 0 are calibrated; an intercept means that retraining moves the score whatever is removed.
    """
    slopes = _columns(lambda x, y: float(stats.theilslopes(y, x).slope), predicted, truth)
    return slopes, _columns(lambda x, y: float(stats.theilslopes(y, x).intercept), predicted, truth)


def sign_agreement(predicted: np.ndarray, truth: np.ndarray, noise: np.ndarray | float = 0.0) -> np.ndarray:
    """Return the share of clear changes whose sign was predicted, for each column.

    Parameters
    ----------
    predicted, truth : ndarray of shape (n_removals, n_queries)
        As for :func:`spearman`.
    noise : ndarray of shape (n_queries,) or float, default=0.0
        Changes that mean nothing; a change is clear if it is larger than twice that.

    Returns
    -------
    ndarray of shape (n_queries,)
        NaN where no change is clear.
    """
    clear = np.isfinite(predicted) & (np.abs(np.nan_to_num(truth)) > 2 * np.asarray(noise))
    right = clear & (np.sign(np.nan_to_num(predicted)) == np.sign(np.nan_to_num(truth)))
    n = clear.sum(axis=0)
    share: np.ndarray = np.divide(right.sum(axis=0), n, out=np.full(n.shape, np.nan), where=n > 0)
    return share


def precision_at(predicted: np.ndarray, truth: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how many of the k removals that are predicted to lower the score most are among the k that do.

    Parameters
    ----------
    predicted, truth : ndarray of shape (n_removals, n_queries)
        As for :func:`spearman`.
    k : int
        How many.

    Returns
    -------
    precision, chance : ndarray of shape (n_queries,)
        The share, and k over the number of removals that count, which chance reaches; NaN with fewer than 2 k removals or
        where one side is constant, so that nothing is on top. Ties are broken by lot.
    """
    found, chance, rng = [], [], np.random.default_rng(0)
    for x, y in zip(predicted.T, truth.T, strict=True):
        counts = np.isfinite(x) & np.isfinite(y)
        x, y = x[counts], y[counts]
        usable = len(x) >= 2 * k > 0 and np.ptp(x) > 0 and np.ptp(y) > 0
        tops = [set(np.lexsort((rng.random(len(changes)), changes))[:k].tolist()) for changes in (x, y)]
        both = tops[0] & tops[1]
        found.append(len(both) / k if usable else np.nan)
        chance.append(k / len(x) if usable else np.nan)
    return np.array(found), np.array(chance)


def skill(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return 1 - sum of squared errors / sum of squared changes of each column: 1 is exact, 0 is predicting no change."""
    known = np.isfinite(predicted) & np.isfinite(truth)
    squares = [np.where(known, values, 0.0) ** 2 for values in (truth - predicted, truth)]
    errors, changes = (values.sum(axis=0) for values in squares)
    usable = (known.sum(axis=0) >= FEWEST) & (changes > 0)
    gained: np.ndarray = 1 - np.divide(errors, changes, out=np.full(changes.shape, np.nan), where=usable)
    return gained


def flip_auc(scores: np.ndarray, predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return how well the predicted change tells the removals after which a sample is on the other side.

    Parameters
    ----------
    scores : ndarray of shape (n_queries,)
        Margins with nothing removed.
    predicted, truth : ndarray of shape (n_removals, n_queries)
        Changes.

    Returns
    -------
    ndarray of shape (n_queries,)
        Area under the ROC curve; NaN where no removal or every one changes the side.
    """
    found = []
    for score, x, y in zip(scores, predicted.T, truth.T, strict=True):
        counts = np.isfinite(x) & np.isfinite(y)
        side = 1 if score > 0 else -1
        flips = side * (score + y[counts]) < 0
        n = int(flips.sum())
        ranks = stats.rankdata(-side * x[counts])
        usable = 0 < n < len(flips)
        found.append((ranks[flips].sum() - n * (n + 1) / 2) / (n * (len(flips) - n)) if usable else np.nan)
    return np.array(found)


def average(values: np.ndarray) -> float:
    """Return the mean of the finite values, NaN if there are none."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")


def _columns(
    function: Callable[[np.ndarray, np.ndarray], float], predicted: np.ndarray, truth: np.ndarray
) -> np.ndarray:
    results = []
    for x, y in zip(predicted.T, truth.T, strict=True):
        counts = np.isfinite(x) & np.isfinite(y)
        x, y = x[counts], y[counts]
        usable = len(x) >= FEWEST and np.ptp(x) > 0 and np.ptp(y) > 0
        results.append(function(x, y) if usable else np.nan)
    return np.array(results)


def _rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    return _linear_correlation(stats.rankdata(x), stats.rankdata(y))


def _linear_correlation(x: np.ndarray, y: np.ndarray) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(np.corrcoef(x, y)[0, 1])
