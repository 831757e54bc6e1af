"""Pages and pictures: which samples are shown, what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clusterexplain import ClusterExplainer
from tests.cli.caller import Caller, run_main


def test_a_damaged_check_is_refused_and_a_whole_one_draws(
    plain: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, "verify", "--sample", "11", "--singles", "24", "--groups", "6") == 0
    assert run_main(monkeypatch, "report", "--sample", "11", "--chart", "check", "--svg", "check.svg") == 0
    assert "supported" in Path("check.svg").read_text()
    stored = json.loads((plain / "check.json").read_text())
    stored["retrained"]["kept"] = stored["retrained"]["kept"][1:]
    (plain / "check.json").write_text(json.dumps(stored))
    assert run_main(monkeypatch, "why", "--sample", "11") == 2
    assert "retrainings is not whole" in capsys.readouterr().err
    (plain / "check.json").unlink()


def test_pictures_are_refused_with_the_reason(
    plain: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, "report", "--png", "x.svg") == 2
    assert "--png cannot write x.svg. Expected a file name that ends in .png" in capsys.readouterr().err
    assert run_main(monkeypatch, "report", "--chart", "pie", "--png", "x.png") == 2
    assert "--chart 'pie' is unknown. Expected one of: map, influence" in capsys.readouterr().err


def test_a_report_without_samples_takes_the_most_marginal_of_each_cluster(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_main(monkeypatch, "report", "--out", "page.html") == 0
    embedded = re.search(r'id="page">(.*?)</script>', Path("page.html").read_text(), re.DOTALL)
    assert embedded
    ce = ClusterExplainer.load(plain)
    asked = json.loads(embedded[1])["answers"]["answers"]
    assert sorted(one["cluster"] for one in asked) == np.unique(ce.labels_).tolist()
    margins = np.abs(ce.margins_)
    for one in asked:
        assert margins[one["sample"]] == margins[ce.labels_ == one["cluster"]].min()


@pytest.mark.parametrize("ids", [None, "cell"])
def test_a_map_is_taken_from_the_cells_that_were_fitted(
    ids: str | None, folder: Path, blobs: np.ndarray, call: Caller
) -> None:
    """The file was shuffled since: the map is joined by id."""
    anndata = pytest.importorskip("anndata")
    names = pd.Index([f"c{number}" for number in range(30)], dtype=object)
    obs = pd.DataFrame({"cell": np.arange(100, 130)}, index=names)
    places = np.random.default_rng(0).normal(size=(30, 2))
    cells = anndata.AnnData(
        blobs,
        obs=obs,
        var=pd.DataFrame({"length": range(5)}, index=pd.Index(list("abcde"), dtype=object)),
        obsm={"X_tsne": places, "X_pca": blobs},
    )
    cells.write_h5ad("cells.h5ad")
    fit = ["fit", "--data", "cells.h5ad", "--use-rep", "X", "--model", "precomputed", "--clusters", "3", "--quiet"]
    assert call(*fit, *([] if ids is None else ["--ids", ids]), "--out", "run")[0] == 0
    cells[::-1].copy().write_h5ad("cells.h5ad")
    report = ["report", "--run", "run", "--sample", "c3" if ids is None else "103", "--out", "page.html"]
    assert call(*report, "--map", "X_tsne")[0] == 0
    assert "Map: obsm X_tsne as given" in Path("page.html").read_text()
    np.testing.assert_allclose(np.load("run/map.npy"), places)
    assert "has no obsm 'X_umap' for a map. Expected one of: X_" in call.refused(*report, "--map", "X_umap")
    assert "X_pca'] has 5 columns, expected 2 for a map" in call.refused(*report, "--map", "X_pca")
    Path("cells.h5ad").unlink()
    assert "cells.h5ad" in call.refused(*report, "--map", "X_tsne")


def test_a_named_map_needs_cells(folder: Path, call: Caller) -> None:
    refused = call.refused("report", "--run", str(folder), "--map", "X_umap")
    assert "The map 'X_umap' is no file, and the data were not read from an .h5ad file" in refused
