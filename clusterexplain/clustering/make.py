"""Clusters of an embedding: by name, by a clusterer of the user's own, or as the user has them already."""

from __future__ import annotations

from typing import Any, TypeGuard

import torch

from clusterexplain.clustering.base import Clustering, ClusterInputs, ClusterState
from clusterexplain.clustering.given.fitted_elsewhere import from_fitted_estimator, given_labels
from clusterexplain.clustering.registry import CLUSTERING_TYPES, ClusteringFactory, ClusteringSpec, cluster_by_name
from clusterexplain.exceptions import InvalidClusteringError


def make_clustering(clusterer: object, inputs: ClusterInputs, spec: ClusteringSpec) -> Clustering[ClusterState]:
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
        return cluster_by_name(clusterer, inputs, spec)
    if isinstance(clusterer, Clustering):
        given = checked(clusterer, len(inputs.embedding))
        return given.update_kept(inputs._replace(embedding=given.normalize(inputs.embedding)))
    if is_factory(clusterer):
        return checked(clusterer(inputs, spec), len(inputs.embedding))
    return from_fitted_estimator(clusterer, inputs)


def is_factory(clusterer: object) -> TypeGuard[ClusteringFactory]:
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


def checked(clustering: object, n_samples: int) -> Clustering[Any]:
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
    built_in = CLUSTERING_TYPES.get(clustering.name, kind)
    if kind is not built_in:
        raise InvalidClusteringError(
            f"{kind.__name__}.name={clustering.name!r} is the name of {built_in.__name__}. Expected a name of "
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


def check_before_training(clusterer: object, n_samples: int) -> None:
    """Refuse a fitted clusterer that cannot be taken over, before anything is trained.

    Parameters
    ----------
    clusterer : str, fitted estimator, Clustering or callable
        What will cluster the embedding; a name and a clusterer of the user's own are judged when they cluster.
    n_samples : int
        Number of rows.

    Raises
    ------
    InvalidParameterError
        If it is not fitted, or fitted to other rows.
    """
    mixture = type(clusterer).__name__ == "GaussianMixture" and hasattr(clusterer, "means_")
    if not isinstance(clusterer, (str, Clustering)) and not is_factory(clusterer) and not mixture:
        given_labels(clusterer, n_samples)
