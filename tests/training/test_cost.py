"""What a fit is said to take: the bytes are those that are kept, and the words follow the figures."""

from __future__ import annotations

import numpy as np
import pytest

from clusterexplain import ClusterExplainer
from clusterexplain.exceptions import MemoryBudgetError
from clusterexplain.training.cost import Cost

OPTIONS = {"n_clusters": 3, "latent_dim": 2, "hidden": (8,), "n_steps": 30, "random_state": 0}


def test_the_bytes_are_those_of_the_states_that_a_fit_keeps(blobs: np.ndarray) -> None:
    ce = ClusterExplainer(**OPTIONS)
    cost = ce.estimate(blobs, n_explained=2, n_retrainings=5)
    states = ce.fit(blobs).fit_.trajectory.checkpoints
    kept = sum(part.numel() * part.element_size() for state in states[:30] for part in state)
    assert cost.training_bytes == kept
    assert (cost.n_steps, cost.n_explained, cost.n_retrainings) == (30, 2, 5)
    assert min(cost.training_seconds, cost.answer_seconds, cost.retraining_seconds) > 0


def test_nothing_is_fitted_and_a_fit_after_it_is_the_same(blobs: np.ndarray) -> None:
    ce = ClusterExplainer(**OPTIONS)
    ce.estimate(blobs)
    assert not hasattr(ce, "fit_")
    np.testing.assert_array_equal(ce.fit(blobs).embedding_, ClusterExplainer(**OPTIONS).fit(blobs).embedding_)


def test_what_needs_no_training_says_so(blobs: np.ndarray) -> None:
    assert "computed without a training" in str(ClusterExplainer("pca", n_clusters=3, latent_dim=2).estimate(blobs))


def test_too_little_memory_is_said_before_anything_is_trained(blobs: np.ndarray) -> None:
    with pytest.raises(MemoryBudgetError, match=r"Raise max_memory, or use fewer steps"):
        ClusterExplainer(**{**OPTIONS, "n_steps": 10**6}, max_memory=1e3).estimate(blobs)


def test_the_words() -> None:
    assert str(Cost(42.3, 3e8, 7200.0, 200.0, 1400, 8, 100)) == (
        "Training: about 42 s, 300 MB of states. An answer about 8 samples: 2.0 h. 100 retrainings: 3 min. Measured on 3 of "
        "1400 steps; clustering and the map are not included."
    )
