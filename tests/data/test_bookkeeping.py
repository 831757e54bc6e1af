"""Columns that number the rows are left aside with a word; an index that lost its name is the ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clusterexplain import ClusterExplainer, Dataset
from clusterexplain.data.labels import without_label_columns
from clusterexplain.data.readers.registry import read
from clusterexplain.exceptions import InputWarning
from tests.conftest import SMALL

FRAME = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 2)), columns=["a", "b"])


def test_the_index_that_a_file_lost_is_the_ids(tmp_path: Path) -> None:
    for index in (range(30), range(0, 60, 2), [f"cell {i}" for i in range(30)]):
        FRAME.set_axis(index).to_csv(tmp_path / "table.csv")
        with pytest.warns(InputWarning, match=r"table\.csv has columns .*'Unnamed: 0' \(it is an index that lost"):
            data = read(tmp_path / "table.csv")
        assert data.feature_names == ["a", "b"]
        assert data.ids.tolist() == list(index)
        assert list(data.left_aside) == ["Unnamed: 0"]


@pytest.mark.parametrize("name", ["Unnamed: 0", "__index_level_0__", ""])
def test_in_memory_too(name: str) -> None:
    frame = FRAME.copy()
    frame.insert(0, name, np.arange(30) * 3)
    with pytest.warns(InputWarning, match="it is an index that lost its name; its values are the ids"):
        data = Dataset(frame)
    assert (data.feature_names, data.ids.tolist()) == (["a", "b"], list(range(0, 90, 3)))


@pytest.mark.parametrize("name", ["id", "ID", "index", "row_number", "cell_id", "level_0", "#"])
def test_columns_that_are_named_like_numbers_of_rows(name: str) -> None:
    with pytest.warns(InputWarning, match=f"'{name}' .it numbers the rows: whole numbers that never repeat"):
        data = Dataset.of(FRAME.assign(**{name: np.arange(30) + 100}))
    assert data.feature_names == ["a", "b"]
    assert data.metadata is not None
    assert data.metadata[name].tolist() == list(range(100, 130))


def test_empty_columns_without_a_name(tmp_path: Path) -> None:
    lines = ["a,b,", *(f"{i / 3},{i * 0.5}," for i in range(12))]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    with pytest.warns(InputWarning, match=r"'Unnamed: 2' \(it has no name and is empty\)"):
        assert read(tmp_path / "t.csv").feature_names == ["a", "b"]


def test_a_counter_of_another_name_is_trained_on_with_a_word() -> None:
    for first in (0, 1):
        with pytest.warns(InputWarning, match=r"equal to the row number and are trained on: 'day'.*make them the ids"):
            data = Dataset(FRAME.assign(day=np.arange(30) + first))
        assert data.feature_names == ["a", "b", "day"]


def test_features_are_not_taken_for_bookkeeping() -> None:
    odd = FRAME.assign(id=[0.5] * 30, index=np.arange(30) % 7, valid=np.arange(30)[::-1])
    assert Dataset(odd).feature_names == ["a", "b", "id", "index", "valid"]


def test_columns_equal_to_the_labels() -> None:
    labels = np.arange(30) % 3
    frame = FRAME.assign(cluster=labels, renamed=np.array([7.0, 5.0, 9.0])[labels], half=labels // 2)
    with pytest.warns(InputWarning, match=r"equal to the labels, left aside and not trained on: 'cluster', 'renamed'"):
        data = without_label_columns(Dataset(frame), labels)
    assert data.feature_names == ["a", "b", "half"]
    assert data.metadata is not None
    assert data.metadata["cluster"].tolist() == labels.tolist()
    with pytest.warns(
        InputWarning, match=r"X is trained on columns that are equal to the labels: 2, 3 \(counted from 0\)"
    ):
        assert without_label_columns(Dataset(frame.to_numpy()), labels).X.shape == (30, 5)


def test_what_was_left_aside_may_come_along_at_prediction(blobs: np.ndarray) -> None:
    frame = pd.DataFrame(blobs, columns=list("abcde"))
    with pytest.warns(InputWarning, match="left aside"):
        ce = ClusterExplainer(**SMALL).fit(frame.assign(sample_id=np.arange(30) + 5))
    assert list(ce.feature_names_in_) == list("abcde")
    expected = ce.predict(frame)
    np.testing.assert_array_equal(ce.predict(frame.assign(sample_id=np.arange(30) + 5)), expected)
    with pytest.raises(ValueError, match="feature names"):
        ce.predict(frame.assign(other=1.0))
