"""Intervals for agreement that was averaged over queries: queries, removals and seeds are all drawn from many.

Everything here is a jackknife. Bootstraps were tried first and measured: a removal that is drawn twice is tied with itself,
which biases rank correlations, so that percentile intervals of a true 0.97 (30 queries, 60 removals) covered it in 3 % to 85 %
of the simulations, depending on how much queries differ; and resampling queries and removals together counts their interaction
three times, which makes intervals around a corrected centre twice as wide as they need be. Leaving out one removal at a time
gives the bias and one variance, one query at a time another, one seed at a time a third; their sum counts the interaction twice
and so errs on the safe side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from clusterexplain.statistics import metrics

LEVEL = 0.95
BOOTSTRAP_DRAWS = 10_000
ROUNDING = 1e-12
"""Below which two correlations are the same."""
ALONE = 1.5**2
"""For a single query there is no second variance that would err on the safe side: measured, the interval of 48 removals covered
91 %, and 81 % where changes have heavy tails, as influences have; it is widened by this much (squared)."""
BLOCK_NUMBERS = 2_000_000
"""Numbers that are ranked at a time."""

Statistic = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From predictions and truths of shape (n_removals, n_queries) to one number for each query."""


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval; NaN where too little is known.

    Attributes
    ----------
    mean, low, high : float
        The mean over queries, and where the mean of many more queries, removals and seeds would be.
    """

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        """Return "0.912 [0.871, 0.940]"."""
        if np.isnan(self.mean):
            return "not tried"
        return f"{self.mean:.3f}" + ("" if np.isnan(self.low) else f" [{self.low:.3f}, {self.high:.3f}]")


UNKNOWN = Interval(float("nan"), float("nan"), float("nan"))


def mean_interval(values: np.ndarray, *, largest: float = np.inf) -> Interval:
    """Return the mean of one figure for each seed with its interval.

    Parameters
    ----------
    values : ndarray of shape (n_seeds,)
        One figure for each seed; those that are NaN do not count.
    largest : float, default=inf
        What no mean can exceed in size: 1 for correlations.

    Returns
    -------
    Interval
        By Student's distribution, as if the figures of the seeds were normal; without ends for fewer than two seeds.

    Examples
    --------
    >>> print(mean_interval(np.array([0.5, 0.6, 0.7])))
    0.600 [0.352, 0.848]
    >>> print(mean_interval(np.array([0.5, np.nan])))
    0.500
    """
    known = values[np.isfinite(values)]
    mean, n = metrics.average(known), len(known)
    if n < 2:
        return Interval(mean, float("nan"), float("nan"))
    half = stats.t.ppf(0.5 + LEVEL / 2, n - 1) * known.std(ddof=1) / np.sqrt(n)
    return Interval(mean, float(max(mean - half, -largest)), float(min(mean + half, largest)))


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
    means = known[rng.integers(n, size=(BOOTSTRAP_DRAWS, n))].mean(axis=1)  # (BOOTSTRAP_DRAWS,)
    low, high = np.quantile(means, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    wider = float(np.sqrt(n / (n - 1)) * stats.t.ppf(0.5 + LEVEL / 2, n - 1) / stats.norm.ppf(0.5 + LEVEL / 2))
    ends = (mean + wider * float(end - mean) for end in (low, high))
    return Interval(mean, *(max(-largest, min(largest, end)) for end in ends))


def spearman_interval(predicted: np.ndarray, truth: np.ndarray) -> Interval:
    """Return the mean rank correlation over queries with its interval.

    Parameters
    ----------
    predicted : ndarray of shape (n_removals, n_queries)
        Predicted changes; NaN marks a removal that does not count for a query.
    truth : ndarray of shape (n_removals, n_queries) or (n_seeds, n_removals, n_queries)
        Retrained changes; seeds are averaged.

    Returns
    -------
    Interval
        Symmetric on Fisher's scale, around the estimate after the jackknife's correction for bias; the quantile is that of
        Student's distribution for the number of seeds where there are several, as they are few.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.normal(size=(40, 6))
    >>> print(spearman_interval(truth + 0.3 * rng.normal(size=truth.shape), truth))
    0.955 [0.945, 0.976]
    """
    return _jackknife(lambda rows: [rows[0]], predicted[None], _by_seed(truth), fisher=True)


def difference_interval(predicted: np.ndarray, baseline: np.ndarray, truth: np.ndarray) -> Interval:
    """Return by how much a method's mean rank correlation exceeds a baseline's, removal by removal and query by query.

    Parameters
    ----------
    predicted, baseline : ndarray of shape (n_removals, n_queries)
        Predictions of both. A baseline that is constant for a query ranks nothing and counts as 0 there.
    truth : ndarray of shape (n_removals, n_queries) or (n_seeds, n_removals, n_queries)
        Retrained changes.

    Returns
    -------
    Interval
        Positive is better than the baseline.
    """
    both = np.stack([predicted, baseline])
    return _jackknife(lambda rows: [rows[0], -np.nan_to_num(rows[1])], both, _by_seed(truth), fisher=False)


@dataclass(frozen=True)
class Shuffled:
    """What chance reaches.

    Attributes
    ----------
    band : float
        97.5 % quantile of the mean rank correlation of shuffled predictions; NaN if nothing can be ranked.
    p_value : float
        Share of the shuffles, the true order counted as one of them, whose mean rank correlation is at least that found.
    """

    band: float
    p_value: float


def shuffle(predicted: np.ndarray, truth: np.ndarray, *, draws: int = 1000, seed: int = 0) -> Shuffled:
    """Shuffle the predictions among the removals.

    Parameters
    ----------
    predicted, truth : ndarray of shape (n_removals, n_queries)
        Changes; all queries are shuffled alike, as they share the removals.
    draws : int, default=1000
        Shuffles.
    seed : int, default=0
        Of the shuffles.

    Returns
    -------
    Shuffled
        The band and the p-value.
    """
    known = np.isfinite(predicted) & np.isfinite(truth)
    agreements = metrics.spearman(predicted, truth)
    ranked = np.flatnonzero(np.isfinite(agreements))
    if not len(ranked):
        return Shuffled(float("nan"), float("nan"))
    keys = np.random.default_rng(seed).random(
        (draws, len(truth))
    )  # one order for all queries, as far as they share removals
    means = np.zeros(draws)
    for query in ranked:
        rows = known[:, query]
        x, y = (unit_ranks(values[rows, query][:, None])[:, 0] for values in (predicted, truth))
        means += x[np.argsort(keys[:, rows], axis=1)] @ y / len(ranked)
    reached = int((means >= agreements[ranked].mean() - ROUNDING).sum())
    return Shuffled(float(np.quantile(means, 0.5 + LEVEL / 2)), (1 + reached) / (1 + draws))


def _by_seed(truth: np.ndarray) -> np.ndarray:
    return truth[None] if truth.ndim == 2 else truth


def _jackknife(
    signed: Callable[[np.ndarray], list[np.ndarray]], predicted: np.ndarray, by_seed: np.ndarray, *, fisher: bool
) -> Interval:
    """Return the interval of the mean over queries of a signed sum of rank correlations.

    `predicted` has shape (n_methods, n_removals, n_queries); `signed` turns the correlations of the methods, (n_methods, ...),
    into terms to be summed.
    """
    truth = by_seed.mean(axis=0)
    each = np.sum(signed(np.stack([metrics.spearman(rows, truth) for rows in predicted])), axis=0)
    estimate = metrics.average(each)
    if np.isnan(estimate):
        return UNKNOWN
    n = len(truth)
    without = np.sum(signed(np.stack([_without_each(rows, truth) for rows in predicted])), axis=0)
    removals = np.array([metrics.average(row) for row in without])
    if np.isnan(removals).any():
        return Interval(estimate, float("nan"), float("nan"))
    centre = n * estimate - (n - 1) * removals.mean()
    half = stats.t.ppf(0.5 + LEVEL / 2, n - 1) ** 2 * (_variance(removals) + _over_queries(each))
    half *= ALONE if truth.shape[1] == 1 else 1.0
    if len(by_seed) > 1:
        means = [np.delete(by_seed, seed, 0).mean(axis=0) for seed in range(len(by_seed))]
        fewer = [
            np.sum(signed(np.stack([metrics.spearman(rows, mean) for rows in predicted])), axis=0) for mean in means
        ]
        quantile = stats.t.ppf(0.5 + LEVEL / 2, len(by_seed) - 1)
        half += quantile**2 * _variance(np.array([metrics.average(agreements) for agreements in fewer]))
    low, high = _ends(centre, float(np.sqrt(half)), n) if fisher else (centre - np.sqrt(half), centre + np.sqrt(half))
    return Interval(estimate, float(min(low, estimate)), float(max(high, estimate)))


def _ends(centre: float, half: float, n: int) -> tuple[float, float]:
    """Return the ends of an interval of a correlation: what lies within `half` of the centre, or within it on Fisher's scale.

    Fisher's scale is where correlations near 1 have a symmetric distribution. It is stretched as between the centre and the
    lower end: at the centre itself it is infinite for a perfect correlation, of which n ranks can tell no more than the last
    step before it.
    """
    if centre < 0:
        low, high = _ends(-centre, half, n)
        return -high, -low
    edge = 1 - 3 / (n * (n**2 - 1))
    centre = float(np.clip(centre, -edge, edge))
    least = max(centre - half, -edge)
    middle, stretched = np.arctanh(centre), half / np.sqrt((1 - centre**2) * (1 - least**2))
    return min(least, float(np.tanh(middle - stretched))), float(np.tanh(middle + stretched))


def _variance(without: np.ndarray) -> float:
    """Return the jackknife variance from the values without each unit in turn."""
    n = len(without)
    return float((n - 1) / n * np.square(without - without.mean()).sum())


def _over_queries(each: np.ndarray) -> float:
    """Return the jackknife variance of a mean over queries; 0 for a single query."""
    known = each[np.isfinite(each)]
    return _variance((known.sum() - known) / (len(known) - 1)) if len(known) > 1 else 0.0


def _without_each(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the rank correlations without each removal in turn, shape (n_removals, n_queries)."""
    n, queries = truth.shape
    if not (np.isfinite(predicted).all() and np.isfinite(truth).all()) or n <= metrics.FEWEST:
        return np.stack([metrics.spearman(np.delete(predicted, row, 0), np.delete(truth, row, 0)) for row in range(n)])
    others = np.array([np.delete(np.arange(n), row) for row in range(n)])
    size = max(1, BLOCK_NUMBERS // (n * queries))
    blocks = [others[start : start + size] for start in range(0, n, size)]
    agreements = [(unit_ranks(predicted[rows]) * unit_ranks(truth[rows])).sum(axis=-2) for rows in blocks]
    constant = (np.ptp(predicted, axis=0) == 0) | (np.ptp(truth, axis=0) == 0)
    return np.where(constant, np.nan, np.concatenate(agreements))


def unit_ranks(values: np.ndarray) -> np.ndarray:
    """Return centred ranks of length 1 along the second last axis; 0 for what is NaN and where all are equal."""
    ranks = stats.rankdata(values, axis=-2, nan_policy="omit")
    centred = np.nan_to_num(ranks - np.nanmean(ranks, axis=-2, keepdims=True))
    norm = np.linalg.norm(centred, axis=-2, keepdims=True)
    unit: np.ndarray = np.divide(centred, norm, out=np.zeros_like(centred), where=norm > 0)
    return unit
