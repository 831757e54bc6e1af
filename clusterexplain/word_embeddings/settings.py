"""What the settings of a training of word vectors may be, as a table that one function checks."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import torch

from clusterexplain.exceptions import InvalidParameterError

DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class Constraint:
    """What a setting may be.

    Attributes
    ----------
    accepts : callable
        Whether a value will do.
    expected : str
        What is expected, for the message.
    problem : str
        What is wrong with a value that will not do.
    """

    accepts: Callable[[object], bool]
    expected: str
    problem: str = "is out of range"


def whole(least: int) -> Constraint:
    """Return the constraint on whole numbers of at least `least`; True and False are no numbers."""
    return Constraint(
        lambda value: isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least,
        f"a whole number of at least {least}",
    )


def real(accepts: Callable[[float], bool], expected: str) -> Constraint:
    """Return a constraint on real numbers, which NaN never meets."""

    def is_one(value: object) -> bool:
        return isinstance(value, Real) and not isinstance(value, bool) and accepts(float(value))

    return Constraint(is_one, expected)


def choice(values: Collection[str]) -> Constraint:
    """Return the constraint that a setting is one of some names."""
    return Constraint(
        lambda value: isinstance(value, str) and value in values,
        f"one of {', '.join(map(repr, values))}",
        "is unknown",
    )


POSITIVE = real(lambda value: 0 < value < math.inf, "a positive number")
TRAINING: Mapping[str, Constraint] = {
    "dim": whole(1),
    "n_steps": whole(1),
    "learning_rate": POSITIVE,
    "eps": POSITIVE,
    "init_scale": POSITIVE,
    "negatives": POSITIVE,
    "weight_decay": real(lambda value: value >= 0, "a number of at least 0"),
    "held_out": real(lambda value: 0 <= value < 1, "a share from 0 to below 1"),
    "largest_share": real(lambda value: 0 < value <= 1, "a share above 0 and at most 1"),
    "dtype": choice(DTYPES),
}
"""Parameters of :class:`clusterexplain.EmbeddingBias` but those that choose texts, which are checked where they are read."""


def check_settings(settings: Mapping[str, Any], constraints: Mapping[str, Constraint] = TRAINING) -> None:
    """Refuse the first setting that does not meet its constraint.

    Parameters
    ----------
    settings : mapping of str to object
        At least those that are constrained.
    constraints : mapping of str to Constraint, default=TRAINING
        In the order in which they are checked.

    Raises
    ------
    InvalidParameterError
        With the name, the value and what is expected.
    """
    for name, constraint in constraints.items():
        if not constraint.accepts(settings[name]):
            raise InvalidParameterError(
                f"{name}={settings[name]!r} {constraint.problem}. Expected {constraint.expected}."
            )
