"""The clusterers that can be asked for by name, and those that a user has already fitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clusterexplain.clustering.base import Clustering
from clusterexplain.clustering.gaussian_mixture import GaussianMixtureClustering
from clusterexplain.clustering.given_labels import GivenLabels, ModelCentroids
from clusterexplain.clustering.hdbscan import DEFAULTS, HDBSCANClustering
from clusterexplain.clustering.kmeans import KMeansClustering, SphericalKMeansClustering
from clusterexplain.clustering.soft_kmeans import TEMPERATURE, SoftKMeansClustering
from clusterexplain.exceptions import InvalidParameterError

KINDS: dict[str, type[Clustering]] = {
    kind.name: kind
    for kind in (
        KMeansClustering,
        SphericalKMeansClustering,
        SoftKMeansClustering,
        GaussianMixtureClustering,
        HDBSCANClustering,
        ModelCentroids,
        GivenLabels,
    )
}
"""Every kind of clustering by name; the names but "labels" can be asked for."""

CLUSTERERS = tuple(name for name in KINDS if name != GivenLabels.name)

OPTIONS: dict[str, tuple[str, ...]] = {
    "soft_kmeans": ("temperature",),
    "gmm": ("covariance_type", "reg_covar"),
    "hdbscan": (
        "min_cluster_size",
        "min_samples",
        "cluster_selection_method",
        "cluster_selection_epsilon",
        "allow_single_cluster",
    ),
}
"""What ``clusterer_options`` may hold, by clusterer."""

MIXTURE = {"covariance_type": "tied"}
"""One covariance for all components, unlike scikit-learn: on digits the influence predicts the removal of 5 % groups at a rank
correlation of 0.97, and at 0.78 with a full covariance for each, whose fixed point is strongly curved in the weights."""

LARGEST_LABEL = 9999

_CHOICES = {
    "covariance_type": ("full", "tied", "diag", "spherical"),
    "cluster_selection_method": ("eom", "leaf"),
    "allow_single_cluster": (False, True),
}
_WHOLE = {"min_cluster_size": 2, "min_samples": 1}
_POSITIVE = ("temperature", "reg_covar")


@dataclass(frozen=True)
class ClusteringSpec:
    """What a clustering is made of besides the embedding.

    Parameters
    ----------
    n_clusters : int
        Number of clusters, for clusterers that take one.
    seed : int
        Seed of the initialisations.
    options : dict
        The clusterer's own options.
    learned : Tensor of shape (n_clusters, dim) or None
        Centroids that the model has learned.
    """

    n_clusters: int
    seed: int
    options: dict[str, Any]
    learned: Tensor | None = None


def make_clustering(clusterer: Any, embedding: Tensor, weights: Tensor, spec: ClusteringSpec) -> Clustering:
    """Cluster an embedding, or take over what the user has clustered.

    Parameters
    ----------
    clusterer : str, fitted estimator or array-like of shape (n_samples,)
        A name, scikit-learn's KMeans or GaussianMixture or hdbscan's HDBSCAN, fitted, any other fitted estimator with
        ``labels_``, or labels; -1 is noise. What was fitted elsewhere keeps its labels and their numbers.
    embedding : Tensor of shape (n_samples, dim), float64
        Embeddings.
    weights : Tensor of shape (n_samples,), float64
        Data weights.
    request : Request
        The rest.

    Returns
    -------
    Clustering
        Settled at the embedding.

    Raises
    ------
    InvalidParameterError
        If the clusterer does not fit the model or the data.
    """
    if isinstance(clusterer, str):
        return _BY_NAME[clusterer](embedding, weights, spec)
    return from_fitted_estimator(clusterer, embedding, weights)


def _density_options(n_samples: int) -> dict[str, Any]:
    """Return defaults for embeddings: the package's own grow min_samples with min_cluster_size, which merges clusters."""
    return {"min_cluster_size": max(5, n_samples // 60), "min_samples": 5}


def _learned(embedding: Tensor, weights: Tensor, spec: ClusteringSpec) -> Clustering:
    if spec.learned is None:
        raise InvalidParameterError(
            "clusterer='dec' takes the assignment that a model has learned, but this model has no centroids of its own. "
            "Expected model='dec', or a task with cluster_centers; or another clusterer, for example 'kmeans'."
        )
    return ModelCentroids.fit(embedding, weights, spec.learned)


_BY_NAME: dict[str, Callable[[Tensor, Tensor, ClusteringSpec], Clustering]] = {
    "kmeans": lambda z, w, r: KMeansClustering.fit(z, w, r.n_clusters, seed=r.seed),
    "spherical_kmeans": lambda z, w, r: SphericalKMeansClustering.fit(z, w, r.n_clusters, seed=r.seed),
    "soft_kmeans": lambda z, w, r: SoftKMeansClustering.fit(z, w, r.n_clusters, seed=r.seed, **r.options),
    "gmm": lambda z, w, r: GaussianMixtureClustering.fit(z, w, r.n_clusters, seed=r.seed, **(MIXTURE | r.options)),
    "hdbscan": lambda z, w, r: HDBSCANClustering.fit(z, w, options=_density_options(len(z)) | r.options),
    "dec": _learned,
}


def from_fitted_estimator(clusterer: Any, embedding: Tensor, weights: Tensor) -> Clustering:
    """Take over a fitted clusterer or labels; their labels are never replaced.

    Parameters
    ----------
    clusterer : fitted estimator or array-like of shape (n_samples,)
        What the user has.
    embedding : Tensor of shape (n_samples, dim), float64
        Embeddings.
    weights : Tensor of shape (n_samples,), float64
        Data weights.

    Returns
    -------
    Clustering
        With the user's labels and numbers.

    Raises
    ------
    InvalidParameterError
        If it is not fitted, or fitted to other rows.
    """
    module = type(clusterer).__module__.partition(".")[0]
    kind = type(clusterer).__name__
    if module == "sklearn" and kind == "GaussianMixture":
        return GaussianMixtureClustering.from_parameters(clusterer, embedding, weights)
    if module == "hdbscan" and kind == "HDBSCAN":
        return HDBSCANClustering.from_fitted_estimator(clusterer, embedding)
    labels = given_labels(clusterer, len(embedding))
    n_clusters = int(labels.max()) + 1
    found = torch.from_numpy(labels)
    lloyd = KMeansClustering(found, n_clusters)
    if (
        module == "sklearn"
        and kind == "KMeans"
        and torch.equal(lloyd.update_continued(embedding, weights).labels, found)
    ):
        return lloyd  # Lloyd's iterations leave the labels as they are, so they can find them anew at other weights
    return GivenLabels(found, n_clusters)


def given_labels(clusterer: Any, n_samples: int) -> np.ndarray:
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
    found = np.asarray(clusterer.labels_ if estimator else clusterer)
    if found.shape != (n_samples,):
        raise InvalidParameterError(
            f"clusterer has labels of shape {found.shape}, expected ({n_samples},): one for each row of X, -1 for noise. "
            f"Fit it to the embedding of the same rows."
        )
    whole = found.dtype.kind in "iub" or (
        found.dtype.kind == "f" and np.isfinite(found).all() and (found % 1 == 0).all()
    )
    if whole and (found == -1).all():
        raise InvalidParameterError(
            "clusterer has labels that are all -1, noise, so there is no cluster to explain. "
            "Expected at least one label from 0 up."
        )
    if whole and found.max() > LARGEST_LABEL:
        raise InvalidParameterError(
            f"clusterer has labels up to {found.max():.0f}. Expected small numbers from 0 up, at most {LARGEST_LABEL}: a table "
            f"is kept for every number up to the largest. Renumber them with pandas.factorize."
        )
    if not whole or (found < -1).any():
        raise InvalidParameterError(
            "clusterer has labels that are not whole numbers from -1 (noise) up. Expected for example 0, 1, 2; turn names into "
            "numbers with pandas.factorize."
        )
    return np.array(found, dtype=np.int64)


def default_options(clusterer: str, n_samples: int) -> dict[str, Any]:
    """Return every option of a clusterer with its default.

    Parameters
    ----------
    clusterer : str
        One of ``CLUSTERERS``.
    n_samples : int
        Number of rows, on which the size of the smallest density cluster depends.

    Returns
    -------
    dict
        By option; empty for a clusterer without options.
    """
    if clusterer == "hdbscan":
        return DEFAULTS | _density_options(n_samples)
    if clusterer == "gmm":
        return MIXTURE | {"reg_covar": signature(GaussianMixtureClustering.fit).parameters["reg_covar"].default}
    return {"temperature": TEMPERATURE} if clusterer == "soft_kmeans" else {}


def check_options(clusterer: str, options: dict[str, Any]) -> None:
    """Refuse options that a clusterer does not take.

    Parameters
    ----------
    clusterer : str
        One of ``CLUSTERERS``.
    options : dict
        Its options.

    Raises
    ------
    InvalidParameterError
        Naming the option and what was expected.
    """
    known = OPTIONS.get(clusterer, ())
    for name, value in options.items():
        shown = f"clusterer_options[{name!r}]={value!r}"
        if name not in known:
            takes = ", ".join(known) if known else "none"
            raise InvalidParameterError(
                f"clusterer_options has {name!r}, which clusterer={clusterer!r} does not take. Its options: {takes}."
            )
        if name in _CHOICES and value not in _CHOICES[name]:
            raise InvalidParameterError(f"{shown} is unknown. Expected one of {', '.join(map(repr, _CHOICES[name]))}.")
        if name in _WHOLE and not (name == "min_samples" and value is None):
            whole = isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= _WHOLE[name]
            if not whole:
                raise InvalidParameterError(f"{shown} must be a whole number of at least {_WHOLE[name]}.")
        number = isinstance(value, Real) and not isinstance(value, bool) and np.isfinite(float(value))
        if name in _POSITIVE and not (number and float(value) > 0):
            raise InvalidParameterError(f"{shown} must be a finite number above 0.")
        if name == "cluster_selection_epsilon" and not (number and float(value) >= 0):
            raise InvalidParameterError(f"{shown} must be a finite number of at least 0.")
