"""The check: it agrees where it should, fails where it should, and says what it did."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from clusterexplain import Check, ClusterExplainer
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.explanation import Explanation
from clusterexplain.verification import draw_removals, metrics

FEW = {"n_single": 12, "n_within": 6, "n_groups": 12, "n_down": 8, "n_top": 3, "group_share": 0.1}


@pytest.fixture(scope="module")
def explanation(small: ClusterExplainer) -> Explanation:
    return small.explain([0, 11, 23])


@pytest.fixture(scope="module")
def check(small: ClusterExplainer, explanation: Explanation) -> Check:
    return small.verify(explanation, **FEW)


def test_exact_influence_is_confirmed(check: Check) -> None:
    assert check.figure("down-weight", "frozen") > 0.99
    assert check.figure("down-weight", "frozen", "slope") == pytest.approx(1, abs=0.03)
    assert check.figure("single", "frozen") > 0.9
    assert check.supported
    assert check.dissolved == 0
    assert "supported by 44 retrainings" in check.verdict
    assert "NOT" not in check.verdict


def test_shuffled_influence_is_not(small: ClusterExplainer, explanation: Explanation) -> None:
    rng = np.random.default_rng(0)
    order = rng.permutation(30)
    shuffled = dataclasses.replace(
        explanation, **{name: getattr(explanation, name)[:, order] for name in ("encoder", "cluster", "direct")}
    )
    wrong = small.verify(shuffled, **FEW)
    assert not wrong.supported
    assert "NOT supported" in wrong.verdict


def test_table_holds_real_retrainings(small: ClusterExplainer, explanation: Explanation, check: Check) -> None:
    rows = check.table[(check.table["kind"] == "top pullers") & (check.table["query"] == 11)]
    position = 1  # the query with id 11
    weights = np.ones(30)
    weights[np.argsort(-explanation.influence[position], kind="stable")[:3]] = 0
    refit = small.refit(sample_weight=weights)
    for assignments in ("frozen", "reclustered"):
        truth = explanation.evaluate(refit, assignments=assignments) - explanation.evaluate(small)
        np.testing.assert_allclose(rows[assignments].iloc[0], truth[position], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(rows["predicted"].iloc[0], explanation.predict(weights)[position])


def test_the_same_check_twice_is_the_same(small: ClusterExplainer, explanation: Explanation, check: Check) -> None:
    again = small.verify(explanation, **FEW)
    assert again.table.equals(check.table)
    assert again.to_dict() == check.to_dict()


def test_the_verdict_travels_with_the_explanation(check: Check, explanation: Explanation) -> None:
    assert explanation.check is None
    assert check.verdict in repr(check.explanation)
    assert check.explanation.to_dict()["checked"]["single_frozen"] == check.figure("single", "frozen")
    stored = {"fit_key": explanation.fit_key, "answers": explanation.answers(), "sentence": "yes", "figures": {}}
    kept = {**stored, "answers": explanation.answers()[:1]}
    assert explanation[0].with_check({**kept, "fit_key": "of another fit"}).check is None
    assert explanation[0].with_check(kept).checked == "checked: yes"
    assert explanation[1].with_check(kept).check is None


def test_removals_follow_their_rules() -> None:
    labels = np.repeat([0, 1], 50)
    influence = np.linspace(-1, 1, 100)[None]
    removals = draw_removals(
        influence, np.array([1]), labels, np.arange(10, 100), n_single=5, n_within=7, n_groups=3, n_down=2, n_top=4,
        group_share=0.1, seed=0,
    )  # fmt: skip
    kinds = [removal.kind for removal in removals]
    assert kinds == ["single"] * 5 + ["within"] * 7 + ["group"] * 3 + ["down-weight"] * 2 + ["top pullers", "random"]
    assert all((removal.members >= 10).all() for removal in removals)
    assert all(labels[removal.members[0]] == 1 for removal in removals if removal.kind == "within")
    assert {len(removal.members) for removal in removals if removal.kind == "group"} == {9}
    top = next(removal for removal in removals if removal.kind == "top pullers")
    assert sorted(top.members.tolist()) == [96, 97, 98, 99]
    assert removals[0].weights(np.ones(100)).sum() == 99


def test_metrics_are_signed_and_know_their_limits() -> None:
    x = np.arange(12.0)[:, None]
    assert metrics.spearman(x, -(x**3))[0] == pytest.approx(-1)
    assert metrics.slope(x, 2 * x + 5)[0] == pytest.approx(2)
    assert np.isnan(metrics.spearman(x[:4], x[:4])[0])
    assert np.isnan(metrics.pearson(x, np.ones_like(x))[0])
    noise = np.random.default_rng(0).normal(size=(40, 5))
    mean, low, high = metrics.mean_with_interval(noise, noise + np.random.default_rng(1).normal(size=(40, 5)))
    assert 0.4 < low < mean < high < 0.9


def test_wrong_counts_are_refused(small: ClusterExplainer, explanation: Explanation) -> None:
    with pytest.raises(InvalidParameterError, match=r"n_single=-1 must be at least 0"):
        small.verify(explanation, n_single=-1)
    with pytest.raises(InvalidParameterError, match=r"group_share=2 must lie between 0 and 0\.5"):
        small.verify(explanation, group_share=2)
    with pytest.raises(InvalidParameterError, match=r"Nothing to retrain: every count is 0"):
        small.verify(explanation, n_single=0, n_within=0, n_groups=0, n_top=0)


def test_the_same_query_twice_and_options_of_the_estimator(small: ClusterExplainer) -> None:
    check = small.verify(small.explain([3, 3]), n_single=6, n_within=0, n_groups=0, n_top=0, n_jobs=1)
    assert len(check.table) == 12
    assert "not tried" in check.verdict


def test_too_few_singles_are_untested_not_wrong(small: ClusterExplainer, explanation: Explanation) -> None:
    check = small.verify(explanation, n_single=0, n_within=0, n_groups=6, n_top=0)
    assert check.status == "untested"
    assert not check.supported
