"""A letter for how far an explanation can be trusted, with the sentence that says why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clusterexplain.results.annotations import UNTESTED
from clusterexplain.statistics.intervals import Interval

LETTERS = "ABCDU"
FEWEST_SINGLE = 20
"""Single removals without which no more than a D is given."""
WIDE = 0.6
"""An interval that reaches from chance to here tells nothing."""
MEANINGS = {
    "A": "numbers and order can be relied on",
    "B": "the order can be relied on, the numbers roughly",
    "C": "the order has information, the numbers must not be quoted",
    "D": "not to be used",
    "U": "cannot be tested here",
}
STATUS = {"A": "supported", "B": "supported", "C": "not supported", "D": "not supported", "U": UNTESTED}
EXIT_CODES = {"supported": 0, "not supported": 3, UNTESTED: 4}


@dataclass(frozen=True)
class Evidence:
    """What a grade rests on, all for random removals of single examples.

    Attributes
    ----------
    spearman : Interval
        Agreement of predicted and retrained changes.
    ceiling : Interval
        The largest agreement that can be expected; 1 for a single seed.
    signs : float
        Share of clear changes whose sign was predicted.
    slope : float
        Retrained over predicted (Theil-Sen).
    drift : float
        Median change with nothing removed over the spread of the changes by removals; 0 where training starts anew.
    over_baselines : Interval
        By how much the agreement exceeds that of the best baseline.
    best_baseline : str
        Its name.
    over_gradient : Interval
        By how much the agreement exceeds that of the gradient product.
    band : float
        What shuffled predictions reach in 2.5 % of the cases.
    dissolved : float
        Share of the cases in which a cluster of the pair became another one.
    repeats : bool
        Whether the same training twice gives the same.
    cap : str, default="A"
        The best letter that a check of this size can give.
    n_single : int, default=48
        Single removals that were tried.
    """

    spearman: Interval
    ceiling: Interval
    signs: float
    slope: float
    drift: float
    over_baselines: Interval
    best_baseline: str
    over_gradient: Interval
    band: float
    dissolved: float
    repeats: bool
    cap: str = "A"
    n_single: int = 48


@dataclass(frozen=True)
class Grade:
    """A letter and why.

    Attributes
    ----------
    letter : str
        A (best) to D, or U where nothing can be said.
    reason : str
        What kept it from the next better letter, or what makes it an A, as a clause.
    """

    letter: str
    reason: str

    @property
    def status(self) -> str:
        """Say "supported" (A, B), "not supported" (C, D) or "untested" (U)."""
        return STATUS[self.letter]

    @property
    def exit_code(self) -> int:
        """Return what a script gets: 0 supported, 3 not supported, 4 untested."""
        return EXIT_CODES[self.status]

    def __str__(self) -> str:
        """Return the letter, what it means and why."""
        return f"grade {self.letter} ({MEANINGS[self.letter]}): {self.reason}"


def grade(evidence: Evidence) -> Grade:
    """Grade an explanation.

    Parameters
    ----------
    evidence : Evidence
        Figures that are NaN never make a grade better.

    Returns
    -------
    Grade
        The best letter all of whose conditions hold.
    """
    if not evidence.repeats:
        return Grade("U", "the same training twice does not give the same, so changes cannot be told from chance")
    if np.isnan(evidence.spearman.low):
        return Grade("U", "too few single removals were retrained to say")
    if not evidence.drift <= 0.5:
        return Grade(
            "U",
            f"retraining with nothing removed moves the scores ({_number(evidence.drift)} of the spread, allowed 0.5)",
        )
    if not evidence.ceiling.low >= 0.3:
        return Grade(
            "U", f"seeds agree so little that nothing can be predicted (ceiling {evidence.ceiling}, needed from 0.3 on)"
        )
    if not evidence.spearman.low > evidence.band and evidence.spearman.high >= WIDE:
        return Grade(
            "U", f"too few single removals were retrained to tell the agreement {evidence.spearman} from chance"
        )
    found = _graded(evidence)
    if found.letter in "ABC" and evidence.n_single < FEWEST_SINGLE:
        return Grade("U", f"only {evidence.n_single} single removals were retrained, needed {FEWEST_SINGLE}")
    return found


def _graded(evidence: Evidence) -> Grade:
    """Return the best letter from A to D all of whose conditions hold."""
    chance = _of_c(evidence)
    rows = [("A", chance + _of_a(evidence)), ("B", chance + _of_b(evidence)), ("C", chance)]
    missed = ""
    for letter, failed in rows:
        if not failed and LETTERS.index(letter) >= LETTERS.index(evidence.cap):
            return Grade(letter, missed or "all conditions of the best grade hold")
        if not failed:
            missed = missed or f"all conditions of {letter} hold, but a check of this size gives {evidence.cap} at best"
        else:
            missed = f"not {letter}, as {failed[0]}"
    return Grade("D", missed.replace("not C, as", "", 1).strip())


def _of_a(e: Evidence) -> list[str]:
    high = e.spearman.low >= 0.6 or e.spearman.low >= 0.8 * e.ceiling.mean
    return [
        words
        for holds, words in (
            (e.ceiling.low >= 0.5, f"the ceiling is {e.ceiling}, needed from 0.5 on"),
            (high, f"the agreement {e.spearman} is not surely 0.6, or 0.8 of the ceiling"),
            (e.signs >= 0.85, f"the sign was right in {_share(e.signs)} of the clear changes, needed 85 %"),
            (0.5 <= e.slope <= 2, f"changes are {_number(e.slope)} times as large as predicted, allowed 0.5 to 2"),
            (
                e.drift < 0.25,
                f"retraining with nothing removed moves the scores ({_number(e.drift)} of the spread, allowed 0.25)",
            ),
            (e.over_baselines.low > 0, f"it does not surely beat {e.best_baseline} (by {e.over_baselines})"),
            (e.over_gradient.low > 0, f"it does not surely beat the product of gradients (by {e.over_gradient})"),
            (e.dissolved < 0.05, f"a cluster became another one in {_share(e.dissolved)} of the cases"),
        )
        if not holds
    ]


def _of_b(e: Evidence) -> list[str]:
    high = e.spearman.low >= 0.3 or e.spearman.low >= 0.6 * e.ceiling.mean
    return [
        words
        for holds, words in (
            (high, f"the agreement {e.spearman} is not surely 0.3, or 0.6 of the ceiling"),
            (e.signs >= 0.7, f"the sign was right in {_share(e.signs)} of the clear changes, needed 70 %"),
            (0.2 <= e.slope <= 5, f"changes are {_number(e.slope)} times as large as predicted, allowed 0.2 to 5"),
            (e.over_gradient.mean > 0, f"it does not beat the product of gradients (by {e.over_gradient})"),
            (e.over_baselines.mean > 0, f"it does not beat {e.best_baseline} (by {e.over_baselines})"),
            (e.dissolved <= 0.2, f"a cluster became another one in {_share(e.dissolved)} of the cases"),
        )
        if not holds
    ]


def _of_c(e: Evidence) -> list[str]:
    if e.spearman.low > e.band:
        return []
    if e.spearman.high < 0:
        return [f"changes go against the predictions: the agreement is {e.spearman}"]
    return [f"the agreement {e.spearman} cannot surely be told from chance (shuffled predictions reach {e.band:.2f})"]


def _share(value: float) -> str:
    return "an unknown share" if np.isnan(value) else f"{value:.1%}"


def _number(value: float) -> str:
    return "an unknown multiple" if np.isnan(value) else f"{value:.3f}"
