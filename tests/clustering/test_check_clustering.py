"""The check of a clustering: every clusterer of the package passes, and every broken rule is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import hdbscan  # noqa: TID253
import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture
from torch import Tensor

from clusterexplain.clustering import (
    CentroidState,
    Clustering,
    ClusteringSpec,
    ClusterInputs,
    ClusterState,
    GivenLabels,
    GraphLabels,
    KMeansClustering,
    ModelCentroids,
    NeighbourGraph,
    centroid_state,
    check_clustering,
    make_clustering,
)
from clusterexplain.clustering.mixture_state import MixtureState
from clusterexplain.clustering.registry import CLUSTERERS, CLUSTERING_TYPES
from clusterexplain.exceptions import InvalidClusteringError, InvalidParameterError

CENTERS = torch.tensor([[0.0, 0.0, 4.0], [5.0, 0.0, 1.0], [0.0, 6.0, 2.0]], dtype=torch.float64)


def rows() -> Tensor:
    """Return 60 rows around three centres."""
    draw = torch.Generator().manual_seed(0)
    return CENTERS.repeat_interleave(20, dim=0) + torch.randn(60, 3, generator=draw, dtype=torch.float64)


def unequal() -> Tensor:
    """Return unequal data weights, one of them 0."""
    weights = torch.linspace(0.5, 2.0, 60, dtype=torch.float64)
    weights[7] = 0.0
    return weights


def named(name: str, **options: Any) -> Callable[[ClusterInputs, ClusteringSpec], Clustering]:
    """Return a clusterer of the package with options, as a function of the user's own."""
    return lambda inputs, spec: make_clustering(name, inputs, replace(spec, options=options))


FITTED: dict[str, Callable[[np.ndarray], Any]] = {
    "labels": lambda z: KMeans(3, n_init=3, random_state=0).fit(z).labels_,
    "graph": lambda z: GraphLabels.of(np.arange(60) % 3, NeighbourGraph.of(np.ones((60, 60)), 60)),
    "KMeans": lambda z: KMeans(3, n_init=3, random_state=0, tol=0).fit(z),
    "GaussianMixture": lambda z: GaussianMixture(3, random_state=0, tol=1e-8, max_iter=500).fit(z),
    "HDBSCAN": lambda z: hdbscan.HDBSCAN(min_cluster_size=5, min_samples=3).fit(z),
}


@pytest.mark.parametrize("name", CLUSTERERS)
def test_every_registered_clusterer_passes(name: str) -> None:
    centroids = CENTERS + 0.1 if name == "dec" else None
    check_clustering(name, rows(), unequal(), model_centroids=centroids)


@pytest.mark.parametrize("kind", ["full", "diag", "spherical"])
def test_every_covariance_passes(kind: str) -> None:
    check_clustering(named("gmm", covariance_type=kind), rows(), unequal())


@pytest.mark.parametrize("given", list(FITTED))
def test_what_a_user_has_fitted_passes(given: str) -> None:
    check_clustering(FITTED[given](rows().numpy()), rows())


def test_every_kind_says_what_its_state_is() -> None:
    assert all(issubclass(kind.state_type, tuple) for kind in CLUSTERING_TYPES.values())
    assert {kind.name for kind in CLUSTERING_TYPES.values() if kind.labels_given} == {"labels", "graph_labels"}
    assert {kind.name for kind in CLUSTERING_TYPES.values() if kind.has_tree} == {"hdbscan"}
    assert {kind.name for kind in CLUSTERING_TYPES.values() if kind.hard_centroids} == {"kmeans", "spherical_kmeans"}


@dataclass(frozen=True, eq=False)
class Own(Clustering[CentroidState]):
    """A clustering of a user's own that keeps the contract: nearest of the members' means."""

    name: ClassVar[str] = "own"
    scores: ClassVar[tuple[str, ...]] = ("margin",)
    state_type: ClassVar[type[ClusterState]] = CentroidState

    def state(self, inputs: ClusterInputs) -> CentroidState:
        return centroid_state(inputs.embedding, inputs.weights, self.labels, self.n_clusters)

    def update_continued(self, inputs: ClusterInputs) -> Own:
        lloyd = KMeansClustering(self.labels, self.n_clusters).update_continued(inputs)
        return replace(self, labels=lloyd.labels)

    def assign(self, rows: Tensor, state: CentroidState) -> Tensor:
        return torch.cdist(rows, state.centers).argmin(dim=-1)


