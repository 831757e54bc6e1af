"""phi(Z, w): the cluster state as a function of embeddings and data weights."""

from clusterexplain.clustering.kmeans import KMeansClusterer
from clusterexplain.clustering.state import CentroidState, centroid_state

__all__ = ["CentroidState", "KMeansClusterer", "centroid_state"]
