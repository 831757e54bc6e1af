"""k-means with data weights: scikit-learn finds the labels, the state is recomputed from them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import pairwise_distances_argmin


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

    name = "kmeans"

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
        model = KMeans(self.n_clusters, n_init=self.n_init, random_state=self.seed, tol=0, max_iter=1000)
        return canonical_order(_quietly(model, embedding, weights).labels_)

    def continue_from(self, centers: np.ndarray, embedding: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Continue Lloyd's iterations from given centroids to convergence, so that cluster k stays cluster k.

        Parameters
        ----------
        centers : ndarray of shape (n_clusters, dim)
            Where to start.
        embedding : ndarray of shape (n_samples, dim)
            Embeddings.
        weights : ndarray of shape (n_samples,)
            Data weights.

        Returns
        -------
        ndarray of shape (n_samples,), int
            Labels.
        """
        alive = np.isfinite(centers).all(axis=1)
        model = KMeans(int(alive.sum()), init=centers[alive], n_init=1, tol=0, max_iter=1000)
        return np.flatnonzero(alive)[_quietly(model, embedding, weights).labels_]

    def predict(self, centers: np.ndarray, embedding: np.ndarray) -> np.ndarray:
        """Return the nearest centroid of each row."""
        return np.asarray(pairwise_distances_argmin(embedding, centers))


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
    # Fewer distinct embeddings than clusters is reported by the explainer, with the data at hand.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(np.ascontiguousarray(embedding, dtype=np.float64), sample_weight=weights)
