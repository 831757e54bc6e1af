"""Ids of every type are found again in the form in which they were given; tables are joined by them, never by position."""

from __future__ import annotations

import datetime
import uuid
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from clusterexplain import ClusterExplainer, Dataset
from clusterexplain.data.selection import select_samples
from clusterexplain.exceptions import InvalidDataError, InvalidParameterError, UnknownSampleError
from tests.conftest import SMALL

ROWS = np.random.default_rng(0).normal(size=(6, 4))


@pytest.mark.parametrize(
    "index",
    [
        pd.Index(np.arange(6.0)),
        pd.Index([10, 20, 30, 40, 50, 60], dtype="float32"),
        pd.Index([0.25, 0.5, 1.0, 2.0, 3.5, 4.0]),
        pd.MultiIndex.from_product([["x", "y"], np.arange(3)]),
        pd.MultiIndex.from_product([["x", "y"], ["a", "b", "c"]], names=["donor", "cell"]),
        pd.date_range("2024-01-01", periods=6),
        pd.date_range("2024-01-01", periods=6, tz="Europe/Berlin"),
        pd.period_range("2024-01", periods=6, freq="M"),
        pd.timedelta_range("1h", periods=6),
        pd.interval_range(0, 6),
        pd.CategoricalIndex(list("abcdef")),
        pd.Index([uuid.UUID(int=i) for i in range(6)]),
        pd.Index([Decimal(i) for i in range(6)]),
        pd.Index([datetime.date(2024, 1, i + 1) for i in range(6)]),
        pd.Index([b"a", b"b", b"c", b"d", b"e", b"f"]),
        pd.Index(["y", -1, "x", 3, 4.5, ("p", 1)], dtype=object, tupleize_cols=False),
        pd.Index(range(5, 11), dtype="Int64"),
        pd.Index([2**63 + i for i in range(6)], dtype="uint64"),
    ],
    ids=str,
)
def test_every_entry_of_an_index_finds_its_row(index: pd.Index) -> None:
    data = Dataset.of(pd.DataFrame(ROWS, columns=list("abcd"), index=index))
    for row, one in enumerate(index):
        assert select_samples([one], data).positions.tolist() == [row]
        assert select_samples(data.ids[[row]].tolist(), data).positions.tolist() == [row]
    assert select_samples(list(index), data).positions.tolist() == list(range(6))
    assert select_samples(index[3:5], data).positions.tolist() == [3, 4]


def test_levels_are_joined_by_slashes_and_one_tuple_is_one_id() -> None:
    index = pd.MultiIndex.from_product([["x", "y"], np.arange(3)])
    data = Dataset.of(pd.DataFrame(ROWS, index=index))
    assert data.ids.tolist() == ["x/0", "x/1", "x/2", "y/0", "y/1", "y/2"]
    assert select_samples(("y", 1), data).ids.tolist() == ["y/1"]


def test_floats_that_are_a_row_are_still_refused() -> None:
    data = Dataset(ROWS)
    assert select_samples([3.0, 1.0], data).positions.tolist() == [3, 1]
    for row in (ROWS[0].tolist(), [1.0, 2.0, 3.0, 0.0], [0.5]):
        with pytest.raises(
            InvalidParameterError, match=r"queries holds fractions, which are no ids.*row\.reshape\(1, -1\)"
        ):
            select_samples(row, data)
    with pytest.raises(UnknownSampleError, match=r"no sample with id 7\.0"):
        select_samples([7.0], data)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NaT, pd.NA])
def test_missing_ids_are_refused(missing: Any) -> None:
    with pytest.raises(InvalidDataError, match=r"ids has 1 missing entries, the first of them in row 2"):
        Dataset(ROWS, ids=[0, 1, missing, 3, 4, 5])  # type: ignore[arg-type]


def test_an_answer_about_a_row_of_a_filtered_frame(blobs: np.ndarray) -> None:
    frame = pd.DataFrame(blobs, columns=list("abcde"), index=np.arange(30) * 2.0)
    ce = ClusterExplainer(**SMALL).fit(frame)
    assert ce.explain([frame.index[3]]).positions.tolist() == [3]
    assert ce.explain(frame.index[4]).query_ids.tolist() == [8]


FRAME = pd.DataFrame(ROWS, columns=list("abcd"), index=[0, 2, 4, 6, 8, 10])


def test_a_frame_in_a_data_set_brings_index_and_names() -> None:
    data = Dataset(FRAME, metadata=pd.DataFrame({"batch": list("pqrstu")}, index=FRAME.index))
    assert data.positions([4]).tolist() == [2]
    assert data.feature_names == list("abcd")
    np.testing.assert_array_equal(data.X[2], FRAME.loc[4].to_numpy())


def test_metadata_are_joined_by_the_index() -> None:
    table = pd.DataFrame({"batch": list("pqrstu")}, index=FRAME.index)
    for given in (table, table.iloc[::-1], pd.concat([table, table.set_axis([1, 3, 5, 7, 9, 11])])):
        metadata = Dataset(FRAME, metadata=given).metadata
        assert metadata is not None
        assert metadata["batch"].tolist() == list("pqrstu")
    named = FRAME.set_axis(list("uvwxyz"))
    metadata = Dataset(named, metadata=table.set_axis(list("zyxwvu"))).metadata
    assert metadata is not None
    assert metadata["batch"].tolist() == list("utsrqp")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            pd.DataFrame({"b": range(6)}),
            r"index of metadata does not match that of X: 3 of 6 rows .*, for example 6\.",
        ),
        (pd.DataFrame({"b": range(6)}, index=list("abcdef")), r"6 of 6 rows of X have no partner"),
        (
            pd.DataFrame({"b": range(6)}, index=[0, 0, 2, 4, 6, 8]),
            r"has 1 value\(s\) more than once, for example 0",
        ),
    ],
)
def test_an_index_that_does_not_match_is_an_error(given: pd.DataFrame, message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        Dataset(FRAME, metadata=given)


def test_rows_without_names_take_what_stands_beside_them() -> None:
    table = pd.DataFrame({"doc": list("uvwxyz"), "batch": range(6)}, index=[3, 1, 4, 15, 9, 2])
    for ids in (None, table["doc"], list("uvwxyz")):
        if isinstance(ids, list):
            with pytest.raises(
                InvalidDataError, match=r"does not match that of X: 6 of 6.*reset_index\(drop=True\) if"
            ):
                Dataset(ROWS, ids=ids, metadata=table)  # type: ignore[arg-type]
            table = table.reset_index(drop=True)
        metadata = Dataset(ROWS, ids=ids, metadata=table).metadata  # type: ignore[arg-type]
        assert metadata is not None
        assert metadata["batch"].tolist() == list(range(6))


def test_columns_of_a_frame_by_their_roles() -> None:
    for make in (lambda f: f, pl.from_pandas):
        table = FRAME.reset_index(drop=True).assign(cell=list("uvwxyz"), note="n", group=[0, 0, 0, 1, 1, 1])
        data = Dataset.of(make(table), ids="cell", text="note", metadata="group")
        assert (data.feature_names, data.ids.tolist(), data.text) == (list("abcd"), list("uvwxyz"), "note")
        assert data.metadata is not None
        assert data.metadata.columns.tolist() == ["note", "group"]
    with pytest.raises(InvalidDataError, match=r"X is an array, whose columns have no names, which does not take ids"):
        Dataset.of(ROWS, ids="cell")
