"""What an option of a clusterer may be: rules that say in words what was expected."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np


class Option(NamedTuple):
    """What one option may be.

    Attributes
    ----------
    accepts : callable
        Whether a value is one.
    refusal : str
        What a message says of any other value, after its name.
    """

    accepts: Callable[[Any], bool]
    refusal: str


def one_of(*choices: object) -> Option:
    """Return the rule of an option that is one of some values."""
    return Option(lambda value: value in choices, f"is unknown. Expected one of {', '.join(map(repr, choices))}")


def whole(least: int, *, optional: bool = False) -> Option:
    """Return the rule of an option that is a whole number from `least`; where `optional`, or None."""

    def accepts(value: object) -> bool:
        if value is None:
            return optional
        return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least

    return Option(accepts, f"must be a whole number of at least {least}")


def positive() -> Option:
    """Return the rule of an option that is a finite number above 0."""
    return Option(lambda value: _is_number(value) and float(value) > 0, "must be a finite number above 0")


def not_negative() -> Option:
    """Return the rule of an option that is a finite number of at least 0."""
    return Option(lambda value: _is_number(value) and float(value) >= 0, "must be a finite number of at least 0")


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and bool(np.isfinite(float(value)))
