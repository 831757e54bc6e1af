"""Fixtures: small real problems that every test file shares."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.datasets import make_blobs

with warnings.catch_warnings():  # torch announces deprecations of its own dependencies while it is imported
    warnings.simplefilter("ignore")
    import torch

from clusterexplain import ClusterExplainer

collect_ignore = ["goldens/floors_old.py"]
"""It reads the package of another commit, and is imported there alone."""
SMALL = {"n_clusters": 3, "latent_dim": 2, "hidden": (6,), "n_steps": 40, "batch_size": 8, "random_state": 0}


@pytest.fixture(scope="session")
def blobs() -> np.ndarray:
    """Draw 30 rows around 3 centres in 5 dimensions."""
    return make_blobs(30, n_features=5, centers=3, cluster_std=2.0, random_state=0)[0]


@pytest.fixture(scope="session")
def small(blobs: np.ndarray) -> ClusterExplainer:
    """Fit in float64, small enough for dense references; tests must not modify it."""
    return ClusterExplainer(**SMALL, dtype="float64").fit(blobs)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
