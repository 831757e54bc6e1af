"""Single cells: AnnData in memory and .h5ad files; the file is the one that scanpy brings along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from clusterexplain import ClusterExplainer, Dataset
from clusterexplain.data.readers.registry import read
from clusterexplain.exceptions import InputWarning, InvalidDataError, MemoryBudgetError, MissingExtraError
from tests.conftest import OF_ANNDATA, pbmc_file

anndata = pytest.importorskip("anndata")
pytestmark = OF_ANNDATA


@pytest.fixture(scope="module")
def pbmc() -> Path:
    return pbmc_file()


@pytest.fixture
def adata() -> Any:
    rng = np.random.default_rng(0)
    cells, genes = [f"cell{i}" for i in range(30)], ["g1", "g2", "g3", "g4"]
    X = rng.poisson(1.0, (30, 4)).astype(np.float32)
    obs = pd.DataFrame({"leiden": pd.Categorical(list("012") * 10), "batch": ["a", "b"] * 15}, index=cells)
    made = anndata.AnnData(scipy.sparse.csr_matrix(X), obs=obs, var=pd.DataFrame(index=genes))
    made.layers["counts"] = scipy.sparse.csc_matrix(X * 2)
    made.obsm["X_pca"] = rng.normal(size=(30, 3))
    made.obsm["scores"] = pd.DataFrame(rng.normal(size=(30, 2)), index=cells, columns=["up", "down"])
    made.raw = made
    return made


def test_the_file_of_pbmc_cells(pbmc: Path) -> None:
    data = read(pbmc, use_rep="X_pca", labels="louvain", metadata=["bulk_labels", "phase"])
    assert data.X.shape == (700, 50)
    assert data.ids.tolist()[0] == "AAAGCCTGGCTAAC-1"
    assert data.metadata is not None
    assert data.metadata.columns.tolist() == ["bulk_labels", "phase", "louvain"]
    assert int((data.metadata["bulk_labels"] == "Dendritic").sum()) == 240
    genes = read(pbmc, use_rep="X")
    assert genes.X.shape == (700, 765)
    assert genes.feature_names is not None
    assert (genes.feature_names[0], len(genes.feature_names)) == ("HES4", 765)
    np.testing.assert_allclose(Dataset.of(anndata.read_h5ad(pbmc), use_rep="raw").X, read(pbmc, use_rep="raw").X)
    with pytest.warns(InputWarning, match=r"read as use_rep='X_pca' \(50 columns\).*X, X_pca, X_umap, raw"):
        assert read(pbmc).X.shape == (700, 50)
    with pytest.raises(
        InvalidDataError, match=r"has no 'X_scVI'\. Expected one of its matrices .*: X, X_pca, X_umap, raw"
    ):
        read(pbmc, use_rep="X_scVI")
    with pytest.raises(InvalidDataError, match=r"obs has no column 'leiden'\. Expected.*: bulk_labels, n_genes"):
        read(pbmc, use_rep="X", labels="leiden")


def test_every_matrix(adata: Any) -> None:
    dense = adata.X.toarray()
    for key, expected, names in (
        ("X", dense, ["g1", "g2", "g3", "g4"]),
        ("counts", dense * 2, ["g1", "g2", "g3", "g4"]),
        ("raw", dense, ["g1", "g2", "g3", "g4"]),
        ("X_pca", adata.obsm["X_pca"], None),
        ("scores", adata.obsm["scores"].to_numpy(), ["up", "down"]),
    ):
        data = Dataset.of(adata, use_rep=key)
        np.testing.assert_allclose(data.X, expected)
        assert data.feature_names == names
        assert data.ids.tolist() == adata.obs_names.tolist()
        assert data.metadata is not None
        assert data.metadata.columns.tolist() == ["leiden", "batch"]
    with pytest.raises(MemoryBudgetError, match=r"adata, X is sparse, and its 30 x 4 entries"):
        Dataset.of(adata, use_rep="X", max_bytes=100)


def test_views_backed_files_and_copies_of_barcodes(adata: Any, tmp_path: Path) -> None:
    view = adata[adata.obs["batch"] == "b"]
    assert Dataset.of(view, use_rep="X").ids.tolist() == [f"cell{i}" for i in range(1, 30, 2)]
    adata.obs_names = ["same"] * 30
    with pytest.raises(InvalidDataError, match=r"29 barcode\(s\) that occur more than once, for example 'same'"):
        Dataset.of(adata, use_rep="X")
    (tmp_path / "broken.h5ad").write_bytes(b"no hdf5")
    with pytest.raises(InvalidDataError, match=r"broken\.h5ad cannot be read as AnnData"):
        read(tmp_path / "broken.h5ad")


def test_fit_with_the_labels_of_obs(adata: Any) -> None:
    ce = ClusterExplainer(n_steps=10, latent_dim=2, hidden=(4,), random_state=0, min_agreement=0.0)
    ce.fit(adata, use_rep="X_pca", labels="leiden", metadata=["batch"])
    assert ce.labels_.tolist() == [0, 1, 2] * 10
    assert ce.data_.metadata is not None
    assert ce.data_.metadata.columns.tolist() == ["batch", "leiden"]
    assert ce.explain(["cell3"]).positions.tolist() == [3]
    with pytest.raises(InvalidDataError, match=r"pass it to fit\(adata, use_rep='X_pca'\)"):
        ce.predict(adata)


def test_without_anndata_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "anndata", None)
    (tmp_path / "a.h5ad").touch()
    with pytest.raises(MissingExtraError, match=r'pip install "clusterexplain\[anndata\]"'):
        read(tmp_path / "a.h5ad")
