"""Plain data: what JSON has no word for becomes null or text, and nothing else changes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clusterexplain.storage.jsonable import to_jsonable


class Color(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 2


@dataclass(frozen=True)
class Point:
    x: float
    tags: tuple[str, ...]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (np.bool_(True), True),
        (2**70, 2**70),
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.float64(0.1), 0.1),
        (float("nan"), None),
        (np.float32("inf"), None),
        (np.str_("a"), "a"),
        (Color.RED, "red"),
        (Level.HIGH, 2),
        (Point(float("-inf"), ("a", "b")), {"x": None, "tags": ["a", "b"]}),
        ({1: (np.nan, 1.0), "a": np.arange(2)}, {"1": [None, 1.0], "a": [0, 1]}),
        (np.array([["a"], ["b"]]), [["a"], ["b"]]),
        (pd.NaT, None),
        (np.datetime64("NaT"), None),
        (pd.NA, None),
        (pd.Timestamp("2020-01-02"), "2020-01-02 00:00:00"),
        (np.datetime64("2020-01-02T03:04:05", "ns"), "2020-01-02T03:04:05.000000000"),
        (pd.DataFrame({"a": [1, 2], "b": [np.nan, "x"]}), [{"a": 1, "b": None}, {"a": 2, "b": "x"}]),
        (pd.Series([1.5, np.nan]), [1.5, None]),
    ],
    ids=repr,
)
def test_values_become_plain(value: Any, expected: Any) -> None:
    plain = to_jsonable(value)
    assert plain == expected
    assert type(plain) is type(expected)
    assert json.loads(json.dumps(plain, allow_nan=False)) == expected
