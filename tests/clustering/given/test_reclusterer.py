"""How given labels are found anew: functions and estimators, what they are given, and what they may return."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.cluster import DBSCAN, AgglomerativeClustering, KMeans

from clusterexplain.clustering import ClusterInputs
from clusterexplain.clustering.given.reclusterer import Reclusterer
from clusterexplain.exceptions import InvalidClusteringError, InvalidParameterError

LINE = torch.tensor([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]], dtype=torch.float64)
SIDES = np.array([0, 0, 0, 1, 1, 1])


def inputs(*weights: float) -> ClusterInputs:
    """Return the rows of the line with some weights, 1 by default."""
    return ClusterInputs(LINE, torch.tensor(weights or (1.0,) * 6, dtype=torch.float64))


def test_a_function_gets_the_rows_of_positive_weight_alone() -> None:
    seen: list[tuple[np.ndarray, np.ndarray]] = []

    def halves(Z: np.ndarray, sample_weight: np.ndarray) -> np.ndarray:
        seen.append((Z.copy(), sample_weight.copy()))
        Z[:] = sample_weight[:] = np.nan  # what it does to its arguments stays there
        return np.arange(len(Z)) // 2

    given = inputs(1, 0, 2, 1, 0, 0.5)
    labels = Reclusterer.of(halves).labels(given)
    np.testing.assert_array_equal(seen[0][0], [[0.0], [2.0], [10.0], [12.0]])
    np.testing.assert_array_equal(seen[0][1], [1, 2, 1, 0.5])
    np.testing.assert_array_equal(labels, [0, -1, 0, 1, -1, 1])
    assert bool(torch.isfinite(given.embedding).all())


@pytest.mark.parametrize(
    "found",
    [
        ["b", "b", "noise", "a", "a", "a"],
        np.array([7, 7, -1, 3, 3, 3]),
        [2.0, 2.0, -1.0, 0.0, 0.0, 0.0],
        pd.Series(["T cells", "T cells", "Noise", "B", "B", "B"], dtype="category"),
        ["10", "10", "-1", "2", "2", "2"],
    ],
)
def test_labels_may_be_whole_numbers_or_texts(found: Any) -> None:
    labels = Reclusterer.of(lambda Z, sample_weight: found).labels(inputs())
    np.testing.assert_array_equal(labels, [0, 0, -1, 1, 1, 1])


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([0, 1], r"returned labels of shape \(2,\) for 6 rows of positive weight\. Expected one label for each row"),
        (np.zeros((6, 1)), r"of shape \(6, 1\) for 6 rows"),
        ([0, 0, 0.5, 1, 1, 1], r"missing or not whole, float64\. Expected whole numbers or texts, -1 for noise"),
        ([0, 0, np.nan, 1, 1, 1], "missing or not whole"),
        (["a", None, "a", "b", "b", "b"], "missing or not whole"),
    ],
)
def test_other_labels_are_refused(found: Any, message: str) -> None:
    def mine(Z: np.ndarray, sample_weight: np.ndarray) -> Any:
        return found

    with pytest.raises(InvalidClusteringError, match=f"reclusterer=mine returned.*{message}|{message}"):
        Reclusterer.of(mine).labels(inputs())


def test_an_estimator_is_cloned_and_gets_the_weights_if_it_takes_them() -> None:
    heavy = DBSCAN(eps=1.5, min_samples=4)  # only weights make a core point of a row with two neighbours
    labels = Reclusterer.of(heavy).labels(inputs(5, 5, 5, 1, 1, 1))
    np.testing.assert_array_equal(labels, [0, 0, 0, -1, -1, -1])
    assert not hasattr(heavy, "labels_")
    means = Reclusterer.of(KMeans(2, n_init=1, random_state=0)).labels(inputs(1, 1, 0, 1, 1, 1))
    np.testing.assert_array_equal(means, [0, 0, -1, 1, 1, 1])


def test_an_estimator_without_weights_takes_rows_that_are_there_or_not() -> None:
    ward = Reclusterer.of(AgglomerativeClustering(2))
    np.testing.assert_array_equal(ward.labels(inputs(2, 0, 2, 2, 2, 0)), [0, -1, 0, 1, 1, -1])
    with pytest.raises(
        InvalidParameterError,
        match=r"weights differ, but AgglomerativeClustering\.fit takes no sample_weight.*0 or equal.*reclusterer=lambda Z",
    ):
        ward.labels(inputs(1, 2, 1, 1, 1, 1))


def test_no_rows_are_no_clusters() -> None:
    np.testing.assert_array_equal(Reclusterer.of(AgglomerativeClustering(2)).labels(inputs(*[0.0] * 6)), [-1] * 6)


@pytest.mark.parametrize("wrong", [AgglomerativeClustering, 3, "leiden", [0, 0, 1]])
def test_what_cannot_be_called_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidParameterError, match=r"reclusterer.*Expected a function \(Z, sample_weight\) -> labels"):
        Reclusterer.of(wrong)


@pytest.mark.parametrize("wrong", [lambda Z: SIDES, lambda: SIDES, lambda Z, w, more: SIDES], ids=["1", "0", "3"])
def test_a_function_of_other_than_two_arguments_is_refused(wrong: Any) -> None:
    with pytest.raises(
        InvalidParameterError, match=r"cannot be called with two arguments.*Expected a function \(Z, sample_weight\)"
    ):
        Reclusterer.of(wrong)


def test_a_function_may_have_defaults_and_any_number_of_arguments() -> None:
    def more(Z: np.ndarray, sample_weight: np.ndarray, seed: int = 0) -> np.ndarray:
        return SIDES

    for function in (more, lambda *given: SIDES):
        np.testing.assert_array_equal(Reclusterer.of(function).labels(inputs()), SIDES)


def test_an_error_of_the_reclusterer_is_said_to_be_its_own() -> None:
    with pytest.raises(
        InvalidClusteringError,
        match=r"reclusterer=AgglomerativeClustering raised ValueError for 5 rows of positive weight: .*one label for each row",
    ) as raised:
        Reclusterer.of(AgglomerativeClustering(500)).labels(inputs(1, 0, 1, 1, 1, 1))
    assert isinstance(raised.value.__cause__, ValueError)
