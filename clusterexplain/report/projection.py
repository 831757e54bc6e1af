"""A two-dimensional view of the embedding: to look at, never to explain from."""

from __future__ import annotations

import warnings

import numpy as np

from clusterexplain.fitting.fit import Fit

FEWEST_FOR_UMAP = 10


def umap_view(embedding: np.ndarray, seed: int) -> np.ndarray:
    """Lay the embedding out in the plane with UMAP, or with PCA when there are too few rows for it.

    Parameters
    ----------
    embedding : ndarray of shape (n_samples, dim)
        Embeddings.
    seed : int
        The same seed gives the same coordinates on one machine.

    Returns
    -------
    ndarray of shape (n_samples, 2)
        Coordinates.
    """
    if len(embedding) < FEWEST_FOR_UMAP:
        return principal_plane(embedding)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numba and umap announce deprecations of their own dependencies
        from umap import UMAP

        reducer = UMAP(n_neighbors=min(15, len(embedding) - 1), random_state=seed % 2**31, n_jobs=1)
        return np.asarray(reducer.fit_transform(embedding.astype(np.float32)), dtype=np.float64)


def umap_coordinates(fit: Fit) -> np.ndarray:
    """Return the view of a fit's training data, shape (n_samples, 2), drawn once and kept with the fit."""
    notes = fit.annotations
    if notes.map_coordinates is None:
        notes.map_coordinates = umap_view(fit.embedding.numpy(), fit.seed)
    return notes.map_coordinates


def principal_plane(embedding: np.ndarray) -> np.ndarray:
    """Return the first two principal components, shape (n_samples, 2): a view that costs nothing."""
    centred = embedding - embedding.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    plane = np.zeros((len(embedding), 2))
    plane[:, : min(2, len(singular))] = (left * singular)[:, :2]
    return plane
