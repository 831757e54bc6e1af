"""Fits of which no sample can be explained are refused in words; those at their edge are explained as refits say."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np
import pytest

from clusterexplain import ClusterExplainer
from clusterexplain.exceptions import (
    ClusterExplainError,
    DegenerateClustersWarning,
    InvalidDataError,
    InvalidParameterError,
)
from clusterexplain.explanation.answerable import answerable_row, reason_against
from clusterexplain.explanation.gradients import cotangents_of

OPTIONS: dict[str, Any] = {"n_steps": 40, "latent_dim": 2, "hidden": (16,), "random_state": 0, "n_jobs": 1}
PROFILES = np.array([[1, 0, 0, 1, 0], [0, 1, 0, 0, 1], [0, 0, 1, 1, 0], [1, 1, 0, 0, 1.0]])


def copies(n_rows: int = 80) -> np.ndarray:
    """Return rows that are copies of four profiles."""
    return PROFILES[np.random.default_rng(1).integers(0, 4, n_rows)]


def fitted(X: np.ndarray, **options: Any) -> ClusterExplainer:
    """Fit without the warnings that a fit gives of clusters that cannot be explained."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateClustersWarning)
        return ClusterExplainer(**{**OPTIONS, **options}).fit(X)


def assert_derivative(ce: ClusterExplainer, query: int, *, rtol: float = 1e-5, step: float = 1e-4) -> None:
    """Compare the two strongest influences on a row, and its own, with central differences of refits."""
    e = ce.explain([query])
    weights = e.sample_weight
    for row in {query, *np.argsort(-np.abs(e.influence[0]))[:2].tolist()}:
        ends = []
        for sign in (1, -1):
            moved = weights.copy()
            moved[row] *= 1 + sign * step
            ends.append(e.evaluate(ce.refit(sample_weight=moved), assignments="kept")[0])
        slope = (ends[0] - ends[1]) / (2 * step)
        assert abs(slope - e.influence[0, row]) <= rtol * np.abs(e.influence).max(), (row, slope, e.influence[0, row])


# Clusters whose members coincide (kind D), and scores without a unit (kind O)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("clusterer", ["kmeans", "spherical_kmeans", "soft_kmeans", "labels", "hdbscan"])
def test_members_that_all_coincide_are_refused(clusterer: str, dtype: str) -> None:
    X = copies()
    given = np.unique(X, axis=0, return_inverse=True)[1].ravel() if clusterer == "labels" else clusterer
    with pytest.warns(DegenerateClustersWarning, match="members of every cluster coincide"):
        ce = ClusterExplainer(**OPTIONS, clusterer=given, n_clusters=4, dtype=dtype).fit(X)
    with pytest.raises(InvalidDataError, match=r"rounding, beside embeddings of .*Expected clusters with spread"):
        ce.explain([0])


@pytest.mark.parametrize("score", ["margin", "student_t", "softmax"])
def test_as_many_clusters_as_rows_are_refused_by_every_score(score: str) -> None:
    X = np.random.default_rng(0).normal(size=(6, 5)) * 5 + 20 * np.eye(6)[:, :5]
    ce = fitted(X, n_clusters=6, latent_dim=5, membership_score=score)
    with pytest.raises(InvalidDataError, match=f"{score!r} measures in units of the spread"):
        ce.explain([0])


@pytest.mark.parametrize("clusterer", ["kmeans", "spherical_kmeans", "soft_kmeans"])
def test_single_rows_and_copies_beside_clusters_with_spread_are_explained(clusterer: str) -> None:
    """A cluster of copies, one of a single row, and two with spread: the pooled spread is the unit."""
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(30, 4)) + np.repeat([[8, 0, 0, 0], [0, 8, 0, 0]], 15, axis=0)
    X = np.vstack([wide, np.tile([0, 0, 8.0, 0], (9, 1)), [[0, 0, 0, 30.0]]])
    ce = fitted(X, clusterer=clusterer, n_clusters=4, dtype="float64", scaling="standard", n_steps=80)
    sizes = np.bincount(ce.labels_)
    assert len(sizes) == 4
    for query in (0, 35, 39):
        assert_derivative(ce, query)


def test_a_mixture_of_copies_is_explained_as_refits_say() -> None:
    """The score of a mixture divides by covariances, which what is added keeps from vanishing."""
    assert_derivative(fitted(copies(), clusterer="gmm", n_clusters=4, dtype="float64"), 0, rtol=1e-3)


