"""A fitted estimator and its answers survive pickle and joblib, also on the way into another process."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris

from clusterexplain import ClusterExplainer

MODELS = {
    "precomputed": {"model": "precomputed", "n_clusters": 3},
    "pca": {"model": "pca", "latent_dim": 2, "n_clusters": 3},
    "autoencoder": {"latent_dim": 2, "n_clusters": 3, "n_steps": 20},
    "dec": {"model": "dec", "clusterer": "dec", "latent_dim": 2, "n_clusters": 3, "n_steps": 20},
    "hdbscan": {"model": "pca", "latent_dim": 2, "clusterer": "hdbscan"},
}
ANSWER = """
import sys, joblib, numpy
explainer = joblib.load(sys.argv[1])
answer = explainer.explain([7, 120])
numpy.save(sys.argv[2], answer.influence)
"""


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_a_fit_that_has_answered_gives_the_same_bytes_after_pickle(options: dict[str, object]) -> None:
    explainer = ClusterExplainer(random_state=0, **options).fit(load_iris().data)
    answer = explainer.explain([7, 120])
    loaded_explainer, loaded_answer = pickle.loads(pickle.dumps((explainer, answer)))
    np.testing.assert_array_equal(loaded_answer.influence, answer.influence)
    assert repr(loaded_answer) == repr(answer)
    again = loaded_explainer.explain([7, 120])
    np.testing.assert_array_equal(again.influence, answer.influence)
    weights = np.ones(150)
    weights[3] = 0.0
    np.testing.assert_array_equal(
        again.evaluate(loaded_explainer.refit(weights)), answer.evaluate(explainer.refit(weights))
    )


@pytest.mark.parametrize("name", ["pca", "autoencoder"])
def test_a_new_process_answers_from_what_joblib_wrote(name: str, tmp_path: Path) -> None:
    explainer = ClusterExplainer(random_state=0, **MODELS[name]).fit(load_iris().data)
    expected = explainer.explain([7, 120]).influence
    joblib.dump(explainer, tmp_path / "explainer.joblib")
    subprocess.run(
        [sys.executable, "-c", ANSWER, tmp_path / "explainer.joblib", tmp_path / "influence.npy"], check=True
    )
    np.testing.assert_array_equal(np.load(tmp_path / "influence.npy"), expected)


def by_length(Z: np.ndarray, sample_weight: np.ndarray) -> np.ndarray:
    """Cluster irises by the length of the petal."""
    return np.digitize(Z[:, 2], [2.5, 4.9])


@pytest.mark.parametrize("reclusterer", [by_length, KMeans(3, n_init=2, random_state=0)], ids=["function", "estimator"])
def test_a_reclusterer_goes_along(reclusterer: Any) -> None:
    X = load_iris().data
    labels = by_length(X, np.ones(150)) if callable(reclusterer) else reclusterer.fit(X).labels_
    explainer = ClusterExplainer("precomputed", reclusterer=reclusterer, random_state=0).fit(X, labels=labels)
    loaded = pickle.loads(pickle.dumps(explainer))
    weights = np.ones(150)
    weights[:40] = 0.0
    np.testing.assert_array_equal(loaded.refit(weights).labels_, explainer.refit(weights).labels_)
    stability = explainer.stability(n_seeds=0, n_bootstrap=2)
    np.testing.assert_array_equal(loaded.stability(n_seeds=0, n_bootstrap=2).labels, stability.labels)
