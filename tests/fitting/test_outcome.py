"""theta(w) and what follows: the fit at other data weights, with every cluster that dissolves named."""

from __future__ import annotations

import numpy as np
import pytest

from clusterexplain import ClusterExplainer
from clusterexplain.results.outcome import Assignments
from tests.conftest import SMALL


def test_at_is_theta_and_then_the_outcome(small: ClusterExplainer) -> None:
    e, weights = small.explain([0, 11]), np.ones(30)
    weights[[3, 4]] = 0
    fit = small.fit_
    theta = fit.thetas(weights)[0]
    for assignments in ("kept", "continued"):
        at, by_hand = (
            fit.at(weights, e.margins, assignments=assignments),
            fit.outcome(theta, weights, e.margins, assignments=assignments),
        )
        np.testing.assert_array_equal(at.scores, by_hand.scores)
        refitted = e.evaluate(fit.refit(weights), assignments=assignments)
        np.testing.assert_allclose(at.scores, refitted, rtol=1e-12)  # trained by itself: other products of matrices
        assert at.reasons == ("", "")
        assert at.known.all()


def test_nothing_changes_at_the_weights_of_the_fit(small: ClusterExplainer) -> None:
    e, fit = small.explain([0, 11, 25]), small.fit_
    outcomes = fit.outcomes(fit.trajectory.final, fit.weights.numpy(), e.margins, ("kept", "continued", "scratch"))
    assert list(outcomes) == list(Assignments)
    for outcome in outcomes.values():
        np.testing.assert_array_equal(outcome.labels, small.labels_)
        np.testing.assert_array_equal(outcome.final_clusters, small.labels_[[0, 11, 25]])
        assert outcome.dissolved == ()
    np.testing.assert_array_equal(outcomes["kept"].scores, e.scores)
    np.testing.assert_allclose(outcomes["scratch"].scores, e.scores, rtol=1e-12)


@pytest.mark.parametrize("assignments", ["kept", "continued"])
def test_a_cluster_that_lost_all_its_members_is_named(blobs: np.ndarray, assignments: str) -> None:
    labels = np.arange(30) % 3
    ce = ClusterExplainer(**SMALL, dtype="float64", clusterer=labels, min_agreement=0.0).fit(blobs)
    e = ce.explain([0, 1])
    own, weights = int(e.labels[0]), np.ones(30)
    weights[labels == own] = 0
    outcome = ce.fit_.at(weights, e.margins, assignments=assignments)
    assert outcome.dissolved == (own,)
    assert np.isnan(outcome.scores[0])
    where = int(outcome.final_clusters[0])
    assert outcome.reasons[0] == (
        f"cluster {own} dissolved: no member of positive weight is left; the sample is now in cluster {where}"
    )
    assert where != own
    known = [
        bool(np.isnan(score)) != bool(not reason) for score, reason in zip(outcome.scores, outcome.reasons, strict=True)
    ]
    assert all(known), "no score is NaN without a reason"


def test_a_combination_of_margins_names_the_cluster_that_dissolved(blobs: np.ndarray) -> None:
    labels = np.arange(30) % 3
    ce = ClusterExplainer(**SMALL, clusterer=labels, min_agreement=0.0).fit(blobs)
    separation, weights = ce.separation(0, 1), np.ones(30)
    weights[labels == 1] = 0
    outcome = ce.fit_.at(weights, separation.margins)
    assert outcome.reasons == ("cluster 1 dissolved: no member of positive weight is left",)


def test_labels_and_where_a_sample_ends_have_one_numbering(small: ClusterExplainer) -> None:
    fit, e = small.fit_, small.explain(slice(None))
    weights = np.ones(30)
    weights[::4] = 0
    theta = fit.thetas(weights)[0]
    for assignments in Assignments:
        outcome = fit.outcome(theta, weights, e.margins, assignments=assignments, seed=3)
        present = weights > 0
        np.testing.assert_array_equal(outcome.final_clusters[present], outcome.labels[present])
