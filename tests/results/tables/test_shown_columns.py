"""Metadata and text beside every example, in every table; what is not there is named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clusterexplain import ClusterExplainer, Dataset, Explanation
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.results.tables.shown_columns import LONGEST_TEXT, parse_show, shown_columns

ROWS = np.vstack([np.random.default_rng(0).normal(centre, 1, (10, 3)) for centre in (0, 4, -4)])
ROWS[1] = ROWS[0]
LONG = "the words of a document that goes on " * 20
KNOWN = pd.DataFrame(
    {
        "batch": ["a", "b", None] * 10,
        "cluster": [f"own {number}" for number in range(30)],
        "a, b": range(30),
        "abstract": [f"number {number}\n {LONG}" for number in range(29)] + [None],
    }
)


@pytest.fixture(scope="module")
def fitted() -> ClusterExplainer:
    labels = np.repeat([0, 1, 2], 10)
    labels[1] = 1
    data = Dataset(ROWS, ids=np.array([f"d{number}" for number in range(30)]), metadata=KNOWN, text="abstract")
    return ClusterExplainer(model="precomputed", min_agreement=0.0).fit(data, labels=labels)


@pytest.fixture(scope="module")
def e(fitted: ClusterExplainer) -> Explanation:
    return fitted.explain(["d3", "d25"], show="batch,text,cluster")


def test_every_table_shows_them_beside_the_right_example(e: Explanation) -> None:
    known = KNOWN.set_axis([f"d{number}" for number in range(30)])
    for table in (e.top(3), e.to_frame(), e.top(2, query=1, side="pushed away")):
        assert table.columns.tolist()[-3:] == ["batch", "text", "cluster (metadata)"]
        for row in table.to_dict("records"):
            one = known.loc[row["id"]]
            assert row["batch"] == one["batch"] or (pd.isna(row["batch"]) and pd.isna(one["batch"]))
            assert row["cluster (metadata)"] == one["cluster"]
            if pd.isna(one["abstract"]):
                assert pd.isna(row["text"])
            else:
                assert row["text"].startswith(f"number {row['id'][1:]} the words of a document")
                assert len(row["text"]) <= LONGEST_TEXT + 1
    assert "batch" not in e.top(3, show=())
    assert e.top(3, show=["a, b"]).columns.tolist()[-1] == "a, b"
    assert e.top(3, show="a, b")["a, b"].tolist() == [int(id_[1:]) for id_ in e.top(3)["id"]]
    assert e[1].top(2)["batch"].tolist() == e.top(2, query=1)["batch"].tolist()
    assert e.to_dict(2)["answers"][0]["pulled_in"][0]["cluster (metadata)"].startswith("own ")


def test_print_shows_them(e: Explanation, fitted: ClusterExplainer) -> None:
    printed = repr(e[0])
    assert "cluster (metadata)" in printed
    strongest = e.top(1)["id"].iloc[0]
    line = next(row for row in printed.splitlines() if f" {strongest} " in row)
    assert f"own {strongest[1:]}" in line
    assert f"number {strongest[1:]} the words" in line
    assert "own 1" not in repr(fitted.explain(["d3"]))


def test_near_duplicates_show_both(fitted: ClusterExplainer) -> None:
    pairs = fitted.label_conflicts(share=0, show=["a, b", "text"])
    assert pairs["id"].tolist() == ["d0"]
    assert pairs["near_duplicate"].tolist() == ["d1"]
    assert pairs[["a, b", "near_duplicate_a, b"]].to_numpy().tolist() == [[0, 1]]
    assert pairs["near_duplicate_text"].iloc[0].startswith("number 1 the words")


@pytest.mark.parametrize("show", [["id", "id (metadata)"], ["id (metadata)", "id"]])
def test_columns_of_names_that_are_taken_stay_two(show: list[str]) -> None:
    known = pd.DataFrame({"id": list("abc"), "id (metadata)": list("def")})
    found = shown_columns(show, known, None, np.array([2, 0]), taken=("id",))
    assert {name: list(values) for name, values in found.items()} == {
        "id (metadata)": ["f", "d"],
        "id (metadata) (metadata)": ["c", "a"],
    }


def test_near_duplicates_show_columns_of_any_name() -> None:
    known = pd.DataFrame({"batch": range(30), "near_duplicate_batch": range(100, 130)})
    labels = np.repeat([0, 1, 2], 10)
    labels[1] = 1
    fitted = ClusterExplainer(model="precomputed", min_agreement=0.0).fit(Dataset(ROWS, metadata=known), labels=labels)
    pairs = fitted.label_conflicts(share=0, show=["batch", "near_duplicate_batch"])
    assert pairs[["id", "near_duplicate", "batch", "near_duplicate_batch"]].to_numpy().tolist() == [[0, 1, 0, 1]]
    assert pairs[[name for name in pairs if name.endswith("(metadata)")]].to_numpy().tolist() == [[100, 101]]


def test_what_names_no_columns_is_refused(fitted: ClusterExplainer, e: Explanation) -> None:
    for ask in (lambda: fitted.explain(["d3"], show=5), lambda: e.top(show=5), lambda: fitted.label_conflicts(show=5)):  # type: ignore[arg-type]
        with pytest.raises(
            InvalidParameterError, match=r"show=5 names no columns\. Expected names of columns.*: a list"
        ):
            ask()
    with pytest.raises(InvalidParameterError, match=r"There is no column 5 to show"):
        e.top(show=[5])  # type: ignore[list-item]
    assert e.top(2, show=(name for name in ["batch"])).columns[-1] == "batch"  # type: ignore[arg-type]


def test_an_unknown_column_names_those_that_exist(fitted: ClusterExplainer, e: Explanation) -> None:
    expected = (
        r"There is no column 'bach' to show\. Expected columns of the metadata: text, batch, cluster, a, b, abstract\."
    )
    with pytest.raises(InvalidParameterError, match=expected):
        fitted.explain(["d3"], show=["bach"])
    with pytest.raises(InvalidParameterError, match=expected):
        e.top(show="batch,bach")
    with pytest.raises(InvalidParameterError, match=expected):
        fitted.label_conflicts(show="bach")
    plain = ClusterExplainer(model="precomputed", n_clusters=3, random_state=0).fit(ROWS)
    with pytest.raises(
        InvalidParameterError, match=r"'text' to show\. Expected.*: none, as there is no metadata\. Pass"
    ):
        plain.explain([3], show="text")
    assert parse_show(None, None, None) == ()
    assert parse_show("batch, batch", KNOWN, None) == ("batch",)
