"""The check of a score, and the registry: every score of the package passes, and every broken rule is found."""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from clusterexplain.clustering import (
    CentroidState,
    Clustering,
    ClusteringSpec,
    ClusterInputs,
    GivenLabels,
    GraphLabels,
    KMeansClustering,
    NeighbourGraph,
    make_clustering,
)
from clusterexplain.clustering.centroids import squared_distances
from clusterexplain.clustering.registry import CLUSTERERS
from clusterexplain.clustering.scores import SCORES, LogRatioMargin, Score, check_score, make_score
from clusterexplain.clustering.scores.base import reads_state
from clusterexplain.exceptions import InvalidParameterError, InvalidScoreError

CENTERS = torch.tensor([[0.0, 0.0, 4.0], [5.0, 0.0, 1.0], [0.0, 6.0, 2.0]], dtype=torch.float64)


def given(z: Tensor) -> GraphLabels:
    """Return labels that no centroid describes, some of them noise, and a graph of near rows."""
    labels = torch.arange(60) % 4 - 1
    squared = squared_distances(z, z)
    return GraphLabels.of(labels.numpy(), NeighbourGraph.of((torch.exp(-squared) * (squared < 3)).numpy(), 60))


@cache
def fitted(name: str) -> tuple[Clustering, ClusterInputs]:
    """Return a clustering of 60 rows around three centres, and its inputs."""
    draw = torch.Generator().manual_seed(0)
    z = CENTERS.repeat_interleave(20, dim=0) + torch.randn(60, 3, generator=draw, dtype=torch.float64)
    centroids = CENTERS + 0.1 if name == "dec" else None
    raw = ClusterInputs(z, torch.linspace(0.5, 2.0, 60, dtype=torch.float64), centroids)
    clustering = make_clustering(given(z) if name == "graph_labels" else name, raw, ClusteringSpec(3, 0))
    return clustering, raw._replace(embedding=clustering.normalize(z))


def queries(clustering: Clustering, inputs: ClusterInputs) -> Tensor:
    """Return rows that were not trained on."""
    draw = torch.Generator().manual_seed(1)
    shift = torch.randn(8, 3, generator=draw, dtype=torch.float64)
    return clustering.normalize(inputs.embedding[::8] + 0.3 * shift)


PAIRS = [(name, score) for name in (*CLUSTERERS, GraphLabels.name) for score in fitted(name)[0].scores]


@pytest.mark.parametrize(("clusterer", "score"), PAIRS)
def test_every_registered_score_passes_on_every_state_that_it_reads(clusterer: str, score: str) -> None:
    clustering, inputs = fitted(clusterer)

    def rotated(rotation: Tensor) -> Any:
        centroids = inputs.model_centroids
        there = ClusterInputs(
            inputs.embedding @ rotation.T, inputs.weights, None if centroids is None else centroids @ rotation.T
        )
        return clustering.update_kept(there).values(there)

    check_score(SCORES[score], clustering.values(inputs), queries(clustering, inputs), rotated_state=rotated)


def test_every_score_was_checked_and_says_what_it_reads() -> None:
    assert {score for _, score in PAIRS} == set(SCORES)
    for clusterer, score in PAIRS:
        assert reads_state(SCORES[score], fitted(clusterer)[0].state_type)


class Own(Score[CentroidState]):
    """A score of a user's own that keeps the contract: minus the distance to the centroid."""

    name: ClassVar[str] = "own"
    words: ClassVar[str] = "the distance to the runner-up's centroid minus that to its own"
    reads: ClassVar[tuple[type, ...]] = (CentroidState,)
    rotation_invariant: ClassVar[bool] = True

    def logits(self, rows: Tensor, state: CentroidState) -> Tensor:
        return -(squared_distances(rows, state.centers) + 0.01 * state.within).sqrt()

    def boundary_margins(self, rows: Tensor, state: CentroidState) -> Tensor:
        return (state.spread + 0.01 * state.within).sqrt() + self.logits(rows, state)


def test_a_state_with_more_fields_than_a_score_reads_is_read() -> None:
    """A score of a user's own that reads centroids reads those of given labels, which hold more; not those of a mixture."""
    for clusterer, reads in (("graph_labels", True), ("kmeans", True), ("gmm", False), ("hdbscan", False)):
        assert reads_state(Own(), fitted(clusterer)[0].state_type) is reads
    assert not reads_state(SCORES["knn"], CentroidState)
    check_score(Own(), fitted("graph_labels")[0].values(fitted("graph_labels")[1]), queries(*fitted("graph_labels")))


class OneColumn(Own):
    def logits(self, rows: Tensor, state: CentroidState) -> Tensor:
        return super().logits(rows, state)[..., :1]


class NotFinite(Own):
    def logits(self, rows: Tensor, state: CentroidState) -> Tensor:
        return super().logits(rows, state).log()


class OfAllRows(Own):
    def logits(self, rows: Tensor, state: CentroidState) -> Tensor:
        return super().logits(rows - rows.mean(), state)


class OtherMembership(Own):
    def membership(self, rows: Tensor, state: CentroidState) -> Tensor:
        return super().membership(rows, state).square()


class OneSided(Own):
    def margins(
        self, rows: Tensor, state: CentroidState, own: Tensor, runner_up: Tensor, *, noise: bool = True
    ) -> Tensor:
        return super().margins(rows, state, own, runner_up, noise=noise).abs()


class Doubled(Own):
    def margins(
        self, rows: Tensor, state: CentroidState, own: Tensor, runner_up: Tensor, *, noise: bool = True
    ) -> Tensor:
        return 2 * super().margins(rows, state, own, runner_up, noise=noise)


