"""Which examples a check removes: drawn by rule and seed, never chosen to look good."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Removal:
    """One retraining of a check.

    Attributes
    ----------
    kind : str
        "single" (random examples), "within" (single examples of the queries' own clusters), "group" (random groups),
        "down-weight" (random examples at 95 % weight), "top pullers" and "random" (as many random ones).
    members : ndarray of int
        Row numbers that lose weight.
    factor : float
        What their weight is multiplied by; 0 removes.
    query : int or None
        Position of the query that a "top pullers" set belongs to; None concerns all queries.
    """

    kind: str
    members: np.ndarray
    factor: float = 0.0
    query: int | None = None

    def weights(self, base: np.ndarray) -> np.ndarray:
        """Return the data weights of this retraining, from those of the fit."""
        weights = base.copy()
        weights[self.members] *= self.factor
        return weights


def draw_removals(
    influence: np.ndarray,
    own: np.ndarray,
    labels: np.ndarray,
    candidates: np.ndarray,
    *,
    n_single: int,
    n_within: int,
    n_groups: int,
    n_down: int,
    n_top: int,
    group_share: float,
    seed: int,
) -> list[Removal]:
    """Draw the retrainings of a check.

    Parameters
    ----------
    influence : ndarray of shape (n_queries, n_samples)
        Used for "top pullers" alone.
    own : ndarray of shape (n_queries,)
        Own clusters of the queries.
    labels : ndarray of shape (n_samples,)
        Clusters of the training examples.
    candidates : ndarray of int
        Row numbers that can be removed (of positive weight).
    n_single, n_within, n_groups, n_down : int
        How many of each kind; "within" is spread evenly over the queries' own clusters.
    n_top : int
        Size of each query's "top pullers" set and of its random companion; 0 leaves them out.
    group_share : float
        Size of a group as a share of the candidates.
    seed : int
        Seed of the draw.

    Returns
    -------
    list of Removal
        In a fixed order.
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(candidates)
    singles = shuffled[:n_single]
    removals = [Removal("single", np.array([one])) for one in singles]
    clusters = np.unique(own)
    for number, cluster in enumerate(clusters):
        share = n_within // len(clusters) + (number < n_within % len(clusters))
        pool = np.setdiff1d(candidates[labels[candidates] == cluster], singles)
        removals += [Removal("within", np.array([one])) for one in rng.permutation(pool)[:share]]
    size = max(1, round(group_share * len(candidates)))
    removals += [Removal("group", rng.choice(candidates, size, replace=False)) for _ in range(n_groups)]
    removals += [Removal("down-weight", np.array([one]), 0.95) for one in shuffled[:n_down]]
    if n_top:
        for query, row in enumerate(influence):
            order = candidates[np.argsort(-row[candidates], kind="stable")]
            removals.append(Removal("top pullers", order[: min(n_top, len(order) - 1)], query=query))
            removals.append(
                Removal("random", rng.choice(candidates, min(n_top, len(order) - 1), replace=False), query=query)
            )
    return removals
