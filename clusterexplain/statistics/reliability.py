"""How much different seeds agree: about the truth of a check, which bounds every method, and about an explanation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from clusterexplain.statistics import metrics
from clusterexplain.statistics.intervals import UNKNOWN, Interval, unit_ranks

FALSE_DISCOVERIES = 0.05


@dataclass(frozen=True, eq=False)
class Effects:
    """Effects over seeds.

    Attributes
    ----------
    mean, standard_error : ndarray of shape (n_queries, n_train)
        Of the effect of an example on a query.
    stable : ndarray of shape (n_queries, n_train), bool
        Whether the mean differs from 0.
    """

    mean: np.ndarray
    standard_error: np.ndarray
    stable: np.ndarray


def stable_effects(rows: np.ndarray) -> Effects:
    """Say which effects differ from 0 over seeds: t-tests, false discovery rate of 5 % for each query.

    Parameters
    ----------
    rows : ndarray of shape (n_seeds, n_queries, n_train)
        Effects by seed, at least 2 seeds.

    Returns
    -------
    Effects
        An effect that is the same for all seeds is stable unless it is 0.

    References
    ----------
    Y. Benjamini, Y. Hochberg. Controlling the false discovery rate. J. R. Stat. Soc. B 57, 1995.
    E. Nguyen, M. Seo, S. J. Oh. A Bayesian approach to analysing training data attribution. NeurIPS 2023 (the test).
    """
    n = len(rows)
    mean, error = rows.mean(axis=0), rows.std(axis=0, ddof=1) / np.sqrt(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(error > 0, np.abs(mean) / error, np.where((mean != 0) & np.isfinite(mean), np.inf, 0.0))
    chance = 2 * stats.t.sf(t, n - 1)
    adjusted = stats.false_discovery_control(chance, axis=1) if chance.size else chance
    return Effects(mean, error, adjusted < FALSE_DISCOVERIES)


def between_seeds(values: np.ndarray) -> float:
    """Return the mean rank correlation between two seeds.

    Parameters
    ----------
    values : ndarray of shape (n_seeds, n)
        What each seed gives for the same n examples or removals; NaN where it gives nothing.

    Returns
    -------
    float
        Mean over pairs; NaN with fewer than two seeds or ``metrics.FEWEST`` values.
    """
    pairs = [(i, j) for i in range(len(values)) for j in range(i)]
    found = [metrics.spearman(values[i][:, None], values[j][:, None])[0] for i, j in pairs]
    return metrics.average(np.array(found)) if pairs else float("nan")


def spearman_brown(reliability: float, n: int) -> float:
    """Return the reliability of a mean of n from that of one; 0 for a negative one.

    Examples
    --------
    >>> round(spearman_brown(0.27, 4), 2)
    0.6
    """
    return n * reliability / (1 + (n - 1) * reliability) if reliability > 0 else 0.0


def ceiling(truth: np.ndarray) -> Interval:
    """Return the largest rank correlation that any prediction can be expected to have with the mean of these seeds.

    Parameters
    ----------
    truth : ndarray of shape (n_seeds, n_removals, n_queries)
        Retrained changes by seed.

    Returns
    -------
    Interval
        The square root of the reliability of the mean over seeds (Spearman-Brown of the mean correlation between two
        seeds), averaged over queries; the interval is that of the reliability between two seeds, by leaving out one removal,
        one query and one seed at a time. 1 for a single seed: a training that can be repeated exactly is its own truth.
    """
    n = len(truth)
    if n == 1:
        return Interval(1.0, 1.0, 1.0)
    each = _between(truth)
    estimate = metrics.average(each)
    if np.isnan(estimate):
        return UNKNOWN
    variance = 0.0
    for axis, least in ((0, 3), (1, 2), (2, 2)):
        size = truth.shape[axis]
        if size < least:
            continue
        fewer = np.array([metrics.average(_between(np.delete(truth, left_out, axis))) for left_out in range(size)])
        quantile = stats.t.ppf(0.975, size - 1)
        variance += quantile**2 * (size - 1) / size * np.square(fewer - fewer.mean()).sum()
    if np.isnan(variance):
        return Interval(float(np.sqrt(spearman_brown(estimate, n))), float("nan"), float("nan"))
    half = np.sqrt(variance)
    low, high = (np.sqrt(spearman_brown(min(1.0, end), n)) for end in (estimate - half, estimate + half))
    return Interval(float(np.sqrt(spearman_brown(estimate, n))), float(low), float(high))


def of_means(rows: np.ndarray, n: int, *, draws: int = 50, seed: int = 0) -> float:
    """Return the mean rank correlation between the mean of n seeds and the mean of n others, measured.

    Parameters
    ----------
    rows : ndarray of shape (n_seeds, n_queries, n_train)
        Explanations by seed, at least 2 n of them.
    n : int
        Seeds in each mean.
    draws : int, default=50
        Random splits.
    seed : int, default=0
        Of the splits.

    Returns
    -------
    float
        Mean over queries and splits.
    """
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        order = rng.permutation(len(rows))
        first, second = (rows[part].mean(axis=0).T for part in (order[:n], order[n : 2 * n]))
        found.append(metrics.average(metrics.spearman(first, second)))
    return metrics.average(np.array(found))


def _between(truth: np.ndarray) -> np.ndarray:
    """Return the mean rank correlation between two seeds for each query; `truth` of shape (..., seeds, removals, queries)."""
    n = truth.shape[-3]
    if np.isfinite(truth).all() and truth.shape[-2] >= metrics.FEWEST:
        ranks = unit_ranks(truth)
        alike = np.square(ranks.sum(axis=-3)).sum(axis=-2) - np.square(ranks).sum(axis=(-3, -2))
        if not (np.ptp(truth, axis=-2) == 0).any():
            return np.asarray(alike / (n * (n - 1)))
    pairs = [(i, j) for i in range(n) for j in range(i)]
    found = np.stack([metrics.spearman(truth[i], truth[j]) for i, j in pairs])
    known = np.isfinite(found)
    total = np.where(known, found, 0).sum(axis=0)
    mean: np.ndarray = np.divide(total, known.sum(axis=0), out=np.full(total.shape, np.nan), where=known.any(axis=0))
    return mean
