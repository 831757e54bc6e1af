"""Every likely mistake gets an error that says what is wrong, what was expected and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clusterexplain import ClusterExplainer, Dataset, load_dataset
from clusterexplain.data.readers.registry import read
from clusterexplain.exceptions import (
    InputWarning,
    InvalidDataError,
    InvalidParameterError,
    ScaleWarning,
    SmoothnessWarning,
    UnknownSampleError,
)
from tests.conftest import SMALL

GOOD = np.random.default_rng(0).normal(size=(12, 3))


def _with(value: float) -> np.ndarray:
    X = GOOD.copy()
    X[3, 1] = value
    return X


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (
            _with(np.nan),
            r"contains NaN in 1 row\(s\): 3 \(counted from 0\), in 1 column\(s\): \d+\. Expected finite",
        ),
        (_with(np.inf), r"contains infinity in 1 row\(s\): 3 .*\. Expected finite numbers"),
        (GOOD[0], r"Expected 2D array, got 1D array.*shape \(3,\).*Reshape your data"),
        (GOOD[None], r"Expected 2D array, got 3D array.*reshape\(len\(array\), -1\) for images"),
        (GOOD[:0], r"0 sample\(s\) .* while a minimum of 1 is required: X has no rows"),
        (GOOD[:, :0], r"0 feature\(s\) .* while a minimum of 1 is required: X has no columns"),
        (GOOD[:2], r"n_samples=2 rows .* fewer than n_clusters=3\. Expected at least one row for each cluster"),
        (np.ones((12, 3)), r"All 12 rows of X are identical \(constant data\).*check how the file was read"),
        (
            pd.DataFrame({"a": GOOD[:, 0], "name": list("abcdefghijkl")}),
            r"not numbers: name \(12 of 12 values of name, the first 'a' in row 0\)\. .*encode.*metadata=.*--ids, --text",
        ),
        (np.array([["a", "b"]] * 12), r"values that are not numbers.*encode text columns"),
        (GOOD + 1j, r"Complex data not supported.*real and imaginary parts as separate columns"),
        ("digits.csv", r"X is str, expected a matrix .*Dataset\.from_file\(path\), or pandas\.read_csv"),
        (None, r"X is NoneType, expected a matrix"),
        (
            pd.DataFrame(GOOD, index=[0] * 12),
            r"occur more than once, for example 0\. Expected unique ids; call reset_index",
        ),
    ],
)
def test_wrong_data(X: Any, message: str) -> None:
    ce = ClusterExplainer(**SMALL)
    with pytest.raises(InvalidDataError, match=message):
        ce.fit(X)
    assert not hasattr(ce, "labels_")


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(5), r"sample_weight has shape \(5,\), expected \(12,\): one weight for each row"),
        (-np.ones(12), r"finite and non-negative with at least one positive entry"),
        (np.zeros(12), r"finite and non-negative with at least one positive entry"),
        (np.eye(12)[0], r"n_samples=1 rows \(of positive weight\)"),
    ],
)
def test_wrong_weights(weights: np.ndarray, message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        ClusterExplainer(**SMALL).fit(GOOD, sample_weight=weights)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"model": "magic"}, r"model='magic' is unknown\. Expected one of 'precomputed', 'pca', 'autoencoder'"),
        ({"clusterer": "magic"}, r"clusterer='magic' is unknown\. Expected one of 'kmeans'"),
        ({"scaling": "max"}, r"scaling='max' is unknown\. Expected one of 'auto', 'global', 'standard', None"),
        ({"dtype": "int8"}, r"dtype='int8' is unknown\. Expected one of 'float32', 'float64'"),
        ({"activation": "step"}, r"activation='step' is unknown\. Expected one of 'gelu', 'relu'"),
        ({"n_clusters": 0}, r"n_clusters=0 must be a whole number of at least 1"),
        ({"n_steps": 2.5}, r"n_steps=2\.5 must be a whole number"),
        ({"learning_rate": -1}, r"learning_rate=-1 must be a finite number above 0"),
        ({"weight_decay": float("nan")}, r"weight_decay=nan must be a finite number at least 0"),
        ({"hidden": (0,)}, r"hidden=\(0,\) must be a tuple of positive whole numbers"),
        ({"hidden": 64}, r"hidden=64 must be a tuple of positive whole numbers.*for example \(64,\)"),
        ({"n_jobs": 0}, r"n_jobs=0 must be None or a whole number other than 0"),
        ({"max_memory": "2 GB"}, r"max_memory='2 GB' must be a finite number above 0"),
    ],
)
def test_wrong_parameters(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        ClusterExplainer(**{**SMALL, **parameters}).fit(GOOD)


def test_rough_recipes_are_allowed_but_warned_about() -> None:
    with pytest.warns(SmoothnessWarning, match=r"activation='relu' has a kink"):
        ClusterExplainer(**SMALL, activation="relu").fit(GOOD)
    with pytest.warns(SmoothnessWarning, match=r"adam_eps=1e-08 is tiny.*Use 1e-5 or more"):
        ClusterExplainer(**SMALL, adam_eps=1e-8).fit(GOOD)


def test_a_dominating_column_is_warned_about() -> None:
    with pytest.warns(ScaleWarning, match=r"Column 2 holds 100% of the total variance.*scaling='standard'"):
        ClusterExplainer(**SMALL).fit(GOOD * [1, 1, 1000])


def test_dataset_parts_must_fit_together() -> None:
    with pytest.raises(InvalidDataError, match=r"ids has 2 entries, expected 12"):
        Dataset(GOOD, ids=np.arange(2))
    with pytest.raises(InvalidDataError, match=r"metadata has 1 rows, expected 12"):
        Dataset(GOOD, metadata=pd.DataFrame({"a": [1]}))
    table = pd.DataFrame({"batch": range(12), 0: "x"})
    with pytest.raises(
        InvalidDataError, match=r"text='body' is no column of metadata\. Expected one of: batch, 0; it names"
    ):
        Dataset(GOOD, metadata=table, text="body")
    with pytest.raises(
        InvalidDataError, match=r"text='body' .* Expected one of: none, as there is no metadata; .*Pass that"
    ):
        Dataset(GOOD, text="body")
    assert Dataset(GOOD, metadata=table, text="0").text == "0"
    with pytest.raises(InvalidDataError, match=r"image_shape \(2, 2\) does not fit: .*= 3 columns"):
        Dataset(GOOD, image_shape=(2, 2))


def test_named_data_sets_and_files(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError, match=r"no data set named 'mnist'\. Expected one of digits"):
        load_dataset("mnist")
    with pytest.raises(InvalidDataError, match=r"There is no file .*rows\.csv\. Expected"):
        read(tmp_path / "rows.csv")
    with pytest.raises(InvalidDataError, match=r"of an unknown kind\. Expected a name ending in \.csv"):
        read(tmp_path / "rows.xls")
    pd.DataFrame(GOOD).to_csv(tmp_path / "rows.csv", index=False)
    np.testing.assert_allclose(read(tmp_path / "rows.csv").X, GOOD)
    pd.DataFrame(GOOD).to_csv(tmp_path / "bare.csv", index=False, header=False)
    with pytest.raises(InvalidDataError, match=r"first line of .* holds numbers .*a row would be lost.*add it"):
        read(tmp_path / "bare.csv")
    np.save(tmp_path / "objects.npy", np.array([{}]))
    with pytest.raises(InvalidDataError, match=r"cannot be read as a table"):
        read(tmp_path / "objects.npy")


def _documents(**columns: Any) -> pd.DataFrame:
    frame = pd.DataFrame(GOOD, columns=["a", "b", "c"])
    frame.insert(1, "abstract", [f"text {i}" for i in range(11)] + ["NA"])
    frame["batch"] = np.arange(12) % 3
    return frame.assign(**{"doc_id": [f"{i:03}" for i in range(12)], **columns})


def _write(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path, index=False) if path.suffix == ".csv" else frame.to_parquet(path)
    return path


@pytest.mark.parametrize("name", ["docs.csv", "docs.parquet"])
def test_columns_that_are_no_features(name: str, tmp_path: Path) -> None:
    path = _write(_documents(), tmp_path / name)
    data = read(path, ids="doc_id", text="abstract", metadata=["batch", "doc_id", "abstract"])
    np.testing.assert_allclose(data.X, GOOD)
    assert data.feature_names == ["a", "b", "c"]
    assert data.ids.tolist() == [f"{i:03}" for i in range(12)]
    assert data.text == "abstract"
    assert data.metadata is not None
    assert data.metadata.columns.tolist() == ["abstract", "batch", "doc_id"]
    assert data.metadata["abstract"].tolist()[-2:] == ["text 10", "NA"]
    assert data.metadata["batch"].tolist() == (np.arange(12) % 3).tolist()
    with pytest.raises(InvalidDataError, match=r"column\(s\) that are not numbers: abstract.*--ids, --text or --m"):
        read(path)
    one = read(path, ids="doc_id", metadata="abstract")
    assert one.feature_names == ["a", "b", "c", "batch"]
    assert (one.text, list(one.metadata)) == (None, ["abstract"])  # type: ignore[arg-type]


def test_ids_of_files_are_kept_as_they_are(tmp_path: Path) -> None:
    for given, kept in (
        (range(5, 17), list(range(5, 17))),
        ([f"{i:02}" for i in range(12)], [f"{i:02}" for i in range(12)]),
        (["NA", "null", "1.0", "1e3", *range(8)], ["NA", "null", "1.0", "1e3", *map(str, range(8))]),
        ([10**20 + i for i in range(12)], [str(10**20 + i) for i in range(12)]),
    ):
        path = _write(_documents(doc_id=[str(one) for one in given]), tmp_path / "docs.csv")
        assert read(path, ids="doc_id", text="abstract").ids.tolist() == kept
    frame = _documents(doc_id=range(5, 17)).set_index("doc_id")
    data = read(_write(frame, tmp_path / "docs.parquet"), text="abstract", metadata=["doc_id"])
    assert data.ids.tolist() == list(range(5, 17))
    assert data.metadata is not None
    assert data.metadata["doc_id"].tolist() == list(range(5, 17))
    np.testing.assert_array_equal(read(tmp_path / "docs.parquet", ids="doc_id", text="abstract").ids, np.arange(5, 17))


@pytest.mark.parametrize("name", ["docs.csv", "docs.parquet"])
def test_columns_that_cannot_be_set_apart(name: str, tmp_path: Path) -> None:
    path = _write(_documents(), tmp_path / name)
    with pytest.raises(
        InvalidDataError,
        match=r"has no column 'id', 'author'\. Expected, .* names of its columns: a, abstract, b, c, batch, doc_id; check",
    ):
        read(path, ids="id", text="abstract", metadata=["author"])
    with pytest.raises(InvalidDataError, match=r"occur more than once, for example 0\. Expected unique ids"):
        read(path, ids="batch", text="abstract", metadata=["doc_id"])
    with pytest.raises(InvalidDataError, match=r"All 6 columns of .* none is left to train on\. Expected at least one"):
        read(path, metadata=["a", "abstract", "b", "c", "batch", "doc_id"])
    _write(_documents(doc_id=["x", "y", " ", None, *map(str, range(8))]), path)
    with pytest.raises(
        InvalidDataError, match=r"2 row\(s\) of .* no id in the column doc_id, the first of them row 2 .*fill"
    ):
        read(path, ids="doc_id", text="abstract")


def test_what_is_wrong_is_located(tmp_path: Path) -> None:
    frame = pd.DataFrame({"kcal": [1.0, np.nan, 3.0], "sugar": ["1.5", "low", "2"]})
    with pytest.raises(
        InvalidDataError, match=r"1 of 3 values of sugar, the first 'low' in row 1\)\. .*mend single values"
    ):
        Dataset(frame)
    with pytest.raises(InvalidDataError, match=r"1 row\(s\): 1 \(counted from 0\), in 1 column\(s\): kcal\. "):
        Dataset(frame[["kcal"]])
    (tmp_path / "semicolons.csv").write_text("item_id;kcal\na;1\nb;2\n")
    with pytest.warns(InputWarning, match=r"read with fields separated by semicolons, as found out from the file"):
        assert read(tmp_path / "semicolons.csv", ids="item_id").ids.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("ids", "wanted", "hint"),
    [
        (["F0012", "F0045"], "f0012", "did you mean 'F0012'"),
        (["F0012", "F0045"], "F0046", "did you mean 'F0045'"),
        ([12, 45], "45", "did you mean the number 45"),
        ([12, 45], "46", r"'46'\. Expected one of the 2 ids, from 12 in the first row to 45 in the last"),
    ],
)
def test_ids_that_were_probably_meant(ids: list, wanted: str, hint: str) -> None:
    with pytest.raises(UnknownSampleError, match=hint):
        Dataset(np.eye(2), ids=ids).positions([wanted])


def test_rows_that_end_with_a_comma_are_not_read_one_column_off(tmp_path: Path) -> None:
    path = tmp_path / "docs.csv"
    message = (
        r"rows of .*docs\.csv have more fields than its header line has names.*Expected one field for each name; remove"
    )
    for first in ("0,2,7,", "x,2,7,"):
        path.write_text(f"a,b,note\n{first}\n1,4,8,\n")
        for role in ({"text": "note"}, {"metadata": ["note"]}, {"ids": "note"}):
            with pytest.raises(InvalidDataError, match=message):
                read(path, **role)  # type: ignore[arg-type]
    path.write_text("a,b,note\n1,2,\n3,4,\n")  # no more than names, if none has a note
    assert read(path, text="note").ids.tolist() == [0, 1]
    path.write_text("a,b,note\np,1,2,7\nq,3,4,\n")  # as R writes its row names
    data = read(path, text="note")
    assert data.ids.tolist() == ["p", "q"]
    np.testing.assert_array_equal(data.X, [[1, 2], [3, 4]])
    assert data.metadata is not None
    assert data.metadata["note"].tolist() == ["7", ""]


def test_many_columns_are_not_all_named_and_arrays_have_no_names(tmp_path: Path) -> None:
    wide = pd.DataFrame(np.eye(30), columns=[f"f{i}" for i in range(30)])
    with pytest.raises(InvalidDataError, match=r"f0, f1, .*f19, \.\.\. \(30 in all\); check the spelling"):
        read(_write(wide, tmp_path / "wide.csv"), text="body")
    np.save(tmp_path / "rows.npy", GOOD)
    with pytest.raises(
        InvalidDataError, match=r"an array without column names, so it has no id, body\. Expected a \.csv or"
    ):
        read(tmp_path / "rows.npy", ids="id", text="body")


def test_a_data_set_is_shown_on_one_line() -> None:
    data = Dataset(np.eye(3), metadata={"batch": ["a", "a", "b"], "note": ["x", "y", "z"]}, text="note")
    assert repr(data) == "Dataset(3 rows, 3 columns; metadata batch, note; text in 'note')"
