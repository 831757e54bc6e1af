"""Clusters that were not found here: a user's labels, and centroids that a model learns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from clusterexplain.clustering.base import Clustering
from clusterexplain.clustering.centroids import CentroidState, around, centroid_state, squared_distances
from clusterexplain.clustering.kmeans import canonical_order, nearest_center


@dataclass(frozen=True, eq=False)
class GivenLabels(Clustering):
    """A user's labels, kept as they are: nobody knows how to find them anew, so following is keeping."""

    name: ClassVar[str] = "labels"
    scores: ClassVar[tuple[str, ...]] = ("margin", "student_t", "softmax")
    reassigns: ClassVar[bool] = False

    def state(self, embedding: Tensor, weights: Tensor, learned: Tensor | None = None) -> CentroidState:
        """Return weighted means of the members and their variances."""
        return centroid_state(embedding, weights, self.labels, self.n_clusters)

    def update_continued(self, embedding: Tensor, weights: Tensor, learned: Tensor | None = None) -> GivenLabels:
        """Keep the labels."""
        return self

    def assign(self, rows: Tensor, state: CentroidState) -> Tensor:
        """Return the nearest living centroid."""
        return nearest_center(rows, state)


@dataclass(frozen=True, eq=False)
class ModelCentroids(Clustering):
    """Clusters around centroids that are parameters of the model (DEC's own assignment).

    Parameters
    ----------
    labels, n_clusters : object
        As in :class:`Clustering`; the label is the nearest centroid.
    order : Tensor of shape (n_clusters,), int64
        Which learned centroid each cluster number stands for.
    """

    order: Tensor

    name: ClassVar[str] = "dec"
    scores: ClassVar[tuple[str, ...]] = ("dec_assignment", "margin", "student_t", "softmax")

    @classmethod
    def fit(cls, embedding: Tensor, weights: Tensor, learned: Tensor) -> ModelCentroids:
        """Assign every sample to its nearest learned centroid; centroids without members come last.

        Parameters
        ----------
        embedding : Tensor of shape (n_samples, dim), float64
            Embeddings.
        weights : Tensor of shape (n_samples,), float64
            Data weights; unused, the centroids have seen them.
        learned : Tensor of shape (n_clusters, dim), float64
            The model's centroids.

        Returns
        -------
        ModelCentroids
            Labels in canonical order.
        """
        nearest = squared_distances(embedding, learned).argmin(dim=-1).numpy()
        labels = canonical_order(nearest)
        _, first = np.unique(labels, return_index=True)
        used = nearest[first]
        order = np.concatenate([used, np.setdiff1d(np.arange(len(learned)), used)])
        return cls(torch.from_numpy(labels), len(order), torch.from_numpy(order))

    def state(self, embedding: Tensor, weights: Tensor, learned: Tensor | None = None) -> CentroidState:
        """Return the learned centroids, and the variances of their members around them."""
        assert learned is not None, "the model has no centroids of its own"
        members = (self.labels.unsqueeze(-1) == torch.arange(self.n_clusters)).to(embedding.dtype)
        return around(learned[self.order], embedding, members * weights.unsqueeze(-1))

    def update_continued(self, embedding: Tensor, weights: Tensor, learned: Tensor | None = None) -> ModelCentroids:
        """Assign every sample to its nearest learned centroid."""
        assert learned is not None, "the model has no centroids of its own"
        return replace(self, labels=squared_distances(embedding, learned[self.order]).argmin(dim=-1))

    def assign(self, rows: Tensor, state: CentroidState) -> Tensor:
        """Return the nearest learned centroid."""
        return squared_distances(rows, state.centers).argmin(dim=-1)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the order of the learned centroids."""
        return {"order": self.order.numpy()}

    @classmethod
    def restore(
        cls, labels: Tensor, n_clusters: int, arrays: Mapping[str, np.ndarray], settings: Any
    ) -> ModelCentroids:
        """Rebuild."""
        return cls(labels, n_clusters, torch.from_numpy(arrays["order"].copy()))
