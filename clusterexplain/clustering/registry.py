"""The clusterers that can be asked for by name, those that a user has already fitted, and those of a user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import signature
from numbers import Integral, Real
from typing import Any, TypeGuard

import numpy as np
import torch

from clusterexplain.clustering.adopted import repeatable
from clusterexplain.clustering.base import Clustering, ClusterInputs, ClusterState
from clusterexplain.clustering.centroids import CentroidState
from clusterexplain.clustering.gaussian_mixture import GaussianMixtureClustering
from clusterexplain.clustering.given_labels import GivenLabels, ModelCentroids
from clusterexplain.clustering.hdbscan import DEFAULTS, HDBSCANClustering
from clusterexplain.clustering.hdbscan_state import HDBSCANState
from clusterexplain.clustering.kmeans import KMeansClustering, SphericalKMeansClustering
from clusterexplain.clustering.mixture_state import MixtureState
from clusterexplain.clustering.soft_kmeans import TEMPERATURE, SoftKMeansClustering
from clusterexplain.exceptions import InvalidClusteringError, InvalidParameterError

KINDS: dict[str, type[Clustering[Any]]] = {
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
    options : Mapping, default={}
        The clusterer's own options.
    """

    n_clusters: int
    seed: int
    options: Mapping[str, Any] = field(default_factory=dict)


ClusteringFactory = Callable[[ClusterInputs, ClusteringSpec], Clustering[Any]]
"""A function that clusters from scratch; the embedding is as the model gives it, before any :meth:`Clustering.normalize`."""


def make_clustering(clusterer: Any, inputs: ClusterInputs, spec: ClusteringSpec) -> Clustering[ClusterState]:
    """Cluster an embedding, or take over what the user has clustered.

    Parameters
    ----------
    clusterer : str, fitted estimator, array-like of shape (n_samples,), Clustering or ClusteringFactory
        A name; scikit-learn's KMeans or GaussianMixture or hdbscan's HDBSCAN, fitted; any other fitted estimator with
        ``labels_``; labels, -1 for noise; or a clusterer of your own: a :class:`Clustering` of this embedding, or a function
        ``(inputs, spec) -> Clustering`` that makes one. What was fitted elsewhere keeps its labels and their numbers.
    inputs : ClusterInputs
        Embeddings as the model gives them, before any :meth:`Clustering.normalize`, weights and the model's centroids.
    spec : ClusteringSpec
        The rest.

    Returns
    -------
    Clustering
        Solved at the inputs.

    Raises
    ------
    InvalidParameterError
        If the clusterer does not fit the model or the data.
    InvalidClusteringError
        If a clusterer of your own did not return a clustering of these rows.
    """
    if isinstance(clusterer, str):
        return _BY_NAME[clusterer](inputs, spec)
    if isinstance(clusterer, Clustering):
        given = checked(clusterer, len(inputs.embedding))
        return given.update_kept(inputs._replace(embedding=given.normalize(inputs.embedding)))
    if is_factory(clusterer):
        return checked(clusterer(inputs, spec), len(inputs.embedding))
    return from_fitted_estimator(clusterer, inputs)


def is_factory(clusterer: Any) -> TypeGuard[ClusteringFactory]:
    """Return whether a clusterer is a function of the user's own that can cluster again.

    Parameters
    ----------
    clusterer : object
        What was given as ``clusterer=``.

    Returns
    -------
    bool
        False for names, estimators, labels and clusterings.

    Raises
    ------
    InvalidClusteringError
        For a class: what it takes is not known.
    """
    if isinstance(clusterer, type):
        raise InvalidClusteringError(
            f"clusterer={clusterer.__name__} is a class. Expected a Clustering of the embedding of X, an estimator that was "
            f"fitted to it, or a function that makes a clustering: lambda inputs, spec: {clusterer.__name__}(...)."
        )
    return callable(clusterer) and not hasattr(clusterer, "fit") and not isinstance(clusterer, Clustering)


