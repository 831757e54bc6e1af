"""phi(Z, w): the cluster state as a function of embeddings and data weights."""

from clusterexplain.clustering.base import Clustering
from clusterexplain.clustering.centroids import CentroidState, centroid_state
from clusterexplain.clustering.gaussian_mixture import MixtureClustering
from clusterexplain.clustering.given_labels import GivenClustering, LearnedClustering
from clusterexplain.clustering.hdbscan import DensityClustering
from clusterexplain.clustering.kmeans import KMeansClusterer, KMeansClustering, SphericalClustering
from clusterexplain.clustering.soft_kmeans import SoftClustering

__all__ = [
    "CentroidState",
    "Clustering",
    "DensityClustering",
    "GivenClustering",
    "KMeansClusterer",
    "KMeansClustering",
    "LearnedClustering",
    "MixtureClustering",
    "SoftClustering",
    "SphericalClustering",
    "centroid_state",
]
