"""What is trained: pure functions of a dict of parameters, with one weight for every example."""

from clusterexplain.models.autoencoder import Autoencoder
from clusterexplain.models.task import EmbeddingTask

__all__ = ["Autoencoder", "EmbeddingTask"]
