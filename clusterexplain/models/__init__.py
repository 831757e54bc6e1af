"""What is trained: pure functions of a dict of parameters, with one weight for every example."""

from clusterexplain.models.autoencoder import Autoencoder, ConvAutoencoder
from clusterexplain.models.contrastive import Contrastive
from clusterexplain.models.dec import DEC
from clusterexplain.models.registry import MODELS, ModelSpec, build
from clusterexplain.models.task import EmbeddingTask, Stage
from clusterexplain.models.variational import VariationalAutoencoder

__all__ = [
    "DEC",
    "MODELS",
    "Autoencoder",
    "Contrastive",
    "ConvAutoencoder",
    "EmbeddingTask",
    "ModelSpec",
    "Stage",
    "VariationalAutoencoder",
    "build",
]
