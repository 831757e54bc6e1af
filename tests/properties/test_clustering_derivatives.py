"""Every clusterer with every score: influence against finite differences of real refits, edge cases, persistence."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import hdbscan  # noqa: TID253
import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from clusterexplain import ClusterExplainer
from clusterexplain.exceptions import (
    ClusterExplainError,
    DisagreementError,
    DisagreementWarning,
    FewerClustersWarning,
    InvalidDataError,
    InvalidParameterError,
    RunDamagedError,
)
from clusterexplain.results.explanation import Explanation
from clusterexplain.storage import run_directory, run_files
from tests.conftest import SMALL

N = 36
STEP = 1e-4
TOLERANCE = 1e-4
FEW = [0, 3, 8, 11, 17, 20, 26, 30, 33, 35]
"""Examples whose weights are perturbed where all of them have been for another score or option."""

NAMED: dict[str, dict[str, Any]] = {
    "kmeans": {"clusterer": "kmeans"},
    "spherical_kmeans": {"clusterer": "spherical_kmeans"},
    "soft_kmeans": {"clusterer": "soft_kmeans"},
    "soft_kmeans, warm": {"clusterer": "soft_kmeans", "clusterer_options": {"temperature": 0.8}},
    "gmm": {"clusterer": "gmm"},
    "gmm, full": {"clusterer": "gmm", "clusterer_options": {"covariance_type": "full"}},
    "gmm, diag": {"clusterer": "gmm", "clusterer_options": {"covariance_type": "diag"}},
    "gmm, spherical": {"clusterer": "gmm", "clusterer_options": {"covariance_type": "spherical"}},
    "hdbscan": {"clusterer": "hdbscan", "clusterer_options": {"min_cluster_size": 5, "min_samples": 3}},
    "dec": {"clusterer": "dec", "model": "dec"},
}
GIVEN = ("labels", "KMeans", "GaussianMixture", "AgglomerativeClustering", "HDBSCAN")

"""Traced training steps by model, which take most of the time of an explanation."""

CENTROID = ("margin", "student_t", "softmax")
VOTED = ("margin", "knn", "student_t", "softmax")
SCORES: dict[str, tuple[str, ...]] = {
    "kmeans": CENTROID,
    "spherical_kmeans": ("cosine", *CENTROID),
    "soft_kmeans": CENTROID,
    "gmm": ("responsibility",),
    "hdbscan": ("exemplar", "hdbscan_membership"),
    "dec": ("dec_assignment", *CENTROID),
    "labels": VOTED,
    "KMeans": CENTROID,
    "GaussianMixture": ("responsibility",),
    "AgglomerativeClustering": VOTED,
    "HDBSCAN": ("exemplar", "hdbscan_membership"),
}
"""The scores that each clusterer allows, the default first."""


def rows() -> np.ndarray:
    """Return 36 rows around 3 centres in 5 dimensions."""
    return make_blobs(N, n_features=5, centers=3, cluster_std=2.0, random_state=0)[0]


def unequal() -> np.ndarray:
    """Return unequal data weights."""
    return np.random.default_rng(1).uniform(0.5, 2.0, N)


def new_rows() -> np.ndarray:
    """Return two rows that are not trained on: between two samples, and near one."""
    X = rows()
    return np.stack([(X[3] + X[17]) / 2, X[20] + 0.1])


def permuted(labels: np.ndarray) -> np.ndarray:
    """Return the same partition under other numbers, so that 0 is not the largest cluster; noise stays noise."""
    numbers = np.roll(np.arange(labels.max() + 1), 1)
    return np.where(labels < 0, -1, numbers[labels])


def weights_of(case: str) -> np.ndarray:
    """Return the data weights of a fit: scikit-learn's mixture knows none, so with others its labels would move."""
    return np.ones(N) if case == "GaussianMixture" else unequal()


@cache
def clusterer_of(given: str) -> Any:
    """Return what a user has fitted to the embedding of an equal fit."""
    if given == "labels":
        return permuted(fitted("kmeans").labels_)
    Z = embedding_at(given)
    return {
        "KMeans": KMeans(3, n_init=5, random_state=3, tol=0),
        "GaussianMixture": GaussianMixture(3, n_init=3, random_state=0, tol=1e-8, max_iter=1000),
        "AgglomerativeClustering": AgglomerativeClustering(3),
        "HDBSCAN": hdbscan.HDBSCAN(min_cluster_size=5, min_samples=3, gen_min_span_tree=True),
    }[given].fit(Z)


@cache
def embedding_at(case: str) -> np.ndarray:
    """Return the embedding of an equal fit."""
    equal = ClusterExplainer(**SMALL, dtype="float64").fit(rows(), sample_weight=weights_of(case))
    return equal.embedding_


