"""Why is this sample in that cluster, and which training examples pulled it there?

The names below are the public interface. They are loaded on first use, so that ``clusterexplain --help`` does not wait
for torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from clusterexplain._version import __version__

if TYPE_CHECKING:
    from clusterexplain.clustering.check_clustering import check_clustering
    from clusterexplain.clustering.scores.check_score import check_score
    from clusterexplain.data import Dataset, list_datasets, load_dataset
    from clusterexplain.estimator import ClusterExplainer
    from clusterexplain.influence.check_method import check_method
    from clusterexplain.models import EmbeddingTask
    from clusterexplain.results.check import Check
    from clusterexplain.results.explanation import Explanation
    from clusterexplain.training.check_task import check_task
    from clusterexplain.word_embeddings import EmbeddingBias

__all__ = [
    "Check",
    "ClusterExplainer",
    "Dataset",
    "EmbeddingBias",
    "EmbeddingTask",
    "Explanation",
    "__version__",
    "check_clustering",
    "check_method",
    "check_score",
    "check_task",
    "list_datasets",
    "load_dataset",
]

_HOME = {
    "Check": "clusterexplain.results.check",
    "ClusterExplainer": "clusterexplain.estimator",
    "Dataset": "clusterexplain.data",
    "EmbeddingBias": "clusterexplain.word_embeddings",
    "EmbeddingTask": "clusterexplain.models",
    "Explanation": "clusterexplain.results.explanation",
    "check_clustering": "clusterexplain.clustering.check_clustering",
    "check_method": "clusterexplain.influence.check_method",
    "check_score": "clusterexplain.clustering.scores.check_score",
    "check_task": "clusterexplain.training.check_task",
    "list_datasets": "clusterexplain.data",
    "load_dataset": "clusterexplain.data",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'clusterexplain' has no attribute {name!r}")
    found: object = getattr(importlib.import_module(_HOME[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
