"""Word vectors as a function of the texts they were trained on: which texts an association comes from, and how to change it."""

from clusterexplain.words.bias import EmbeddingBias
from clusterexplain.words.changing import Intervention, WordChange
from clusterexplain.words.check import BiasCheck
from clusterexplain.words.corpus import Corpus
from clusterexplain.words.influence import UnitInfluence
from clusterexplain.words.scores import Cosine, WordMembership
from clusterexplain.words.texts import read_texts
from clusterexplain.words.weat import Weat, weat_names

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
