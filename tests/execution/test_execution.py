"""How a computation may use the machine: values outside their range are refused, and results keep their order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.execution import Execution


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_jobs": 0}, r"n_jobs=0 must be None or a whole number other than 0\."),
        ({"n_jobs": 1.5}, r"n_jobs=1\.5 must be None or a whole number other than 0\."),
        ({"max_memory": 0}, r"max_memory=0 must be a finite number above 0\."),
        ({"max_memory": float("inf")}, r"max_memory=inf must be a finite number above 0\."),
        ({"max_memory": "2 GB"}, r"max_memory='2 GB' must be a finite number above 0\."),
    ],
)
def test_values_outside_their_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        Execution(**options)


@pytest.mark.parametrize("n_jobs", [1, 2, None])
def test_results_come_in_the_order_of_the_jobs(n_jobs: int | None) -> None:
    assert Execution(n_jobs=n_jobs).map(lambda number: number**2, range(5)) == [0, 1, 4, 9, 16]


def test_tracked_items_are_the_items() -> None:
    assert list(Execution(progress=True).track(iter("abc"), "letters", total=3)) == ["a", "b", "c"]


def test_numbers_of_numpy_become_plain_ones() -> None:
    execution = Execution(n_jobs=np.int64(2), max_memory=np.float32(1e9))
    assert (type(execution.n_jobs), type(execution.max_memory)) == (int, float)


def test_silent_hides_the_bar_and_changes_nothing_else() -> None:
    assert Execution(2, 1e6, progress=True).silent() == Execution(2, 1e6)
