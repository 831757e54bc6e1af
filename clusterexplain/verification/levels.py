"""How much a check retrains: quick, standard, full."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.results.verdict import Estimand, Letter

LARGEST_GROUP = 0.5


@dataclass(frozen=True)
class RemovalBudget:
    """What is removed, by kind of removal.

    Attributes
    ----------
    single, within : int
        Random single examples, and single examples from the queries' own clusters.
    groups : mapping of float to int
        Random groups: share of the examples, how many groups.
    subsets : mapping of float to int
        Random subsets that are kept, the rest is removed: share that stays, how many subsets.
    down : mapping of float to int
        Single examples that lose a share of their weight: the share, how many.
    strongest, neighbours, placebo : int
        For each query: single examples predicted to pull and to push most (as many each), its nearest neighbours in the
        embedding, and groups of the smallest size from clusters that are not of its pair.
    top : int
        For each query: size of the set of its top pullers, and of a random set beside it.
    """

    single: int = 0
    within: int = 0
    groups: Mapping[float, int] = field(default_factory=dict)
    subsets: Mapping[float, int] = field(default_factory=dict)
    down: Mapping[float, int] = field(default_factory=dict)
    strongest: int = 0
    neighbours: int = 0
    placebo: int = 0
    top: int = 0


@dataclass(frozen=True)
class Level:
    """A size of a check.

    Attributes
    ----------
    name : str
        "quick", "standard", "full" or "custom".
    stages : tuple of RemovalBudget
        A larger level has the stages of the smaller one and one more, so that what was retrained is used again.
    n_queries : int
        Samples that are checked if none is named.
    estimands : tuple of Estimand
        What is asked.
    n_seeds : int
        Seeds of the estimand "recipe".
    cap : {"A", "B", "C", "D", "U"}
        The best grade that it can give.
    group_share : float
        Size of the groups that verdicts speak of.
    n_planted : int
        Queries of which near-duplicates are planted in the runner-up cluster.
    n_duplicates : int
        Examples that are duplicated, to remove original and duplicate in turn.
    from_scratch : bool
        Whether data are also clustered from scratch after retraining.
    """

    name: str
    stages: tuple[RemovalBudget, ...]
    n_queries: int
    estimands: tuple[Estimand, ...]
    n_seeds: int
    cap: Letter
    group_share: float = 0.05
    n_planted: int = 0
    n_duplicates: int = 0
    from_scratch: bool = False


_QUICK = RemovalBudget(single=48, within=48, groups={0.05: 48}, top=10)
_STANDARD = RemovalBudget(
    single=48,
    groups={0.005: 16, 0.01: 16, 0.02: 16, 0.1: 16},
    subsets={0.9: 32, 0.5: 32},
    down={0.05: 16, 0.3: 16},
    strongest=5,
    neighbours=5,
    placebo=4,
)
_FULL = RemovalBudget(
    single=96,
    within=48,
    groups={0.05: 48, 0.2: 32},
    subsets={0.9: 64, 0.5: 64},
    strongest=5,
    neighbours=5,
)
LEVELS = {
    "quick": Level("quick", (_QUICK,), 8, (Estimand.SEED,), 3, "B"),
    "standard": Level("standard", (_QUICK, _STANDARD), 24, (Estimand.SEED, Estimand.RECIPE), 5, "A", from_scratch=True),
    "full": Level(
        "full", (_QUICK, _STANDARD, _FULL), 30, tuple(Estimand), 8, "A", n_planted=4, n_duplicates=16, from_scratch=True
    ),
}


def level_of(name: str, changes: dict[str, Any]) -> Level:
    """Return a level, with what the caller wants otherwise.

    Parameters
    ----------
    name : str
        A key of ``LEVELS``.
    changes : dict
        n_single, n_within, n_groups (of ``group_share``), n_down (by 5 %), n_top, group_share, estimands, n_seeds, n_planted,
        n_duplicates; None leaves the level as it is. Any count of removals makes one custom stage of the counts that are not 0.

    Returns
    -------
    Level
        The level.

    Raises
    ------
    InvalidParameterError
        If the level or an estimand is unknown, a count is negative, or the share is out of range.
    """
    if not isinstance(name, str) or name not in LEVELS:
        raise InvalidParameterError(f"level={name!r} is unknown. Expected one of {', '.join(map(repr, LEVELS))}.")
    given = {key: value for key, value in changes.items() if value is not None}
    level = LEVELS[name]
    if "estimands" in given:
        level = dataclasses.replace(level, estimands=_estimands(given.pop("estimands")))
    if "n_seeds" in given:
        level = dataclasses.replace(level, n_seeds=_count("n_seeds", given.pop("n_seeds"), least=3))
    if "n_planted" in given:
        level = dataclasses.replace(level, n_planted=_count("n_planted", given.pop("n_planted")))
    if "n_duplicates" in given:
        level = dataclasses.replace(level, n_duplicates=_count("n_duplicates", given.pop("n_duplicates")))
    if not given:
        return level
    share = given.pop("group_share", 0.05)
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share <= LARGEST_GROUP:
        raise InvalidParameterError(
            f"group_share={share!r} must lie between 0 and {LARGEST_GROUP}, for example 0.05: a prediction of first order "
            f"says nothing about larger groups."
        )
    asked = {"n_single": 48, "n_within": 48, "n_groups": 48, "n_down": 0, "n_top": 10} | given
    n = {key: _count(key, value) for key, value in asked.items()}
    stage = RemovalBudget(
        single=n["n_single"],
        within=n["n_within"],
        groups={share: n["n_groups"]},
        down={0.05: n["n_down"]},
        top=n["n_top"],
    )
    return dataclasses.replace(level, name="custom", stages=(stage,), group_share=share)


def _count(name: str, value: object, least: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise InvalidParameterError(f"{name}={value!r} must be a whole number of at least {least}.")
    return int(value)


def _estimands(given: object) -> tuple[Estimand, ...]:
    names = tuple(given) if isinstance(given, (tuple, list)) else (given,)
    known = [estimand.value for estimand in Estimand]
    if not names or not all(name in known for name in names):
        raise InvalidParameterError(
            f"estimands={given!r}: expected one or more of {', '.join(map(repr, known))}: this seed, this fitted model, "
            f"the recipe over seeds."
        )
    return tuple(estimand for estimand in Estimand if estimand.value in names)
