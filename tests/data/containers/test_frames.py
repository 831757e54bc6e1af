"""Frames of other libraries, names of columns, metadata in any container: nothing is lost, nothing is taken by position."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from clusterexplain import ClusterExplainer, Dataset
from clusterexplain.exceptions import InvalidDataError
from tests.conftest import SMALL


@pytest.fixture(scope="module")
def frame(blobs: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(blobs, columns=list("abcde"))


def _no_training(*_: Any, **__: Any) -> None:
    raise AssertionError("the training began")


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow", "Dataset"])
def test_columns_are_known_by_their_names(kind: str, frame: pd.DataFrame, small: ClusterExplainer) -> None:
    make = {"pandas": lambda f: f, "polars": pl.from_pandas, "pyarrow": pa.Table.from_pandas, "Dataset": Dataset}[kind]
    given = make(frame)
    ce = ClusterExplainer(**SMALL, dtype="float64").fit(given)
    assert list(ce.feature_names_in_) == list("abcde")
    np.testing.assert_allclose(ce.transform(given), small.transform(frame.to_numpy()))
    with pytest.raises(ValueError, match="feature names should match"):
        ce.transform(make(frame[list("edcba")]))
    with pytest.raises(ValueError, match="feature names should match"):
        ce.explain(pl.from_pandas(frame[list("edcba")]).head(2))
    answer = ce.explain(make(frame.head(2)))
    assert answer.query_ids.tolist() == ["new 0", "new 1"]


def test_a_lazy_frame_is_refused_before_it_is_read(frame: pd.DataFrame) -> None:
    with pytest.raises(InvalidDataError, match=r"X is a lazy frame.*call X\.collect\(\) first"):
        Dataset.of(pl.from_pandas(frame).lazy())


def test_names_that_occur_twice_are_refused_before_training(blobs: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clusterexplain.fitting.build.train", _no_training)
    message = r"1 column name\(s\) that occur more than once: 'a'\. Expected a name of its own for each column"
    text = pd.DataFrame({"a": blobs[:, 0], "b": ["x"] * 30}).set_axis(["a", "a"], axis=1)
    for columns in (pd.DataFrame(blobs[:, :4], columns=["a", "b", "c", "a"]), text):
        with pytest.raises(InvalidDataError, match=message):
            ClusterExplainer(**SMALL).fit(columns)
    with pytest.raises(InvalidDataError, match=r"metadata has 1 column name\(s\) that occur more than once"):
        Dataset(blobs, metadata=text)


def test_names_of_mixed_types_and_of_levels_are_texts(blobs: np.ndarray) -> None:
    assert Dataset(pd.DataFrame(blobs[:, :3], columns=[0, "b", 2.5])).feature_names == ["0", "b", "2.5"]
    levels = pd.MultiIndex.from_tuples([("gene", "A"), ("gene", "B")])
    assert Dataset(pd.DataFrame(blobs[:, :2], columns=levels)).feature_names == ["gene/A", "gene/B"]
    ce = ClusterExplainer(**SMALL).fit(pd.DataFrame(blobs, columns=[0, "b", 2, "d", "e"]))
    assert list(ce.feature_names_in_) == ["0", "b", "2", "d", "e"]


def test_labels_are_judged_before_training(blobs: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.cluster import KMeans

    monkeypatch.setattr("clusterexplain.fitting.build.train", _no_training)
    short = KMeans(3, n_init=1).fit(blobs[:20])
    for clusterer, message in (
        (np.arange(29) % 3, r"labels of shape \(29,\), expected \(30,\)"),
        (np.array([0.5] * 30), r"not whole numbers from -1"),
        (short, r"labels of shape \(20,\), expected \(30,\)"),
        (KMeans(3), r"has no labels_: it is not fitted"),
        (pd.Series(["a", None] * 15), r"15 of 30 labels are missing, the first of them in row 1"),
        (np.full(30, -1), r"all -1, noise"),
    ):
        with pytest.raises(ValueError, match=message):
            ClusterExplainer(clusterer=clusterer, n_steps=40, latent_dim=2, random_state=0).fit(blobs)


@pytest.mark.parametrize(
    "metadata",
    [
        {"batch": list("xyz"), "tags": [["p"], ["q", "r"], []]},
        pd.DataFrame({"batch": list("xyz"), "tags": [("p",), ("q", "r"), ()]}),
        pl.DataFrame({"batch": list("xyz"), "tags": [["p"], ["q", "r"], []]}),
        pa.table({"batch": list("xyz"), "tags": [["p"], ["q", "r"], []]}),
        {"batch": pd.Categorical(list("xyz")), "tags": [np.array(["p"]), np.array(["q", "r"]), np.array([])]},
    ],
)
def test_metadata_in_any_container(metadata: Any) -> None:
    table = Dataset(np.eye(3), metadata=metadata).metadata
    assert table is not None
    assert table["batch"].tolist() == list("xyz")
    assert table["tags"].tolist() == ["p", "q, r", ""]
    assert table.groupby("tags").size().tolist() == [1, 1, 1]


def test_sets_dicts_series_and_structured_arrays_as_metadata(tmp_path: Path) -> None:
    table = Dataset(np.eye(2), metadata={"a": [{2, 1}, {3}], "b": [{"k": 1}, {}]}).metadata
    assert table is not None
    assert table.to_numpy().tolist() == [["1, 2", '{"k": 1}'], ["3", "{}"]]
    structured = np.array([(1, "x"), (2, "y")], dtype=[("n", int), ("t", "U1")])
    assert Dataset(np.eye(2), metadata=structured).metadata.columns.tolist() == ["n", "t"]  # type: ignore[arg-type,union-attr]
    assert Dataset(np.eye(2), metadata=pd.Series([1, 2], name="s")).metadata["s"].tolist() == [1, 2]  # type: ignore[arg-type,index]
    for wrong in ("batch", [1, 2], np.eye(2)):
        with pytest.raises(InvalidDataError, match=r"expected columns with names: a DataFrame, or a dict"):
            Dataset(np.eye(2), metadata=wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidDataError, match=r"metadata cannot be read as columns"):
        Dataset(np.eye(2), metadata={"a": [1, 2], "b": [1]})  # type: ignore[arg-type]


def test_metadata_of_every_type_can_be_stored() -> None:
    numbers = np.arange(6)
    columns = {
        "mixed": [1, "a", None, 2.5, True, "b"],
        "bins": pd.cut(numbers, 3),
        "intervals": pd.interval_range(0, 6),
        "months": pd.period_range("2024-01", periods=6, freq="M"),
        "complex": numbers * 1j,
        "large": [10**30 + i for i in range(6)],
        "paths": [Path("x")] * 6,
        "sparse": pd.arrays.SparseArray([0, 1, 0, 1, 0, 1]),
        "times": pd.date_range("2024", periods=6, tz="Europe/Berlin"),
        "kinds": pd.Categorical(["p", "q", None] * 2),
        "counts": pd.array([1, None, 3] * 2, dtype="Int64"),
    }
    table = Dataset(np.eye(6), metadata=pd.DataFrame(columns)).metadata
    assert table is not None
    stored = io.BytesIO()
    table.to_parquet(stored)
    found = pd.read_parquet(stored)
    assert found["mixed"].fillna("").tolist() == ["1", "a", "", "2.5", "True", "b"]
    assert found["bins"].astype(str).tolist()[0] == "(-0.005, 1.667]"
    assert found["months"].tolist()[0] == "2024-01"
    assert found["sparse"].tolist() == [0, 1, 0, 1, 0, 1]
    assert found["counts"].isna().tolist() == [False, True, False] * 2


def test_lists_as_metadata_are_summed_by_and_saved(blobs: np.ndarray, tmp_path: Path) -> None:
    data = Dataset(blobs, metadata={"tags": [["p"], ["q"], ["p", "q"]] * 10})  # type: ignore[arg-type]
    ce = ClusterExplainer(**SMALL).fit(data)
    ce.save(tmp_path / "run")
    loaded = ClusterExplainer.load(tmp_path / "run")
    sums = loaded.explain([0]).by("tags")
    assert sorted(sums["group"]) == ["p", "p, q", "q"]