class AnswersForTheEmpty(Own):
    def margins(
        self, rows: Tensor, state: CentroidState, own: Tensor, runner_up: Tensor, *, noise: bool = True
    ) -> Tensor:
        return super().margins(
            rows, state._replace(nonempty=torch.ones(3, dtype=torch.bool)), own, runner_up, noise=noise
        )


class NearestIsEmpty(Own):
    def nearest(self, rows: Tensor, state: CentroidState) -> Tensor:
        return torch.zeros(len(rows), dtype=torch.int64)


class Detached(Own):
    def logits(self, rows: Tensor, state: CentroidState) -> Tensor:
        return super().logits(rows, state._replace(centers=state.centers.detach()))


class OfOneAxis(Own):
    def logits(self, rows: Tensor, state: CentroidState) -> Tensor:
        return -(rows.unsqueeze(-2) - state.centers)[..., 0].square()


BROKEN: list[tuple[type[Own], str]] = [
    (
        OneColumn,
        r"OneColumn\.logits returned shape \(8, 1\) .*Expected \(8, 3\) and \(3,\): one number for each cluster",
    ),
    (NotFinite, r"NotFinite\.logits returned NaN or infinite numbers\. Expected finite ones"),
    (OfAllRows, r"OfAllRows\.logits of a row depends on the other rows\. Expected a function of the row"),
    (OtherMembership, r"membership is not the softmax of the logits over the nonempty clusters\. Expected that"),
    (
        OneSided,
        r"OneSided\.margins of clusters 0 and 1 is not the opposite of 1 and 0\. Expected an antisymmetric margin",
    ),
    (Doubled, r"Doubled\.margins of clusters 0 and 1 is not the difference of their logits\. Expected that"),
    (
        AnswersForTheEmpty,
        r"margins of clusters 0 and 1 is not NaN where cluster 0 is empty\. Expected NaN exactly where",
    ),
    (NearestIsEmpty, r"NearestIsEmpty gives rows to an empty cluster\. Expected membership 0"),
    (Detached, r"Detached\.logits has a wrong derivative in centers: .*Expected equality"),
    (
        OfOneAxis,
        r"OfOneAxis says rotation_invariant = True, but its margins change.*Expected distances and inner products",
    ),
]


def _check(score: Score) -> None:
    clustering, inputs = fitted("kmeans")

    def rotated(rotation: Tensor) -> Any:
        return clustering.values(inputs._replace(embedding=inputs.embedding @ rotation.T))

    check_score(score, clustering.values(inputs), queries(clustering, inputs), rotated_state=rotated)


def test_a_score_of_a_users_own_passes() -> None:
    _check(Own())


@pytest.mark.parametrize(("kind", "message"), BROKEN, ids=[kind.__name__ for kind, _ in BROKEN])
def test_a_broken_rule_is_found(kind: type[Own], message: str) -> None:
    with pytest.raises(InvalidScoreError, match=message):
        _check(kind())


def test_the_probe_itself_must_fit() -> None:
    clustering, inputs = fitted("kmeans")
    state = clustering.values(inputs)
    with pytest.raises(InvalidParameterError, match=r"got a CentroidState, but Responsibility reads MixtureState"):
        check_score(SCORES["responsibility"], state, inputs.embedding)
    with pytest.raises(
        InvalidParameterError, match=r"rows of torch\.float32 of shape \(60, 3\) and 3 nonempty clusters"
    ):
        check_score(SCORES["margin"], state, inputs.embedding.float())


# The registry


def test_a_score_is_found_by_name_or_taken_as_it_is() -> None:
    clustering, own = fitted("kmeans")[0], Own()
    assert make_score("auto", clustering).name == "margin"
    assert make_score("softmax", clustering) is SCORES["softmax"]
    assert make_score(own, clustering) is own


class Scoreless(GivenLabels):
    name: ClassVar[str] = "scoreless"
    scores: ClassVar[tuple[str, ...]] = ()


def test_a_score_that_does_not_read_the_clustering_is_refused() -> None:
    labels = torch.tensor([0, 1])
    with pytest.raises(
        InvalidParameterError, match=r"'cosine' cannot score clusterer 'kmeans'\. Expected one of 'margin'"
    ):
        make_score("cosine", KMeansClustering(labels, 2))
    with pytest.raises(InvalidScoreError, match=r"Own\(\) reads CentroidState, but clusterer 'gmm' has a MixtureState"):
        make_score(Own(), fitted("gmm")[0])
    with pytest.raises(
        InvalidParameterError, match=r"'scoreless' names no score\. Expected an instance of your own Score"
    ):
        make_score("auto", Scoreless(labels, 2))
    with pytest.raises(InvalidParameterError, match=r"'margin' cannot score .*Expected an instance of your own Score"):
        make_score("margin", Scoreless(labels, 2))
    with pytest.raises(
        InvalidScoreError, match=r"Taken\.name='margin' is the name of LogRatioMargin\. Expected a name"
    ):
        make_score(type("Taken", (LogRatioMargin,), {})(), KMeansClustering(labels, 2))


def test_a_score_says_what_it_is() -> None:
    class Silent(Score[CentroidState]):
        name: ClassVar[str] = "silent"
        logits = boundary_margins = Own.logits  # type: ignore[assignment]

    with pytest.raises(InvalidScoreError, match=r"Silent has no words, reads\. Expected class attributes"):
        make_score(Silent(), KMeansClustering(torch.tensor([0, 1]), 2))
