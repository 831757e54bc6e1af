"""The clusterers that can be asked for by name: one record for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from clusterexplain.clustering.base import Clustering, ClusterInputs
from clusterexplain.clustering.density.hdbscan import HDBSCANClustering
from clusterexplain.clustering.density.hdbscan_estimator import DEFAULTS
from clusterexplain.clustering.em import Covariances
from clusterexplain.clustering.gaussian_mixture import REG_COVAR, GaussianMixtureClustering
from clusterexplain.clustering.given.given_labels import GivenLabels, ModelCentroids
from clusterexplain.clustering.given.graph_labels import GraphLabels
from clusterexplain.clustering.kmeans import KMeansClustering, SphericalKMeansClustering
from clusterexplain.clustering.options import Option, not_negative, one_of, positive, whole
from clusterexplain.clustering.soft_kmeans import TEMPERATURE, SoftKMeansClustering
from clusterexplain.exceptions import InvalidParameterError


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


@dataclass(frozen=True)
class Clusterer:
    """A clusterer that can be asked for by name.

    Parameters
    ----------
    kind : type of Clustering
        What it makes; the name and the scores stand there.
    make : ClusteringFactory
        Clusters from scratch; :attr:`ClusteringSpec.options` holds every option.
    options : Mapping of str to Option, default={}
        What ``clusterer_options`` may hold.
    defaults : callable, default=no options
        The number of rows -> the default of every option.
    takes_number : bool, default=True
        Whether the number of clusters is given.
    few_rows : Mapping, default={}
        Options with which a few dozen rows have clusters, where the defaults are meant for more.
    """

    kind: type[Clustering[Any]]
    make: ClusteringFactory
    options: Mapping[str, Option] = field(default_factory=dict)
    defaults: Callable[[int], dict[str, Any]] = lambda n_samples: {}
    takes_number: bool = True
    few_rows: Mapping[str, Any] = field(default_factory=dict)


MIXTURE = {"covariance_type": "tied", "reg_covar": REG_COVAR}
"""One covariance for all components, unlike scikit-learn: on digits the influence predicts the removal of 5 % groups at a rank
correlation of 0.97, and at 0.78 with a full covariance for each, whose fixed point is strongly curved in the weights."""


def _density_options(n_samples: int) -> dict[str, Any]:
    """Return defaults for embeddings: the package's own grow min_samples with min_cluster_size, which merges clusters."""
    return DEFAULTS | {"min_cluster_size": max(5, n_samples // 60), "min_samples": 5}


def _with_number(fit: Callable[..., Clustering[Any]]) -> ClusteringFactory:
    """Return the factory of a clusterer that starts at random with a given number of clusters."""

    def make(inputs: ClusterInputs, spec: ClusteringSpec) -> Clustering[Any]:
        return fit(inputs.embedding, inputs.weights, spec.n_clusters, seed=spec.seed, **spec.options)

    return make


def _hdbscan(inputs: ClusterInputs, spec: ClusteringSpec) -> Clustering[Any]:
    return HDBSCANClustering.fit(inputs.embedding, inputs.weights, options=spec.options)


def _model_centroids(inputs: ClusterInputs, spec: ClusteringSpec) -> Clustering[Any]:
    if inputs.model_centroids is None:
        raise InvalidParameterError(
            "clusterer='dec' takes the assignment that a model has learned, but this model has no centroids of its own. "
            "Expected model='dec', or a task with cluster_centers; or another clusterer, for example 'kmeans'."
        )
    return ModelCentroids.fit(inputs)


_REGISTERED = (
    Clusterer(KMeansClustering, _with_number(KMeansClustering.fit)),
    Clusterer(SphericalKMeansClustering, _with_number(SphericalKMeansClustering.fit)),
    Clusterer(
        SoftKMeansClustering,
        _with_number(SoftKMeansClustering.fit),
        {"temperature": positive()},
        lambda n_samples: {"temperature": TEMPERATURE},
    ),
    Clusterer(
        GaussianMixtureClustering,
        _with_number(GaussianMixtureClustering.fit),
        {"covariance_type": one_of(*Covariances.TYPES), "reg_covar": positive()},
        lambda n_samples: MIXTURE,
    ),
    Clusterer(
        HDBSCANClustering,
        _hdbscan,
        {
            "min_cluster_size": whole(2),
            "min_samples": whole(1, optional=True),
            "cluster_selection_method": one_of("eom", "leaf"),
            "cluster_selection_epsilon": not_negative(),
            "allow_single_cluster": one_of(False, True),
        },
        _density_options,
        takes_number=False,
        few_rows={"min_cluster_size": 3, "min_samples": 2},
    ),
    Clusterer(ModelCentroids, _model_centroids),
)
CLUSTERERS: dict[str, Clusterer] = {clusterer.kind.name: clusterer for clusterer in _REGISTERED}
"""Everything that can be asked for, by name."""
CLUSTERING_TYPES: dict[str, type[Clustering[Any]]] = {
    **{name: clusterer.kind for name, clusterer in CLUSTERERS.items()},
    GivenLabels.name: GivenLabels,
    GraphLabels.name: GraphLabels,
}
"""The class of every clustering that is built in, by name: what a saved run may hold."""


def cluster_by_name(clusterer: str, inputs: ClusterInputs, spec: ClusteringSpec) -> Clustering[Any]:
    """Cluster from scratch with a clusterer by name; options that are not given have their defaults.

    Parameters
    ----------
    clusterer : str
        One of ``CLUSTERERS``.
    inputs : ClusterInputs
        Embeddings as the model gives them, weights and the model's centroids.
    spec : ClusteringSpec
        The rest.

    Returns
    -------
    Clustering
        Solved at the inputs.
    """
    options = {**default_options(clusterer, len(inputs.embedding)), **spec.options}
    return CLUSTERERS[clusterer].make(inputs, replace(spec, options=options))


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
    return dict(CLUSTERERS[clusterer].defaults(n_samples))


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
    known = CLUSTERERS[clusterer].options
    for name, value in options.items():
        if name not in known:
            takes = ", ".join(known) if known else "none"
            raise InvalidParameterError(
                f"clusterer_options has {name!r}, which clusterer={clusterer!r} does not take. Its options: {takes}."
            )
        if not known[name].accepts(value):
            raise InvalidParameterError(f"clusterer_options[{name!r}]={value!r} {known[name].refusal}.")
