"""Clusters that were not found here: a user's labels, and centroids that a model learns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from clusterexplain.clustering.base import Clustering, ClusterInputs, ClusterState
from clusterexplain.clustering.centroids import CentroidState, around_members, centroid_state, squared_distances
from clusterexplain.clustering.given.labelled_state import LabelledState
from clusterexplain.clustering.kmeans import canonical_order, nearest_center


@dataclass(frozen=True, eq=False)
class GivenLabels(Clustering[LabelledState]):
    """A user's labels, kept as they are: how they were found is not known, so to continue them is to keep them."""

    name: ClassVar[str] = "labels"
    scores: ClassVar[tuple[str, ...]] = ("margin", "knn", "student_t", "softmax")
    state_type: ClassVar[type[ClusterState]] = LabelledState
    reassigns: ClassVar[bool] = False
    labels_given: ClassVar[bool] = True

    def state(self, inputs: ClusterInputs) -> LabelledState:
        """Return weighted means of the members, their variances, and the members."""
        centroids = centroid_state(inputs.embedding, inputs.weights, self.labels, self.n_clusters)
        return LabelledState(*centroids, inputs.embedding, inputs.weights, self.labels)

    def update_continued(self, inputs: ClusterInputs) -> GivenLabels:
        """Keep the labels."""
        return self

    def assign(self, rows: Tensor, state: LabelledState) -> Tensor:
        """Return the nearest centroid of a nonempty cluster."""
        return nearest_center(rows, state)


@dataclass(frozen=True, eq=False)
class ModelCentroids(Clustering[CentroidState]):
    """Clusters around centroids that are parameters of the model (DEC's own assignment).

    Parameters
    ----------
    labels, n_clusters : object
        As in :class:`Clustering`; the label is the nearest centroid.
    order : Tensor of shape (n_clusters,), int64
        Which of the model's centroids each cluster number stands for.
    """

    order: Tensor

    name: ClassVar[str] = "dec"
    scores: ClassVar[tuple[str, ...]] = ("dec_assignment", "margin", "student_t", "softmax")
    state_type: ClassVar[type[ClusterState]] = CentroidState

    @classmethod
    def fit(cls, inputs: ClusterInputs) -> ModelCentroids:
        """Assign every sample to the nearest of the model's centroids; centroids without members come last.

        Parameters
        ----------
        inputs : ClusterInputs
            With ``model_centroids``. Of the weights, which the centroids have been trained with, it matters which are 0:
            rows that are not there are not counted when clusters are numbered.

        Returns
        -------
        ModelCentroids
            Labels in canonical order.
        """
        centroids = _model_centroids(inputs)
        nearest = squared_distances(inputs.embedding, centroids).argmin(dim=-1).numpy()
        counted = nearest[inputs.weights.numpy() > 0]
        _, first = np.unique(canonical_order(counted), return_index=True)
        used = counted[first]
        order = np.concatenate([used, np.setdiff1d(np.arange(len(centroids)), used)])
        return cls(torch.from_numpy(order.argsort()[nearest]), len(order), torch.from_numpy(order))

    def state(self, inputs: ClusterInputs) -> CentroidState:
        """Return the model's centroids, and the variances of their members around them."""
        return around_members(_model_centroids(inputs)[self.order], inputs.embedding, inputs.weights, self.labels)

    def update_continued(self, inputs: ClusterInputs) -> ModelCentroids:
        """Assign every sample to the nearest of the model's centroids."""
        centroids = _model_centroids(inputs)[self.order]
        return replace(self, labels=squared_distances(inputs.embedding, centroids).argmin(dim=-1))

    def assign(self, rows: Tensor, state: CentroidState) -> Tensor:
        """Return the nearest of the model's centroids."""
        return squared_distances(rows, state.centers).argmin(dim=-1)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the order of the model's centroids."""
        return {"order": self.order.numpy()}

    @classmethod
    def restore(
        cls, labels: Tensor, n_clusters: int, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]
    ) -> ModelCentroids:
        """Rebuild."""
        return cls(labels, n_clusters, torch.from_numpy(arrays["order"].copy()))


def _model_centroids(inputs: ClusterInputs) -> Tensor:
    assert inputs.model_centroids is not None, "the model has no centroids of its own"
    return inputs.model_centroids
