"""What is given for each row is joined by id wherever it has an index: groups, weights, masks; never by position."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from clusterexplain import ClusterExplainer, Dataset, Explanation
from clusterexplain.data.joining import in_order
from clusterexplain.exceptions import InvalidDataError, InvalidParameterError
from clusterexplain.fitting.given import Beside, given_rows

ROWS = np.vstack([np.random.default_rng(0).normal(centre, 1, (10, 3)) for centre in (0, 4, -4)])
CELLS = [f"cell{number}" for number in range(30)]
ORDER = np.random.default_rng(1).permutation(30)
GROUP = np.array(["a", "b", "c"] * 10)
WEIGHTS = np.linspace(0.5, 1.5, 30)


def shuffled(values: np.ndarray) -> pd.Series:
    return pd.Series(values, index=CELLS).iloc[ORDER]


@pytest.fixture(scope="module")
def fitted() -> ClusterExplainer:
    return ClusterExplainer(model="precomputed", n_clusters=3, random_state=0).fit(pd.DataFrame(ROWS, index=CELLS))


@pytest.fixture(scope="module")
def e(fitted: ClusterExplainer) -> Explanation:
    return fitted.explain(["cell3", "cell25"])


@pytest.mark.parametrize(
    "given",
    [
        GROUP,
        GROUP.tolist(),
        pl.Series(GROUP.tolist()),
        shuffled(GROUP),
        shuffled(GROUP).astype("category"),
        dict(shuffled(GROUP)),
        shuffled(GROUP).to_frame(),
        pd.concat([pd.Series(["z"], index=["other"]), shuffled(GROUP)]),
    ],
    ids=["array", "list", "polars", "Series", "category", "dict", "frame", "Series with more rows"],
)
def test_groups_in_every_form(e: Explanation, given: Any) -> None:
    sums = e.by(given)
    for query, influence in zip(e.query_ids, e.influence, strict=True):
        found = sums[sums["query"] == query].set_index("group")["influence"]
        for group in "abc":
            assert found[group] == pytest.approx(influence[group == GROUP].sum(), rel=1e-12)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (
            pd.Series(GROUP),
            r"index of group does not match that of X: 30 of 30 rows.*'cell0'.*never joined by position",
        ),
        (shuffled(GROUP).iloc[:29], r"1 of 30 rows of X have no partner.*pass an array \(to_numpy\(\)\)"),
        (pd.Series(GROUP, index=["same"] * 30), r"index of group has 29 value\(s\) more than once, for example 'same'"),
        (pd.Series([], dtype=object), r"30 of 30 rows.*Expected the index of X in group, which is empty"),
        ({}, r"in group, which is empty"),
    ],
)
def test_an_index_that_does_not_match_is_an_error(e: Explanation, given: Any, why: str) -> None:
    with pytest.raises(InvalidDataError, match=why):
        e.by(given)


def test_whole_numbers_are_ids_and_not_positions() -> None:
    frame = pd.DataFrame(ROWS, index=np.arange(30)[::-1])
    e = ClusterExplainer(model="precomputed", n_clusters=3, random_state=0).fit(frame).explain([3])
    groups = pd.Series(np.arange(30) < 10)  # by position these would be other rows
    found = e.by(groups).set_index("group")["influence"]
    assert found[True] == pytest.approx(e.influence[0, 20:].sum(), rel=1e-12)
    plain = ClusterExplainer(model="precomputed", n_clusters=3, random_state=0).fit(ROWS).explain([3])
    assert plain.by(groups).set_index("group")["influence"][True] == pytest.approx(plain.influence[0, :10].sum())
    with pytest.raises(InvalidDataError, match=r"1 of 30 rows of X have no partner, for example 0"):
        plain.by(groups.set_axis(np.arange(1, 31)))


def test_weights_of_predictions_and_refits(fitted: ClusterExplainer, e: Explanation) -> None:
    for given in (shuffled(WEIGHTS), dict(shuffled(WEIGHTS))):
        np.testing.assert_array_equal(e.predict(given), e.predict(WEIGHTS))  # type: ignore[arg-type]
        np.testing.assert_array_equal(fitted.refit(given).sample_weight_, WEIGHTS)  # type: ignore[arg-type]
    for call in (e.predict, fitted.refit):
        with pytest.raises(InvalidDataError, match=r"index of sample_weight does not match that of X"):
            call(pd.Series(WEIGHTS))  # type: ignore[operator]
    with pytest.raises(InvalidParameterError, match=r"a value that is missing or infinite\. Expected a finite weight"):
        e.predict(shuffled(np.where(WEIGHTS > 1.4, np.nan, WEIGHTS)))


def test_masks_that_choose_samples(fitted: ClusterExplainer) -> None:
    chosen = np.isin(np.arange(30), [4, 17])
    assert fitted.explain(chosen).query_ids.tolist() == ["cell4", "cell17"]
    assert fitted.explain(shuffled(chosen)).query_ids.tolist() == ["cell4", "cell17"]  # type: ignore[arg-type]
    with pytest.raises(InvalidDataError, match=r"index of the mask does not match that of X"):
        fitted.explain(pd.Series(chosen))  # type: ignore[arg-type]
    assert fitted.explain(pd.Series(["cell4"], index=["x"])).query_ids.tolist() == ["cell4"]  # type: ignore[arg-type]


def test_in_order_leaves_what_has_no_index() -> None:
    values = [1, 2]
    assert in_order(values, np.array(["a", "b"]), "it") is values
    assert in_order(None, np.array(["a", "b"]), "it") is None
    assert Dataset(np.eye(2), ids=np.array(["a", "b"])).in_order({"b": 2, "a": 1}, "it").tolist() == [1, 2]


def test_one_series_means_the_same_wherever_it_is_given() -> None:
    """Row numbers in any order are joined to the rows of an array and of a Dataset."""
    values = np.random.default_rng(2).permutation(30) / 10 + 0.5
    numbered = pd.Series(values, index=ORDER)
    expected = np.empty(30)
    expected[ORDER] = values
    frame = pd.DataFrame({"x": numbered, "y": numbered + 1})
    ce = ClusterExplainer(model="precomputed", n_clusters=3, random_state=0)
    for rows in (ROWS, Dataset(ROWS)):
        fit = ce.fit(rows, sample_weight=numbered, map=frame).fit_
        np.testing.assert_array_equal(fit.weights, expected)
        np.testing.assert_array_equal(fit.annotations.map_coordinates, np.column_stack([expected, expected + 1]))
        given = given_rows(
            rows, ce.get_params(deep=False), Beside(targets=numbered, labels=pd.Series(ORDER % 3, index=ORDER))
        )
        np.testing.assert_array_equal(given.data.targets, expected)
        np.testing.assert_array_equal(given.clusterer, np.arange(30) % 3)
    np.testing.assert_array_equal(Dataset(ROWS, targets=numbered).targets, expected)
    np.testing.assert_array_equal(Dataset(ROWS, metadata=frame).metadata, np.column_stack([expected, expected + 1]))
    np.testing.assert_array_equal(ce.refit(numbered).fit_.weights, expected)


def test_another_index_fits_only_to_an_array_and_only_what_the_docs_name() -> None:
    ce = ClusterExplainer(model="precomputed", n_clusters=3, random_state=0)
    other = pd.Series(WEIGHTS, index=np.arange(30) + 7)
    frame = pd.DataFrame({"x": other, "y": other})
    fit = ce.fit(ROWS, sample_weight=other, map=frame).fit_
    np.testing.assert_array_equal(fit.weights, WEIGHTS)
    np.testing.assert_array_equal(fit.annotations.map_coordinates, frame)
    np.testing.assert_array_equal(Dataset(ROWS, metadata=frame).metadata, frame)
    for what, beside in {"sample_weight": other, "map": frame, "targets": other}.items():
        with pytest.raises(InvalidDataError, match=f"index of {what} does not match that of X: 7 of 30 rows"):
            ce.fit(Dataset(ROWS), **{what: beside})
    with pytest.raises(InvalidDataError, match="index of targets does not match that of X: 7 of 30 rows"):
        ce.fit(ROWS, targets=other)
    with pytest.raises(InvalidDataError, match=r"sample_weight has 31 rows, expected 30"):
        ce.fit(Dataset(ROWS), sample_weight=pd.Series(np.ones(31)))


def test_metadata_in_the_order_of_ids_that_are_a_series() -> None:
    """A table and a column of ids from one frame belong together row by row, whatever numbers its index has."""
    frame = pd.DataFrame({"cell": CELLS, "group": GROUP}, index=ORDER)
    data = Dataset(ROWS, ids=frame["cell"], metadata=frame)
    np.testing.assert_array_equal(data.metadata, frame)