def checked(clustering: Any, n_samples: int) -> Clustering[Any]:
    """Return what a clusterer of the user's own returned, refused if it cannot be a clustering of the rows.

    Parameters
    ----------
    clustering : object
        What was returned.
    n_samples : int
        Number of training rows.

    Returns
    -------
    Clustering
        The same.

    Raises
    ------
    InvalidClusteringError
        If it is no Clustering, lacks a class attribute, or its labels have another shape, type or range.
    """
    kind = type(clustering)
    if not isinstance(clustering, Clustering):
        raise InvalidClusteringError(
            f"clusterer returned a {kind.__name__}. Expected a clusterexplain.clustering.Clustering, for example "
            f"KMeansClustering(labels, n_clusters), or GivenLabels(labels, n_clusters) to keep the labels in every retraining."
        )
    missing = [name for name in ("name", "scores", "state_type") if not hasattr(kind, name)]
    if missing:
        raise InvalidClusteringError(
            f"{kind.__name__} has no {', '.join(missing)}. Expected class attributes, for example name = 'my_clusterer', "
            f"scores = ('margin',) and state_type = CentroidState."
        )
    if clustering.name in KINDS and kind is not KINDS[clustering.name]:
        raise InvalidClusteringError(
            f"{kind.__name__}.name={clustering.name!r} is the name of {KINDS[clustering.name].__name__}. Expected a name of "
            f"its own: a saved run finds the class by it."
        )
    labels = clustering.labels
    if not isinstance(labels, torch.Tensor) or labels.dtype != torch.int64 or labels.shape != (n_samples,):
        what = (
            f"{labels.dtype} of shape {tuple(labels.shape)}"
            if isinstance(labels, torch.Tensor)
            else type(labels).__name__
        )
        raise InvalidClusteringError(
            f"{kind.__name__}.labels is {what}. Expected a Tensor of torch.int64 of shape ({n_samples},): the cluster of each "
            f"row of X, -1 for noise."
        )
    if n_samples and not -1 <= int(labels.min()) <= int(labels.max()) < clustering.n_clusters:
        raise InvalidClusteringError(
            f"{kind.__name__}.labels reach from {int(labels.min())} to {int(labels.max())}, with "
            f"n_clusters={clustering.n_clusters}. Expected numbers from 0 to n_clusters - 1, -1 for noise."
        )
    return clustering


def _density_options(n_samples: int) -> dict[str, Any]:
    """Return defaults for embeddings: the package's own grow min_samples with min_cluster_size, which merges clusters."""
    return {"min_cluster_size": max(5, n_samples // 60), "min_samples": 5}


def _model_centroids(inputs: ClusterInputs, spec: ClusteringSpec) -> Clustering[CentroidState]:
    if inputs.model_centroids is None:
        raise InvalidParameterError(
            "clusterer='dec' takes the assignment that a model has learned, but this model has no centroids of its own. "
            "Expected model='dec', or a task with cluster_centers; or another clusterer, for example 'kmeans'."
        )
    return ModelCentroids.fit(inputs)


def _kmeans(inputs: ClusterInputs, spec: ClusteringSpec) -> Clustering[CentroidState]:
    return KMeansClustering.fit(inputs.embedding, inputs.weights, spec.n_clusters, seed=spec.seed)


def _spherical_kmeans(inputs: ClusterInputs, spec: ClusteringSpec) -> Clustering[CentroidState]:
    return SphericalKMeansClustering.fit(inputs.embedding, inputs.weights, spec.n_clusters, seed=spec.seed)


def _soft_kmeans(inputs: ClusterInputs, spec: ClusteringSpec) -> Clustering[CentroidState]:
    return SoftKMeansClustering.fit(inputs.embedding, inputs.weights, spec.n_clusters, seed=spec.seed, **spec.options)


def _gaussian_mixture(inputs: ClusterInputs, spec: ClusteringSpec) -> Clustering[MixtureState]:
    return GaussianMixtureClustering.fit(
        inputs.embedding, inputs.weights, spec.n_clusters, seed=spec.seed, **{**MIXTURE, **spec.options}
    )


def _hdbscan(inputs: ClusterInputs, spec: ClusteringSpec) -> Clustering[HDBSCANState]:
    options = {**_density_options(len(inputs.embedding)), **spec.options}
    return HDBSCANClustering.fit(inputs.embedding, inputs.weights, options=options)


_BY_NAME: dict[str, ClusteringFactory] = {
    "kmeans": _kmeans,
    "spherical_kmeans": _spherical_kmeans,
    "soft_kmeans": _soft_kmeans,
    "gmm": _gaussian_mixture,
    "hdbscan": _hdbscan,
    "dec": _model_centroids,
}


def from_fitted_estimator(clusterer: Any, inputs: ClusterInputs) -> Clustering[Any]:
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
    if module == "hdbscan" and kind == "HDBSCAN":
        return repeatable(HDBSCANClustering.from_fitted_estimator(clusterer, embedding), inputs)
    labels = torch.from_numpy(given_labels(clusterer, len(embedding)))
    n_clusters = int(labels.max()) + 1
    if module == "sklearn" and kind == "KMeans":
        return repeatable(KMeansClustering(labels, n_clusters), inputs)
    return GivenLabels(labels, n_clusters)


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
    labels = np.asarray(clusterer.labels_ if estimator else clusterer)
    if labels.shape != (n_samples,):
        raise InvalidParameterError(
            f"clusterer has labels of shape {labels.shape}, expected ({n_samples},): one for each row of X, -1 for noise. "
            f"Fit it to the embedding of the same rows."
        )
    whole = labels.dtype.kind in "iub" or (
        labels.dtype.kind == "f" and np.isfinite(labels).all() and (labels % 1 == 0).all()
    )
    if whole and (labels == -1).all():
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