@cache
def fitted(case: str, score: str = "auto") -> ClusterExplainer:
    """Return a small float64 fit at unequal weights, made once."""
    chosen = NAMED[case] if case in NAMED else {"clusterer": clusterer_of(case)}
    ce = ClusterExplainer(**SMALL, dtype="float64", membership_score=score, **chosen)
    return ce.fit(rows(), sample_weight=weights_of(case))


def user_labels(case: str) -> np.ndarray:
    """Return the labels that a user has."""
    given = clusterer_of(case)
    if case == "GaussianMixture":
        return given.predict(embedding_at(case))
    return given if case == "labels" else given.labels_


def explained_at(ce: ClusterExplainer) -> list[Explanation]:
    """Explain training rows of every cluster, new rows, and what there is of noise."""
    clusters = [int(np.flatnonzero(ce.labels_ == k)[-1]) for k in range(ce.labels_.max() + 1)]
    asked = [ce.explain(clusters), ce.explain(new_rows())]
    if (ce.labels_ == -1).any():
        noise = np.flatnonzero(ce.labels_ == -1)[:3].tolist()
        asked += [ce.explain(noise), ce.explain(noise, against=1), ce.explain(clusters, against="noise")]
    return asked


def slopes(explanations: list[Explanation], picked: list[int]) -> list[np.ndarray]:
    """Return central differences of all scores of real refits in the picked weights, scaled by the weights."""
    fit = explanations[0].fit
    base = explanations[0].sample_weight
    columns: list[list[np.ndarray]] = [[] for _ in explanations]
    for i in picked:
        ends = []
        for sign in (1, -1):
            weights = base.copy()
            weights[i] += sign * STEP
            refit = fit.refit(weights)
            ends.append([one.evaluate(refit, assignments="kept") for one in explanations])
        for column, up, down in zip(columns, *ends, strict=True):
            column.append(base[i] * (up - down) / (2 * STEP))
    return [np.stack(column, axis=1) for column in columns]


def error(actual: np.ndarray, reference: np.ndarray) -> float:
    """Return the largest absolute difference over the largest absolute reference."""
    return float(np.abs(actual - reference).max() / np.abs(reference).max())


PAIRS = [(case, score) for case in (*NAMED, *GIVEN) for score in SCORES[case.split(",")[0]]]
REPEATED = ("KMeans", "AgglomerativeClustering", "HDBSCAN", "soft_kmeans, warm")
"""Cases whose scores are those of another case on other labels: the default one is enough."""
DIFFERENTIATED = [
    (case, score) for case, score in PAIRS if case not in REPEATED or score == SCORES[case.split(",")[0]][0]
]


@pytest.mark.parametrize(("case", "score"), DIFFERENTIATED)
def test_influence_equals_finite_differences_of_real_refits(case: str, score: str) -> None:
    """Training rows, new rows and, where there is any, noise on either side; nothing here is differentiated."""
    default = score == SCORES[case.split(",")[0]][0]
    ce = fitted(case) if default else fitted(case, score)
    explanations = explained_at(ce)
    picked = list(range(N)) if default and case in SCORES and case in NAMED else FEW
    for explanation, expected in zip(explanations, slopes(explanations, picked), strict=True):
        for query in range(len(explanation)):
            row = explanation.influence[query, picked]
            if not np.abs(expected[query]).max():
                np.testing.assert_array_equal(row, 0)  # an end of the edge to noise stays on it
                continue
            found = error(row, expected[query])
            assert found <= TOLERANCE, f"query {explanation.query_ids[query]}: {found:.1e}"


@pytest.mark.parametrize("score", SCORES["hdbscan"])
def test_noise_was_among_the_questions(score: str) -> None:
    """The fit of the derivative test has noise, and its queries are answered as noise."""
    ce = fitted("hdbscan", score)
    assert (ce.labels_ == -1).sum() >= 3
    assert ce.labels_.max() == 1
    noise = ce.explain(np.flatnonzero(ce.labels_ == -1)[:3].tolist())
    assert noise.labels.tolist() == [-1] * 3
    assert set(noise.noise_reasons) <= {"density", "distance"}
    assert (noise.scores >= 0).all()
    assert "is noise" in noise.headline()
    inside = ce.explain([int(np.flatnonzero(ce.labels_ == 0)[0])], against="noise")
    assert inside.runner_ups.tolist() == [-1]
    assert inside.scores[0] >= 0
    assert np.abs(noise.influence).max(axis=1).all()


@pytest.mark.parametrize(("case", "score"), DIFFERENTIATED)
def test_every_allowed_score_is_taken_and_auto_is_the_first(case: str, score: str) -> None:
    assert fitted(case, score).fit_.score.name == score
    assert fitted(case).fit_.score.name == SCORES[case.split(",")[0]][0]