def made(kind: type[Clustering]) -> Clustering:
    """Return a clustering of the rows by a kind that takes labels and their number alone."""
    found = KMeansClustering.fit(rows(), unequal(), 3, seed=0)
    return kind(found.labels, found.n_clusters)


def test_a_clusterer_of_a_users_own_passes() -> None:
    check_clustering(made(Own), rows(), unequal())
    check_clustering(lambda inputs, spec: made(Own), rows(), unequal())


class Detached(Own):
    def state(self, inputs: ClusterInputs) -> CentroidState:
        return super().state(inputs._replace(embedding=inputs.embedding.detach()))


class ThroughNumpy(Own):
    def state(self, inputs: ClusterInputs) -> CentroidState:
        centers = torch.from_numpy(np.array(inputs.embedding.numpy()))
        return super().state(inputs._replace(embedding=centers))


class Unweighted(Own):
    def state(self, inputs: ClusterInputs) -> CentroidState:
        return super().state(inputs._replace(weights=torch.ones_like(inputs.weights)))


class Squared(Own):
    def state(self, inputs: ClusterInputs) -> CentroidState:
        return super().state(inputs._replace(weights=inputs.weights**2))


class NotFinite(Own):
    def state(self, inputs: ClusterInputs) -> CentroidState:
        found = super().state(inputs)
        return found._replace(spread=found.spread / 0)


class Dictionary(Own):
    def state(self, inputs: ClusterInputs) -> Any:
        return super().state(inputs)._asdict()


class OneCenter(Own):
    def state(self, inputs: ClusterInputs) -> CentroidState:
        found = super().state(inputs)
        return found._replace(centers=found.centers[:1])


class OtherState(Own):
    state_type: ClassVar[type[ClusterState]] = MixtureState


class RelabelsWhenKept(Own):
    def update_kept(self, inputs: ClusterInputs) -> Clustering:
        return replace(self, labels=self.labels.flip(0))


class MovesWhenKept(Own):
    def update_kept(self, inputs: ClusterInputs) -> Clustering:
        return Shifted(self.labels, self.n_clusters)


class Shifted(Own):
    def state(self, inputs: ClusterInputs) -> CentroidState:
        return super().state(inputs._replace(embedding=inputs.embedding + 1))


class Renumbers(Own):
    def update_continued(self, inputs: ClusterInputs) -> Own:
        return replace(self, labels=(self.labels + 1) % self.n_clusters)


class AssignsToOthers(Own):
    def assign(self, rows: Tensor, state: CentroidState) -> Tensor:
        return torch.zeros(len(rows), dtype=torch.int64)


class AssignsFloats(Own):
    def assign(self, rows: Tensor, state: CentroidState) -> Tensor:
        return super().assign(rows, state).double()


class Stretches(Own):
    def normalize(self, embedding: Tensor) -> Tensor:
        return 2 * embedding


class StartsAnywhere(Own):
    has_random_init: ClassVar[bool] = True

    def from_scratch(self, inputs: ClusterInputs, *, seed: int) -> Own:
        return replace(self, labels=torch.randint(3, (len(inputs.weights),)))


class ForgetsItself(Own):
    @property
    def settings(self) -> dict[str, Any]:
        return {"labels": self.labels}


class RestoresOthers(Own):
    @classmethod
    def restore(
        cls, labels: Tensor, n_clusters: int, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]
    ) -> Own:
        return cls(labels.flip(0), n_clusters)


