"""Single cells: AnnData in memory and .h5ad files; the file is the one that scanpy brings along."""

from __future__ import annotations

import json
import re
import time
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


def test_without_anndata_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "anndata", None)
    (tmp_path / "a.h5ad").touch()
    with pytest.raises(MissingExtraError, match=r'pip install "clusterexplain\[anndata\]"'):
        read(tmp_path / "a.h5ad")


def test_the_map_and_the_colours_that_scanpy_keeps(adata: Any, tmp_path: Path) -> None:
    adata.obsm["X_umap"] = np.random.default_rng(3).normal(size=(30, 2))
    adata.uns["leiden_colors"] = ["#1f77b4", "teal", "#aec7e8ff"]
    ce = ClusterExplainer(model="precomputed", min_agreement=0.0)
    ce.fit(adata, use_rep="X_pca", labels="leiden", map="X_umap")
    np.testing.assert_array_equal(ce.map(), adata.obsm["X_umap"])
    ce.save(tmp_path / "run")
    for fitted in (ce, ClusterExplainer.load(tmp_path / "run")):
        chart = fitted.explain(["cell3"]).plot.map().to_dict()
        assert "Map: obsm X_umap as given; 30 training examples," in chart["title"]["subtitle"]
        assert '"range": ["#1f77b4", "teal", "#aec7e8ff"]' in json.dumps(chart)
        assert 'stroke="teal"' in fitted.explain(["cell3"])._repr_mimebundle_()["text/html"]
    with pytest.raises(
        InvalidDataError, match=r"adata has no obsm 'X_tsne' for a map\. Expected one of: X_pca, scores, X_umap"
    ):
        ce.fit(adata, use_rep="X_pca", map="X_tsne")
    with pytest.raises(InvalidDataError, match=r"obsm\['X_pca'\] has 3 columns, expected 2 for a map"):
        ce.fit(adata, use_rep="X_pca", map="X_pca")


@pytest.mark.parametrize(
    ("colours", "why"),
    [
        (["red", "</style><script>", "blue"], r"'</style><script>' is no colour"),
        (["red", "tab:blue", "blue"], r"'tab:blue' is no colour"),
        (["red", "blue"], r"it has 2 colours for 3 labels"),
        ({"0": "red"}, r"it has 0 colours for 3 labels"),
    ],
)
def test_what_is_no_colour_is_said_and_not_used(adata: Any, colours: Any, why: str) -> None:
    adata.uns["leiden_colors"] = colours
    with pytest.warns(
        InputWarning, match=rf"adata\.uns\['leiden_colors'\] is not used, as {why}.*usual colours instead"
    ):
        assert Dataset.of(adata, use_rep="X", labels="leiden").display.colours == {"leiden": {}}


def test_names_of_labels_take_their_own_colours(adata: Any) -> None:
    adata.obs["type"] = pd.Categorical(["T", "B", "NK"] * 10, categories=["T", "unused", "NK", "B"])
    adata.uns["type_colors"] = ["#000001", "#000002", "#000003", "#000004"]
    ce = ClusterExplainer(model="precomputed", min_agreement=0.0).fit(adata, use_rep="X_pca", labels="type")
    assert {ce.cluster_names_[number]: colour for number, colour in ce.fit_.annotations.cluster_colours.items()} == {
        "T": "#000001", "NK": "#000003", "B": "#000004"
    }  # fmt: skip


@pytest.mark.parametrize("key", ["X", "counts", "raw"])
def test_new_cells_are_matched_by_the_names_of_genes(adata: Any, key: str, tmp_path: Path) -> None:
    ce = ClusterExplainer(model="precomputed", n_clusters=3, min_agreement=0.0, random_state=0)
    ce.fit(adata, use_rep=key).save(tmp_path / "run")
    wide = anndata.concat(
        [adata, adata[:, :1].copy()], axis=1, index_unique="-"
    ).copy()  # a gene that the fit does not know
    wide.var_names = [*adata.var_names, "further"]
    turned = wide[[4, 9], ["g4", "further", "g2", "g1", "g3"]].copy()
    turned.raw = turned
    turned.layers["counts"] = turned.X * 2
    expected = ce.explain(ce.data_.X[[4, 9]])
    for fitted in (ce, ClusterExplainer.load(tmp_path / "run"), ClusterExplainer.load(tmp_path / "run", adata)):
        e = fitted.explain(turned)
        assert e.query_ids.tolist() == ["new cell4", "new cell9"]
        np.testing.assert_array_equal(e.queries, ce.data_.X[[4, 9]])
        np.testing.assert_allclose(e.influence, expected.influence, rtol=1e-12)
        assert fitted.predict(turned).tolist() == ce.predict(ce.data_.X[[4, 9]]).tolist()
    few = turned[:, ["g1", "g4", "further"]].copy()
    few.raw, few.layers["counts"] = few, few.X
    with pytest.raises(InvalidDataError, match=r"2 of the 4 genes of the fit not among its own, for example 'g2'"):
        ce.explain(few)
    turned.var_names = ["g4", "g4", "g2", "g1", "g3"]
    turned.raw = turned
    with pytest.raises(InvalidDataError, match=r"1 gene\(s\) of the fit more than once, for example 'g4'"):
        ce.explain(turned)