@pytest.mark.parametrize("case", [*NAMED, *GIVEN])
def test_a_refit_at_the_same_weights_changes_nothing(case: str) -> None:
    ce = fitted(case)
    same = ce.refit(weights_of(case))
    np.testing.assert_array_equal(same.labels_, ce.labels_)
    np.testing.assert_array_equal(same.embedding_, ce.embedding_)
    np.testing.assert_allclose(same.cluster_centers_, ce.cluster_centers_, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("case", [*NAMED, *GIVEN])
def test_memberships_sum_to_one_and_their_log_ratio_is_the_margin(case: str) -> None:
    ce = fitted(case)
    membership = ce.membership(rows())
    assert membership.shape == (N, ce.labels_.max() + 1)
    np.testing.assert_allclose(membership.sum(axis=1), 1)
    clustered = np.flatnonzero(ce.labels_ >= 0)[:4]
    e = ce.explain(clustered.tolist())
    known = membership[clustered, e.runner_ups] > 1e-100  # a far component of a mixture underflows
    ratio = np.log(membership[clustered, e.labels][known] / membership[clustered, e.runner_ups][known])
    np.testing.assert_allclose(e.scores[known], ratio, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("case", list(NAMED))
def test_labels_are_numbered_by_size(case: str) -> None:
    """0 is the largest."""
    labels = fitted(case).labels_
    sizes = np.bincount(labels[labels >= 0])
    assert (np.diff(sizes) <= 0).all()
    assert fitted(case).cluster_centers_.shape == (len(sizes), 2)


@pytest.mark.parametrize("case", ["kmeans", "spherical_kmeans", "gmm", "dec", "KMeans", "GaussianMixture"])
def test_training_rows_are_predicted_where_they_are(case: str) -> None:
    ce = fitted(case)
    np.testing.assert_array_equal(ce.predict(rows()), ce.labels_)


# Given labels and fitted estimators


@pytest.mark.parametrize("case", GIVEN)
def test_what_is_given_keeps_its_labels_and_numbers(case: str, tmp_path: Path) -> None:
    ce, labels = fitted(case), user_labels(case)
    np.testing.assert_array_equal(ce.labels_, labels)
    np.testing.assert_array_equal(ce.explain([5]).train_labels, labels)
    np.testing.assert_array_equal(ce.refit(weights_of(case)).labels_, labels)
    ce.save(tmp_path / "run")
    loaded = ClusterExplainer.load(tmp_path / "run")
    np.testing.assert_array_equal(loaded.labels_, labels)
    np.testing.assert_array_equal(loaded.refit(weights_of(case)).labels_, labels)


@pytest.mark.parametrize("case", ["labels", "AgglomerativeClustering"])
def test_labels_are_kept_in_every_refit(case: str) -> None:
    """Nobody knows how to find them anew, so a refit at any weights keeps them, removed rows included."""
    ce = fitted(case)
    weights = unequal()
    weights[::4] = 0
    np.testing.assert_array_equal(ce.refit(weights).labels_, user_labels(case))


@pytest.mark.filterwarnings("ignore::clusterexplain.exceptions.AdoptedClustersWarning")
def test_the_users_objects_are_not_touched() -> None:
    for case in GIVEN[1:]:
        estimator = clusterer_of(case)
        before = dict(vars(estimator))
        ClusterExplainer(**SMALL, dtype="float64", clusterer=estimator).fit(rows(), sample_weight=unequal())
        assert vars(estimator).keys() == before.keys()
    labels = user_labels("labels").copy()
    ce = ClusterExplainer(**SMALL, dtype="float64", clusterer=labels).fit(rows(), sample_weight=unequal())
    labels[:] = 0
    np.testing.assert_array_equal(ce.labels_, user_labels("labels"))


@pytest.mark.parametrize("as_type", [list, tuple, lambda one: one.astype(float), lambda one: one.astype(np.int8)])
def test_labels_may_come_as_any_whole_numbers(as_type: Any) -> None:
    labels = user_labels("labels")
    ce = ClusterExplainer(**SMALL, dtype="float64", clusterer=as_type(labels)).fit(rows(), sample_weight=unequal())
    np.testing.assert_array_equal(ce.labels_, labels)
    assert ce.labels_.dtype.kind == "i"


def test_kmeans_given_is_kmeans_found() -> None:
    """The same partition explains the same, whoever found it."""
    ours = fitted("kmeans")
    theirs = ClusterExplainer(**SMALL, dtype="float64", clusterer=ours.labels_).fit(rows(), sample_weight=unequal())
    first, second = ours.explain([3, 17]), theirs.explain([3, 17])
    np.testing.assert_allclose(second.scores, first.scores, rtol=1e-12)
    np.testing.assert_allclose(second.influence, first.influence, rtol=1e-9, atol=1e-12)


def test_shuffled_labels_are_refused_unless_the_user_knows_better() -> None:
    labels = np.random.default_rng(5).permutation(fitted("kmeans").labels_)
    with pytest.warns(DisagreementWarning, match=r"No membership score tells .* by 'margin', \d+\.\d% by 'knn'"):
        ClusterExplainer(**SMALL, dtype="float64", clusterer=labels).fit(rows(), sample_weight=unequal())
    allowed = ClusterExplainer(**SMALL, dtype="float64", clusterer=labels, min_agreement=0)
    ce = allowed.fit(rows(), sample_weight=unequal())
    np.testing.assert_array_equal(ce.labels_, labels)
    e = ce.explain([3])
    assert e.agreement < 0.8
    ce.set_params(min_agreement=0.8)
    message = r"Only \d+\.\d% of the clustered samples .* by the score 'margin', less than min_agreement=0\.8: .*min_agreement"
    for ask in (
        lambda: ce.explain([3]),
        lambda: ce.explain_cluster(0),
        lambda: ce.separation(0, 1),
        lambda: ce.flip(3),
    ):
        with pytest.raises(DisagreementError, match=message):
            ask()
    assert np.isfinite(e.influence).all()


# Errors


@pytest.mark.parametrize(
    ("clusterer", "message"),
    [
        ("dec", r"clusterer='dec' takes the assignment that a model has learned.*Expected model='dec'"),
        ("kmean", r"clusterer='kmean' is unknown\. Expected one of 'kmeans', 'spherical_kmeans'"),
        ("labels", r"clusterer='labels' is unknown"),
        (KMeans(3), r"clusterer=KMeans\(\) has no labels_: it is not fitted.*KMeans\(\.\.\.\)\.fit\(embedding\)"),
        (AgglomerativeClustering(3), r"clusterer=AgglomerativeClustering\(\) has no labels_"),
        (GaussianMixture(3), r"clusterer=GaussianMixture\(\) has no labels_: it is not fitted"),
        (hdbscan.HDBSCAN(), r"clusterer=HDBSCAN\(\) has no labels_: it is not fitted"),
        (np.zeros(N - 1, dtype=int), r"labels of shape \(35,\), expected \(36,\): one for each row of X"),
        (np.zeros((N, 1), dtype=int), r"labels of shape \(36, 1\), expected \(36,\)"),
        (None, r"labels of shape \(\), expected \(36,\)"),
        (np.full(N, 0.5), r"labels that are not whole numbers from -1 \(noise\) up"),
        (np.full(N, np.inf), r"labels that are not whole numbers from -1"),
        (np.full(N, -2), r"labels that are not whole numbers from -1"),
    ],
)
def test_clusterers_that_do_not_fit_are_named(clusterer: Any, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        ClusterExplainer(**{**SMALL, "n_steps": 2}, clusterer=clusterer).fit(rows())


@pytest.mark.parametrize("missing", [np.full(N, np.nan), np.array([None] * N, dtype=object)])
def test_missing_labels_are_counted(missing: np.ndarray) -> None:
    with pytest.raises(InvalidDataError, match=r"36 of 36 labels are missing.*Expected a label for each row"):
        ClusterExplainer(**{**SMALL, "n_steps": 2}, clusterer=missing).fit(rows())


def test_estimators_fitted_to_other_rows_or_columns_are_named() -> None:
    Z = fitted("kmeans").embedding_
    for clusterer, message in (
        (KMeans(3, n_init=1).fit(Z[:20]), r"labels of shape \(20,\), expected \(36,\).*embedding of the same rows"),
        (GaussianMixture(3).fit(rows()), r"fitted on 5 columns, but the embedding has 2"),
        (hdbscan.HDBSCAN(min_cluster_size=5).fit(Z[:20]), r"labels of shape \(20,\), expected \(36,\)"),
        (hdbscan.HDBSCAN(min_cluster_size=3, metric="manhattan").fit(Z), r"metric='manhattan'; expected 'euclidean'"),
    ):
        with pytest.raises(InvalidParameterError, match=message):
            ClusterExplainer(**{**SMALL, "n_steps": 2}, clusterer=clusterer).fit(rows())


@pytest.mark.parametrize(
    ("clusterer", "options", "message"),
    [
        ("kmeans", {"tol": 1}, r"clusterer_options has 'tol', which clusterer='kmeans' does not take.*: none"),
        ("gmm", {"temperature": 1}, r"has 'temperature'.* Its options: covariance_type, reg_covar"),
        (
            "gmm",
            {"covariance_type": "round"},
            r"\['covariance_type'\]='round' is unknown\. Expected one of 'full', 'tied'",
        ),
        ("gmm", {"reg_covar": 0}, r"\['reg_covar'\]=0 must be a finite number above 0"),
        ("gmm", {"reg_covar": float("inf")}, r"must be a finite number above 0"),
        ("soft_kmeans", {"temperature": -1}, r"\['temperature'\]=-1 must be a finite number above 0"),
        ("soft_kmeans", {"temperature": "hot"}, r"must be a finite number above 0"),
        ("soft_kmeans", {"temperature": True}, r"must be a finite number above 0"),
        ("hdbscan", {"min_cluster_size": 1}, r"\['min_cluster_size'\]=1 must be a whole number of at least 2"),
        ("hdbscan", {"min_cluster_size": 2.5}, r"must be a whole number of at least 2"),
        ("hdbscan", {"min_cluster_size": None}, r"\['min_cluster_size'\]"),
        ("hdbscan", {"min_samples": 0}, r"\['min_samples'\]=0 must be a whole number of at least 1"),
        ("hdbscan", {"cluster_selection_method": "best"}, r"'best' is unknown\. Expected one of 'eom', 'leaf'"),
        ("hdbscan", {"cluster_selection_epsilon": -0.1}, r"must be a finite number of at least 0"),
        ("hdbscan", {"cluster_selection_epsilon": None}, r"must be a finite number of at least 0"),
        ("hdbscan", {"allow_single_cluster": "yes"}, r"'yes' is unknown\. Expected one of False, True"),
        ("gmm", "diag", r"clusterer_options='diag' must be None or a dict"),
        (np.zeros(N, dtype=int), {"temperature": 1}, r"belong to a clusterer that is asked for by name"),
    ],
)
def test_options_that_are_not_taken_are_named(clusterer: Any, options: Any, message: str) -> None:
    ce = ClusterExplainer(**{**SMALL, "n_steps": 2}, clusterer=clusterer, clusterer_options=options)
    with pytest.raises(InvalidParameterError, match=message):
        ce.fit(rows())


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), True, "all", None])
def test_min_agreement_is_a_share(share: Any) -> None:
    with pytest.raises(InvalidParameterError, match=r"min_agreement=.* must be a number from 0 to 1"):
        ClusterExplainer(**SMALL, min_agreement=share).fit(rows())


