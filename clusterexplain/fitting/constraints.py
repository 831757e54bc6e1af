"""What a parameter may be, as data: each constraint refuses a value in one sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Protocol

from clusterexplain.exceptions import InvalidParameterError


class Constraint(Protocol):
    """Refuses values that a parameter may not have."""

    def check(self, name: str, value: object) -> None:
        """Raise InvalidParameterError with the name, the value and what was expected, unless the value is allowed."""


@dataclass(frozen=True)
class Whole:
    """A whole number, Python's or numpy's; True is no number."""

    least: int = 1
    optional: bool = False

    def check(self, name: str, value: object) -> None:
        """See :class:`Constraint`."""
        if value is None and self.optional:
            return
        if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < self.least:
            raise InvalidParameterError(f"{name}={value!r} must be a whole number of at least {self.least}.")


@dataclass(frozen=True)
class Number:
    """A finite number above 0, or of at least 0; True is no number."""

    zero: bool = False
    optional: bool = False

    def check(self, name: str, value: object) -> None:
        """See :class:`Constraint`."""
        if value is None and self.optional:
            return
        finite = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
        if not finite or float(value) < 0 or (float(value) == 0 and not self.zero):  # type: ignore[arg-type]
            lowest = "at least 0" if self.zero else "above 0"
            raise InvalidParameterError(f"{name}={value!r} must be a finite number {lowest}.")


@dataclass(frozen=True)
class Share:
    """A number from 0 to 1."""

    def check(self, name: str, value: object) -> None:
        """See :class:`Constraint`."""
        if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= 1:
            raise InvalidParameterError(f"{name}={value!r} must be a number from 0 to 1.")


@dataclass(frozen=True)
class OneOf:
    """One of some words, or None where None is among them."""

    allowed: tuple[str | None, ...]

    def check(self, name: str, value: object) -> None:
        """See :class:`Constraint`."""
        if not isinstance(value, (str, type(None))) or value not in self.allowed:
            raise InvalidParameterError(
                f"{name}={value!r} is unknown. Expected one of {', '.join(map(repr, self.allowed))}."
            )


@dataclass(frozen=True)
class Widths:
    """A tuple of positive whole numbers, or None."""

    def check(self, name: str, value: object) -> None:
        """See :class:`Constraint`."""
        whole = isinstance(value, (tuple, list)) and all(
            isinstance(width, Integral) and int(width) >= 1 for width in value
        )
        if value is not None and not whole:
            raise InvalidParameterError(
                f"{name}={value!r} must be a tuple of positive whole numbers, the widths of the hidden layers; for example "
                f"(64,)."
            )


@dataclass(frozen=True)
class Options:
    """A dict of a part's own options, or None."""

    example: str

    def check(self, name: str, value: object) -> None:
        """See :class:`Constraint`."""
        if value is not None and not isinstance(value, dict):
            raise InvalidParameterError(f"{name}={value!r} must be None or a dict, for example {self.example}.")


@dataclass(frozen=True)
class Flag:
    """True or False."""

    def check(self, name: str, value: object) -> None:
        """See :class:`Constraint`."""
        if not isinstance(value, bool):
            raise InvalidParameterError(f"{name}={value!r} must be True or False.")
