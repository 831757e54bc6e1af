"""phi(Z, w): the cluster state as a function of embeddings and data weights."""

from clusterexplain.clustering.base import Clustering
from clusterexplain.clustering.centroids import CentroidState, centroid_state
from clusterexplain.clustering.gaussian_mixture import GaussianMixtureClustering
from clusterexplain.clustering.given_labels import GivenLabels, ModelCentroids
from clusterexplain.clustering.hdbscan import HDBSCANClustering
from clusterexplain.clustering.kmeans import KMeansClusterer, KMeansClustering, SphericalKMeansClustering
from clusterexplain.clustering.soft_kmeans import SoftKMeansClustering

__all__ = [
    "CentroidState",
    "Clustering",
    "GaussianMixtureClustering",
    "GivenLabels",
    "HDBSCANClustering",
    "KMeansClusterer",
    "KMeansClustering",
    "ModelCentroids",
    "SoftKMeansClustering",
    "SphericalKMeansClustering",
    "centroid_state",
]