@pytest.mark.parametrize(
    ("clusterer", "score"),
    [("kmeans", "responsibility"), ("gmm", "margin"), ("hdbscan", "cosine"), ("soft_kmeans", "exemplar")],
)
def test_a_score_of_another_clusterer_is_refused(clusterer: str, score: str) -> None:
    ce = ClusterExplainer(**{**SMALL, "n_steps": 2}, clusterer=clusterer, membership_score=score)
    with pytest.raises(
        InvalidParameterError, match=rf"membership_score='{score}' cannot score clusterer '{clusterer}'"
    ):
        ce.fit(rows())


def test_against_noise_needs_noise() -> None:
    with pytest.raises(
        InvalidParameterError, match=r"against='noise' is not a cluster\. Expected 'runner-up' or one of 0"
    ):
        fitted("kmeans").explain([3], against="noise")
    noise = np.flatnonzero(fitted("hdbscan").labels_ == -1)[:1].tolist()
    with pytest.raises(InvalidParameterError, match=r"against='noise' is the own cluster of a query"):
        fitted("hdbscan").explain(noise, against="noise")


# Degenerate clusterings: a clear result or a clear error


def with_labels(labels: np.ndarray, X: np.ndarray | None = None, **parameters: Any) -> ClusterExplainer:
    """Fit a few steps with given labels."""
    ce = ClusterExplainer(**{**SMALL, "n_steps": 10, **parameters}, dtype="float64", clusterer=labels)
    return ce.fit(rows() if X is None else X)


