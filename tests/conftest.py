"""Fixtures: small real problems that every test file shares."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path

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


def pbmc_file() -> Path:
    """Return the file of 700 cells that scanpy brings along; skip where it does not."""
    pytest.importorskip("anndata")
    found = importlib.util.find_spec("scanpy")
    if found is None or not found.submodule_search_locations:
        pytest.skip("scanpy, whose file is read, is not installed")
    return Path(found.submodule_search_locations[0]) / "datasets" / "10x_pbmc68k_reduced.h5ad"


OF_ANNDATA = pytest.mark.filterwarnings(  # about pandas and about the layout of its own old files
    "ignore:.*infer_string", "ignore:.*chained_assignment", "ignore:.*written with", "ignore:Moving element"
)
