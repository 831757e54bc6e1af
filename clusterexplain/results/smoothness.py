"""How smooth a recipe is, measured: does the derivative predict a small change of one weight?"""

from __future__ import annotations

from dataclasses import dataclass

SMOOTH = 0.98
"""Rank correlation from which on a recipe counts as smooth; the package's default recipe reaches 0.999 or more."""


@dataclass(frozen=True)
class Smoothness:
    """Agreement of predicted and retrained changes when single examples lose 5 % of their weight, members frozen.

    A removal can fail to follow its prediction because it is large; 5 % of one example is small, so what is missing here is
    missing in the derivative: kinks, a tiny epsilon, steps that are too long.

    Attributes
    ----------
    spearman, low, high : float
        Mean rank correlation over the queries and its 95 % bootstrap interval.
    slope : float
        Retrained over predicted change; 1 is ideal.
    n_queries, n_weights : int
        Sizes.
    """

    spearman: float
    low: float
    high: float
    slope: float
    n_queries: int
    n_weights: int

    @property
    def smooth(self) -> bool:
        """Whether the mean reaches ``SMOOTH``."""
        return self.spearman >= SMOOTH

    def __str__(self) -> str:
        """Say it in words."""
        verdict = "smooth" if self.smooth else "NOT smooth: predictions of single removals will be unreliable"
        return (
            f"{verdict} (down-weighting {self.n_weights} single examples by 5 %: rank correlation {self.spearman:.3f} "
            f"[{self.low:.3f}, {self.high:.3f}], slope {self.slope:.2f})"
        )
