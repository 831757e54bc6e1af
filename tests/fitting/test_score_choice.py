"""The score of given labels: "auto" takes the first that agrees, and a disagreement is said when it is fitted."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clusterexplain import ClusterExplainer
from clusterexplain.exceptions import (
    DisagreementError,
    DisagreementWarning,
    InvalidParameterError,
    ScoreChoiceWarning,
)
from tests.clustering.scores.test_votes import ring_graph, rings


def fit(labels: Any, **parameters: Any) -> ClusterExplainer:
    """Return a fit of the rings as they are."""
    graph = parameters.pop("graph", None)
    return ClusterExplainer("precomputed", **parameters).fit(rings()[0], labels=labels, graph=graph)


@cache
def halves() -> np.ndarray:
    """Return labels by side, which centroids describe."""
    return (rings()[0][:, 0] > 0).astype(int)


def test_the_first_score_is_taken_in_silence_where_it_agrees() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit(halves()).fit_.score.name == "margin"


def test_the_vote_of_neighbours_is_taken_where_centroids_disagree() -> None:
    message = (
        r"membership_score='auto' takes 'knn' for these labels\. So many of the clustered examples have the highest score for "
        r"their own label: \d\d\.\d% by 'margin', \d\d\.\d% by 'knn'\. Say membership_score='knn' to choose it yourself\."
    )
    with pytest.warns(ScoreChoiceWarning, match=message):
        ce = fit(rings()[1])
    assert ce.fit_.score.name == ce.fit_.config.membership_score == "knn"
    assert ce.fit_.config.said["membership_score"] == "auto"


def test_the_vote_in_the_graph_is_taken_where_nothing_in_the_embedding_agrees() -> None:
    labels = np.arange(120) % 2
    graph = (labels[:, None] == labels) * 1.0
    message = r"takes 'graph' .* by 'margin', \d+\.\d% by 'knn', 100\.0% by 'graph'"
    with pytest.warns(ScoreChoiceWarning, match=message):
        assert fit(labels, graph=graph).fit_.score.name == "graph"


def test_where_no_score_agrees_fit_names_the_agreement_of_each() -> None:
    labels = np.arange(120) % 2
    message = (
        r"No membership score tells what the labels tell\. .* \d+\.\d% by 'margin', \d+\.\d% by 'knn', \d+\.\d% by 'graph'\. "
        r"Less than min_agreement=0\.8: .*model='precomputed', use_rep=.*graph=.*lower min_agreement"
    )
    with pytest.raises(DisagreementError, match=message):
        fit(labels, graph=ring_graph())


@pytest.mark.parametrize("score", ["margin", "student_t", "softmax"])
def test_a_score_that_was_asked_for_and_disagrees_is_refused_with_one_that_fits(score: str) -> None:
    message = rf"'{score}' does not tell what the labels tell\. .* by '{score}'.* by 'knn'.*Take membership_score='knn'"
    with pytest.raises(DisagreementError, match=message):
        fit(rings()[1], membership_score=score)


def test_who_knows_better_is_not_refused() -> None:
    assert fit(rings()[1], membership_score="margin", min_agreement=0).fit_.score.name == "margin"


def test_the_listed_agreements_are_those_of_the_votes() -> None:
    """Counted here: the share of rows whose nearest mean is their own, and whose nearest neighbours vote for them."""
    X, ring = rings()
    means = np.stack([X[ring == one].mean(axis=0) for one in (0, 1)])
    by_mean = ((((X[:, None] - means) ** 2).sum(axis=-1).argmin(axis=1)) == ring).mean()
    squared = ((X[:, None] - X) ** 2).sum(axis=-1)
    near = np.sort(squared, axis=1)[:, 1:]
    reach = np.repeat(near, 2, axis=1)[:, 23:37].mean(axis=1, keepdims=True)
    votes = np.clip(1 - (squared / reach) ** 2, 0, None)
    np.fill_diagonal(votes, 0)
    by_vote = ((votes @ np.eye(2)[ring]).argmax(axis=1) == ring).mean()
    with pytest.warns(ScoreChoiceWarning, match=rf"{by_mean:.1%} by 'margin', {by_vote:.1%} by 'knn'"):
        fit(ring)


@pytest.mark.parametrize(
    ("score", "clusterer", "given"),
    [
        ("knn", "kmeans", None),
        ("responsibility", "kmeans", None),
        ("exemplar", "gmm", None),
        ("responsibility", "labels", np.arange(30) % 3),
    ],
)
def test_a_score_that_the_clusters_do_not_have_is_refused_before_anything_is_trained(
    score: str, clusterer: str, given: np.ndarray | None
) -> None:
    X = np.random.default_rng(0).normal(size=(30, 4))
    found = {} if given is not None else {"clusterer": clusterer}
    ce = ClusterExplainer("autoencoder", n_steps=10**9, membership_score=score, **found)
    with pytest.raises(
        InvalidParameterError, match=rf"membership_score='{score}' cannot score clusterer '{clusterer}'"
    ):
        ce.fit(X, labels=given)


# After a training the fit is kept


TRAINED: dict[str, Any] = {
    "latent_dim": 2,
    "hidden": (4,),
    "n_steps": 5,
    "random_state": 0,
    "n_jobs": 1,
    "dtype": "float64",
}
SIDES = np.arange(120) % 2
QUESTIONS: dict[str, Callable[[ClusterExplainer], object]] = {
    "explain": lambda ce: ce.explain([3]),
    "explain_cluster": lambda ce: ce.explain_cluster(0),
    "cohesion": lambda ce: ce.cohesion(),
    "separation": lambda ce: ce.separation(0, 1),
    "flip": lambda ce: ce.flip(3),
}


@cache
def kept() -> ClusterExplainer:
    """Return a trained fit of labels with which no score agrees."""
    message = (
        r"No membership score tells what the labels tell\. .* \d+\.\d% by 'margin', \d+\.\d% by 'knn'\. Less than "
        r"min_agreement=0\.8: .*The trained fit is kept, .*refused with DisagreementError until set_params\(min_agreement="
    )
    with pytest.warns(DisagreementWarning, match=message):
        return ClusterExplainer(**TRAINED).fit(rings()[0], labels=np.array(["east", "west"])[SIDES])


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
@pytest.mark.parametrize("way", ["as fitted", "pickled", "saved"])
def test_after_a_training_the_questions_are_refused_and_not_the_fit(
    question: Callable[[ClusterExplainer], object], way: str, tmp_path: Path
) -> None:
    ce = kept()
    if way == "pickled":
        ce = pickle.loads(pickle.dumps(ce))
    elif way == "saved":
        ce = ClusterExplainer.load(ce.save(tmp_path / "run"))
    np.testing.assert_array_equal(ce.labels_, SIDES)
    assert np.isfinite(ce.embedding_).all()
    with pytest.raises(
        DisagreementError, match=r"Only \d+\.\d% of .*min_agreement=0\.8.*set_params\(min_agreement=\.\.\.\)"
    ):
        question(ce)


def test_the_score_that_agrees_most_is_kept() -> None:
    """Agreement counted here for the margin and read from the fit for the score that was taken."""
    Z = kept().embedding_
    means = np.stack([Z[side == SIDES].mean(axis=0) for side in (0, 1)])
    by_mean = (((Z[:, None] - means) ** 2).sum(axis=-1).argmin(axis=1) == SIDES).mean()
    taken = kept().fit_.assignment.agreement()
    assert kept().fit_.score.name == ("margin" if taken == by_mean else "knn")
    assert by_mean <= taken < 0.8


def test_a_lower_share_opens_the_fit_without_a_training(tmp_path: Path) -> None:
    ce = pickle.loads(pickle.dumps(kept())).set_params(min_agreement=0.0)
    allowed = ClusterExplainer(**TRAINED, min_agreement=0.0, membership_score=ce.fit_.score.name)
    expected = allowed.fit(rings()[0], labels=SIDES).explain([3, 40])
    assert ce.explain([3, 40]).influence.tobytes() == expected.influence.tobytes()
    assert ce.fit_.key == kept().fit_.key
    loaded = ClusterExplainer.load(ce.save(tmp_path / "run"))
    assert loaded.get_params()["min_agreement"] == loaded.fit_.config.min_agreement == 0.0
    assert loaded.explain([3, 40]).influence.tobytes() == expected.influence.tobytes()
    with pytest.raises(InvalidParameterError, match=r"min_agreement=2 must be a number from 0 to 1"):
        ce.set_params(min_agreement=2)


def test_after_a_training_a_score_that_was_asked_for_is_kept_and_the_one_that_fits_is_named() -> None:
    message = r"'margin' does not tell what the labels tell\. .*The trained fit is kept.*Take membership_score='knn'"
    with pytest.warns(DisagreementWarning, match=message):
        ce = ClusterExplainer(**{**TRAINED, "n_steps": 1}, membership_score="margin").fit(rings()[0], labels=rings()[1])
    assert ce.fit_.score.name == "margin"
    with pytest.raises(DisagreementError, match=r"by the score 'margin'"):
        ce.explain([0])