@pytest.mark.parametrize("covariance_type", ["diag", "full", "spherical"])
def test_identical_rows_in_one_component_are_explained_as_refits_say(covariance_type: str) -> None:
    """Seen to fail: refused, because a displacement of every parameter made the small covariance negative."""
    rng = np.random.default_rng(0)
    X = np.concatenate(
        [rng.normal(size=(40, 4)), rng.normal(size=(40, 4)) + [9, 0, 0, 0], np.tile([0, 9.0, 0, 0], (20, 1))]
    )
    options = {"covariance_type": covariance_type, "reg_covar": 1e-7}
    ce = fitted(X, clusterer="gmm", n_clusters=3, clusterer_options=options, n_steps=100, dtype="float64")
    for query in (0, 45, 90):
        assert_derivative(ce, query)


def test_a_component_as_narrow_as_rounding_is_refused() -> None:
    ce = fitted(
        copies(), clusterer="gmm", n_clusters=4, clusterer_options={"covariance_type": "full", "reg_covar": 1e-13}
    )
    with pytest.raises(InvalidDataError, match="'responsibility' measures in units of the spread"):
        ce.explain([0])


def test_components_that_coincide_are_refused() -> None:
    rng = np.random.default_rng(2)
    X = np.concatenate([rng.normal(size=(25, 3)), rng.normal(size=(12, 3)) + 20])
    options = {"covariance_type": "diag", "reg_covar": 0.01}
    with pytest.warns(DegenerateClustersWarning, match="not identified"):
        ce = ClusterExplainer(
            clusterer="gmm", n_clusters=3, clusterer_options=options, latent_dim=1, hidden=(8,), n_steps=60,
            dtype="float64", random_state=2, n_jobs=1,
        ).fit(X)  # fmt: skip
    with pytest.raises(InvalidParameterError, match="not identified: components coincide or drift without end"):
        ce.explain([0])
    assert "not identified" in reason_against(ce.fit_)


def test_soft_clusters_that_merged_are_refused() -> None:
    X = np.random.default_rng(0).normal(size=(40, 4))
    ce = fitted(X, clusterer="soft_kmeans", n_clusters=3, clusterer_options={"temperature": 3.0}, min_agreement=0.0)
    with pytest.raises(ClusterExplainError, match=r"centroids of clusters \d and \d coincide|only one cluster"):
        ce.explain([0])


def test_given_labels_whose_centroids_coincide_are_refused() -> None:
    """Two clusters of the same rows, beside one that is apart: the pair is refused, the other pairs are answered."""
    rows = np.random.default_rng(0).normal(size=(10, 4))
    X = np.vstack([rows, rows, rows + 8])
    ce = fitted(X, clusterer=np.repeat([0, 1, 2], 10), min_agreement=0.0, dtype="float64")
    with pytest.raises(InvalidDataError, match="centroids of clusters 0 and 1 coincide"):
        ce.explain([0], against=1)
    assert np.isfinite(ce.explain([0], against=2).influence).all()


def test_a_derivative_that_is_not_finite_is_refused(small: ClusterExplainer, monkeypatch: pytest.MonkeyPatch) -> None:
    e = small.explain([0, 1])
    broken = type(small.fit_.score)
    logits = broken.logits
    monkeypatch.setattr(
        broken, "logits", lambda self, rows, state: logits(self, rows, state) + 0 * (rows[..., :1] * 0).sqrt()
    )
    with pytest.raises(InvalidDataError, match=r"derivative of the score 'margin' is not finite for 2 of 2 margins"):
        cotangents_of(small.fit_, e.margins)


# Which row the next command names


def test_the_row_to_ask_about_can_be_explained(small: ClusterExplainer, blobs: np.ndarray) -> None:
    assert answerable_row(small.fit_) == (0, "")
    weights = np.ones(30)
    weights[small.labels_ == small.labels_[0]] = 0
    kept = ClusterExplainer(**{**OPTIONS, "clusterer": small.labels_}).fit(blobs, sample_weight=weights)
    row, reason = answerable_row(kept.fit_)
    assert row is not None
    assert weights[row] == 1
    assert "no members of positive weight" in reason
    kept.explain([row])


def test_where_score_and_labels_disagree_no_row_is_named(blobs: np.ndarray) -> None:
    """Labels that were given are refused by ``fit``; what was fitted elsewhere is judged here."""
    fit = ClusterExplainer(**OPTIONS, clusterer=np.arange(30) % 3, min_agreement=0).fit(blobs).fit_
    row, reason = answerable_row(dataclasses.replace(fit, config=dataclasses.replace(fit.config, min_agreement=0.8)))
    assert row is None
    assert "min_agreement=0.8" in reason