def test_labels_that_are_all_noise_are_refused() -> None:
    with pytest.raises(
        InvalidParameterError, match=r"labels that are all -1, noise, so there is no cluster to explain"
    ):
        with_labels(np.full(N, -1))


def test_all_noise_is_a_fit_without_explanations(tmp_path: Path) -> None:
    ce = ClusterExplainer(**SMALL, dtype="float64", clusterer="hdbscan", clusterer_options={"min_cluster_size": 30})
    ce.fit(rows())
    assert (ce.labels_ == -1).all()
    assert (ce.predict(new_rows()) == -1).all()
    assert ce.cluster_centers_.shape[0] == 0
    assert ce.membership(new_rows()).shape == (2, 0)
    assert ce.score(rows()) == -1
    for ask in (lambda: ce.explain([0]), lambda: ce.flip(0)):
        with pytest.raises(InvalidParameterError, match=r"Every sample is noise, so there is no cluster to explain"):
            ask()
    for ask in (lambda: ce.explain_cluster(0), lambda: ce.separation(0, 1)):
        with pytest.raises(InvalidParameterError, match=r"There is no cluster 0 with members\. Expected one of: none"):
            ask()
    with pytest.raises(InvalidParameterError, match="does not name a cluster"):
        ce.name_clusters({0: "nothing"})
    assert (ce.refit(np.r_[0, np.ones(N - 1)]).labels_ == -1).all()
    ce.save(tmp_path / "run")
    assert (ClusterExplainer.load(tmp_path / "run").labels_ == -1).all()


