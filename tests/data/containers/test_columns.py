"""Columns of every type: numbers under another type are taken, all else is refused with the cure that fits it."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from clusterexplain import Dataset
from clusterexplain.exceptions import InvalidDataError

PLAIN = pd.DataFrame({"a": [0.5, 1.5, 2.5, 3.5], "b": [1.0, 0.0, 1.0, 0.0]})
VALUES = [4, 3, 2, 1]


@pytest.mark.parametrize(
    "column",
    [
        pd.array(VALUES, dtype="Int64"),
        pd.array(VALUES, dtype="Float32"),
        pd.array(VALUES, dtype="uint8"),
        pd.array(VALUES, dtype=pd.ArrowDtype(pa.int16())),
        pd.array([Decimal(one) for one in VALUES], dtype=pd.ArrowDtype(pa.decimal128(5, 2))),
        pd.arrays.SparseArray(VALUES),
        [Decimal(one) for one in VALUES],
        [Fraction(one) for one in VALUES],
        np.array(VALUES, dtype=object),
        [4, 3.0, np.float32(2), np.int8(1)],
    ],
    ids=str,
)
def test_numbers_under_another_type(column: Any) -> None:
    data = Dataset(PLAIN.assign(c=column))
    assert data.X[:, 2].tolist() == VALUES
    assert data.feature_names == ["a", "b", "c"]


def test_booleans() -> None:
    for column in ([True, False, True, True], pd.array([True, False, True, True], dtype="boolean")):
        assert Dataset(PLAIN.assign(c=column)).X[:, 2].tolist() == [1, 0, 1, 1]


@pytest.mark.parametrize(
    "column",
    [
        pd.array([None, 1, 2, 3], dtype="Int64"),
        pd.array([None, True, False, True], dtype="boolean"),
        pd.array([None, 1.5, 2, 3], dtype=pd.ArrowDtype(pa.float64())),
        [None, Decimal(1), Decimal(2), Decimal(3)],
        pd.Series([pd.NA, 1, 2, 3], dtype=object),
        pl.Series([None, 1, 2, 3]).to_pandas(),
    ],
    ids=str,
)
def test_missing_values_are_located_whatever_the_type(column: Any) -> None:
    with pytest.raises(
        InvalidDataError,
        match=r"contains NaN in 1 row\(s\): 0 \(counted from 0\), in 1 column\(s\): age\. Expected finite",
    ):
        Dataset(PLAIN.assign(age=column))


@pytest.mark.parametrize(
    ("column", "cure"),
    [
        (["1.5", "2", "3", "4"], r"c holds numbers stored as text: pandas\.to_numeric\(frame\['c'\]\)"),
        (["1,5", "2,25", "3", "4"], r"decimal commas .*read_csv\(\.\.\., decimal=','\)"),
        (["1.234.567", "2.000.000", "3", "4"], r"marks between thousands"),
        (pd.date_range("2024", periods=4), r"c \(datetime64\[.*holds dates, times or durations.*\.dt\.days"),
        (pd.to_datetime(["2024", None, "2025", "2026"]), r"holds dates, times or durations"),
        (pd.timedelta_range("1h", periods=4), r"holds dates, times or durations"),
        (pd.period_range("2024", periods=4, freq="Y"), r"holds dates, times or durations"),
        (pd.Categorical(["x", "y", "x", "y"]), r"c holds categories: encode them"),
        (pd.Categorical([1, 2, 1, 2]), r"categories that are numbers: frame\['c'\]\.astype\(float\)"),
        ([[1.0, 2.0]] * 4, r"a vector in each row: .*numpy\.stack\(frame\['c'\]\).*--embedding-column c"),
        ([["x"], ["y", "z"], [], ["x"]], r"lists or dicts of different lengths"),
        (["[1.0, 2.0]"] * 4, r"lists that are written as text: .*--embedding-column c.*save a \.parquet file"),
        (np.array([1j, 2, 3, 4]), r"c \(complex128\).*real and imaginary parts"),
        (["1", "2", "low", "4"], r"1 of 4 values of c, the first 'low' in row 2\).*mend single values"),
        (["a" * 500, "b", "c", "d"], r"the first 'a{56}\.\.\. in row 0"),
    ],
)
def test_each_kind_has_its_own_cure(column: Any, cure: str) -> None:
    with pytest.raises(
        InvalidDataError, match=r"1 column\(s\) that are not numbers: c.*" + cure if cure[0] != "c" else cure
    ) as caught:
        Dataset(PLAIN.assign(c=column))
    assert ("OneHotEncoder" in str(caught.value)) == ("categories: " in cure or "mend" in cure or "first 'a" in cure)


def test_several_kinds_at_once() -> None:
    frame = PLAIN.assign(when=pd.date_range("2024", periods=4), kind=list("xyxy"), more=list("abcd"))
    with pytest.raises(
        InvalidDataError, match=r"3 column\(s\) that are not numbers: when, kind, more.*when holds dates.*mend single"
    ):
        Dataset(frame)