BROKEN: list[tuple[type[Own], str]] = [
    (Detached, r"Detached\.state has a wrong derivative of centers in the embedding: .*Expected equality"),
    (ThroughNumpy, r"ThroughNumpy\.state cannot be differentiated by torch\.func: .*Expected functions of tensors"),
    (Unweighted, r"depend on where a row of weight 0 is\. Expected that weight 0 is absence"),
    (Squared, r"doubled weight is not the same as the row twice: .*or frequency_weights = False"),
    (NotFinite, r"NaN or infinite numbers in spread\. Expected finite ones even for a cluster without weight"),
    (Dictionary, r"Dictionary\.state returned a dict\. Expected a NamedTuple of tensors"),
    (OneCenter, r"has representatives \(1, 3\)\. Expected a Tensor of shape \(3, 3\)"),
    (OtherState, r"returned a CentroidState, but state_type is MixtureState\. Expected the same"),
    (
        RelabelsWhenKept,
        r"RelabelsWhenKept: update_kept\(inputs\)\.values\(inputs\) differs from values\(inputs\) in centers",
    ),
    (MovesWhenKept, r"update_kept\(inputs\)\.values\(inputs\) differs .*Expected the same state"),
    (Renumbers, r"Renumbers\.update_continued at the same inputs changed labels.*Expected cluster k to stay"),
    (AssignsToOthers, r"AssignsToOthers\.assign puts \d+% of the training rows into other clusters than their labels"),
    (AssignsFloats, r"assign returned torch\.float64 of shape \(60,\) for 60 rows\. Expected one torch\.int64"),
    (Stretches, r"normalize changes rows again.*Expected a projection"),
    (StartsAnywhere, r"from_scratch gave different labels for the same seed\. Expected a function of inputs and seed"),
    (ForgetsItself, r"cannot be stored and restored: TypeError.*Expected arrays\(\) of numbers"),
    (RestoresOthers, r"another state after arrays\(\), settings and restore\(\): centers.*Expected the same"),
]


@pytest.mark.parametrize(("kind", "message"), BROKEN, ids=[kind.__name__ for kind, _ in BROKEN])
def test_a_broken_rule_is_found(kind: type[Own], message: str) -> None:
    with pytest.raises(InvalidClusteringError, match=message):
        check_clustering(made(kind), rows(), unequal())


LABELS = torch.arange(60) % 3


@pytest.mark.parametrize(
    ("clusterer", "message"),
    [
        (
            lambda inputs, spec: LABELS,
            r"clusterer returned a Tensor\. Expected a clusterexplain\.clustering\.Clustering",
        ),
        (
            Own(LABELS.double(), 3),
            r"Own\.labels is torch\.float64 of shape \(60,\)\. Expected a Tensor of torch\.int64",
        ),
        (Own(LABELS[:5], 3), r"Own\.labels is torch\.int64 of shape \(5,\)\. Expected .* of shape \(60,\)"),
        (Own(LABELS.tolist(), 3), r"Own\.labels is list\. Expected a Tensor"),  # type: ignore[arg-type]
        (Own(LABELS, 2), r"labels reach from 0 to 2, with n_clusters=2\. Expected numbers from 0 to n_clusters - 1"),
        (KMeansClustering, r"clusterer=KMeansClustering is a class\. Expected a Clustering of the embedding of X"),
        (
            type("KMeans", (Own,), {"name": "kmeans"})(LABELS, 3),
            r"KMeans\.name='kmeans' is the name of KMeansClustering\. Expected a name of its own",
        ),
        (
            type("Nameless", (GivenLabels.__base__,), {"state": None, "update_continued": None, "assign": None})(
                LABELS, 3
            ),
            r"Nameless has no name, scores, state_type\. Expected class attributes",
        ),
    ],
)
def test_what_is_no_clustering_of_the_rows_is_refused(clusterer: Any, message: str) -> None:
    with pytest.raises(InvalidClusteringError, match=message):
        check_clustering(clusterer, rows())


def test_the_shapes_of_the_probe_are_named() -> None:
    with pytest.raises(InvalidParameterError, match=r"embedding of shape \(60,\) .*Expected \(n_samples, dim\)"):
        check_clustering("kmeans", rows()[:, 0])


def test_centroids_of_a_model_are_part_of_the_inputs() -> None:
    inputs = ClusterInputs(rows(), unequal(), CENTERS)
    clustering = ModelCentroids.fit(inputs)
    assert torch.equal(clustering.state(inputs).representatives, CENTERS[clustering.order])