def test_one_cluster_has_no_runner_up() -> None:
    for ce in (
        with_labels(np.zeros(N, dtype=int)),
        ClusterExplainer(**{**SMALL, "n_clusters": 1, "n_steps": 10}, clusterer="gmm").fit(rows()),
        ClusterExplainer(**{**SMALL, "n_clusters": 1, "n_steps": 10}, clusterer="soft_kmeans").fit(rows()),
    ):
        assert (ce.labels_ == 0).all()
        for ask in (lambda ce=ce: ce.explain([0]), lambda ce=ce: ce.explain_cluster(0), lambda ce=ce: ce.flip(0)):
            with pytest.raises(InvalidParameterError, match=r"only one cluster, so no runner-up cluster"):
                ask()
        assert ce.score(rows()) == -1


def test_one_cluster_and_noise_are_runner_ups() -> None:
    base = fitted("kmeans")
    distance = np.linalg.norm(base.embedding_ - base.embedding_.mean(axis=0), axis=1)
    labels = np.where(distance > np.quantile(distance, 0.75), -1, 0)
    ce = ClusterExplainer(**SMALL, dtype="float64", clusterer=labels, min_agreement=0)
    ce.fit(rows(), sample_weight=unequal())
    inside, outside = int(np.flatnonzero(labels == 0)[0]), int(np.flatnonzero(labels == -1)[0])
    e = ce.explain([inside, outside])
    assert e.labels.tolist() == [0, -1]
    assert e.runner_ups.tolist() == [-1, 0]
    assert np.isfinite(e.influence).all()
    expected = slopes([e], FEW)[0]
    for query in range(2):
        assert error(e.influence[query, FEW], expected[query]) <= TOLERANCE
    cohesion = ce.explain_cluster(0).cohesion
    assert np.isfinite(cohesion.influence).all()
    assert len(ce.explain_cluster(0).towards) == 0
    with pytest.raises(InvalidParameterError, match="There is no cluster 1 with members"):
        ce.separation(0, 1)
    json.dumps([e.to_dict(), ce.explain_cluster(0).to_dict()], allow_nan=False)


def test_singletons_are_finite() -> None:
    labels = fitted("kmeans").labels_.copy()
    labels[[4, 9]] = [3, 4]
    ce = with_labels(labels, n_steps=40, min_agreement=0)
    e = ce.explain([4, 9, 0])
    assert np.isfinite(e.scores).all()
    assert np.isfinite(e.influence).all()
    assert e.scores[0] > 0
    json.dumps(e.to_dict(), allow_nan=False)
    alone = ce.explain_cluster(3)
    assert len(alone.members) == 1
    assert np.isfinite(alone.cohesion.influence).all()
    weights = np.ones(N)
    weights[4] = 0
    gone = ce.refit(weights)
    assert np.isnan(e.evaluate(gone)[0])
    assert np.isfinite(e.evaluate(gone)[2])
    assert np.isnan(gone.cluster_centers_[3]).all()


def test_duplicates_share_their_fate() -> None:
    X = rows()
    X[[20, 21, 22]] = X[3]
    for clusterer in ("spherical_kmeans", "gmm", "hdbscan"):
        ce = ClusterExplainer(**{**SMALL, "n_steps": 10}, dtype="float64", clusterer=clusterer).fit(X)
        assert len(set(ce.labels_[[3, 20, 21, 22]])) == 1, clusterer
        if (ce.labels_ == -1).all():
            continue
        e = ce.explain([3, 20, 22])
        assert np.isfinite(e.influence).all(), clusterer
        np.testing.assert_allclose(e.influence[0], e.influence[1], rtol=1e-6, atol=1e-9, err_msg=clusterer)


