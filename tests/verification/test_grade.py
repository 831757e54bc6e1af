"""Letters: every condition at its boundary, nothing unknown helps, the sentence says what failed; and whole checks."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from clusterexplain.statistics.intervals import UNKNOWN, Interval
from clusterexplain.storage.check_schema import LETTERS
from clusterexplain.verification.grade import (
    EXIT_CODES,
    MEANINGS,
    STATUS,
    THRESHOLDS,
    Evidence,
    Grade,
    grade,
)
from tests.oracles.simulated import (
    Setting,
    draw,
    independent,
    letters,
    shuffled,
    shuffled_with_gaps,
)

NAN = float("nan")
BELOW, ABOVE = -1e-9, 1e-9


def low(value: float, mean: float | None = None) -> Interval:
    """Return an interval with this lower end."""
    return Interval(max(value, 0.99) if mean is None else mean, value, 1.0)


BEST = Evidence(
    spearman=Interval(0.97, 0.95, 0.99),
    ceiling=Interval(1.0, 1.0, 1.0),
    signs=0.95,
    slope=1.0,
    drift=0.0,
    over_baselines=Interval(0.3, 0.2, 0.4),
    best_baseline="latent neighbours",
    over_gradient=Interval(0.4, 0.3, 0.5),
    band=0.1,
    dissolved=0.0,
    repeats=True,
)
GOOD = dataclasses.replace(BEST, slope=3.0)  # all conditions of B, and A fails by the slope alone
FAIR = dataclasses.replace(GOOD, signs=0.5)  # all conditions of C, and B fails by the signs alone


def of(base: Evidence, **changes: Any) -> Grade:
    return grade(dataclasses.replace(base, **changes))


def test_the_three_bases() -> None:
    assert [grade(one).letter for one in (BEST, GOOD, FAIR)] == ["A", "B", "C"]


A_HOLDS = [
    {"ceiling": low(0.5, 0.9)},
    {"spearman": low(0.6)},
    {"spearman": low(0.8 * 0.55), "ceiling": low(0.5, 0.55)},
    {"spearman": low(0.4), "ceiling": low(0.5, 0.5)},
    {"signs": 0.85},
    {"slope": 0.5},
    {"slope": 2.0},
    {"drift": 0.25 + BELOW},
    {"over_baselines": low(ABOVE)},
    {"dissolved": 0.05 + BELOW},
]
A_FAILS = [
    ({"ceiling": low(0.5 + BELOW, 0.9)}, "ceiling"),
    ({"spearman": low(0.6 + BELOW)}, "agreement"),
    ({"spearman": low(0.4 + BELOW), "ceiling": low(0.5, 0.5)}, "agreement"),
    ({"spearman": low(0.6 + BELOW), "ceiling": Interval(NAN, 0.5, 1.0)}, "agreement"),
    ({"signs": 0.85 + BELOW}, "sign"),
    ({"slope": 0.5 + BELOW}, "times as large"),
    ({"slope": 2.0 + ABOVE}, "times as large"),
    ({"drift": 0.25}, "nothing removed moves"),
    ({"over_baselines": low(0.0)}, "latent neighbours"),
    ({"over_baselines": Interval(0.3, NAN, NAN)}, "latent neighbours"),
    ({"dissolved": 0.05}, "became another one"),
]


@pytest.mark.parametrize("changes", A_HOLDS, ids=str)
def test_a_holds_at_the_boundary(changes: dict[str, Any]) -> None:
    assert of(BEST, **changes).letter == "A"


@pytest.mark.parametrize(("changes", "words"), A_FAILS, ids=str)
def test_a_fails_beyond_the_boundary_and_says_why(changes: dict[str, Any], words: str) -> None:
    found = of(BEST, **changes)
    assert found.letter == "B"
    assert found.reason.startswith("not A, as ")
    assert words in found.reason


B_HOLDS = [
    {"ceiling": low(0.3, 0.9)},
    {"spearman": low(0.3)},
    {"spearman": low(0.6 * 0.4), "ceiling": low(0.3, 0.4)},
    {"signs": 0.7},
    {"over_gradient": low(ABOVE)},
    {"over_baselines": low(-0.1, ABOVE)},
    {"over_gradient": low(-0.1, ABOVE)},
    {"dissolved": 0.2},
    {"drift": 0.5},
    {"slope": 0.2},
    {"slope": 5.0},
    {"n_single": 20},
]
B_FAILS = [
    ({"spearman": low(0.3 + BELOW)}, "agreement"),
    ({"spearman": low(0.24 + BELOW), "ceiling": low(0.3, 0.4)}, "agreement"),
    ({"signs": 0.7 + BELOW}, "sign"),
    ({"signs": NAN}, "unknown share"),
    ({"over_gradient": low(-0.1, 0.0)}, "product of gradients"),
    ({"over_gradient": UNKNOWN}, "product of gradients"),
    ({"over_baselines": low(-0.1, 0.0)}, "latent neighbours"),
    ({"over_baselines": UNKNOWN}, "latent neighbours"),
    ({"dissolved": 0.2 + ABOVE}, "became another one"),
    ({"slope": 0.2 + BELOW}, "times as large"),
    ({"slope": 5.0 + ABOVE}, "times as large"),
    ({"slope": -1.0}, "times as large"),
    ({"slope": NAN}, "unknown multiple"),
]


@pytest.mark.parametrize("changes", B_HOLDS, ids=str)
def test_b_holds_at_the_boundary(changes: dict[str, Any]) -> None:
    assert of(GOOD, **changes).letter == "B"


@pytest.mark.parametrize(("changes", "words"), B_FAILS, ids=str)
def test_b_fails_beyond_the_boundary_and_says_why(changes: dict[str, Any], words: str) -> None:
    found = of(GOOD, **changes)
    assert found.letter == "C"
    assert found.reason.startswith("not B, as ")
    assert words in found.reason


@pytest.mark.parametrize(
    ("band", "letter"), [(0.2 + BELOW, "C"), (0.2, "D"), (0.2 + ABOVE, "D"), (NAN, "D"), (-0.1, "C")]
)
def test_c_needs_more_than_shuffled_predictions_reach(band: float, letter: str) -> None:
    found = of(FAIR, spearman=Interval(0.4, 0.2, 0.59), band=band)
    assert found.letter == letter
    if letter == "D":
        assert found.reason.startswith("the agreement 0.400 [0.200, 0.590]")
        assert "chance" in found.reason


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"repeats": False}, "same training twice"),
        ({"spearman": UNKNOWN}, "too few"),
        ({"spearman": Interval(1.0, NAN, NAN)}, "too few"),
        ({"spearman": Interval(0.4, -0.1, 0.6)}, "too few"),
        ({"n_single": 19}, "only 19 single removals were retrained, needed 20"),
        ({"drift": 0.5 + ABOVE}, "nothing removed moves"),
        ({"drift": NAN}, "nothing removed moves"),
        ({"ceiling": UNKNOWN}, "seeds agree so little"),
        ({"ceiling": Interval(0.9, NAN, NAN)}, "seeds agree so little"),
        ({"ceiling": low(0.3 + BELOW, 0.8)}, "seeds agree so little"),
    ],
    ids=str,
)
@pytest.mark.parametrize("cap", ["A", "B"])
def test_what_cannot_be_tested_gets_u_and_says_why(changes: dict[str, Any], words: str, cap: str) -> None:
    found = of(BEST, cap=cap, **changes)
    assert found.letter == "U"
    assert words in found.reason


def test_an_a_needs_all_conditions_at_once() -> None:
    found = of(BEST, **{name: value for changes, _ in A_FAILS for name, value in changes.items()})
    assert found.letter != "A"


@pytest.mark.parametrize(("base", "letter"), [(BEST, "B"), (GOOD, "B"), (FAIR, "C")])
def test_a_small_check_gives_b_at_best(base: Evidence, letter: str) -> None:
    found = of(base, cap="B")
    assert found.letter == letter
    assert ("B at best" in found.reason) == (base is BEST)


@pytest.mark.parametrize("cap", ["B", "C", "D"])
def test_a_cap_binds(cap: str) -> None:
    found = of(BEST, cap=cap)
    assert found.letter == cap
    assert f"{cap} at best" in found.reason


def random_evidence(rng: np.random.Generator) -> Evidence:
    """Draw figures that are often at or near a boundary, and sometimes unknown."""

    def pick(*values: float) -> float:
        return float(rng.choice(values)) if rng.random() < 0.5 else float(rng.uniform(0, 1.2))

    def interval(*values: float) -> Interval:
        ends = sorted(pick(*values) for _ in range(3))
        return Interval(ends[1], ends[0], ends[2])

    return Evidence(
        spearman=interval(0.3, 0.6, 0.95),
        ceiling=interval(0.3, 0.5, 1.0, 1.0),
        signs=pick(0.7, 0.85, 1.0),
        slope=pick(0.5, 1.0, 2.0, 3.0),
        drift=pick(0.0, 0.0, 0.25),
        over_baselines=interval(0.1, 0.2),
        best_baseline="neighbours",
        over_gradient=interval(0.1, 0.2),
        band=pick(0.0, 0.1, 0.2),
        dissolved=pick(0.0, 0.0, 0.05, 0.2),
        repeats=bool(rng.random() < 0.95),
        cap=str(rng.choice(["A", "B"])),
    )


def blanks(evidence: Evidence) -> list[Evidence]:
    """Return copies in which one figure, or the ends of one interval, or all of it, is unknown."""
    found = []
    for field in dataclasses.fields(evidence):
        value = getattr(evidence, field.name)
        if isinstance(value, float):
            found.append(dataclasses.replace(evidence, **{field.name: NAN}))
        if isinstance(value, Interval):
            gaps = [UNKNOWN, Interval(NAN, value.low, value.high), Interval(value.mean, NAN, NAN)]
            found += [dataclasses.replace(evidence, **{field.name: gap}) for gap in gaps]
    return found


def worse(evidence: Evidence, rng: np.random.Generator) -> list[Evidence]:
    """Return copies in which one figure is worse."""
    step = float(rng.uniform(0, 0.5))

    def lower(one: Interval) -> Interval:
        return Interval(one.mean - step, one.low - step, one.high - step)

    changes: list[dict[str, Any]] = [
        {"spearman": lower(evidence.spearman)},
        {"signs": evidence.signs - step},
        {"slope": evidence.slope + step if evidence.slope > 1 else evidence.slope - step},
        {"drift": evidence.drift + step},
        {"over_baselines": lower(evidence.over_baselines)},
        {"over_gradient": lower(evidence.over_gradient)},
        {"band": evidence.band + step},
        {"dissolved": evidence.dissolved + step},
        {"repeats": False},
    ]
    return [dataclasses.replace(evidence, **change) for change in changes]


def rank(letter: str) -> int:
    """Return the place of a letter; wrong and unknown are equally bad."""
    return min(LETTERS.index(letter), LETTERS.index("D"))


def test_nothing_unknown_and_nothing_worse_ever_improves_a_letter() -> None:
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(1500):
        evidence = random_evidence(rng)
        letter = grade(evidence).letter
        seen.add(letter)
        for other in blanks(evidence) + worse(evidence, rng):
            assert rank(grade(other).letter) >= rank(letter), (evidence, other)
    assert seen == set(LETTERS)


def test_every_reason_is_a_clause_with_figures_in_it() -> None:
    rng = np.random.default_rng(1)
    for _ in range(500):
        found = grade(random_evidence(rng))
        assert found.reason
        assert found.reason[0] != " "
        assert not found.reason.endswith(".")
        assert str(found) == f"grade {found.letter} ({MEANINGS[found.letter]}): {found.reason}"


def test_a_cap_never_takes_more_than_it_says() -> None:
    known = dataclasses.replace(BEST, over_gradient=UNKNOWN)
    uncapped = grade(known).letter
    assert of(known, cap="B").letter == max(uncapped, "B")


def test_an_a_is_more_than_chance() -> None:
    assert of(BEST, spearman=Interval(0.8, 0.62, 0.9), band=0.7).letter == "U"
    assert of(BEST, spearman=Interval(0.3, -0.1, 0.5), band=0.2).letter == "D"


def test_changes_against_the_predictions_are_called_so() -> None:
    found = of(BEST, spearman=Interval(-0.9, -0.95, -0.8))
    assert found.letter == "D"
    assert found.reason.startswith("changes go against the predictions")


@pytest.mark.parametrize(
    ("changes", "contradiction"),
    [({"signs": 0.849}, "85% of the clear changes, needed 85 %"), ({"slope": 2.004}, "2.00 times as large")],
)
def test_a_sentence_does_not_contradict_itself(changes: dict[str, Any], contradiction: str) -> None:
    assert contradiction not in of(BEST, **changes).reason


@pytest.mark.parametrize("name", ["slope", "drift", "dissolved"])
def test_a_sentence_does_not_say_nan(name: str) -> None:
    assert "nan" not in of(BEST, **{name: NAN}).reason


def test_status_and_exit_codes() -> None:
    expected = {
        "A": ("supported", 0),
        "B": ("supported", 0),
        "C": ("not supported", 3),
        "D": ("not supported", 3),
        "U": ("untested", 4),
    }
    for letter, (status, code) in expected.items():
        found = Grade(letter, "why")
        assert (found.status, found.exit_code) == (status, code)
    assert set(MEANINGS) == set(STATUS) == set(LETTERS)
    assert set(EXIT_CODES) == set(STATUS.values())


def test_every_threshold_says_what_it_rests_on() -> None:
    assert {letter for letter, _ in THRESHOLDS} == {"A", "B", "U"}
    assert all(reason for _, reason in THRESHOLDS.values())


# whole checks of a simulated pipeline, graded by what the program makes of the arrays


def better_than_d(found: dict[str, float]) -> float:
    return found["A"] + found["B"] + found["C"]


@pytest.mark.parametrize("size", [(8, 20), (1, 48), (1, 8)])
def test_shuffled_predictions_are_found_out(size: tuple[int, int]) -> None:
    assert better_than_d(letters(Setting(*size, 1, 0.97), 25, shuffled)) <= 0.05


def test_shuffled_predictions_with_gaps_are_found_out() -> None:
    assert better_than_d(letters(Setting(4, 20, 1, 0.97), 20, shuffled_with_gaps)) <= 0.05


@pytest.mark.parametrize("seeds", [2, 3])
def test_noise_cannot_be_tested(seeds: int) -> None:
    assert letters(Setting(3, 12, seeds, 0.0), 20, independent)["U"] >= 0.95


def test_a_good_pipeline_is_supported() -> None:
    found = letters(Setting(8, 20, 1, 0.97), 10, draw)
    assert found["A"] + found["B"] >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize(("queries", "removals", "seeds"), [(8, 20, 1), (1, 48, 1), (4, 20, 3), (1, 48, 5)])
@pytest.mark.parametrize("make", [shuffled, shuffled_with_gaps])
def test_shuffled_predictions_are_found_out_in_100_runs(make: Any, queries: int, removals: int, seeds: int) -> None:
    found = letters(Setting(queries, removals, seeds, 0.97), 100, make, seed=1)
    print(f"{make.__name__} {queries} x {removals}, {seeds} seeds: {found}")
    assert better_than_d(found) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize(("queries", "removals", "seeds"), [(8, 20, 3), (4, 20, 5), (1, 48, 5), (1, 48, 2)])
def test_noise_cannot_be_tested_in_100_runs(queries: int, removals: int, seeds: int) -> None:
    found = letters(Setting(queries, removals, seeds, 0.0), 100, independent, seed=1)
    print(f"noise {queries} x {removals}, {seeds} seeds: {found}")
    assert found["U"] >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize(("queries", "removals", "seeds"), [(8, 20, 1), (1, 48, 1), (4, 20, 5)])
def test_a_good_pipeline_is_supported_in_40_runs(queries: int, removals: int, seeds: int) -> None:
    found = letters(Setting(queries, removals, seeds, 0.97), 40, draw, seed=1)
    print(f"good {queries} x {removals}, {seeds} seeds: {found}")
    assert found["A"] + found["B"] >= 0.95
