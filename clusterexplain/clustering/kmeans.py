"""k-means with data weights: scikit-learn finds the labels, the state is recomputed from them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import pairwise_distances_argmin

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
    """

    n_clusters: int
    seed: int
    n_init: int = 10

    def fit(self, embedding: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Cluster from scratch.

        Parameters
        ----------
        embedding : ndarray of shape (n_samples, dim)
            Embeddings.
        weights : ndarray of shape (n_samples,)
            Data weights; a sample of weight 0 gets a label but has no say.

        Returns
        -------
        ndarray of shape (n_samples,), int
            Labels in canonical order: cluster 0 is the largest, ties go to the smallest row number.
        """
        model = KMeans(self.n_clusters, n_init=self.n_init, random_state=self.seed, tol=0, max_iter=MAX_ITERATIONS)
        return canonical_order(_quietly(model, embedding, weights).labels_)

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
            mass = np.equal.outer(np.arange(len(centers)), labels) * weights
            totals = mass.sum(axis=1, keepdims=True)
            moved = np.divide(mass @ embedding, totals, out=np.full_like(centers, np.nan), where=totals > 0)
            before, labels = labels, self.predict(moved, embedding)
            if np.array_equal(before, labels):
                break
        return labels

    def predict(self, centers: np.ndarray, embedding: np.ndarray) -> np.ndarray:
        """Return the nearest living centroid of each row."""
        alive = np.flatnonzero(np.isfinite(centers).all(axis=1))
        return np.asarray(alive[pairwise_distances_argmin(embedding, centers[alive])])


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
    return renumbered[labels]


def _quietly(model: KMeans, embedding: np.ndarray, weights: np.ndarray) -> KMeans:
    # Fewer distinct embeddings than clusters is reported by the explainer, as FewerClustersWarning.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(np.ascontiguousarray(embedding, dtype=np.float64), sample_weight=weights)
