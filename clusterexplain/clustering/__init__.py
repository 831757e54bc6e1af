"""phi(Z, w): the cluster state as a function of embeddings and data weights."""

from clusterexplain.clustering.clustering import Clustering
from clusterexplain.clustering.density import DensityClustering
from clusterexplain.clustering.given import GivenClustering, LearnedClustering
from clusterexplain.clustering.kmeans import KMeansClusterer, KMeansClustering, SphericalClustering
from clusterexplain.clustering.mixture import MixtureClustering
from clusterexplain.clustering.soft_kmeans import SoftClustering
from clusterexplain.clustering.state import CentroidState, centroid_state

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