def test_new_cells_of_an_embedding_say_that_it_must_be_the_same_space(adata: Any) -> None:
    ce = ClusterExplainer(model="precomputed", n_clusters=3, min_agreement=0.0, random_state=0).fit(
        adata, use_rep="X_pca"
    )
    with pytest.warns(
        InputWarning, match=r"taken from obsm 'X_pca' of queries\. Expected coordinates in the space of the"
    ):
        e = ce.explain(adata[[3, 5]])
    np.testing.assert_array_equal(e.queries, adata.obsm["X_pca"][[3, 5]])
    adata.obsm["X_pca"] = adata.obsm["X_pca"][:, :2]
    with pytest.raises(InvalidDataError, match=r"queries has 2 columns in 'X_pca', but the fit was made with 3"):
        ce.explain(adata)
    del adata.obsm["X_pca"]
    with pytest.raises(
        InvalidDataError, match=r"has no 'X_pca', which the fit was made from\. Expected cells with it; .*: X"
    ):
        ce.explain(adata)
    plain = ClusterExplainer(model="precomputed", n_clusters=3, min_agreement=0.0, random_state=0).fit(adata.to_df())
    with pytest.raises(InvalidDataError, match=r"the fit was not made from one, so it is not known.*adata\.to_df\(\)"):
        plain.explain(adata)


def refused(X: Any, **roles: Any) -> str:
    """Return the message with which fit refuses a container, in less than a second and before any training."""
    began = time.perf_counter()
    with pytest.raises(InvalidDataError) as caught:
        ClusterExplainer(n_steps=10**9).fit(X, **roles)
    assert time.perf_counter() - began < 1
    return str(caught.value)


@pytest.mark.parametrize("roles", [{}, {"use_rep": "X"}, {"labels": "leiden"}], ids=["alone", "rep", "labels"])
def test_wrong_containers_are_refused_within_a_second(adata: Any, roles: dict[str, str]) -> None:
    class MuData:
        """What a MuData looks like: it has obs, a shape and a length, but no matrix."""

        __module__ = "mudata._core.mudata"
        obs, shape, mod = adata.obs, adata.shape, {"rna": adata}

        def __len__(self) -> int:
            return 30

        def __getitem__(self, key: Any) -> Any:
            if isinstance(key, int):
                return self  # nested without end
            return self.mod[key]

    endless = iter(lambda: [1.0, 2.0], None)
    for X, why in (
        ([adata, adata], r"X is list of 2 AnnData, expected one matrix.*anndata\.concat"),
        ((adata,), r"X is tuple of 1 AnnData.*or pass one of them"),
        ({"a": adata, "b": adata}, r"X is dict of 2 AnnData.*anndata\.concat"),
        (np.array([adata, None], dtype=object)[:1], r"X is ndarray of 1 AnnData"),
        ({"a": [1, 2]}, r"X is dict, expected a matrix.*pandas\.DataFrame\(\.\.\.\) makes a table"),
        (MuData(), r"X is mudata\.MuData, expected a matrix.*take one modality: mdata\['rna'\]"),
        (adata.obsm, r"AxisArrays, expected a matrix.*use_rep='X_pca'"),
        (adata.layers, r"Layers, expected a matrix.*use_rep="),
        (adata.raw, r"Raw, expected a matrix.*use_rep='raw'"),
        (endless, r"expected a matrix of shape \(n_samples, n_features\)"),
        ([adata.to_df(), adata.to_df()], r"X is list of 2 DataFrame.*pandas\.concat"),
        ([adata.X, adata.X], r"X is list of 2 csr_.*scipy\.sparse\.vstack"),
        ([Dataset(np.eye(3))], r"X is list of 1 Dataset.*join their rows"),
        (pd.Series([[1.0, 2.0]] * 30), r"X is a Series with a vector in each row.*numpy\.stack\(X\)"),
    ):
        assert re.search(why, refused(X, **roles)), type(X)


def test_a_file_that_is_gone_is_an_error_in_words(adata: Any, tmp_path: Path) -> None:
    made = adata.copy()
    made.raw = None
    for table in (made.obs, made.var):
        table.index = pd.Index(table.index, dtype=object)
    made.obs, made.obsm = made.obs[[]], {"X_pca": made.obsm["X_pca"]}
    made.write_h5ad(tmp_path / "cells.h5ad")
    backed = anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    assert Dataset.of(backed, use_rep="X").X.shape == (30, 4)
    backed.file.close()
    (tmp_path / "cells.h5ad").unlink()
    message = refused(backed, use_rep="X")
    assert re.search(
        r"'X' of adata cannot be read \(.*No such file.*call adata\.to_memory\(\) before it is closed", message
    )
    assert Dataset.of(backed, use_rep="X_pca").X.shape == (30, 3)
