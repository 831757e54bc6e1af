"""Answers stay what they were: after another fit of their estimator, after saving a refit, with labels from elsewhere."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from sklearn.cluster import BisectingKMeans, KMeans, MiniBatchKMeans

from clusterexplain import ClusterExplainer
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.results.influence_rows import InfluenceRows
from tests.conftest import SMALL


@pytest.fixture(scope="module")
def embedding(blobs: np.ndarray) -> np.ndarray:
    return ClusterExplainer(**SMALL).fit(blobs).embedding_


def test_an_explanation_outlives_its_estimator(blobs: np.ndarray, tmp_path: Path) -> None:
    ce = ClusterExplainer(**SMALL).fit(blobs)
    e, weights = ce.explain([0, 5]), np.ones(30)
    weights[5:15] = 0
    refit = ce.refit(weights)
    predicted, found = e.predict(weights, assignments="continued"), e.evaluate(refit)
    ce.set_params(random_state=3, n_clusters=4).fit(blobs[::-1].copy())
    np.testing.assert_array_equal(e.predict(weights, assignments="continued"), predicted)
    np.testing.assert_array_equal(e.evaluate(refit), found)
    assert e.report(tmp_path / "why.html").is_file()  # of the fit that was explained, which the explanation holds
    with pytest.raises(InvalidParameterError, match=r"belongs to other training data or to another recipe"):
        ce.verify(e)


def test_a_saved_refit_of_an_adopted_clusterer_belongs_to_its_fit(
    blobs: np.ndarray, embedding: np.ndarray, tmp_path: Path
) -> None:
    ce = ClusterExplainer(clusterer=KMeans(3, n_init=3, random_state=0).fit(embedding), **SMALL).fit(blobs)
    e, weights = ce.explain([0]), np.ones(30)
    weights[3:9] = 0
    refit = ce.refit(weights)
    refit.save(tmp_path / "run")
    loaded = ClusterExplainer.load(tmp_path / "run")
    np.testing.assert_allclose(e.evaluate(loaded), e.evaluate(refit))


@pytest.mark.parametrize("kind", [KMeans, MiniBatchKMeans, BisectingKMeans])
def test_a_refit_at_the_same_weights_keeps_adopted_labels(kind: type, blobs: np.ndarray, embedding: np.ndarray) -> None:
    fitted = kind(3, random_state=0).fit(embedding)
    ce = ClusterExplainer(clusterer=fitted, min_agreement=0, **SMALL).fit(blobs)
    np.testing.assert_array_equal(ce.labels_, fitted.labels_)
    np.testing.assert_array_equal(ce.refit(np.ones(30)).labels_, fitted.labels_)


def test_a_far_new_row_that_is_noise_has_an_answer_without_nan(blobs: np.ndarray) -> None:
    rows = np.vstack([blobs[:15] * 0.01, 30 + blobs[15:] * 0.01])
    options = {"min_cluster_size": 5, "min_samples": 2}
    ce = ClusterExplainer(clusterer="hdbscan", clusterer_options=options, **SMALL).fit(rows)
    e = ce.explain(np.full((1, 5), 400.0))
    assert e.labels.tolist() == [-1]
    assert "nan" not in e.headline().lower()
    assert np.isfinite(e.agreement)


def test_every_answer_says_the_shares_of_its_parts(small: ClusterExplainer) -> None:
    e = small.explain([0, 11])
    sizes = [np.abs(part[1]).sum() for part in (e.encoder, e.cluster, e.direct)]
    shares = e.to_dict()["answers"][1]["part_shares"]
    np.testing.assert_allclose(list(shares.values()), np.array(sizes) / sum(sizes))
    words = e.parts_words(1)
    assert f"{shares['direct']:.0%} directly from weights in clusters" in words
    assert "arithmetic" not in words
    assert words in repr(e)
    direct = dataclasses.replace(e, rows=InfluenceRows(0.01 * e.direct, 0 * e.direct, e.direct))
    assert (
        "99% directly from weights in clusters. Nearly all of it is arithmetic of the clusters" in direct.parts_words(0)
    )


def test_changes_of_a_margin_near_0_are_no_percentages(small: ClusterExplainer) -> None:
    e = small.explain([0])
    largest = np.abs(e.influence).max()
    near = dataclasses.replace(e, scores=np.array([0.09 * largest]))
    far = dataclasses.replace(e, scores=np.array([-0.11 * largest]))
    assert near.top(3)["if_removed_percent"].isna().all()
    np.testing.assert_allclose(far.top(3)["if_removed_percent"], 100 * far.top(3)["if_removed"] / (0.11 * largest))
    assert "%" not in near.top(3).to_string()
