"""phi(Z, w): the cluster state as a function of embeddings and data weights."""

from clusterexplain.clustering.base import Clustering, ClusterInputs, ClusterState
from clusterexplain.clustering.centroids import CentroidState, centroid_state
from clusterexplain.clustering.check_clustering import check_clustering
from clusterexplain.clustering.density.hdbscan import HDBSCANClustering
from clusterexplain.clustering.gaussian_mixture import GaussianMixtureClustering
from clusterexplain.clustering.given.given_labels import GivenLabels, ModelCentroids
from clusterexplain.clustering.given.graph import NeighbourGraph
from clusterexplain.clustering.given.graph_labels import GraphLabels
from clusterexplain.clustering.kmeans import KMeansClusterer, KMeansClustering, SphericalKMeansClustering
from clusterexplain.clustering.make import make_clustering
from clusterexplain.clustering.registry import ClusteringFactory, ClusteringSpec
from clusterexplain.clustering.soft_kmeans import SoftKMeansClustering

__all__ = [
    "CentroidState",
    "ClusterInputs",
    "ClusterState",
    "Clustering",
    "ClusteringFactory",
    "ClusteringSpec",
    "GaussianMixtureClustering",
    "GivenLabels",
    "GraphLabels",
    "HDBSCANClustering",
    "KMeansClusterer",
    "KMeansClustering",
    "ModelCentroids",
    "NeighbourGraph",
    "SoftKMeansClustering",
    "SphericalKMeansClustering",
    "centroid_state",
    "check_clustering",
    "make_clustering",
]
