"""How often one sample kept its cluster in refits: counts and a level, with their words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

HIGH, MODERATE = 0.9, 0.6
"""Share of the refits that keep a sample in its cluster, from which on its stability is high or moderate, not low."""
FEWEST = 5
"""Refits below which neither an interval nor a level is given."""


class BadgeLevel(StrEnum):
    """How stable the cluster of one sample is."""

    HIGH = "high"
    MODERATE = "moderate"
    LOW = "low"
    TOO_FEW = "too few to say"
    """Fewer than ``FEWEST`` refits count."""
    IN_NO_REFIT = "in no refit"
    """It was drawn in none of the refits."""
    NOT_TRAINED_ON = "not trained on"
    """A new row: refits say nothing about it."""


@dataclass(frozen=True)
class Badge:
    """How often one sample kept its cluster.

    Attributes
    ----------
    level : BadgeLevel
        What that says.
    kept, counted : int
        Refits in which the sample kept its cluster, and refits that count for it.
    n_refits : int
        Refits that were made.
    """

    level: BadgeLevel
    kept: int = 0
    counted: int = 0
    n_refits: int = 0

    @classmethod
    def of(cls, kept: int, counted: int, n_refits: int) -> Badge:
        """Return the badge of a training example from its counts: high from ``HIGH`` on, moderate from ``MODERATE`` on."""
        if counted == 0:
            level = BadgeLevel.IN_NO_REFIT
        elif counted < FEWEST:
            level = BadgeLevel.TOO_FEW
        else:
            share = kept / counted
            level = BadgeLevel.HIGH if share >= HIGH else BadgeLevel.MODERATE if share >= MODERATE else BadgeLevel.LOW
        return cls(level, kept, counted, n_refits)

    @property
    def text(self) -> str:
        """The badge in words, for example "kept in 17 of 20 refits (moderate)"."""
        if self.level is BadgeLevel.NOT_TRAINED_ON:
            return self.level.value
        if self.level is BadgeLevel.IN_NO_REFIT:
            return f"in none of the {self.n_refits} refits"
        return f"kept in {self.kept} of {self.counted} refits ({self.level.value})"

    def __str__(self) -> str:
        """Return the text."""
        return self.text


NOT_TRAINED_ON = Badge(BadgeLevel.NOT_TRAINED_ON)
"""The badge of a row that was not trained on."""
