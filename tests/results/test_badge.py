"""Badges: the level follows from the counts, the words from both."""

from __future__ import annotations

import pytest

from clusterexplain.results.badge import NOT_TRAINED_ON, Badge, BadgeLevel


@pytest.mark.parametrize(
    ("kept", "counted", "level", "text"),
    [
        (9, 10, BadgeLevel.HIGH, "kept in 9 of 10 refits (high)"),
        (6, 10, BadgeLevel.MODERATE, "kept in 6 of 10 refits (moderate)"),
        (5, 10, BadgeLevel.LOW, "kept in 5 of 10 refits (low)"),
        (4, 4, BadgeLevel.TOO_FEW, "kept in 4 of 4 refits (too few to say)"),
        (0, 0, BadgeLevel.IN_NO_REFIT, "in none of the 12 refits"),
    ],
)
def test_the_level_follows_from_the_counts(kept: int, counted: int, level: BadgeLevel, text: str) -> None:
    badge = Badge.of(kept, counted, 12)
    assert badge.level is level
    assert badge.text == str(badge) == text


def test_a_new_row_has_a_badge_of_its_own() -> None:
    assert NOT_TRAINED_ON.text == "not trained on"
