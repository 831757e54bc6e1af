"""The refits: their seeds and data weights, and the matching of what they return."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.execution import SEQUENTIAL, Execution
from clusterexplain.results.stability import Stability
from clusterexplain.statistics.matching import renumbered

SEED_STREAM, BOOTSTRAP_STREAM = 0, 1
"""Second entry of the seed of each kind's draws: which numbers a root seed gives depends on it, so it never changes."""


def measure(
    refit_labels: Callable[[str, int], tuple[np.ndarray, np.ndarray]],
    base_labels: np.ndarray,
    base_weights: np.ndarray,
    ids: np.ndarray,
    fit_key: str,
    *,
    n_seeds: int = 10,
    n_bootstrap: int = 10,
    execution: Execution = SEQUENTIAL,
) -> Stability:
    """Refit, match every refit's clusters to those of the fit, and collect the labels.

    The matching is independent of how the refit was made: one to one, so that the common weight is largest (Hungarian),
    over the samples that are in the refit and in the fit. A refit is a clustering from scratch, not one continued from
    the fit's centroids, which would hide that another start ends elsewhere.

    Parameters
    ----------
    refit_labels : callable
        ``refit_labels(kind, number)`` refits and returns labels and data weights, each of shape (n_samples,); kind is
        "seed" with number 0 ... n_seeds - 1 (see :func:`refit_seeds`) or "bootstrap" with 0 ... n_bootstrap - 1 (see
        :func:`bootstrap_weights`). Called in this order.
    base_labels : ndarray of shape (n_samples,), int
        Labels of the fit; -1 is noise.
    base_weights : ndarray of shape (n_samples,)
        Data weights of the fit.
    ids : ndarray of shape (n_samples,)
        Sample ids.
    fit_key : str
        Names the fit.
    n_seeds, n_bootstrap : int, default=10
        Refits of either kind.
    execution : Execution, default=SEQUENTIAL
        Refits that run side by side in threads; results do not depend on it.

    Returns
    -------
    Stability
        The refits, matched.

    Raises
    ------
    InvalidParameterError
        If a count is negative, both are 0, or a refit returns other shapes.
    """
    check_counts(n_seeds=n_seeds, n_bootstrap=n_bootstrap)
    base_labels = np.asarray(base_labels, dtype=np.int64)
    base_weights, ids = np.asarray(base_weights, dtype=np.float64), np.asarray(ids)
    jobs = [("seed", number) for number in range(n_seeds)] + [("bootstrap", number) for number in range(n_bootstrap)]

    def refit(job: tuple[str, int]) -> tuple[np.ndarray, np.ndarray]:
        labels, weights = (np.asarray(part) for part in refit_labels(*job))
        if labels.shape != base_labels.shape or weights.shape != base_labels.shape:
            raise InvalidParameterError(
                f"refit_labels{job} returned labels and weights of shapes {labels.shape} and {weights.shape}, expected "
                f"{base_labels.shape} for both: one of each for every sample, absent ones included (weight 0)."
            )
        there = np.where(weights > 0, base_weights, 0.0)
        return renumbered(base_labels, labels.astype(np.int64), there), weights.astype(np.float64)

    refits = execution.map(refit, jobs)
    labels, weights = (np.stack(part) for part in zip(*refits, strict=True))
    return Stability(labels, np.array([kind for kind, _ in jobs]), base_labels, base_weights, ids, weights, fit_key)


def bootstrap_weights(base_weights: np.ndarray, n_bootstrap: int, seed: int) -> np.ndarray:
    """Draw the data weights of nonparametric bootstrap refits.

    Of the n rows with positive weight, n are drawn with replacement, each with probability 1/n; a row's weight is its
    weight in the fit times the number of times it was drawn. About 37 % of the rows are absent from a refit.

    Parameters
    ----------
    base_weights : ndarray of shape (n_samples,)
        Data weights of the fit; rows of weight 0 stay absent.
    n_bootstrap : int
        Number of draws.
    seed : int
        Root seed; the first m draws do not depend on how many follow.

    Returns
    -------
    ndarray of shape (n_bootstrap, n_samples)
        The weights.

    Raises
    ------
    InvalidParameterError
        If `n_bootstrap` is negative or no weight is positive.

    Notes
    -----
    Two alternatives were not taken. Independent Poisson(1) counts let the total vary by about sqrt(n), so a refit would
    also differ by the amount of data, which small data sets feel. The Bayesian bootstrap (Dirichlet weights) leaves no
    row out: whether a cluster or a sample's place survives the absence of others is just what is asked here.

    References
    ----------
    B. Efron. Bootstrap methods: another look at the jackknife. Annals of Statistics 7, 1979.

    Examples
    --------
    >>> drawn = bootstrap_weights(np.array([1.0, 1.0, 0.0, 1.0]), 2, seed=0)
    >>> drawn.sum(axis=1), drawn[:, 2]
    (array([3., 3.]), array([0., 0.]))
    """
    base_weights = np.asarray(base_weights, dtype=np.float64)
    rows = np.flatnonzero(base_weights > 0)
    if n_bootstrap < 0 or not len(rows):
        raise InvalidParameterError(
            f"n_bootstrap={n_bootstrap} draws from {len(rows)} rows of positive weight. "
            f"Expected at least 0 draws and 1 row."
        )
    rng = np.random.default_rng([seed, BOOTSTRAP_STREAM])
    weights = np.zeros((n_bootstrap, len(base_weights)))
    weights[:, rows] = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=n_bootstrap)
    drawn: np.ndarray = weights * base_weights
    return drawn


def refit_seeds(seed: int, n_seeds: int) -> list[int]:
    """Return the root seeds of seed refits; the first m do not depend on how many follow.

    Parameters
    ----------
    seed : int
        Root seed of the fit.
    n_seeds : int
        How many.

    Returns
    -------
    list of int
        Each below 2**32.

    Examples
    --------
    >>> refit_seeds(0, 3)[:2] == refit_seeds(0, 2)
    True
    """
    return [int(state) for state in np.random.SeedSequence([seed, SEED_STREAM]).generate_state(n_seeds)]


def check_counts(**counts: int) -> None:
    """Refuse negative counts of refits, and none at all."""
    for name, value in counts.items():
        if value < 0:
            raise InvalidParameterError(f"{name}={value} must be at least 0.")
    if not any(counts.values()):
        raise InvalidParameterError(
            "n_seeds + n_bootstrap is 0, so there is nothing to refit. Expected at least 1, for example n_seeds=10."
        )
