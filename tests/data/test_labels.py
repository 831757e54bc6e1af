"""Labels as people have them: Series joined by index, texts with names, columns, files of ids and labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from clusterexplain import ClusterExplainer, Dataset
from clusterexplain.data.labels import joined_weights, labels_of
from clusterexplain.data.readers.labels import read_labels
from clusterexplain.exceptions import InvalidDataError, InvalidParameterError

ROWS = np.random.default_rng(0).normal(size=(6, 3))
CELLS = list("uvwxyz")
DATA = Dataset(ROWS, ids=CELLS, metadata=pd.DataFrame({"leiden": list("001122")}))  # type: ignore[arg-type]
NUMBERS = [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    "given",
    [
        NUMBERS,
        np.array(NUMBERS),
        torch.tensor(NUMBERS),
        pl.Series(NUMBERS),
        pd.Series(NUMBERS, index=CELLS),
        pd.Series(NUMBERS[::-1], index=CELLS[::-1]),
        pd.Series([*NUMBERS, 7], index=[*CELLS, "other"]),
        pd.Series([str(one) for one in NUMBERS], index=CELLS, dtype="category"),
        pd.Series([f"{one}.0" for one in NUMBERS], index=CELLS),
        pd.Categorical(NUMBERS),
        dict(zip(CELLS[::-1], NUMBERS[::-1], strict=True)),
        pd.DataFrame({"cluster": NUMBERS}, index=CELLS),
        "leiden",
    ],
    ids=lambda given: type(given).__name__,
)
def test_numbers_in_every_form(given: Any) -> None:
    found = labels_of(given, DATA)
    assert found.values.tolist() == NUMBERS
    assert found.names == {}


def test_texts_become_names() -> None:
    texts = ["T cell", "B cell", "noise", "T cell", "NK", "NK"]
    for given in (texts, np.array(texts), pl.Series(texts), pd.Series(texts, index=CELLS)):
        found = labels_of(given, DATA)
        assert found.values.tolist() == [2, 0, -1, 2, 1, 1]
        assert found.names == {0: "B cell", 1: "NK", 2: "T cell"}
    ordered = pd.Categorical(texts, categories=["NK", "unused", "T cell", "B cell", "noise"])
    assert labels_of(ordered, DATA).names == {0: "NK", 1: "T cell", 2: "B cell"}


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            pd.Series(NUMBERS),
            InvalidDataError,
            r"index of labels does not match that of X: 6 of 6 rows .* for example 'u'",
        ),
        (
            pd.Series(NUMBERS[:5], index=CELLS[:5]),
            InvalidDataError,
            r"1 of 6 rows of X have no partner, for example 'z'",
        ),
        (
            pd.Series(NUMBERS, index=["u", *CELLS[:5]]),
            InvalidDataError,
            r"1 value\(s\) more than once, for example 'u'",
        ),
        (["a", None, "b", "c", "d", "e"], InvalidDataError, r"1 of 6 labels are missing, the first of them in row 1"),
        (pd.Series([0, np.nan] * 3, index=CELLS), InvalidDataError, r"3 of 6 labels are missing"),
        (np.ma.masked_array(NUMBERS, mask=[0, 1, 0, 0, 0, 0]), InvalidDataError, r"labels has 1 masked entries"),
        (
            "louvain",
            InvalidParameterError,
            r"labels='louvain' is no column of the metadata\. Expected one of: leiden; or",
        ),
    ],
)
def test_labels_that_cannot_be_joined(given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        labels_of(given, DATA)


def test_weights_are_joined_by_the_index_too() -> None:
    frame = pd.DataFrame(ROWS, index=CELLS)
    weights = pd.Series(np.arange(6.0), index=CELLS)
    assert list(joined_weights(weights.iloc[::-1], frame, DATA)) == list(range(6))
    assert list(joined_weights(weights.iloc[::-1], ROWS, Dataset(ROWS))) == list(range(6))[::-1]
    with pytest.raises(InvalidDataError, match=r"index of sample_weight does not match that of X"):
        joined_weights(weights.reset_index(drop=True), frame, DATA)


@pytest.mark.parametrize("how", ["one column", "ids first", "ids last", "index", "parquet index", "npy"])
def test_files_of_labels(how: str, tmp_path: Path) -> None:
    turned = pd.DataFrame({"cell": CELLS[::-1], "kind": list("ccbbaa")})
    path = tmp_path / {"npy": "l.npy", "parquet index": "l.parquet"}.get(how, "l.csv")
    if how == "npy":
        np.save(path, np.array(list("aabbcc")))
    elif how == "one column":
        turned[["kind"]].iloc[::-1].to_csv(path, index=False)
    elif how == "ids first":
        turned.to_csv(path, index=False)
    elif how == "ids last":
        turned[["kind", "cell"]].to_csv(path, index=False)
    elif how == "index":
        turned.set_index("cell").rename_axis(None).to_csv(path)
    else:
        turned.set_index("cell").to_parquet(path)
    found = labels_of(read_labels(path, DATA), DATA)
    assert (found.values.tolist(), found.names) == (NUMBERS, {0: "a", 1: "b", 2: "c"})


def test_files_that_hold_no_labels(tmp_path: Path) -> None:
    pd.DataFrame({"a": range(6), "b": range(6), "c": range(6)}).to_csv(tmp_path / "wide.csv", index=False)
    with pytest.raises(
        InvalidDataError, match=r"wide\.csv has 3 columns\. Expected one.*; or two: the ids and their labels"
    ):
        read_labels(tmp_path / "wide.csv", DATA)
    with pytest.raises(InvalidDataError, match=r"l\.h5ad is no file of labels\. Expected a name ending in \.csv"):
        read_labels(tmp_path / "l.h5ad", DATA)


def test_fit_with_labels_of_a_frame(blobs: np.ndarray, tmp_path: Path) -> None:
    kinds = np.array(["red", "green", "blue"])[np.argmin(blobs[:, :3], axis=1)]
    frame = pd.DataFrame(blobs, columns=list("abcde")).assign(kind=kinds)
    parameters: dict[str, Any] = {
        "latent_dim": 2,
        "hidden": (6,),
        "n_steps": 10,
        "random_state": 0,
        "min_agreement": 0.0,
    }
    ce = ClusterExplainer(**parameters).fit(frame, labels="kind")
    assert ce.cluster_names_ == dict(enumerate(sorted(set(kinds))))
    assert [ce.cluster_names_[one] for one in ce.labels_] == kinds.tolist()
    turned = pd.Series(kinds, index=frame.index).iloc[::-1]
    other = ClusterExplainer(clusterer=turned, **parameters).fit(frame[list("abcde")])
    np.testing.assert_array_equal(other.labels_, ce.labels_)
    np.testing.assert_array_equal(other.embedding_, ce.embedding_)
    ce.save(tmp_path / "run")
    again = ClusterExplainer.load(tmp_path / "run", frame)  # with the column that was not trained on
    np.testing.assert_array_equal(again.explain([3]).influence, ce.explain([3]).influence)
    with pytest.raises(
        InvalidParameterError, match=r"labels gives the clusters, and so does clusterer\. Expected one of"
    ):
        ClusterExplainer(clusterer="gmm", **parameters).fit(frame, labels="kind")
    names = {0: "7", 1: "x" * 200}
    odd = ClusterExplainer(**parameters).fit(blobs, labels=[names[one % 2] for one in range(30)])
    assert odd.cluster_names_ == {0: "cluster '7'", 1: f"cluster '{'x' * 71}"}
