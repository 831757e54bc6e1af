"""An explanation in an AnnData: joined by obs_names, written to a file and read back."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clusterexplain import ClusterExplainer, Explanation
from clusterexplain.exceptions import InputWarning, InvalidDataError, InvalidParameterError

anndata = pytest.importorskip("anndata")
pytestmark = pytest.mark.filterwarnings(  # of anndata, about pandas
    "ignore:.*infer_string", "ignore:.*chained_assignment", "ignore:.*written with", "ignore:Moving element"
)
CELLS = [f"cell{number}" for number in range(60)]


def made() -> Any:
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(centre, 1, (20, 3)) for centre in (0, 4, -4)])
    obs = pd.DataFrame({"type": ["B", "T", "NK"] * 20}, index=named(CELLS), dtype=object)
    return anndata.AnnData(X, obs=obs, var=pd.DataFrame(index=named(["g1", "g2", "g3"])))


def named(names: list[str]) -> pd.Index:
    """Return names in the form that anndata writes whichever pandas there is."""
    return pd.Index(names, dtype=object)


@pytest.fixture(scope="module")
def explained() -> tuple[ClusterExplainer, Explanation]:
    fitted = ClusterExplainer(model="precomputed", n_clusters=3, random_state=0).fit(made(), use_rep="X")
    fitted.name_clusters({0: "first / ä"})
    return fitted, fitted.explain(["cell3", "cell40"])


def test_values_are_joined_by_name_whatever_the_order(explained: tuple[ClusterExplainer, Explanation]) -> None:
    fitted, e = explained
    order = np.random.default_rng(1).permutation(60)
    adata = made()[order].copy()
    e[0].to_adata(adata)
    table = e[0].to_frame().set_index("id")
    for column, name in (("influence", "influence"), ("encoder", "encoder"), ("cluster_part",) * 2, ("direct",) * 2):
        written = adata.obs[f"clusterexplain_{column}"]
        np.testing.assert_array_equal(written.to_numpy(), table.loc[adata.obs_names, name].to_numpy())
    assert table["influence"].abs().max() > 0
    margins = pd.Series(fitted.margins_, index=CELLS)
    np.testing.assert_array_equal(adata.obs["clusterexplain_margin"], margins[adata.obs_names])
    names = {0: "first / ä", 1: "1", 2: "2"}
    wanted = pd.Series([names[label] for label in fitted.labels_.tolist()], index=CELLS)[adata.obs_names]
    assert adata.obs["clusterexplain_cluster"].astype(str).tolist() == wanted.tolist()


def test_several_queries_go_to_obsm_and_replace_what_one_left(
    explained: tuple[ClusterExplainer, Explanation],
) -> None:
    _, e = explained
    adata = made()
    e[1].to_adata(adata, key_added="why")
    e.to_adata(adata, key_added="why")
    assert [name for name in adata.obs if name.startswith("why")] == ["why_cluster", "why_margin"]
    assert sorted(adata.obsm) == ["why", "why_cluster_part", "why_direct", "why_encoder"]
    np.testing.assert_array_equal(adata.obsm["why"], e.influence.T)
    np.testing.assert_allclose(
        adata.obsm["why"], sum(adata.obsm[f"why_{part}"] for part in ("encoder", "cluster_part", "direct")), atol=1e-12
    )
    assert adata.uns["why"]["samples"].tolist() == ["cell3", "cell40"]
    e[1].to_adata(adata, key_added="why")
    assert "why_influence" in adata.obs
    assert not list(adata.obsm)


@pytest.mark.parametrize(
    ("part", "name", "queries", "message"),
    [
        ("obsm", "mine", 2, r"would overwrite obsm\['mine'\] of adata, not written by an earlier"),
        ("obs", "mine_cluster", 1, r"would overwrite obs\['mine_cluster'\]"),
        ("obs", "mine_influence", 1, r"would overwrite obs\['mine_influence'\]"),
        ("uns", "mine", 1, r"would overwrite uns\['mine'\]"),
    ],
)
def test_what_is_the_users_own_is_never_replaced(
    explained: tuple[ClusterExplainer, Explanation], part: str, name: str, queries: int, message: str
) -> None:
    _, e = explained
    adata, own = made(), {"obsm": np.ones((60, 2)), "obs": np.arange(60.0), "uns": {"samples": "their own"}}[part]
    getattr(adata, part)[name] = own
    with pytest.raises(InvalidParameterError, match=message):
        e[:queries].to_adata(adata, key_added="mine")
    assert (sorted(adata.obsm), sorted(adata.obs), sorted(adata.uns)) == tuple(
        sorted([*known, name] if part == kind else known)
        for kind, known in (("obsm", []), ("obs", ["type"]), ("uns", []))
    )
    np.testing.assert_array_equal(getattr(adata, part)[name], own)


def test_a_matrix_of_the_user_stays_beside_columns_of_that_key(
    explained: tuple[ClusterExplainer, Explanation], tmp_path: Path
) -> None:
    _, e = explained
    adata = made()
    adata.obsm["mine"] = np.ones((60, 2))
    e[0].to_adata(adata, key_added="mine")
    e[1].to_adata(adata, key_added="mine")
    np.testing.assert_array_equal(adata.obsm["mine"], np.ones((60, 2)))
    np.testing.assert_array_equal(adata.obs["mine_influence"], e.influence[1])
    with pytest.raises(InvalidParameterError, match=r"would overwrite obsm\['mine'\] of adata"):
        e.to_adata(adata, key_added="mine")
    np.testing.assert_array_equal(adata.obs["mine_influence"], e.influence[1])
    del adata.obsm["mine"]
    e.to_adata(adata, key_added="mine")
    adata.write_h5ad(tmp_path / "cells.h5ad")
    read = anndata.read_h5ad(tmp_path / "cells.h5ad")
    e[0].to_adata(read, key_added="mine")  # a file shows what an earlier call wrote
    assert not list(read.obsm)


@pytest.mark.parametrize("queries", [1, 2])
def test_a_file_holds_all_of_it(tmp_path: Path, explained: tuple[ClusterExplainer, Explanation], queries: int) -> None:
    _, e = explained
    adata = made()
    e[:queries].to_adata(adata)
    adata.write_h5ad(tmp_path / "cells.h5ad")
    read = anndata.read_h5ad(tmp_path / "cells.h5ad")
    for name in adata.obs:
        assert read.obs[name].dtype.kind == adata.obs[name].dtype.kind
        assert read.obs[name].astype(object).tolist() == adata.obs[name].astype(object).tolist()
    assert read.obs_names.tolist() == CELLS
    assert sorted(read.obsm) == sorted(adata.obsm)
    for key in adata.obsm:
        np.testing.assert_array_equal(read.obsm[key], adata.obsm[key])
    written, found = adata.uns["clusterexplain"], read.uns["clusterexplain"]
    assert sorted(found) == sorted(written)
    assert found["params"] == written["params"]
    for name, value in written.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    assert found["sign"].startswith("influence > 0 pulled in")
    assert found["params"]["model"] == "precomputed"
    assert found["sample_margins"].tolist() == e.scores[:queries].tolist()
    assert found["checked"] == "not checked; verify does it"


def test_cells_that_were_not_trained_on_get_no_value_and_that_is_said(
    explained: tuple[ClusterExplainer, Explanation],
) -> None:
    fitted, e = explained
    adata = made()[:50].copy()
    adata.obs_names = [*CELLS[:49], "other"]
    with pytest.warns(
        InputWarning, match=r"1 of its 50 cells were not trained on, for example 'other'.*11 of 60 train"
    ):
        e[0].to_adata(adata)
    assert adata.obs.isna().sum().to_dict() == {
        "type": 0, "clusterexplain_cluster": 1, "clusterexplain_margin": 1, "clusterexplain_influence": 1,
        "clusterexplain_encoder": 1, "clusterexplain_cluster_part": 1, "clusterexplain_direct": 1,
    }  # fmt: skip
    np.testing.assert_array_equal(adata.obs["clusterexplain_margin"].iloc[:49], fitted.margins_[:49])
    view = made()[:5]
    with pytest.warns(InputWarning, match="all of its cells were trained on, and 55 of 60"):
        e.to_adata(view)
    np.testing.assert_array_equal(view.obsm["clusterexplain"], e.influence[:, :5].T)


def test_ids_that_only_count_are_matched_as_the_names_that_anndata_gives(recwarn: pytest.WarningsRecorder) -> None:
    X = np.asarray(made().X)
    e = ClusterExplainer(model="precomputed", n_clusters=3, random_state=0).fit(X).explain([3])
    adata = anndata.AnnData(X[::-1].copy(), obs=pd.DataFrame(index=[str(number) for number in range(60)][::-1]))
    e.to_adata(adata)
    np.testing.assert_array_equal(adata.obs["clusterexplain_influence"], e.influence[0, ::-1])
    assert not [str(one.message) for one in recwarn if issubclass(one.category, InputWarning)]


def test_what_cannot_be_joined_is_refused(explained: tuple[ClusterExplainer, Explanation]) -> None:
    _, e = explained
    adata = made()
    adata.obs_names = [f"other{number}" for number in range(60)]
    with pytest.raises(InvalidDataError, match=r"None of the 60 obs_names.*begin with 'other0', the ids with 'cell0'"):
        e.to_adata(adata)
    adata.obs_names = ["cell0"] * 60
    with pytest.raises(InvalidDataError, match=r"59 obs_names that occur more than once, for example 'cell0'"):
        e.to_adata(adata)
    assert adata.obs.columns.tolist() == ["type"]
    with pytest.raises(InvalidDataError, match=r"adata is DataFrame. Expected an AnnData.*to_frame"):
        e.to_adata(made().obs)
    for key in ("", "a/b", 3):
        with pytest.raises(InvalidParameterError, match=r"Expected a text without a slash"):
            e.to_adata(made(), key_added=key)  # type: ignore[arg-type]


def test_noise_is_a_category_and_questions_about_clusters_are_written_too() -> None:
    labels = np.array([0] * 20 + [1] * 20 + [2] * 15 + [-1] * 5)
    fitted = ClusterExplainer(model="precomputed").fit(made(), use_rep="X", labels=labels)
    adata = made()
    fitted.cohesion().to_adata(adata)
    assert adata.obs["clusterexplain_cluster"].cat.categories.tolist() == ["0", "1", "2", "noise"]
    assert (adata.obs["clusterexplain_cluster"] == "noise").tolist() == [False] * 55 + [True] * 5
    assert adata.obsm["clusterexplain"].shape == (60, 3)


def test_the_pbmc_cells_get_their_answer_back(tmp_path: Path) -> None:
    found = importlib.util.find_spec("scanpy")
    if found is None or not found.submodule_search_locations:
        pytest.skip("scanpy, whose file is read, is not installed")
    adata = anndata.read_h5ad(Path(found.submodule_search_locations[0]) / "datasets" / "10x_pbmc68k_reduced.h5ad")
    fitted = ClusterExplainer(model="precomputed").fit(adata, use_rep="X_pca", labels="louvain")
    asked = adata.obs_names[[7, 400]].tolist()
    fitted.explain(asked).to_adata(adata)
    assert adata.obs["clusterexplain_cluster"].astype(str).tolist() == adata.obs["louvain"].astype(str).tolist()
    own = adata.obs["louvain"].to_numpy() == adata.obs["louvain"].iloc[7]
    pulled = adata.obsm["clusterexplain"][:, 0]
    assert pulled[own].sum() > 0
    assert pulled[7] == fitted.explain([asked[0]]).influence[0, 7]
    with anndata.settings.override(
        allow_write_nullable_strings=True
    ):  # with pandas 3 it refuses the names that it has read
        adata.write_h5ad(tmp_path / "cells.h5ad")
    np.testing.assert_array_equal(anndata.read_h5ad(tmp_path / "cells.h5ad").obsm["clusterexplain"][:, 0], pulled)
