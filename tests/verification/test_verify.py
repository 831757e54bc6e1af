"""The check: it agrees where it should, fails where it should, and says what it did."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from clusterexplain import Check, ClusterExplainer
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.execution import Execution
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.influence_rows import InfluenceRows
from clusterexplain.results.removals import SINGLE, TOP_PULLERS
from clusterexplain.storage.cache import ArrayCache

FEW = {"n_single": 20, "n_within": 6, "n_groups": 12, "n_down": 8, "n_top": 3, "group_share": 0.1}


@pytest.fixture(scope="module")
def explanation(small: ClusterExplainer) -> Explanation:
    return small.explain([0, 11, 23])


@pytest.fixture(scope="module")
def check(small: ClusterExplainer, explanation: Explanation) -> Check:
    return small.verify(explanation, **FEW)


def test_exact_influence_is_confirmed(check: Check) -> None:
    assert check.figure("down-weight", "kept") > 0.99
    assert check.figure("down-weight", "kept", "slope") == pytest.approx(1, abs=0.03)
    assert check.figure("single", "kept") > 0.9
    assert check.supported
    assert check.dissolved == 0
    assert "supported by 51 retrainings" in check.verdict
    assert "NOT" not in check.verdict


def test_shuffled_influence_is_not(small: ClusterExplainer, explanation: Explanation) -> None:
    rng = np.random.default_rng(0)
    order = rng.permutation(30)
    rows = InfluenceRows(*(getattr(explanation.rows, name)[:, order] for name in InfluenceRows.COMPONENTS))
    shuffled = dataclasses.replace(explanation, rows=rows)
    wrong = small.verify(shuffled, **FEW)
    assert not wrong.supported
    assert "NOT supported" in wrong.verdict


def test_table_holds_real_retrainings(small: ClusterExplainer, explanation: Explanation, check: Check) -> None:
    rows = check.table[(check.table["kind"] == "top pullers") & (check.table["query"] == 11)]
    position = 1  # the query with id 11
    weights = np.ones(30)
    weights[np.argsort(-explanation.influence[position], kind="stable")[:3]] = 0
    refit = small.refit(sample_weight=weights)
    for assignments in ("kept", "continued"):
        truth = explanation.evaluate(refit, assignments=assignments) - explanation.evaluate(small)
        np.testing.assert_allclose(rows[assignments].iloc[0], truth[position], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(rows["predicted_kept"].iloc[0], explanation.predict(weights)[position])


def test_the_same_check_twice_is_the_same(small: ClusterExplainer, explanation: Explanation, check: Check) -> None:
    again = small.verify(explanation, **FEW)
    assert again.table.equals(check.table)
    assert again.to_dict() == check.to_dict()


def test_the_verdict_travels_with_the_explanation(check: Check, explanation: Explanation) -> None:
    assert explanation.check is None
    assert check.verdict in repr(check.explanation)
    assert check.explanation.to_dict()["checked"]["single_kept"] == check.figure("single", "kept")
    kept = check.explanation[0].stored_check()
    assert explanation[0].with_check({**kept, "fit_key": "of another fit"}).check is None
    assert explanation[0].with_check(kept).checked == check.explanation[0].checked
    assert explanation[1].with_check(kept).check is None


def test_wrong_counts_are_refused(small: ClusterExplainer, explanation: Explanation) -> None:
    with pytest.raises(InvalidParameterError, match=r"n_single=-1 must be a whole number of at least 0"):
        small.verify(explanation, n_single=-1)
    with pytest.raises(InvalidParameterError, match=r"group_share=2 must lie between 0 and 0\.5"):
        small.verify(explanation, group_share=2)
    with pytest.raises(InvalidParameterError, match=r"Nothing to retrain: every count is 0"):
        small.verify(explanation, n_single=0, n_within=0, n_groups=0, n_top=0)


def test_the_same_query_twice_and_options_of_the_estimator(small: ClusterExplainer) -> None:
    check = small.verify(
        small.explain([3, 3]), n_single=6, n_within=0, n_groups=0, n_top=0, execution=Execution(n_jobs=1)
    )
    assert len(check.table) == 12
    assert "not tried" in check.verdict


def test_too_few_singles_are_untested_not_wrong(small: ClusterExplainer, explanation: Explanation) -> None:
    check = small.verify(explanation, n_single=0, n_within=0, n_groups=6, n_top=0)
    assert check.status == "untested"
    assert not check.supported


def test_levels_and_estimands_are_named(small: ClusterExplainer, explanation: Explanation) -> None:
    with pytest.raises(
        InvalidParameterError, match=r"level='large' is unknown. Expected one of 'quick', 'standard', 'full'"
    ):
        small.verify(explanation, level="large")
    with pytest.raises(
        InvalidParameterError, match=r"estimands='seeds': expected one or more of 'seed', 'model', 'recipe'"
    ):
        small.verify(explanation, estimands="seeds")
    with pytest.raises(InvalidParameterError, match=r"n_seeds=2 must be a whole number of at least 3"):
        small.verify(explanation, estimands="recipe", n_seeds=2)


@pytest.fixture(scope="module")
def three(small: ClusterExplainer, explanation: Explanation) -> Check:
    options = {"n_single": 10, "n_within": 0, "n_groups": 6, "n_top": 2, "n_seeds": 3}
    return small.verify(explanation, estimands=("recipe", "seed", "model"), **options)


def test_three_estimands_are_kept_apart(three: Check, small: ClusterExplainer, explanation: Explanation) -> None:
    assert list(three.by_estimand) == ["seed", "model", "recipe"]
    assert three.headline.estimand == "seed"
    assert three.by_estimand["recipe"].retrained["kept"].shape == (3, len(three.removals), 3)
    assert three.figure("single", "kept") > 0.9
    assert set(three.summary["estimand"]) == {"seed", "model", "recipe"}
    assert set(three.grades["estimand"]) == {"seed", "model", "recipe"}
    alone = small.verify(explanation, n_single=10, n_within=0, n_groups=6, n_top=2)
    assert alone.table.equals(three.table)
    assert "About the recipe over seeds: grade" in three.verdict
    assert len(three.sweep) == 3
    controls = three.controls.set_index("estimand")
    assert controls.loc["seed", "ceiling"] == 1
    assert 0 <= controls.loc["recipe", "ceiling"] <= 1


def test_the_truth_of_a_seed_is_that_of_a_fit_with_it(three: Check, small: ClusterExplainer) -> None:
    """Other seeds: the initial parameters and the plan differ, the labels of the explained fit are kept."""
    truth = three.by_estimand["recipe"].retrained["kept"]
    assert not np.allclose(truth[0], truth[1], equal_nan=True)
    assert np.isfinite(truth[:, [one.kind == SINGLE for one in three.removals]]).all()
    assert np.isnan(truth[:, [one.kind == TOP_PULLERS for one in three.removals]]).all()


def test_further_training_is_compared_with_further_training(three: Check, explanation: Explanation) -> None:
    model = three.by_estimand["model"]
    assert np.abs(model.null_changes).max() > 0
    assert (model.grades["drift"] > 0).all()
    seed = three.by_estimand["seed"]
    assert np.abs(model.retrained["kept"][0][:10]).max() < np.abs(seed.retrained["kept"][0][:10]).max()


def test_what_was_retrained_is_kept(small: ClusterExplainer, explanation: Explanation, tmp_path: Path) -> None:
    options = {"n_single": 20, "n_within": 0, "n_groups": 5, "n_top": 2}
    plain = small.verify(explanation, **options)
    first = small.verify(explanation, cache=tmp_path, **options)
    files = sorted((tmp_path / "retrainings").iterdir())
    stamps = [one.stat().st_mtime_ns for one in files]
    second = small.verify(explanation, cache=tmp_path, **options)
    assert plain.to_dict() == first.to_dict() == second.to_dict()
    assert [one.stat().st_mtime_ns for one in sorted((tmp_path / "retrainings").iterdir())] == stamps
    files[0].write_bytes(b"half a file")
    (tmp_path / "retrainings" / "x.npy.part").write_bytes(b"")
    third = small.verify(explanation, cache=tmp_path, **options)
    assert third.to_dict() == plain.to_dict()
    assert files[0].stat().st_size > 100
    other = small.verify(small.explain([5]), cache=tmp_path, **options)
    assert other.to_dict() == small.verify(small.explain([5]), **options).to_dict()
    assert len(list((tmp_path / "retrainings").glob("*.npy"))) <= len(files) + 1  # only its own ones are new


@pytest.mark.parametrize("after", [0, 1, 2, 4])
def test_an_interrupted_check_goes_on(
    small: ClusterExplainer, explanation: Explanation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    few = {"n_single": 30, "n_within": 10, "n_groups": 30, "n_top": 2}
    options = {**few, "cache": tmp_path, "execution": Execution(n_jobs=1)}
    whole = small.verify(explanation, **{**options, "cache": None})
    written, write = [], ArrayCache.write

    def interrupted(self: ArrayCache, name: str, array: np.ndarray) -> None:
        if len(written) == after:
            raise KeyboardInterrupt
        write(self, name, array)
        written.append(name)

    monkeypatch.setattr(ArrayCache, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        small.verify(explanation, **options)
    monkeypatch.undo()
    assert small.verify(explanation, **options).to_dict() == whole.to_dict()
