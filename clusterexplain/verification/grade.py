"""A letter for how far an explanation can be trusted, with the sentence that says why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clusterexplain.results.verdict import EXIT_CODES, UNTESTED, Letter, Status
from clusterexplain.statistics.intervals import Interval
from clusterexplain.storage.check_schema import LETTERS

THRESHOLDS: dict[tuple[Letter, str], tuple[float, str]] = {
    ("A", "ceiling"): (
        0.5,
        "seeds must agree before their mean is a truth: digits 0.81 and 0.69 (autoencoder), 0.82 and 0.61 (contrastive) with "
        "labels kept and continued (tests.benchmarks.checks); the number itself is a convention",
    ),
    ("A", "agreement"): (
        0.6,
        "far below the same seed (0.999 on digits, tests.benchmarks.checks) and above one seed about the recipe (0.40, which "
        "gets B); the number itself is a convention",
    ),
    ("A", "share of the ceiling"): (
        0.8,
        "of what any prediction can reach: 10 seeds of digits reach 0.72 to 0.79",
    ),
    ("A", "signs"): (0.85, "a convention; no benchmark decides it"),
    ("A", "least slope"): (0.5, "a factor of two either way; down-weighting on digits has 1.00 +- 0.03"),
    ("A", "largest slope"): (2.0, "the same, upwards"),
    ("A", "drift"): (
        0.25,
        "further training must move scores less than removals do; the number itself is a convention",
    ),
    ("A", "dissolved"): (
        0.05,
        "digits: 7 % (autoencoder) and 60 % (contrastive) over other seeds, which get C and D",
    ),
    ("B", "agreement"): (0.3, "one seed about the recipe on digits: 0.40 [0.34, 0.46], where groups are 0.67"),
    ("B", "share of the ceiling"): (0.6, "a convention; no benchmark decides it"),
    ("B", "signs"): (0.7, "a convention; no benchmark decides it"),
    ("B", "least slope"): (0.2, "a factor of five either way: the numbers roughly, no benchmark decides it"),
    ("B", "largest slope"): (5.0, "the same, upwards"),
    ("B", "dissolved"): (0.2, "above it the sample was asked about clusters that are gone"),
    ("U", "drift"): (0.5, "beyond it retraining by itself moves scores as much as removals do"),
    ("U", "ceiling"): (
        0.3,
        "of 100 simulated runs of pure noise all get U (tests/verification/test_grade.py, slow)",
    ),
    ("U", "wide"): (0.6, "an interval from chance to the agreement of an A tells nothing"),
    ("U", "n_single"): (
        20,
        "single removals: with 8 to 48 of them, at most 5 % of shuffled predictions get better than D "
        "(tests/verification/test_grade.py)",
    ),
}
"""By the letter that a condition belongs to: where it lies, with the figure and the benchmark or test that it rests on.

