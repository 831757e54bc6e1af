"""k-means with data weights, flat or spherical: scikit-learn finds the labels, the state is recomputed from them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from clusterexplain.clustering.base import Clustering, ClusterInputs, ClusterState
from clusterexplain.clustering.centroids import (
    Centroids,
    CentroidState,
    around_members,
    centroid_state,
    squared_distances,
)

MAX_ITERATIONS = 1000


@dataclass(frozen=True)
class KMeansClusterer:
    """Hard k-means (Lloyd), weighted.

    Parameters
    ----------
    n_clusters : int
        Number of clusters.
    seed : int
        Seed of the initialisations.
    n_init : int, default=10
        Initialisations of a fresh fit; the best is kept.
    spherical : bool, default=False
        Rows lie on the unit sphere, and so do the centroids: they are scaled to length 1 after every mean (Dhillon and
        Modha 2001).
    """

    n_clusters: int
    seed: int
    n_init: int = 10
    spherical: bool = False

    def fit(self, embedding: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Cluster from scratch.

        Parameters
        ----------
        embedding : ndarray of shape (n_samples, dim)
            Embeddings.
        weights : ndarray of shape (n_samples,)
            Data weights; a sample of weight 0 is not there when clusters are found and numbered, and is then given the
            nearest.

        Returns
        -------
        ndarray of shape (n_samples,), int
            Labels in canonical order: cluster 0 is the largest, ties go to the smallest row number.
        """
        present = weights > 0 if (weights > 0).any() else np.ones(len(weights), dtype=bool)
        labels = np.full(len(embedding), -1)
        labels[present] = self._fit_present(embedding[present], weights[present])
        if not present.all():
            members = np.equal.outer(np.arange(labels.max() + 1), labels) * weights
            centers = self._placed(members @ embedding / members.sum(axis=1, keepdims=True))
            labels[~present] = self.predict(centers, embedding[~present])
        return labels

    def _fit_present(self, embedding: np.ndarray, weights: np.ndarray) -> np.ndarray:
        n_clusters = min(self.n_clusters, len(embedding))
        model = KMeans(n_clusters, n_init=self.n_init, random_state=self.seed, tol=0, max_iter=MAX_ITERATIONS)
        fitted = _quietly(model, embedding, weights)
        if not self.spherical:
            return canonical_order(fitted.labels_)
        return canonical_order(self.continue_from(self._placed(fitted.cluster_centers_), embedding, weights))

    def continue_from(self, centers: np.ndarray, embedding: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Continue Lloyd's iterations from given centroids to convergence, so that cluster k stays cluster k.

        A cluster that loses all its weight stays empty. (scikit-learn would move its centroid to the farthest sample, which
        makes another cluster under the old number.)

        Parameters
        ----------
        centers : ndarray of shape (n_clusters, dim)
            Where to start; NaN for a cluster that is already empty.
        embedding : ndarray of shape (n_samples, dim)
            Embeddings.
        weights : ndarray of shape (n_samples,)
            Data weights.

        Returns
        -------
        ndarray of shape (n_samples,), int
            Labels.
        """
        labels = self.predict(centers, embedding)
        for _ in range(MAX_ITERATIONS):
            mass = np.equal.outer(np.arange(len(centers)), labels) * weights  # shape (n_clusters, n_samples)
            totals = mass.sum(axis=1, keepdims=True)
            # the M step, weighted means; NaN keeps an empty cluster empty
            moved = np.divide(mass @ embedding, totals, out=np.full_like(centers, np.nan), where=totals > 0)
            before, labels = labels, self.predict(self._placed(moved), embedding)
            if np.array_equal(before, labels):
                break
        return labels

    def predict(self, centers: np.ndarray, embedding: np.ndarray) -> np.ndarray:
        """Return the nearest centroid of a nonempty cluster of each row."""
        nonempty = np.flatnonzero(np.isfinite(centers).all(axis=1))
        kept = centers[nonempty]
        # |z - c|^2 without |z|^2, and without the checks of scikit-learn, which cost more than the product
        return np.asarray(nonempty[np.argmin(0.5 * np.square(kept).sum(axis=1) - embedding @ kept.T, axis=1)])

    def _placed(self, centers: np.ndarray) -> np.ndarray:
        return centers / np.linalg.norm(centers, axis=1, keepdims=True) if self.spherical else centers


@dataclass(frozen=True, eq=False)
class KMeansClustering(Clustering[CentroidState]):
    """Hard k-means: the labels are the discrete choice, the centroids weighted means of the members."""

    name: ClassVar[str] = "kmeans"
    scores: ClassVar[tuple[str, ...]] = ("margin", "student_t", "softmax")
    state_type: ClassVar[type[ClusterState]] = CentroidState
    spherical: ClassVar[bool] = False
    has_random_init: ClassVar[bool] = True
    hard_centroids: ClassVar[bool] = True

    @classmethod
    def fit(cls, embedding: Tensor, weights: Tensor, n_clusters: int, *, seed: int) -> KMeansClustering:
        """Cluster from scratch.

        Parameters
        ----------
        embedding : Tensor of shape (n_samples, dim), float64
            Embeddings, not yet in :meth:`normalize`.
        weights : Tensor of shape (n_samples,), float64
            Data weights.
        n_clusters : int
            Number of clusters; fewer are made where there are fewer distinct rows.
        seed : int
            Seed of the initialisations.

        Returns
        -------
        KMeansClustering
            Labels in canonical order.
        """
        normalized = cls(torch.empty(0, dtype=torch.int64), n_clusters).normalize(embedding)
        algorithm = KMeansClusterer(n_clusters, seed=seed, spherical=cls.spherical)
        labels = torch.from_numpy(algorithm.fit(normalized.numpy(), weights.numpy()))
        return cls(labels, int(labels.max()) + 1)

    def state(self, inputs: ClusterInputs) -> CentroidState:
        """Return weighted means of the members and their variances; see :meth:`Clustering.state`."""
        return centroid_state(inputs.embedding, inputs.weights, self.labels, self.n_clusters)

    def update_continued(self, inputs: ClusterInputs) -> KMeansClustering:
        """Continue Lloyd's iterations from the old members' means to convergence."""
        centers = nonempty_centers(self.state(inputs))
        algorithm = KMeansClusterer(self.n_clusters, seed=0, spherical=self.spherical)
        labels = algorithm.continue_from(centers, inputs.embedding.numpy(), inputs.weights.numpy())
        return replace(self, labels=torch.from_numpy(labels))

    def from_scratch(self, inputs: ClusterInputs, *, seed: int) -> KMeansClustering:
        """Cluster from scratch with other initialisations."""
        return type(self).fit(inputs.embedding, inputs.weights, self.n_clusters, seed=seed)

    def assign(self, rows: Tensor, state: CentroidState) -> Tensor:
        """Return the nearest centroid of a nonempty cluster."""
        return nearest_center(rows, state)


@dataclass(frozen=True, eq=False)
class SphericalKMeansClustering(KMeansClustering):
    """Spherical k-means: embeddings are scaled to length 1, centroids are mean directions.

    References
    ----------
    I. S. Dhillon, D. S. Modha. Concept decompositions for large sparse text data using clustering. Machine Learning 42,
    2001.
    """

    name: ClassVar[str] = "spherical_kmeans"
    scores: ClassVar[tuple[str, ...]] = ("cosine", "margin", "student_t", "softmax")
    spherical: ClassVar[bool] = True

    def normalize(self, embedding: Tensor) -> Tensor:
        """Return the rows scaled to length 1."""
        return on_sphere(embedding)

    def state(self, inputs: ClusterInputs) -> CentroidState:
        """Return mean directions and mean squared chord lengths."""
        embedding, weights = inputs.embedding, inputs.weights
        flat = super().state(inputs)
        return around_members(on_sphere(flat.centers), embedding, weights, self.labels)


def on_sphere(rows: Tensor) -> Tensor:
    """Return rows of shape (..., dim) scaled to length 1; a row of zeros stays."""
    return rows / rows.square().sum(dim=-1, keepdim=True).clamp(min=torch.finfo(rows.dtype).tiny).sqrt()


def nonempty_centers(state: CentroidState) -> np.ndarray:
    """Return the centroids, NaN for a cluster without weight."""
    centers = state.centers.detach().numpy().copy()
    centers[~state.nonempty.numpy()] = np.nan
    return centers


def nearest_center(rows: Tensor, state: Centroids) -> Tensor:
    """Return the nearest centroid of a nonempty cluster of each row, shape (n,), int64."""
    return squared_distances(rows, state.centers).masked_fill(~state.nonempty, torch.inf).argmin(dim=-1)


def canonical_order(labels: np.ndarray) -> np.ndarray:
    """Renumber clusters by size, largest first, then by smallest row number; -1 stays.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,), int
        Any labels.

    Returns
    -------
    ndarray of shape (n_samples,), int
        The same partition.

    Examples
    --------
    >>> canonical_order(np.array([5, 2, 2, -1, 5, 2]))
    array([ 1,  0,  0, -1,  1,  0])
    """
    names, first, sizes = np.unique(labels[labels >= 0], return_index=True, return_counts=True)
    order = names[np.lexsort((first, -sizes))]
    renumbered = np.full(int(labels.max(initial=-1)) + 2, -1)
    renumbered[order] = np.arange(len(order))
    renamed: np.ndarray = renumbered[labels]
    return renamed


def _quietly(model: KMeans, embedding: np.ndarray, weights: np.ndarray) -> KMeans:
    # Fewer distinct embeddings than clusters is reported by the explainer, as FewerClustersWarning.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(np.ascontiguousarray(embedding, dtype=np.float64), sample_weight=weights)