@pytest.mark.filterwarnings("ignore::clusterexplain.exceptions.DegenerateClustersWarning")
def test_duplicates_only_are_an_error_or_fewer_clusters() -> None:
    X = np.repeat(rows()[:2], N // 2, axis=0)
    for clusterer in ("gmm", "soft_kmeans"):
        with pytest.warns(FewerClustersWarning, match=r"Only [12] clusters were found for n_clusters=3"):
            ce = ClusterExplainer(**{**SMALL, "n_steps": 10}, dtype="float64", clusterer=clusterer).fit(X)
        try:
            e = ce.explain([0])
        except ClusterExplainError as refused:
            assert len(str(refused)) > 40  # noqa: PT017
        else:
            assert np.isfinite(e.influence).all(), clusterer


@pytest.mark.parametrize("case", ["kmeans", "spherical_kmeans", "gmm", "hdbscan", "soft_kmeans", "labels", "dec"])
def test_a_cluster_that_a_refit_empties_keeps_its_number(case: str) -> None:
    ce = fitted(case)
    last = int(ce.labels_.max())
    weights = np.where(ce.labels_ == last, 0.0, unequal())
    others = np.flatnonzero((ce.labels_ >= 0) & (ce.labels_ != last))[:2].tolist()
    e = ce.explain([*others, int(np.flatnonzero(ce.labels_ == last)[0])])
    refit = ce.refit(weights)
    for assignments in ("kept", "continued"):
        values = e.evaluate(refit, assignments=assignments)
        assert values.shape == (3,)
        assert not np.isinf(values).any()
    if case in ("labels",):
        assert np.isnan(refit.cluster_centers_[last]).all()
        assert np.isnan(e.evaluate(refit)[2])
    present = weights > 0
    assert set(refit.labels_[present]) <= set(range(-1, last + 2))


def test_labels_with_gaps_keep_their_numbers(tmp_path: Path) -> None:
    labels = np.array([1, 4, 6])[fitted("kmeans").labels_]
    ce = ClusterExplainer(**SMALL, dtype="float64", clusterer=labels).fit(rows(), sample_weight=unequal())
    np.testing.assert_array_equal(ce.labels_, labels)
    assert set(ce.predict(rows())) <= {1, 4, 6}
    assert ce.cluster_centers_.shape == (7, 2)
    assert np.isnan(ce.cluster_centers_[[0, 2, 3, 5]]).all()
    e = ce.explain(list(range(N)))
    assert set(e.runner_ups) <= {1, 4, 6}
    plain = fitted("kmeans").explain(list(range(N)))
    np.testing.assert_allclose(e.influence, plain.influence, rtol=1e-8, atol=1e-11)
    with pytest.raises(
        InvalidParameterError, match=r"against=0 is not a cluster\. Expected 'runner-up' or one of 1, 4, 6"
    ):
        ce.explain([0], against=0)
    with pytest.raises(InvalidParameterError, match=r"There is no cluster 2 with members\. Expected one of: 1, 4, 6"):
        ce.explain_cluster(2)
    with pytest.raises(InvalidParameterError, match=r"There is no cluster 0 with members"):
        ce.separation(1, 0)
    assert ce.explain_cluster(4).towards["rival"].isin([1, 6]).all()
    ce.save(tmp_path / "run")
    np.testing.assert_array_equal(ClusterExplainer.load(tmp_path / "run").labels_, labels)


def test_a_number_that_no_cluster_can_have_is_named() -> None:
    """Numbers are kept, so a label is as good as an id; one that needs a table larger than memory is refused in words."""
    labels = fitted("kmeans").labels_.copy()
    labels[0] = 10**13
    with pytest.raises(InvalidParameterError, match=r"labels up to 10000000000000\. Expected small numbers"):
        ClusterExplainer(**{**SMALL, "n_steps": 2}, clusterer=labels).fit(rows())


@pytest.mark.filterwarnings("ignore::clusterexplain.exceptions.AdoptedClustersWarning")
def test_a_component_that_is_nobodys_most_likely_is_a_clear_answer() -> None:
    """A fitted mixture may have a component that predicts no sample: as a cluster it is empty."""
    Z = fitted("kmeans").embedding_
    given = GaussianMixture(3, random_state=0).fit(Z)
    given.weights_ = np.array([0.5, 0.5 - 1e-9, 1e-9])
    given.means_[2] = Z.mean(axis=0)
    labels = given.predict(Z)
    assert not (labels == 2).any()
    ce = ClusterExplainer(**SMALL, dtype="float64", clusterer=given, min_agreement=0)
    ce.fit(rows(), sample_weight=unequal())
    np.testing.assert_array_equal(ce.labels_, labels)
    with pytest.raises(InvalidParameterError, match=r"There is no cluster 2 with members"):
        ce.explain_cluster(2)
    try:
        e = ce.explain([0, 1])
    except ClusterExplainError as refused:
        assert len(str(refused)) > 40  # noqa: PT017
    else:
        assert np.isfinite(e.influence).all()


def test_more_components_than_the_data_show_is_a_clear_answer() -> None:
    """Components that coincide are refused by `explain`, not answered with rubbish."""
    ce = ClusterExplainer(
        **{**SMALL, "n_clusters": 3}, dtype="float64", clusterer="soft_kmeans", clusterer_options={"temperature": 50.0}
    )
    try:
        ce.fit(rows())
    except (ClusterExplainError, FewerClustersWarning, ConvergenceWarning) as refused:
        assert len(str(refused)) > 40  # noqa: PT017
        return
    with pytest.raises(InvalidParameterError, match=r"not identified|only one cluster"):
        ce.explain([0])


# Persistence


STORED = [one for one in (*NAMED, *GIVEN) if one not in ("soft_kmeans, warm", "gmm, diag", "AgglomerativeClustering")]
"""What is stored of the others is what is stored of these."""


@pytest.mark.parametrize("case", STORED)
def test_a_saved_run_explains_bit_for_bit_the_same(case: str, tmp_path: Path) -> None:
    ce = fitted(case)
    ce.save(tmp_path / "run")
    loaded = ClusterExplainer.load(tmp_path / "run")
    assert loaded.fit_.key == ce.fit_.key
    for name in ("labels_", "embedding_", "cluster_centers_"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(ce, name), err_msg=name)
    np.testing.assert_array_equal(loaded.predict(new_rows()), ce.predict(new_rows()))
    np.testing.assert_array_equal(loaded.membership(new_rows()), ce.membership(new_rows()))
    asked: list[tuple[Any, str]] = [([3, 17], "runner-up")]
    if (ce.labels_ == -1).any():
        asked.append(([int(np.flatnonzero(ce.labels_ == 0)[0])], "noise"))
    for queries, against in asked:
        ours, theirs = ce.explain(queries, against=against), loaded.explain(queries, against=against)
        for name in (
            "scores",
            "encoder",
            "cluster",
            "direct",
            "runner_ups",
            "probabilities",
            "share_with_larger_margin",
        ):
            assert getattr(theirs, name).tobytes() == getattr(ours, name).tobytes(), name
        assert theirs.agreement == ours.agreement
        assert theirs.score_words == ours.score_words
        weights = weights_of(case)
        weights[5] = 0
        np.testing.assert_array_equal(theirs.evaluate(loaded.refit(weights)), ours.evaluate(ce.refit(weights)))
        np.testing.assert_array_equal(theirs.evaluate(ce), ours.evaluate(ce))


class Bomb:
    """Says so if it is ever unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (pytest.fail, ("a pickle was opened",))


def plant(folder: Path, name: str, value: np.ndarray) -> None:
    """Replace one array of a run, checksums made good."""
    with np.load(folder / "arrays.npz") as archive:
        arrays = dict(archive)
    arrays[name] = value
    blob = io.BytesIO()
    np.savez_compressed(blob, **arrays)
    (folder / "arrays.npz").write_bytes(blob.getvalue())
    manifest = json.loads((folder / "run.json").read_text())
    manifest["files"]["arrays.npz"] = run_directory._digest(blob.getvalue())
    manifest["digest"] = run_directory._manifest_digest(manifest)
    (folder / "run.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("case", [*NAMED, *GIVEN])
def test_opening_a_run_never_unpickles(case: str, tmp_path: Path) -> None:
    bomb = np.empty(1, dtype=object)
    bomb[0] = Bomb()
    fitted(case).save(tmp_path / "run")
    with np.load(tmp_path / "run" / "arrays.npz", allow_pickle=False) as archive:
        names = [name for name in archive.files if archive[name].dtype.kind != "O"]
        assert len(names) == len(archive.files)
    planted = [name for name in names if name.startswith("clustering.")] or ["labels"]
    plant(tmp_path / "run", planted[0], bomb)
    with pytest.raises(RunDamagedError, match=r"is damaged"):
        ClusterExplainer.load(tmp_path / "run")


def test_what_lies_beside_a_run_is_never_unpickled(tmp_path: Path) -> None:
    bomb = np.empty(1, dtype=object)
    bomb[0] = Bomb()
    folder = fitted("kmeans").save(tmp_path / "run")
    np.savez(folder / run_files.STABILITY, labels=bomb)
    with pytest.raises(RunDamagedError, match=r"stability\.npz cannot be read .*Delete it and run stability again"):
        ClusterExplainer.load(folder)
    (folder / run_files.STABILITY).unlink()
    np.save(folder / run_files.MAP, bomb, allow_pickle=True)
    assert ClusterExplainer.load(folder).fit_.annotations.map_coordinates is None
    (folder / run_files.MAP).unlink()
    for text in ("[1]", "{", '{"0": 5}', '{"a": "b"}'):
        (folder / run_files.NAMES).write_text(text)
        with pytest.raises(RunDamagedError, match=r"names\.json cannot be read .*name the clusters again"):
            ClusterExplainer.load(folder)


def test_a_stability_file_that_lacks_arrays_is_named(tmp_path: Path) -> None:
    folder = fitted("kmeans").save(tmp_path / "run")
    np.savez(folder / run_files.STABILITY, labels=np.zeros((1, N)))
    with pytest.raises(
        RunDamagedError, match=r"stability\.npz cannot be read \(KeyError .*Delete it and run stability again"
    ):
        ClusterExplainer.load(folder)
