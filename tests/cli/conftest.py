"""Runs that the tests of the command line read."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs

from clusterexplain import ClusterExplainer, Dataset
from clusterexplain.storage import sidecars
from tests.cli.caller import COLUMNS, Caller
from tests.conftest import SMALL


@cache
def template(name: str) -> Path:
    """Fit and save a run once, to be copied: "small" in float64 with metadata and a named cluster, or "plain" in float32."""
    X = make_blobs(30, n_features=5, centers=3, cluster_std=2.0, random_state=0)[0]
    if name == "plain":
        ce = ClusterExplainer(**SMALL).fit(pd.DataFrame(X, columns=["a", "b<script>", "c", "d", "e"]))
    else:
        metadata = pd.DataFrame({"batch": np.repeat(["A", "B [bold]"], 15)})
        ce = ClusterExplainer(**SMALL, dtype="float64").fit(Dataset(X, feature_names=COLUMNS, metadata=metadata))
        ce.name_clusters({1: "B cells"})
    folder = ce.save(Path(mkdtemp()) / name)
    sidecars.write_map(folder, ce.embedding_)  # UMAP has its own slow test
    return folder


def copied(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy a template to runs/NAME of an empty folder."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(template(name), tmp_path / "runs" / name)).relative_to(tmp_path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy the run in float64 that has metadata and a named cluster."""
    return copied("small", tmp_path, monkeypatch)


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy the run in float32, one of whose column names is hostile."""
    return copied("plain", tmp_path, monkeypatch)


@pytest.fixture
def ce() -> ClusterExplainer:
    """Return the run in float64 as Python opens it; tests must not modify it."""
    return ClusterExplainer.load(template("small"))


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Caller:
    """Return how a test runs the command line."""
    return Caller(monkeypatch, capsys)
