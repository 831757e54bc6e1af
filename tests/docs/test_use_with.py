"""Every block of docs/use_with.md runs as it stands, and gives what the other library gives.

BERTopic is heavy: ``tests/integrations/bertopic_topics.py`` runs its block in an environment of its own.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from sklearn.datasets import load_iris
from sklearn.neighbors import kneighbors_graph
from torch import nn

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "use_with.md").read_text(encoding="utf-8")
SECTIONS = {part.partition("\n")[0]: part for part in PAGE.split("\n## ")[1:]}
RUN_ELSEWHERE = {"BERTopic"}


def blocks(section: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", SECTIONS[section], flags=re.M | re.S)


def run(section: str, capsys: pytest.CaptureFixture[str], **names: Any) -> dict[str, Any]:
    """Run the blocks of a section one after the other; return their names and, as `printed`, what they print."""
    for block in blocks(section):
        exec(compile(block, f"docs/use_with.md, {section}", "exec"), names)
    return names | {"printed": capsys.readouterr().out}


def margins_by_hand(Z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return log-ratios of squared distances to centroids, epsilon a hundredth of the within-cluster variance."""
    centers = np.array([Z[labels == k].mean(axis=0) for k in range(labels.max() + 1)])
    squared = np.square(Z[:, None] - centers).sum(axis=2)
    own = squared[np.arange(len(Z)), labels]
    others = np.where(np.arange(len(centers)) == labels[:, None], np.inf, squared).min(axis=1)
    return np.log(others + own.mean() / 100) - np.log(own + own.mean() / 100)


def test_the_page_has_the_four_sections_and_each_has_a_test() -> None:
    assert list(SECTIONS) == ["scanpy", "BERTopic", "scikit-learn", "torch"]
    assert all(blocks(section) for section in SECTIONS)
    here = Path(__file__).read_text(encoding="utf-8")
    assert {section for section in SECTIONS if f'run("{section}"' not in here} == RUN_ELSEWHERE


def test_scanpy(capsys: pytest.CaptureFixture[str]) -> None:
    anndata = pytest.importorskip("anndata")
    rows, kinds = load_iris(return_X_y=True)
    near = kneighbors_graph(rows, 10)
    leiden = np.array(["0", "1", "2"])[kinds]
    known = {"leiden": pd.Categorical(leiden), "batch": ["a", "b"] * 75, "cell_type": leiden}
    obs = pd.DataFrame(known, index=[f"cell-{one}" for one in range(150)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of anndata, about texts of pandas 3
        adata = anndata.AnnData(
            np.zeros((150, 2)),
            obs=obs,
            obsm={"X_pca": rows, "X_umap": rows[:, :2].copy()},
            obsp={"connectivities": scipy.sparse.csr_matrix(near.maximum(near.T))},
        )
    found = run("scanpy", capsys, adata=adata)
    np.testing.assert_allclose(found["ce"].margins_, margins_by_hand(rows, kinds), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found["ce"].map(), rows[:, :2])
    np.testing.assert_allclose(adata.obs["clusterexplain_influence"], found["e"].influence[0])
    np.testing.assert_allclose(adata.obs["clusterexplain_margin"], found["ce"].margins_)
    assert adata.obs["clusterexplain_cluster"].astype(str).tolist() == leiden.tolist()
    assert "cell_type" in found["printed"]
    assert "Sample cell-0 is in cluster 0" in found["printed"]


def test_scikit_learn(capsys: pytest.CaptureFixture[str]) -> None:
    X = load_iris().data[:, [0, 1, 2, 3, 0]] + np.random.default_rng(0).normal(size=(150, 5))
    found = run("scikit-learn", capsys, X=X)
    ce, pipeline = found["ce"], found["pipeline"]
    np.testing.assert_array_equal(ce.labels_, pipeline[-1].labels_)
    np.testing.assert_array_equal(ce.predict(found["Z"]), pipeline.predict(X))
    np.testing.assert_allclose(ce.margins_, margins_by_hand(found["Z"], ce.labels_), rtol=1e-4, atol=1e-5)
    last = found["explained"][-1]
    assert last.embedding_.shape == (150, 5)
    np.testing.assert_array_equal(found["explained"].predict(X), last.labels_)
    assert found["printed"].count("Sample 0 is in cluster") == 2


def test_torch(capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    X = load_iris().data - load_iris().data.mean(axis=0)
    encoder, decoder = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 2)), nn.Linear(2, 4)
    rows = torch.tensor(X, dtype=torch.float32)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.01)
    for _ in range(300):
        optimizer.zero_grad()
        (decoder(encoder(rows)) - rows).square().mean().backward()
        optimizer.step()
    before = [parameter.detach().clone() for parameter in encoder.parameters()]
    found = run("torch", capsys, X=X, encoder=encoder, decoder=decoder)
    np.testing.assert_allclose(found["ce"].embedding_, encoder(rows).detach().numpy(), atol=1e-5)
    assert all(torch.equal(a, b) for a, b in zip(before, encoder.parameters(), strict=True))
    assert "further steps at learning rate" in found["printed"]
    assert "Sample 0 is in cluster" in found["printed"]
