"""Removals: drawn by rule and seed, a larger level begins with a smaller one."""

from __future__ import annotations

import numpy as np
import pytest

from clusterexplain.results.removals import SINGLE, STRONGEST, TOP_PULLERS, WITHIN, RemovalKind, RemovalName
from clusterexplain.verification import RemovalSampler
from clusterexplain.verification.levels import LEVELS, RemovalBudget

POOL = RemovalSampler(
    np.linspace(-1, 1, 100)[None],
    np.array([1]),
    np.array([0]),
    np.repeat([0, 1], 50),
    np.arange(10, 100),
    lambda query: np.arange(100)[::-1],
    seed=0,
)


def test_removals_follow_their_rules() -> None:
    counts = RemovalBudget(
        single=5, within=7, groups={0.05: 3, 0.1: 2}, subsets={0.5: 2}, down={0.05: 2, 0.3: 1}, strongest=2, neighbours=3,
        placebo=2, top=4,
    )  # fmt: skip
    shared, own = POOL.draw([counts])
    assert [one.kind.label for one in shared] == (
        ["single"] * 5 + ["group"] * 3 + ["group 10 %"] * 2 + ["subset 50 %"] * 2
        + ["down-weight"] * 2 + ["down-weight 30 %"]
    )  # fmt: skip
    assert [one.kind.label for one in own] == (
        ["within"] * 7 + ["strongest"] * 4 + ["neighbour"] * 3 + ["top pullers", "random"]
    )  # fmt: skip
    assert all((one.members >= 10).all() for one in [*shared, *own])
    assert all(POOL.labels[one.members[0]] == 1 for one in own if one.kind == WITHIN)
    assert {one.kind.label: len(one.members) for one in shared} == {
        "single": 1, "group": 4, "group 10 %": 9, "subset 50 %": 45, "down-weight": 1, "down-weight 30 %": 1,
    }  # fmt: skip
    assert [one.members[0] for one in own if one.kind == STRONGEST] == [99, 98, 10, 11]
    assert sorted(next(one for one in own if one.kind == TOP_PULLERS).members) == [96, 97, 98, 99]
    assert shared[0].weights(np.ones(100)).sum() == 99
    half = next(one for one in shared if one.kind == RemovalKind(RemovalName.SUBSET, 0.5)).weights(np.ones(100))
    assert sorted(np.unique(half)) == [0, 2]
    third = next(one for one in shared if one.kind == RemovalKind(RemovalName.DOWN_WEIGHT, 0.3)).weights(
        np.full(100, 2.0)
    )
    assert third.min() == pytest.approx(1.4)
    singles = [one.members[0] for one in [*shared, *own] if one.kind in (SINGLE, WITHIN)]
    assert len(set(singles)) == 12


def test_a_larger_level_begins_with_the_smaller_one() -> None:
    small, large = POOL.draw(LEVELS["quick"].stages), POOL.draw(LEVELS["full"].stages)
    for one, other in zip(small, large[: len(small)], strict=True):
        assert [(a.kind, a.members.tolist()) for a in one] == [(b.kind, b.members.tolist()) for b in other]
    singles = [one.members[0] for part in large for one in part if one.kind == SINGLE]
    assert len(singles) == len(set(singles)) == 90
    strongest = [one.members[0] for part in large for one in part if one.kind == STRONGEST]
    assert len(strongest) == len(set(strongest)) == 20
