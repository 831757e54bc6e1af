"""Word vectors as a function of the texts they were trained on: which texts an association comes from, and how to change it."""

from clusterexplain.word_embeddings.bias import EmbeddingBias
from clusterexplain.word_embeddings.bias_check import BiasCheck, draw_removals
from clusterexplain.word_embeddings.corpus import Corpus
from clusterexplain.word_embeddings.mitigation import Intervention, SeedTraining, WordChange
from clusterexplain.word_embeddings.sampled import SampledSkipGram
from clusterexplain.word_embeddings.scores.bound_score import BoundScore
from clusterexplain.word_embeddings.scores.weat import Weat, weat_names
from clusterexplain.word_embeddings.scores.word_scores import Cosine, WordMembership
from clusterexplain.word_embeddings.texts import read_texts
from clusterexplain.word_embeddings.unit_influence import CAUTION, UnitInfluence

__all__ = [
    "CAUTION",
    "BiasCheck",
    "BoundScore",
    "Corpus",
    "Cosine",
    "EmbeddingBias",
    "Intervention",
    "SampledSkipGram",
    "SeedTraining",
    "UnitInfluence",
    "Weat",
    "WordChange",
    "WordMembership",
    "draw_removals",
    "read_texts",
    "weat_names",
]