An A or a B must reach it; beyond that of a U nothing can be said. The condition of a C has no number of its own: the agreement
must exceed what shuffled predictions reach.
"""
LIMITS = {condition: limit for condition, (limit, _) in THRESHOLDS.items()}
MEANINGS: dict[Letter, str] = {
    "A": "numbers and order can be relied on",
    "B": "the order can be relied on, the numbers roughly",
    "C": "the order has information, the numbers must not be quoted",
    "D": "not to be used",
    "U": "cannot be tested here",
}
STATUS: dict[Letter, Status] = {
    "A": "supported",
    "B": "supported",
    "C": "not supported",
    "D": "not supported",
    "U": UNTESTED,
}


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
    over_gradient : Interval or None
        By how much the agreement exceeds that of the gradient product; None for a model without a loss to take gradients of.
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
    over_gradient: Interval | None
    band: float
    dissolved: float
    repeats: bool
    cap: Letter = "A"
    n_single: int = 48


@dataclass(frozen=True)
class Grade:
    """A letter and why.

    Attributes
    ----------
    letter : {"A", "B", "C", "D", "U"}
        A (best) to D, or U where nothing can be said.
    reason : str
        What kept it from the next better letter, or what makes it an A, as a clause.
    """

    letter: Letter
    reason: str

    @property
    def status(self) -> Status:
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
    if not evidence.drift <= LIMITS["U", "drift"]:
        return Grade(
            "U",
            f"retraining with nothing removed moves the scores ({_number(evidence.drift)} of the spread, "
            f"allowed {LIMITS['U', 'drift']:g})",
        )
    if not evidence.ceiling.low >= LIMITS["U", "ceiling"]:
        return Grade(
            "U",
            f"seeds agree so little that nothing can be predicted (ceiling {evidence.ceiling}, needed from "
            f"{LIMITS['U', 'ceiling']:g} on)",
        )
    if not evidence.spearman.low > evidence.band and evidence.spearman.high >= LIMITS["U", "wide"]:
        return Grade(
            "U", f"too few single removals were retrained to tell the agreement {evidence.spearman} from chance"
        )
    graded = _graded(evidence)
    if graded.letter in "ABC" and evidence.n_single < LIMITS["U", "n_single"]:
        needed = f"needed {LIMITS['U', 'n_single']:g}"
        return Grade("U", f"only {evidence.n_single} single removals were retrained, {needed}")
    return graded


def _graded(evidence: Evidence) -> Grade:
    """Return the best letter from A to D all of whose conditions hold."""
    chance = _of_c(evidence)
    rows: tuple[tuple[Letter, list[str]], ...] = (
        ("A", chance + _of_a(evidence)),
        ("B", chance + _of_b(evidence)),
        ("C", chance),
    )
    missed = ""
    for letter, failed in rows:
        if not failed and LETTERS.index(letter) >= LETTERS.index(evidence.cap):
            return Grade(letter, missed or "all conditions of the best grade hold")
        if not failed:
            missed = missed or f"all conditions of {letter} hold, but a check of this size gives {evidence.cap} at best"
        else:
            missed = failed[0] if letter == "C" else f"not {letter}, as {failed[0]}"
    return Grade("D", missed)


def _of_a(e: Evidence) -> list[str]:
    least, share = LIMITS["A", "agreement"], LIMITS["A", "share of the ceiling"]
    signs, drift, ceiling = LIMITS["A", "signs"], LIMITS["A", "drift"], LIMITS["A", "ceiling"]
    low, high = LIMITS["A", "least slope"], LIMITS["A", "largest slope"]
    agrees = e.spearman.low >= least or e.spearman.low >= share * e.ceiling.mean
    conditions = (
        (e.ceiling.low >= ceiling, f"the ceiling is {e.ceiling}, needed from {ceiling:g} on"),
        (agrees, f"the agreement {e.spearman} is not surely {least:g}, or {share:g} of the ceiling"),
        (e.signs >= signs, f"the sign was right in {_share(e.signs)} of the clear changes, needed {100 * signs:g} %"),
        (
            low <= e.slope <= high,
            f"changes are {_number(e.slope)} times as large as predicted, allowed {low:g} to {high:g}",
        ),
        (
            e.drift < drift,
            f"retraining with nothing removed moves the scores ({_number(e.drift)} of the spread, allowed {drift:g})",
        ),
        (e.over_baselines.low > 0, f"it does not surely beat {e.best_baseline} (by {e.over_baselines})"),
        (
            e.over_gradient is None or e.over_gradient.low > 0,
            f"it does not surely beat the product of gradients (by {e.over_gradient})",
        ),
        (
            e.dissolved < LIMITS["A", "dissolved"],
            f"a cluster became another one in {_share(e.dissolved)} of the cases",
        ),
    )
    return [clause for holds, clause in conditions if not holds]


def _of_b(e: Evidence) -> list[str]:
    least, share, signs = LIMITS["B", "agreement"], LIMITS["B", "share of the ceiling"], LIMITS["B", "signs"]
    low, high = LIMITS["B", "least slope"], LIMITS["B", "largest slope"]
    agrees = e.spearman.low >= least or e.spearman.low >= share * e.ceiling.mean
    conditions = (
        (agrees, f"the agreement {e.spearman} is not surely {least:g}, or {share:g} of the ceiling"),
        (e.signs >= signs, f"the sign was right in {_share(e.signs)} of the clear changes, needed {100 * signs:g} %"),
        (
            low <= e.slope <= high,
            f"changes are {_number(e.slope)} times as large as predicted, allowed {low:g} to {high:g}",
        ),
        (
            e.over_gradient is None or e.over_gradient.mean > 0,
            f"it does not beat the product of gradients (by {e.over_gradient})",
        ),
        (e.over_baselines.mean > 0, f"it does not beat {e.best_baseline} (by {e.over_baselines})"),
        (
            e.dissolved <= LIMITS["B", "dissolved"],
            f"a cluster became another one in {_share(e.dissolved)} of the cases",
        ),
    )
    return [clause for holds, clause in conditions if not holds]


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
