"""Word vectors as a function of the texts they were trained on: which texts an association comes from, and how to change it."""

from clusterexplain.word_embeddings.bias import EmbeddingBias
from clusterexplain.word_embeddings.check import BiasCheck
from clusterexplain.word_embeddings.corpus import Corpus
from clusterexplain.word_embeddings.influence import UnitInfluence
from clusterexplain.word_embeddings.mitigation import Intervention, WordChange
from clusterexplain.word_embeddings.scores import Cosine, WordMembership
from clusterexplain.word_embeddings.texts import read_texts
from clusterexplain.word_embeddings.weat import Weat, weat_names

__all__ = [
    "BiasCheck",
    "Corpus",
    "Cosine",
    "EmbeddingBias",
    "Intervention",
    "UnitInfluence",
    "Weat",
    "WordChange",
    "WordMembership",
    "read_texts",
    "weat_names",
]
