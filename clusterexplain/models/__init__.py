"""What is trained: pure functions of a dict of parameters, with one weight for every example."""

from clusterexplain.models.autoencoder import Autoencoder, ConvAutoencoder
from clusterexplain.models.contrastive import Contrastive
from clusterexplain.models.count_vae import CountVAE
from clusterexplain.models.dec import CENTROIDS, DEC, student_t
from clusterexplain.models.pca import PCA
from clusterexplain.models.precomputed import Precomputed
from clusterexplain.models.registry import MODELS, ModelSpec, build
from clusterexplain.models.task import EmbeddingTask, Params, Stage
from clusterexplain.models.variational import VariationalAutoencoder

__all__ = [
    "CENTROIDS",
    "DEC",
    "MODELS",
    "PCA",
    "Autoencoder",
    "Contrastive",
    "ConvAutoencoder",
    "CountVAE",
    "EmbeddingTask",
    "ModelSpec",
    "Params",
    "Precomputed",
    "Stage",
    "VariationalAutoencoder",
    "build",
    "student_t",
]
