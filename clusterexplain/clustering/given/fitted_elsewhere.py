"""Clusters that the user has already: a fitted estimator, or labels; they are taken over as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeGuard

import numpy as np
import torch

from clusterexplain.clustering.base import Clustering, ClusterInputs
from clusterexplain.clustering.density.hdbscan import HDBSCANClustering
from clusterexplain.clustering.density.hdbscan_estimator import FittedHDBSCAN
from clusterexplain.clustering.gaussian_mixture import GaussianMixtureClustering
from clusterexplain.clustering.given.adopted import repeatable
from clusterexplain.clustering.given.given_labels import GivenLabels
from clusterexplain.clustering.kmeans import KMeansClustering
from clusterexplain.clustering.registry import CLUSTERERS
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.statistics.matching import NOISE

LARGEST_LABEL = 9999


class FittedEstimator(Protocol):
    """An estimator of scikit-learn's kind; whether it was fitted, and to which rows, is checked when it is used."""

    @property
    def fit(self) -> Callable[..., object]:
        """Fit it; never called here."""


def from_fitted_estimator(clusterer: object, inputs: ClusterInputs) -> Clustering[Any]:
    """Take over a fitted clusterer or labels; their labels are never replaced.

    Parameters
    ----------
    clusterer : fitted estimator or array-like of shape (n_samples,)
        What the user has.
    inputs : ClusterInputs
        Embeddings and weights.

    Returns
    -------
    Clustering
        With the user's labels and numbers.

    Raises
    ------
    InvalidParameterError
        If it is not fitted, or fitted to other rows.
    """
    embedding, weights = inputs.embedding, inputs.weights
    module = type(clusterer).__module__.partition(".")[0]
    kind = type(clusterer).__name__
    if module == "sklearn" and kind == "GaussianMixture":
        return GaussianMixtureClustering.from_parameters(clusterer, embedding, weights)
    if _is_hdbscan(clusterer):
        return repeatable(HDBSCANClustering.from_fitted_estimator(clusterer, embedding), inputs)
    labels = torch.from_numpy(given_labels(clusterer, len(embedding)))
    n_clusters = int(labels.max()) + 1
    if module == "sklearn" and kind == "KMeans":
        return repeatable(KMeansClustering(labels, n_clusters), inputs)
    return GivenLabels(labels, n_clusters)


def _is_hdbscan(clusterer: object) -> TypeGuard[FittedHDBSCAN]:
    kind = type(clusterer)
    return kind.__module__.partition(".")[0] == "hdbscan" and kind.__name__ == "HDBSCAN"


def given_labels(clusterer: object, n_samples: int) -> np.ndarray:
    """Return the labels of a fitted estimator or of an array-like as int64, -1 for noise.

    Parameters
    ----------
    clusterer : fitted estimator or array-like of shape (n_samples,)
        Where the labels are.
    n_samples : int
        Expected length.

    Returns
    -------
    ndarray of shape (n_samples,), int64
        A copy.

    Raises
    ------
    InvalidParameterError
        If there are none, they have another length, or they are not whole numbers from -1.
    """
    estimator = hasattr(clusterer, "fit")
    if estimator and not hasattr(clusterer, "labels_"):
        name = type(clusterer).__name__
        raise InvalidParameterError(
            f"clusterer={name}() has no labels_: it is not fitted, or does not cluster the rows that it is fitted to. Expected "
            f"an estimator that was fitted to the embedding of X, a label for each row, or one of "
            f"{', '.join(map(repr, CLUSTERERS))}; fit it first: {name}(...).fit(embedding)."
        )
    labels = np.asarray(clusterer.labels_ if estimator and hasattr(clusterer, "labels_") else clusterer)
    if labels.shape != (n_samples,):
        raise InvalidParameterError(
            f"clusterer has labels of shape {labels.shape}, expected ({n_samples},): one for each row of X, -1 for noise. "
            f"Fit it to the embedding of the same rows."
        )
    whole = labels.dtype.kind in "iub" or (
        labels.dtype.kind == "f" and np.isfinite(labels).all() and (labels % 1 == 0).all()
    )
    if whole and (labels == NOISE).all():
        raise InvalidParameterError(
            "clusterer has labels that are all -1, noise, so there is no cluster to explain. "
            "Expected at least one label from 0 up."
        )
    if whole and labels.max() > LARGEST_LABEL:
        raise InvalidParameterError(
            f"clusterer has labels up to {labels.max():.0f}. Expected small numbers from 0 up, at most {LARGEST_LABEL}: a "
            f"table is kept for every number up to the largest. Renumber them with pandas.factorize."
        )
    if not whole or (labels < -1).any():
        raise InvalidParameterError(
            "clusterer has labels that are not whole numbers from -1 (noise) up. Expected for example 0, 1, 2; turn names into "
            "numbers with pandas.factorize."
        )
    return np.array(labels, dtype=np.int64)
