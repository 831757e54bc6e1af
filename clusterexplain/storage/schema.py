"""Rules for JSON that somebody else may have written: each says in words what is wrong with a value."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

Rule = Callable[[object], None]
"""Takes a parsed value and raises ValueError if it breaks the rule."""

LARGEST_COUNT = 2**53
"""Counts beyond it are damage: JSON readers round them."""


def expect(holds: bool, otherwise: str) -> None:
    """Raise ValueError with a text unless something holds."""
    if not holds:
        raise ValueError(otherwise)


def text(otherwise: str) -> Rule:
    """Return the rule that a value is text."""
    return lambda value: expect(isinstance(value, str), otherwise)


def flag(otherwise: str) -> Rule:
    """Return the rule that a value is true or false."""
    return lambda value: expect(isinstance(value, bool), otherwise)


def one_of(values: tuple[str, ...], otherwise: str) -> Rule:
    """Return the rule that a value is one of some texts."""
    return lambda value: expect(isinstance(value, str) and value in values, f"{otherwise} {', '.join(values)}")


def whole(low: int, high: int, otherwise: str) -> Rule:
    """Return the rule that a value is a whole number from `low` to `high`."""
    return lambda value: expect(
        isinstance(value, int) and not isinstance(value, bool) and low <= value <= high, otherwise
    )


def number_or_null(otherwise: str, low: float = -sys.float_info.max, high: float = sys.float_info.max) -> Rule:
    """Return the rule that a value is null or a finite number from `low` to `high`."""

    def rule(value: object) -> None:
        known = isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
        expect(value is None or known, otherwise)

    return rule


def list_of(rule: Rule, otherwise: str, length: int | None = None) -> Rule:
    """Return the rule that a value is a list, of `length` entries if that is given, whose entries keep a rule."""

    def check(value: object) -> None:
        if not isinstance(value, list) or length not in (None, len(value)):
            raise ValueError(otherwise)
        for entry in value:
            rule(entry)

    return check


def values_of(rule: Rule, otherwise: str) -> Rule:
    """Return the rule that a value is an object whose values keep a rule."""

    def check(value: object) -> None:
        if not isinstance(value, dict):
            raise ValueError(otherwise)
        for entry in value.values():
            rule(entry)

    return check


def record(fields: Mapping[str, Rule], otherwise: str, optional: Mapping[str, Rule] | None = None) -> Rule:
    """Return the rule that a value is an object with at least some fields, each of which keeps its rule.

    `optional` are fields that older files lack.
    """

    def check(value: object) -> None:
        if not isinstance(value, dict):
            raise ValueError(otherwise)
        missing = [name for name in fields if name not in value]
        expect(not missing, f"entries are missing: {', '.join(missing)}")
        for name, rule in {**fields, **(optional or {})}.items():
            if name in value:
                rule(value[name])

    return check


def or_null(rule: Rule) -> Rule:
    """Return the rule that a value is null or keeps a rule."""
    return lambda value: None if value is None else rule(value)
