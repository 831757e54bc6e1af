"""Clusterers and scores of a user's own, from a fit to a saved run."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs

from clusterexplain import ClusterExplainer
from clusterexplain.clustering import (
    Clustering,
    ClusteringSpec,
    ClusterInputs,
    GivenLabels,
    KMeansClustering,
)
from clusterexplain.clustering.make import is_factory
from clusterexplain.clustering.scores import LogRatioMargin
from clusterexplain.exceptions import InvalidClusteringError, InvalidParameterError, InvalidScoreError, RunMismatchError
from tests.conftest import SMALL


class Own(KMeansClustering):
    """K-means under a name of its own."""

    name: ClassVar[str] = "own"


class Other(KMeansClustering):
    """Another one."""

    name: ClassVar[str] = "other"


class Doubled(LogRatioMargin):
    """Twice the default score, under a name of its own."""

    name: ClassVar[str] = "doubled"

    def logits(self, rows: Any, state: Any) -> Any:
        return 2 * super().logits(rows, state)


def own(inputs: ClusterInputs, spec: ClusteringSpec) -> Clustering:
    """Cluster as k-means does."""
    return Own.fit(inputs.embedding, inputs.weights, spec.options.get("k", spec.n_clusters), seed=spec.seed)


def rows() -> np.ndarray:
    """Return 30 rows around 3 centres in 5 dimensions."""
    return make_blobs(30, n_features=5, centers=3, cluster_std=2.0, random_state=0)[0]


@cache
def fitted() -> ClusterExplainer:
    """Return a fit with a clusterer and a score of a user's own."""
    parameters: dict[str, Any] = {**SMALL, "dtype": "float64", "clusterer": own, "membership_score": Doubled()}
    return ClusterExplainer(**parameters).fit(rows())


def test_an_own_clusterer_explains_as_the_built_in_that_it_copies(small: ClusterExplainer) -> None:
    e, expected = fitted().explain([3, 17]), small.explain([3, 17])
    np.testing.assert_array_equal(fitted().labels_, small.labels_)
    np.testing.assert_allclose(e.scores, 2 * expected.scores, rtol=1e-12)
    np.testing.assert_allclose(e.influence, 2 * expected.influence, rtol=1e-9, atol=1e-12)


def test_a_clustering_of_the_embedding_is_taken_as_it_is(small: ClusterExplainer) -> None:
    given = small.fit_.clustering
    ce = ClusterExplainer(**SMALL, dtype="float64", clusterer=given).fit(rows())
    assert ce.fit_.clustering is given
    assert not ce.fit_.can_cluster_again
    with pytest.raises(InvalidClusteringError, match=r"labels is torch\.int64 of shape \(30,\)\. Expected .* \(29,\)"):
        ClusterExplainer(**SMALL, clusterer=given).fit(rows()[:-1])


def test_a_function_can_cluster_again_and_gets_options() -> None:
    assert fitted().fit_.can_cluster_again
    two = ClusterExplainer(**{**SMALL, "n_steps": 2}, clusterer=own, clusterer_options={"k": 2}).fit(rows())
    assert two.fit_.clustering.n_clusters == 2
    assert [is_factory(one) for one in (own, KMeans(3), [0, 1], "kmeans", fitted().fit_.clustering)] == [
        True,
        False,
        False,
        False,
        False,
    ]
    with pytest.raises(
        InvalidClusteringError, match=r"clusterer=Own is a class\. Expected a Clustering of the embedding"
    ):
        ClusterExplainer(**SMALL, clusterer=Own).fit(rows())


def test_a_score_that_does_not_read_the_clusters_is_refused_at_fit() -> None:
    with pytest.raises(
        InvalidScoreError,
        match=r"Doubled\(\) reads CentroidState, but clusterer 'gmm' has a MixtureState",
    ):
        ClusterExplainer(**{**SMALL, "n_steps": 2}, clusterer="gmm", membership_score=Doubled()).fit(rows())


def test_a_saved_run_needs_clusterer_and_score_again(tmp_path: Path) -> None:
    folder, e = fitted().save(tmp_path / "run"), fitted().explain([3])
    loaded = ClusterExplainer.load(folder, clusterer=own, membership_score=Doubled())
    assert loaded.explain([3]).influence.tobytes() == e.influence.tobytes()
    assert loaded.clusterer is own
    assert loaded.fit_.key == fitted().fit_.key
    with pytest.raises(InvalidParameterError, match=r"clusterer of your own, 'own': .*load\(path, clusterer=\.\.\.\)"):
        ClusterExplainer.load(folder, membership_score=Doubled())
    with pytest.raises(
        InvalidParameterError, match=r"score of your own, 'doubled': .*load\(path, membership_score=\.\.\.\)"
    ):
        ClusterExplainer.load(folder, clusterer=own)
    other = Other(fitted().fit_.clustering.labels, 3)
    with pytest.raises(RunMismatchError, match=r"the clusterer 'own', but clusterer= makes 'other'\. Expected the one"):
        ClusterExplainer.load(folder, clusterer=other, membership_score=Doubled())
    renamed = type("Renamed", (Doubled,), {"name": "renamed"})()
    with pytest.raises(RunMismatchError, match=r"with the score 'doubled', not with 'renamed'\. Expected the one"):
        ClusterExplainer.load(folder, clusterer=own, membership_score=renamed)


def test_a_run_with_built_in_clusters_takes_none(small: ClusterExplainer, tmp_path: Path) -> None:
    folder = small.save(tmp_path / "run")
    with pytest.raises(InvalidParameterError, match=r"clusterer='kmeans', which is built in\. Expected no clusterer="):
        ClusterExplainer.load(folder, clusterer=own)
    with pytest.raises(InvalidParameterError, match=r"'margin', which is built in\. Expected no membership_score="):
        ClusterExplainer.load(folder, membership_score=Doubled())


def test_a_function_that_gives_labels_needs_nothing_at_load(tmp_path: Path) -> None:
    labels = fitted().fit_.clustering.labels
    ce = ClusterExplainer(
        **{**SMALL, "n_steps": 2}, min_agreement=0, clusterer=lambda inputs, spec: GivenLabels(labels, 3)
    )
    folder = ce.fit(rows()).save(tmp_path / "run")
    np.testing.assert_array_equal(ClusterExplainer.load(folder).labels_, labels.numpy())
