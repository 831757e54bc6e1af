"""Estimands: refused by name, left out of a level, told in the verdict; clusters that became other ones are counted."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from clusterexplain import ClusterExplainer
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.margins import Combination, Margins, Subject, Topic
from clusterexplain.results.verdict import CheckSummary, Estimand, Letter
from clusterexplain.verification import verify
from clusterexplain.verification.grade import Grade
from clusterexplain.verification.levels import LEVELS, Level, RemovalBudget
from clusterexplain.verification.retrained_changes import ASSIGNMENTS
from clusterexplain.verification.verdicts import check_summary, length_clause
from tests.conftest import SMALL
from tests.oracles.simulated import Setting, draw, faithfulness

FEW = {"n_single": 4, "n_within": 0, "n_groups": 0, "n_top": 0}
TINY = Level("standard", (RemovalBudget(single=4),), 2, (Estimand.SEED, Estimand.RECIPE), 3, "A")


def test_given_labels_are_trained_with_other_seeds(small: ClusterExplainer, blobs: np.ndarray) -> None:
    given = ClusterExplainer(clusterer=small.labels_, **SMALL).fit(blobs)
    check = verify(given.explain([0]), estimands="recipe", n_seeds=3, **FEW)
    assert list(check.by_estimand) == ["recipe"]
    assert given.explain([0], n_seeds=2).seed_variability is not None


def test_what_a_level_asks_and_a_model_has_not_is_left_out(blobs: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LEVELS, "standard", TINY)
    dec = ClusterExplainer("dec", "dec", **SMALL | {"n_steps": 60}).fit(blobs)
    check = verify(dec.explain([0, 5]), level="standard")
    assert list(check.by_estimand) == ["seed"]
    assert "Nothing was retrained about the recipe over seeds" in check.verdict
    with pytest.raises(InvalidParameterError, match="a DEC learns other clusters in another order"):
        verify(dec.explain([0]), estimands=("seed", "recipe"), **FEW)
    with pytest.raises(InvalidParameterError, match="trained in stages"):
        verify(dec.explain([0]), estimands="model", **FEW)


def test_a_mean_over_seeds_is_asked_about_the_recipe_first(
    small: ClusterExplainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = verify(small.explain([0, 5], n_seeds=2), n_seeds=3, **FEW)
    assert next(iter(check.by_estimand)) == "recipe"
    assert check.explanation.check is not None
    assert all(one.estimand == "recipe" for one in check.explanation.check.each)
    assert check.explanation.check.each[0].words.endswith("(other seeds)")
    monkeypatch.setitem(LEVELS, "standard", TINY)
    plain = verify(small.explain([0, 5]), level="standard")
    assert all("About the recipe over seeds: grade" in one.sentence for one in plain.explanation.check.each)


def with_grades(explanation: Explanation, grades: str, together: str) -> Explanation:
    stored = explanation.check
    assert stored is not None
    each = tuple(dataclasses.replace(one, grade=g, status=g) for one, g in zip(stored.each, grades, strict=True))
    whole = dataclasses.replace(stored.together, grade=together, status=together)
    return dataclasses.replace(explanation, check=CheckSummary(whole, each, len(each)))


def test_selected_samples_have_the_worst_of_their_own_grades(small: ClusterExplainer) -> None:
    e = with_grades(verify(small.explain([0, 5, 9]), **FEW).explanation, "AUD", "B")
    assert e.check.grade == "B"
    assert e[[0, 1]].check.grade == "U"
    assert e[[1, 2]].check.grade == "D"
    assert e[0].check.grade == "A"


def test_clusters_that_became_others_are_counted(small: ClusterExplainer, monkeypatch: pytest.MonkeyPatch) -> None:
    from clusterexplain.verification import retrained_changes

    assert verify(small.explain([0]), **FEW).dissolved == 0
    monkeypatch.setattr(retrained_changes, "jaccard", lambda labels, moved, weights: np.full(3, 0.4))
    check = verify(small.explain([0]), **FEW)
    assert check.dissolved == 1
    assert check.by_estimand["seed"].dissolved["kept"] == 0
    assert "After 100.0% of the single removals a cluster of the pair was another one" in check.verdict
    monkeypatch.setattr(retrained_changes, "jaccard", lambda labels, moved, weights: np.full(3, 0.6))
    assert verify(small.explain([0]), **FEW).controls["changed"].iloc[0] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"random_state": -1}, r"random_state=-1 must be a whole number from 0"),
        ({"random_state": 2**70}, r"must be a whole number from 0 to 2\*\*32"),
        ({"random_state": "a"}, r"random_state='a' must be"),
        ({"level": []}, r"level=\[\] is unknown"),
        ({"estimands": 5}, r"estimands=5: expected one or more of"),
        ({"group_share": "x"}, r"group_share='x' must lie between"),
        ({"cache": "no/such/folder"}, r"is not a folder\. Expected a run directory"),
    ],
)
def test_wrong_options_are_named(small: ClusterExplainer, options: dict, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        verify(small.explain([0]), **options)


def test_counts_of_numpy_are_numbers(small: ClusterExplainer) -> None:
    assert len(verify(small.explain([0]), **FEW | {"n_single": np.int64(4)}).removals) == 4
    for wrong in (0, True, "3"):
        with pytest.raises(InvalidParameterError, match=r"n_seeds=.* must be a whole number of at least 1"):
            small.explain([0], n_seeds=wrong)


@pytest.mark.parametrize(
    ("sweep", "words"),
    [
        (
            {"4 further steps": 0.95, "16 further steps": 0.9},
            "single removals hardly depends on how long one trains further",
        ),
        ({"4 further steps": 0.95, "16 further steps": 0.72}, "needed 0.9: 16 further steps 0.72)"),
        ({"4 further steps": 0.95, "16 further steps": float("nan")}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("letter", ["A", "U"])
def test_the_length_of_further_training_is_named(sweep: dict[str, float], words: str | None, letter: Letter) -> None:
    rng = np.random.default_rng(0)
    seed = faithfulness(*draw(Setting(2, 20, 1, 0.9), rng), rng)
    lengths = {label: np.full(2, value) for label, value in sweep.items()}
    model = dataclasses.replace(seed, estimand=Estimand.MODEL, sweep=lengths)
    model.__dict__["grades"] = dict.fromkeys(ASSIGNMENTS, Grade(letter, "for a reason"))
    expected = "" if words is None or letter == "U" else words
    clause = length_clause(model)
    assert expected in clause
    assert bool(clause) == bool(expected)
    both = {Estimand.SEED: seed, Estimand.MODEL: model}
    assert clause in check_summary(both, {}, pd.DataFrame(columns=["position"])).sentence
    assert model[1].sweep.keys() == sweep.keys()


def test_each_sample_has_its_own_sweep(small: ClusterExplainer) -> None:
    check = verify(small.explain([0, 5]), estimands="model", **FEW | {"n_single": 8})
    found = check.by_estimand["model"]
    assert len(check.sweep) == 3
    for label, values in found.sweep.items():
        assert values.shape == (2,)
        assert check.sweep[label] == pytest.approx(values.mean())


def test_plain_data_have_no_number_that_json_has_not(small: ClusterExplainer) -> None:
    check = verify(small.explain([0]), level="full", n_single=4, n_groups=0, n_within=0, n_top=0, n_planted=0)
    assert np.isnan(list(check.sweep.values())).all()
    kept = json.loads(json.dumps(check.to_dict(), allow_nan=False))
    assert set(kept["sweep"].values()) == {None}
    assert kept["duplicates"][0]["n"] == 16


def test_a_score_that_is_not_part_of_a_mean_does_not_spoil_it() -> None:
    subjects = tuple(Subject(Topic.COHESION, (cluster,), (1,)) for cluster in range(3))
    rows, pair = np.arange(3), (np.array([0, 0, 1]), np.array([1, 2, 2]))
    margins = Margins(rows, np.empty((3, 0)), rows, *pair, Combination(np.eye(3), subjects))
    np.testing.assert_array_equal(margins.combine(np.array([1.0, np.nan, 3.0])), [1.0, np.nan, 3.0])
