"""The front: influence tables, checks by retraining, interventions beside their controls."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from clusterexplain.exceptions import InvalidDataError, InvalidParameterError, UnknownSampleError
from clusterexplain.word_embeddings import Cosine, EmbeddingBias, Intervention, Weat, WordChange
from clusterexplain.word_embeddings.unlearning import continue_training

TOY = Weat(
    "toy",
    ("he", "him", "king", "lord"),
    ("she", "her", "queen", "lady"),
    ("work", "trade", "ship", "coin"),
    ("home", "child", "hearth", "kin", "dragon"),
)
SMALL = {
    "unit": "paragraph",
    "min_count": 1,
    "window": 3,
    "dim": 4,
    "n_steps": 40,
    "learning_rate": 0.05,
    "eps": 1e-4,
    "init_scale": 0.1,
    "negatives": 1,
    "largest_share": 1.0,
}


@pytest.fixture(scope="module")
def model(texts: pd.DataFrame) -> EmbeddingBias:
    return EmbeddingBias(**SMALL, held_out=0.1, dtype="float64", n_jobs=1).fit(texts)


def test_influence_predicts_small_removals_exactly(model: EmbeddingBias) -> None:
    e = model.explain(TOY)
    assert e.value == pytest.approx(model.evaluate(TOY))
    assert e.missing == ("dragon",)
    weights = np.ones(len(model.corpus_))
    weights[3] = 1 - 1e-4
    moved = float(TOY(model.recipe_.train(weights)[0], model.corpus_.vocabulary.index))
    assert (moved - e.value) / 1e-4 == pytest.approx(-e.influence[3], rel=1e-2)


def test_check_retrains_what_it_says(model: EmbeddingBias) -> None:
    e = model.explain(TOY)
    check = model.verify(e, TOY, n_single=12, n_groups=12)
    assert check.retrained["kind"].value_counts().to_dict() == {"single": 12, "5%": 12}
    row = check.retrained.iloc[-1]
    units = row["units"].split(", ")
    assert row["predicted"] == pytest.approx(e.if_removed(units))
    weights = np.ones(len(model.corpus_))
    weights[e.rows(units)] = 0
    moved = float(TOY(model.recipe_.train(weights)[0], model.corpus_.vocabulary.index))
    assert row["retrained"] == pytest.approx(moved - e.value)
    summary = check.summary().set_index("kind")
    assert (summary["spearman"] > 0.8).all()
    assert ((summary["low"] <= summary["spearman"]) & (summary["spearman"] <= summary["high"])).all()


def test_a_unit_that_holds_most_of_a_word_is_told(texts: pd.DataFrame) -> None:
    more = pd.concat(
        [texts, pd.DataFrame({"text": ["dragon home dragon kin dragon"], "year": [1950], "party": ["A"]}, index=["z"])]
    )
    model = EmbeddingBias(**{**SMALL, "unit": "document"}, n_jobs=1).fit(more)
    e = model.explain(TOY)
    assert set(e.words) == set(TOY.words)
    row = e.to_frame().loc["z"]
    assert (row["word_share"], row["word"]) == (1.0, "dragon")
    check = model.verify(e, TOY, n_single=25, n_groups=0)
    frame = check.retrained.set_index("units")
    assert frame.loc["z", "word_share"] == 1.0
    assert check.summary()["n"].tolist() == [25]
    assert check.summary(most=0.9)["n"].tolist() == [24]


def test_jobs_do_not_change_the_answer(model: EmbeddingBias) -> None:
    e = model.explain(TOY)
    one = model.verify(e, TOY, n_single=4, n_groups=2)
    two = clone(model).set_params(n_jobs=2).fit(model.corpus_)
    two.recipe_ = model.recipe_
    two.corpus_, two.trajectory_ = model.corpus_, model.trajectory_
    pd.testing.assert_frame_equal(one.retrained, two.verify(e, TOY, n_single=4, n_groups=2).retrained)


def test_table_tops_and_groups_agree_with_the_values(model: EmbeddingBias) -> None:
    e = model.explain(TOY)
    frame = e.to_frame()
    np.testing.assert_array_equal(frame["influence"], e.influence)
    assert e.top(5)["influence"].is_monotonic_decreasing
    assert (e.top(5, "lowers")["influence"] < 0).all()
    groups = e.by("party").set_index("group")
    for party in ("A", "B"):
        assert groups.loc[party, "influence"] == pytest.approx(e.influence[(frame["party"] == party).to_numpy()].sum())
    with pytest.raises(InvalidParameterError, match="direction='up' is unknown"):
        e.top(3, "up")
    with pytest.raises(InvalidParameterError, match="'color' is not known of the units"):
        e.by("color")
    with pytest.raises(UnknownSampleError, match="There is no unit nobody"):
        e.if_removed(["nobody"])


def test_strongest_units_move_the_score_where_it_is_to_go(model: EmbeddingBias) -> None:
    e = model.explain(TOY)
    for towards, weight, sign in (("lower", 0.0, 1), ("higher", 0.0, -1), ("lower", 2.0, -1), ("higher", 2.0, 1)):
        rows = e.strongest(3, weight, towards)
        np.testing.assert_array_equal(rows, np.argsort(-sign * e.influence, kind="stable")[:3])
    with pytest.raises(InvalidParameterError, match="weight=1 changes nothing"):
        e.strongest(3, 1, "lower")
    with pytest.raises(InvalidParameterError, match="towards='left' is unknown"):
        e.strongest(3, 0, "left")


@pytest.mark.parametrize(("how", "weight"), [("retrain", 0.0), ("retrain", 2.0), ("continue", 0.0)])
def test_mitigation_lowers_the_score_more_than_random_units_do(model: EmbeddingBias, how: str, weight: float) -> None:
    change = model.mitigate(TOY, share=0.1, how=how, weight=weight, n_seeds=3, n_random=3)
    arms = change.changes().groupby("arm")["score"].mean()
    assert arms["chosen"] < 0
    assert arms["chosen"] < arms["random"]
    assert change.times_random()["ratio"] > 1
    assert change.rows["arm"].value_counts()[["random", "random among mentions"]].tolist() == [9, 3]
    assert np.isfinite(change.times_random("random among mentions")["ratio"])
    summary = change.summary().set_index(["arm", "measure"])
    assert summary.loc[("before", "score"), "mean"] == pytest.approx(
        change.rows[change.rows["arm"] == "before"]["score"].mean()
    )
    assert np.isfinite(summary.loc[("chosen", "held_out_loss"), "mean"])
    assert np.isfinite(summary.loc[("chosen by half the words", "second_half"), "mean"])


def test_amplification_raises_it(model: EmbeddingBias) -> None:
    change = model.amplify(TOY, share=0.1, n_seeds=2, n_random=1)
    assert change.changes().groupby("arm")["score"].mean()["chosen"] > 0


def test_other_scores_have_no_halves_and_no_p_value(model: EmbeddingBias) -> None:
    change = model.mitigate(Cosine("king", "lord"), share=0.05, n_seeds=1, n_random=1)
    assert set(change.rows["arm"]) == {"before", "chosen", "random"}
    assert change.rows["p_value"].isna().all()
    assert set(change.summary()["measure"]) == {"score", "held_out_loss"}
    assert isinstance(change, WordChange)


def test_continued_training_keeps_the_loss_within_its_tolerance(model: EmbeddingBias) -> None:
    went_on = continue_training(
        model.recipe_, model.trajectory_.final, np.array([1, 2]), forget=True, tolerance=0.002, n_steps=200
    )
    assert went_on.n_steps > 0
    assert went_on.loss_before < went_on.loss_after <= went_on.loss_before * 1.002
    nothing = continue_training(model.recipe_, model.trajectory_.final, np.array([], dtype=int), forget=True)
    assert nothing.n_steps == 0


def test_users_own_scores_are_explained_and_bad_ones_refused(model: EmbeddingBias) -> None:
    def norm_of_king(vectors: torch.Tensor, index: dict[str, int]) -> torch.Tensor:
        return vectors[index["king"]].norm()

    e = model.explain(norm_of_king)
    assert e.name == "norm_of_king"
    assert np.isfinite(e.influence).all()
    with pytest.raises(InvalidParameterError, match="does not return a differentiable number"):
        model.explain(lambda vectors, index: 1.0)  # type: ignore[arg-type,return-value]


def test_neighbours_and_errors_of_the_front(model: EmbeddingBias, texts: pd.DataFrame) -> None:
    near = model.neighbours("king", 3)
    assert len(near) == 3
    assert near["cosine"].is_monotonic_decreasing
    assert "king" not in set(near["word"])
    with pytest.raises(InvalidDataError, match="'zebra' is not in the vocabulary"):
        model.neighbours("zebra")
    with pytest.raises(InvalidParameterError, match="has no permutation test"):
        model.p_value(Cosine("king", "lord"))  # type: ignore[arg-type]
    with pytest.raises(NotFittedError):
        EmbeddingBias().explain(TOY)
    for wrong, message in (
        ({"dim": 0}, "dim=0 is out of range"),
        ({"held_out": 1.0}, "held_out=1.0 is out of range"),
        ({"dtype": "int"}, "dtype='int' is unknown"),
    ):
        with pytest.raises(InvalidParameterError, match=message):
            EmbeddingBias(**{**SMALL, **wrong}).fit(texts)
    with pytest.raises(InvalidParameterError, match="share=0 is out of range"):
        Intervention(share=0)
    with pytest.raises(InvalidParameterError, match="how='magic' is unknown"):
        Intervention(how="magic")
    with pytest.raises(
        InvalidParameterError, match=r"n_seeds=0 is out of range\. Expected a whole number of at least 1"
    ):
        model.mitigate(TOY, n_seeds=0)
    other = EmbeddingBias(**SMALL).fit(texts)
    with pytest.raises(InvalidParameterError, match="was trained on"):
        model.verify(other.explain(TOY), TOY)


def test_words_that_one_document_uses_most_are_left_out_and_told(texts: pd.DataFrame) -> None:
    more = pd.concat([texts, pd.DataFrame({"text": ["dragon home dragon kin dragon"]}, index=["z"])])
    model = EmbeddingBias(TOY, **{**SMALL, "largest_share": 0.5}).fit(more)
    answer = model.explain()
    assert answer.concentrated == ("dragon",)
    assert "left out as used mostly by one document: dragon" in repr(answer)
    assert answer.to_dict()["caution"].startswith("These are associations in a corpus")
    assert "dragon" not in answer.words


def test_equal_settings_give_equal_bytes(texts: pd.DataFrame) -> None:
    one, two = (EmbeddingBias(TOY, **SMALL, n_jobs=n).fit(texts) for n in (1, 2))
    np.testing.assert_array_equal(one.vectors_, two.vectors_)
    np.testing.assert_array_equal(one.explain().influence, two.explain().influence)
    pd.testing.assert_frame_equal(*(each.mitigate(n_seeds=2, n_random=1).rows for each in (one, two)), check_exact=True)


def test_answers_about_another_score_are_refused(model: EmbeddingBias) -> None:
    with pytest.raises(InvalidParameterError, match=r"The answer is about 'toy', but 'cosine of king and lord'"):
        model.verify(model.explain(TOY), Cosine("king", "lord"))
    with pytest.raises(InvalidParameterError, match=r"score=7 is no score\. Expected the name of a test"):
        model.explain(7)  # type: ignore[arg-type]
