"""Which examples a check removes: drawn by rule and seed, never chosen to look good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from clusterexplain.results.removals import (
    DOWN_WEIGHT,
    GROUP,
    NEIGHBOUR,
    PLACEBO,
    RANDOM,
    SINGLE,
    STRONGEST,
    TOP_PULLERS,
    WITHIN,
    Removal,
    RemovalKind,
    RemovalName,
)
from clusterexplain.verification.levels import RemovalBudget

USUAL_LOSS = 0.05
"""Loss of weight whose kind carries no share."""
PLACEBO_SHARE = 0.02
"""Size of a placebo, as a share of the examples."""


@dataclass(frozen=True, eq=False)
class RemovalSampler:
    """What removals are drawn from.

    Parameters
    ----------
    influence : ndarray of shape (n_queries, n_samples)
        Used for the kinds that belong to a query alone.
    own, runner_up : ndarray of shape (n_queries,)
        Pairs of clusters.
    labels : ndarray of shape (n_samples,)
        Clusters of the training examples.
    candidates : ndarray of int
        Row numbers that can be removed (of positive weight).
    near : callable
        Returns row numbers by distance to a query (given by position), nearest first; asked for only if needed.
    seed : int
        Seed of all draws.
    usual_share : float, default=0.05
        Size of the groups whose kind carries no share.
    """

    influence: np.ndarray
    own: np.ndarray
    runner_up: np.ndarray
    labels: np.ndarray
    candidates: np.ndarray
    near: Callable[[int], np.ndarray]
    seed: int
    usual_share: float = 0.05

    def draw(self, stages: Sequence[RemovalBudget]) -> list[list[Removal]]:
        """Draw the retrainings of a check.

        Parameters
        ----------
        stages : sequence of RemovalBudget
            How many of each kind.

        Returns
        -------
        list of list of Removal
            For each stage those that are drawn without regard to the queries, then those that belong to their clusters or to
            one of them; all in a fixed order. The first stages are the same whatever comes after them.
        """
        return [part for number in range(len(stages)) for part in self._stage(stages, number)]

    def _stage(self, stages: Sequence[RemovalBudget], number: int) -> tuple[list[Removal], list[Removal]]:
        counts, before = stages[number], stages[:number]
        rng = np.random.default_rng([self.seed, number])
        singles = self._shuffled()[: sum(stage.single for stage in stages[: number + 1])]
        shared = [Removal(SINGLE, np.array([row])) for row in singles[sum(stage.single for stage in before) :]]
        for share, n in counts.groups.items():
            kind = GROUP if share == self.usual_share else RemovalKind(RemovalName.GROUP, share)
            shared += [Removal(kind, self._some(share, rng)) for _ in range(n)]
        for share, n in counts.subsets.items():
            kind = RemovalKind(RemovalName.SUBSET, share)
            shared += [Removal(kind, self._some(1 - share, rng), rest=1 / share) for _ in range(n)]
        for loss, n in counts.down.items():
            kind = DOWN_WEIGHT if loss == USUAL_LOSS else RemovalKind(RemovalName.DOWN_WEIGHT, loss)
            shared += [Removal(kind, np.array([row]), 1 - loss) for row in self._shuffled()[:n]]
        own = self._within(stages, number, singles)
        queries = range(len(self.own))
        return shared, own + [removal for query in queries for removal in self._of_query(query, counts, before, rng)]

    def _shuffled(self) -> np.ndarray:
        return np.random.default_rng(self.seed).permutation(self.candidates)

    def _within(self, stages: Sequence[RemovalBudget], number: int, singles: np.ndarray) -> list[Removal]:
        """Return single examples of the queries' own clusters, none that is among `singles`, spread over the clusters."""
        clusters = np.unique(self.own)
        removals: list[Removal] = []
        counts = [sum(stage.within for stage in stages[:stop]) for stop in (number, number + 1)]
        for place, cluster in enumerate(clusters):
            start, stop = (n // len(clusters) + (place < n % len(clusters)) for n in counts)
            members = self._shuffled()
            members = members[self.labels[members] == cluster]
            members = np.random.default_rng([self.seed, 1, int(cluster) + 1]).permutation(members)
            members = members[~np.isin(members, self._shuffled()[: stages[0].single])]
            removals += [Removal(WITHIN, np.array([row])) for row in members[start:stop] if row not in singles]
        return removals

    def _some(self, share: float, rng: np.random.Generator, pool: np.ndarray | None = None) -> np.ndarray:
        pool = self.candidates if pool is None else pool
        return rng.choice(pool, min(len(pool), max(1, round(share * len(self.candidates)))), replace=False)

    def _of_query(
        self, query: int, counts: RemovalBudget, before: Sequence[RemovalBudget], rng: np.random.Generator
    ) -> list[Removal]:
        influence = self.influence[query]
        removals: list[Removal] = []
        order = self.candidates[np.argsort(-influence[self.candidates], kind="stable")]
        if counts.strongest:
            ends = slice(sum(stage.strongest for stage in before), None)
            both = [*order[ends][: counts.strongest], *order[::-1][ends][: counts.strongest]]
            removals += [Removal(STRONGEST, np.array([row]), query=query) for row in both]
        if counts.neighbours:
            near = self.near(query)
            near = near[np.isin(near, self.candidates)][sum(stage.neighbours for stage in before) :]
            removals += [Removal(NEIGHBOUR, np.array([row]), query=query) for row in near[: counts.neighbours]]
        away = self.candidates[~np.isin(self.labels[self.candidates], [self.own[query], self.runner_up[query]])]
        if counts.placebo and len(away):
            removals += [
                Removal(PLACEBO, self._some(PLACEBO_SHARE, rng, away), query=query) for _ in range(counts.placebo)
            ]
        size = min(counts.top, len(order) - 1)
        if size > 0:
            removals.append(Removal(TOP_PULLERS, order[:size], query=query))
            removals.append(Removal(RANDOM, rng.choice(self.candidates, size, replace=False), query=query))
        return removals
