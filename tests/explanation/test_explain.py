"""Explanations: what is asked, what comes back, and that it means what it says."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from clusterexplain import ClusterExplainer, Dataset
from clusterexplain.exceptions import (
    DegenerateClustersWarning,
    FewerClustersWarning,
    InvalidParameterError,
    MemoryBudgetError,
    UnknownSampleError,
)
from tests.conftest import SMALL


def _difference(ce: ClusterExplainer, e, weights: np.ndarray) -> np.ndarray:
    return e.evaluate(ce.refit(sample_weight=weights), assignments="kept") - e.evaluate(ce, assignments="kept")


def test_influence_equals_finite_differences_of_real_refits(small: ClusterExplainer) -> None:
    e = small.explain([0, 11, 23])
    step, picked = 1e-4, [0, 5, 11, 20]
    slopes = []
    for i in picked:
        up, down = np.ones(30), np.ones(30)
        up[i] += step
        down[i] -= step
        slopes.append((_difference(small, e, up) - _difference(small, e, down)) / (2 * step))
    truth = np.array(slopes).T
    assert np.abs(e.influence[:, picked] - truth).max() <= 1e-5 * np.abs(truth).max()


def test_sign_removing_the_strongest_puller_lowers_the_margin(small: ClusterExplainer) -> None:
    e = small.explain([11])
    weights = np.ones(30)
    weights[np.argmax(e.influence[0])] = 0
    assert e.predict(weights)[0] < 0
    assert _difference(small, e, weights)[0] < 0


def test_parts_sum_and_own_weight_acts_directly_only_on_the_pair(small: ClusterExplainer) -> None:
    e = small.explain([4])
    np.testing.assert_allclose(e.influence, e.encoder + e.cluster + e.direct)
    assert e.influence.shape == (1, 30)
    outside = ~np.isin(e.train_labels, [e.labels[0], e.runner_ups[0]])
    pair = ~outside
    assert np.abs(e.direct[0, outside]).max() < 0.2 * np.abs(e.direct[0, pair]).max()


def test_refit_at_the_same_weights_changes_nothing(small: ClusterExplainer) -> None:
    e = small.explain([4, 9])
    same = small.refit(sample_weight=np.ones(30))
    np.testing.assert_array_equal(same.labels_, small.labels_)
    np.testing.assert_array_equal(e.evaluate(same), e.evaluate(small))
    np.testing.assert_allclose(e.evaluate(small), e.scores)


def test_influence_is_relative_to_the_weights_of_the_fit(blobs: np.ndarray) -> None:
    base = np.linspace(0.5, 2, 30)
    ce = ClusterExplainer(**SMALL, dtype="float64").fit(blobs, sample_weight=base)
    e = ce.explain([3])
    nudged = base.copy()
    nudged[8] *= 1 - 1e-5
    np.testing.assert_allclose(_difference(ce, e, nudged), e.predict(nudged), rtol=1e-3)
    np.testing.assert_allclose(e.predict(nudged), -1e-5 * e.influence[:, 8])


def test_ids_slices_and_new_rows(small: ClusterExplainer, blobs: np.ndarray) -> None:
    by_id, by_slice, by_row = small.explain([2, 3]), small.explain(slice(2, 4)), small.explain(blobs[2:4])
    assert by_row.query_ids.tolist() == ["new 0", "new 1"]
    for other in (by_slice, by_row):
        np.testing.assert_allclose(other.influence, by_id.influence, rtol=1e-9, atol=1e-12)
    assert small.explain(5).query_ids.tolist() == [5]


def test_string_ids_from_a_data_frame(blobs: np.ndarray) -> None:
    frame = pd.DataFrame(blobs, index=[f"cell-{i}" for i in range(30)], columns=list("abcde"))
    ce = ClusterExplainer(**SMALL).fit(frame)
    e = ce.explain(["cell-7"])
    assert e.query_ids.tolist() == ["cell-7"]
    assert e.top(3)["id"].str.startswith("cell-").all()


def test_against_names_the_cluster_to_compare_with(small: ClusterExplainer) -> None:
    own = int(small.labels_[0])
    found = {int(small.explain([0], against=k).runner_ups[0]) for k in range(3) if k != own}
    assert found == set(range(3)) - {own}


def test_tables_agree_with_the_arrays(small: ClusterExplainer) -> None:
    e = small.explain([2, 3])
    frame = e.to_frame()
    assert len(frame) == 60
    np.testing.assert_array_equal(frame["influence"].to_numpy().reshape(2, 30), e.influence)
    top = e.top(4, query=1)
    pulled = top[top["side"] == "pulled in"]
    assert pulled["influence"].is_monotonic_decreasing
    assert (pulled["if_removed"] == -pulled["influence"]).all()
    np.testing.assert_allclose(pulled["if_removed_percent"], 100 * pulled["if_removed"] / abs(e.scores[1]))
    assert e[1].top(4).equals(top)
    assert e.to_dict(4)["answers"][1]["pulled_in"][0]["id"] == pulled["id"].iloc[0]


def test_by_sums_over_groups(blobs: np.ndarray) -> None:
    metadata = pd.DataFrame({"batch": np.repeat(["a", "b"], 15)})
    e = ClusterExplainer(**SMALL).fit(Dataset(blobs, metadata=metadata)).explain([0])
    groups = e.by("batch").set_index("group")
    assert groups.loc["a", "influence"] == pytest.approx(e.influence[0, :15].sum())
    assert groups.loc["b", "n"] == 15
    assert e.by("cluster")["influence"].sum() == pytest.approx(e.influence.sum())
    assert e.by(np.arange(30) % 2).shape[0] == 2


def test_an_explanation_is_immutable_and_says_that_it_is_not_checked(small: ClusterExplainer) -> None:
    e = small.explain([0])
    with pytest.raises(dataclasses.FrozenInstanceError):
        e.scores = e.scores  # type: ignore[misc]
    assert "not checked" in repr(e)
    assert "not checked" in e._repr_mimebundle_()["text/html"]
    assert "Sample 0 is in cluster" in repr(e)


@pytest.mark.parametrize(
    ("queries", "options", "error", "message"),
    [
        ([99], {}, UnknownSampleError, r"no sample with id 99\. Expected one of the 30 ids, from 0 in"),
        ([], {}, InvalidParameterError, r"nothing to explain: queries is empty\. Expected at least one"),
        (
            [0],
            {"method": "magic"},
            InvalidParameterError,
            r"method='magic' is unknown\. Expected 'auto', 'unrolled', 'further', 'implicit'",
        ),
        ([0], {"against": 7}, InvalidParameterError, r"against=7 is not a cluster\. Expected .* one of 0, 1, 2"),
        (slice(0, 30), {"against": 0}, InvalidParameterError, r"own cluster of a query\. Expected another cluster"),
    ],
)
def test_wrong_questions_get_an_answer_that_helps(small: ClusterExplainer, queries, options, error, message):
    with pytest.raises(error, match=message):
        small.explain(queries, **options)


def test_one_cluster_has_no_runner_up(blobs: np.ndarray) -> None:
    ce = ClusterExplainer(**{**SMALL, "n_clusters": 1}).fit(blobs)
    with pytest.raises(InvalidParameterError, match=r"only one cluster, so no runner-up cluster.*n_clusters >= 2"):
        ce.explain([0])


def test_other_wrong_arguments(small: ClusterExplainer, blobs: np.ndarray) -> None:
    e = small.explain([0])
    other = ClusterExplainer(**SMALL).fit(blobs + 1)
    with pytest.raises(
        InvalidParameterError, match=r"belongs to other training data or to another recipe\. Expected the estimator"
    ):
        e.evaluate(other)
    with pytest.raises(InvalidParameterError, match=r"belongs to other training data or to another recipe"):
        other.verify(e)
    with pytest.raises(InvalidParameterError, match=r"made at other sample weights\. Expected the estimator"):
        small.refit(np.r_[0, np.ones(29)]).verify(e)
    with pytest.raises(InvalidParameterError, match=r"assignments='soft' is unknown\. Expected 'continued' or 'kept'"):
        e.evaluate(small, assignments="soft")
    with pytest.raises(InvalidParameterError, match=r"no metadata column 'batch'\. Expected one of: cluster"):
        e.by("batch")
    with pytest.raises(InvalidParameterError, match=r"side='up' is unknown\. Expected 'both'"):
        e.top(side="up")
    with pytest.raises(InvalidParameterError, match=r"sample_weight has shape \(3,\), expected \(\.\.\., 30\)"):
        e.predict(np.ones(3))


def test_nothing_that_the_user_holds_is_shared(blobs: np.ndarray) -> None:
    X, weights = blobs.copy(), np.ones(30)
    ce = ClusterExplainer(**SMALL, dtype="float64").fit(X, sample_weight=weights)
    e = ce.explain([3])
    X /= 10
    weights[5] = 0
    assert e.sample_weight[5] == 1
    np.testing.assert_array_equal(ce.explain([3]).influence, e.influence)
    assert e.predict(weights)[0] == pytest.approx(-e.influence[0, 5])


def test_a_failed_fit_leaves_the_old_one_whole(blobs: np.ndarray) -> None:
    ce = ClusterExplainer(**SMALL).fit(blobs)
    before = ce.explain([3]).influence
    with pytest.raises(MemoryBudgetError):
        ce.set_params(max_memory=10).fit(blobs[:20])
    np.testing.assert_array_equal(ce.explain([3]).influence, before)


def test_a_removed_row_has_no_say_in_the_scaling(blobs: np.ndarray) -> None:
    far = np.vstack([blobs, np.full((1, 5), 1e6)])
    ce = ClusterExplainer(**SMALL).fit(far, sample_weight=np.r_[np.ones(30), 0])
    assert ce.fit_.scaling.spread[0] == pytest.approx(np.sqrt(blobs.var(axis=0).mean()))


def test_an_emptied_cluster_is_no_answer_and_poisons_none(small: ClusterExplainer, blobs: np.ndarray) -> None:
    weights = np.ones(30)
    weights[small.labels_ == 2] = 0
    refitted = small.refit(sample_weight=weights)
    query = np.flatnonzero(small.labels_ == 0)[:1]
    assert np.isfinite(refitted.explain(query).influence).all()
    assert np.isfinite(refitted.explain(blobs[:2]).influence).all()
    with pytest.raises(InvalidParameterError, match=r"against=2 is not a cluster\. Expected .* one of 0, 1\."):
        refitted.explain(query, against=2)
    asked = small.explain(np.flatnonzero(small.labels_ == 2)[:1])
    assert np.isnan(asked.evaluate(refitted)).all()


def test_bringing_back_a_removed_example_is_not_predicted(blobs: np.ndarray) -> None:
    weights = np.ones(30)
    weights[4] = 0
    e = ClusterExplainer(**SMALL).fit(blobs, sample_weight=weights).explain([3])
    with pytest.raises(InvalidParameterError, match=r"brings back an example that had weight 0.*use refit"):
        e.predict(np.ones(30))
    assert e.to_frame()["side"].iloc[4] == "neither"


def test_what_is_asked_is_never_guessed(small: ClusterExplainer, blobs: np.ndarray) -> None:
    with pytest.raises(InvalidParameterError, match=r"fractions, which are no ids.*row\.reshape\(1, -1\)"):
        small.explain(blobs[0])
    with pytest.raises(InvalidParameterError, match=r"queries is a set\. Expected a list"):
        small.explain({1, 2})
    mask = np.arange(30) == 7
    assert small.explain(mask).query_ids.tolist() == [7]
    with pytest.raises(InvalidParameterError, match=r"mask has 3 entries, expected 30"):
        small.explain([True, False, True])
    named = small.explain(pd.DataFrame(blobs[:1], index=["x"]))
    assert (named.query_ids.tolist(), named.positions.tolist()) == (["new x"], [-1])


def test_new_rows_must_have_the_columns_of_the_fit(blobs: np.ndarray) -> None:
    frame = pd.DataFrame(blobs, columns=list("abcde"))
    ce = ClusterExplainer(**SMALL).fit(frame)
    assert ce.explain(frame[:1]).influence.shape == (1, 30)
    assert ce.explain(blobs[:1]).influence.shape == (1, 30)
    with pytest.raises(ValueError, match=r"feature names should match those that were passed during fit"):
        ce.explain(frame[list("edcba")][:1])
    with pytest.raises(ValueError, match=r"X has 3 features, but ClusterExplainer is expecting 5"):
        ce.explain(blobs[:1, :3])


def test_ids_may_be_dates_and_groups_may_have_gaps(blobs: np.ndarray) -> None:
    frame = pd.DataFrame(blobs, index=pd.date_range("2020-01-01", periods=30))
    e = ClusterExplainer(**SMALL).fit(frame).explain([frame.index[3]])
    assert e.positions.tolist() == [3]
    groups = e.by(pd.Series([None, "b"] * 15, index=frame.index)).set_index("group")
    assert groups["n"].to_dict() == {"b": 15, "missing": 15}
    shuffled = pd.Series(range(30), index=e.train_ids).sample(frac=1, random_state=0) // 10
    assert e.by(shuffled)["influence"].iloc[0] == pytest.approx(e.influence[0, :10].sum())


def test_duplicates_give_fewer_clusters_and_say_so() -> None:
    rows = np.repeat(np.eye(3), 4, axis=0)
    coincide = pytest.warns(DegenerateClustersWarning, match="members of every cluster coincide")
    with coincide, pytest.warns(FewerClustersWarning, match=r"Only 3 .* for n_clusters=5.*duplicate rows"):
        ce = ClusterExplainer(**{**SMALL, "n_clusters": 5}).fit(rows)
    assert sorted(np.bincount(ce.labels_)) == [4, 4, 4]
