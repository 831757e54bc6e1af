"""The thresholds that docs/checks.md names are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clusterexplain.verification.grade import LIMITS, STATUS, THRESHOLDS

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "checks.md").read_text(encoding="utf-8")
GRADES = TEXT[TEXT.index("## Grades") : TEXT.index("(over-seeds)=")]
CELLS = {
    "correlation": "agreement, share of the ceiling",
    "share of clear changes": "signs",
    "slope": "least slope, largest slope",
    "single removals after which": "dissolved",
    "ceiling at least": "ceiling",
    "changes when nothing is removed": "drift",
}
"""Conditions by the words with which a row begins."""
SENTENCES = {
    "drift": "moves the scores by more than half of the spread",
    "ceiling": "the ceiling is not at least {:g}, because",
    "wide": "the interval of the correlation reaches from chance to {:g};",
    "n_single": "fewer than {:g} single removals were retrained",
}
"""What makes a U, by condition."""


def numbers(cell: str) -> list[float]:
    """Return the numbers of a cell, percentages as shares."""
    return [float(number) / (100 if percent else 1) for number, percent in re.findall(r"([\d.]+)( %)?", cell)]


@pytest.mark.parametrize("words", CELLS)
def test_a_row_of_the_table_has_the_thresholds_of_the_code(words: str) -> None:
    (row,) = [line for line in GRADES.splitlines() if line.startswith(f"| {words}")]
    cells = [cell.strip() for cell in row.strip("| ").split("|")]
    for letter, cell in zip("AB", [*cells[1:], ""], strict=False):
        known = [LIMITS[letter, name] for name in CELLS[words].split(", ") if (letter, name) in LIMITS]
        assert numbers(cell) == known, (letter, cell)


@pytest.mark.parametrize("condition", SENTENCES)
def test_what_makes_a_u_has_the_thresholds_of_the_code(condition: str) -> None:
    assert SENTENCES[condition].format(LIMITS["U", condition]) in GRADES
    assert LIMITS["U", "drift"] == 0.5, "half of the spread"


def test_every_threshold_is_documented() -> None:
    documented = {name for names in CELLS.values() for name in names.split(", ")}
    assert {name for letter, name in THRESHOLDS if letter in "AB"} == documented
    assert {name for letter, name in THRESHOLDS if letter == "U"} == set(SENTENCES)


def test_exit_codes_are_those_of_the_code() -> None:
    from clusterexplain.cli.commands.verify import INTERRUPTED
    from clusterexplain.results.verdict import EXIT_CODES

    words = "0 supported (grade A or B), 3 not supported (C, D), 4 cannot be tested (U), 130 interrupted"
    assert words in TEXT
    assert [EXIT_CODES[STATUS[letter]] for letter in "ABCDU"] == [0, 0, 3, 3, 4]
    assert INTERRUPTED == 130
