"""Code of the user's own on the command line, given again whenever its run is opened: a network, a way to find labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import AgglomerativeClustering

from clusterexplain import ClusterExplainer, Dataset
from clusterexplain.cli.tasks import find_factory
from tests.cli.caller import COLUMNS, Caller, run_main

FACTORY = """
import torch
from torch import nn
from clusterexplain import EmbeddingTask


def make(data):
    torch.manual_seed(0)
    width = data.X.shape[1]
    encoder = nn.Sequential(nn.Linear(width, 6), nn.GELU(), nn.Linear(6, 2))
    return EmbeddingTask.from_module(encoder, decoder=nn.Linear(2, width))


def classify():
    torch.manual_seed(0)
    def loss(net, x, y):
        return nn.functional.cross_entropy(net(x), y, reduction="none")

    return EmbeddingTask.from_module(nn.Linear(5, 3), example_loss=loss)


def wrong():
    return "a network"
"""


@pytest.fixture
def folder(blobs: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["", *__import__("sys").path])
    Path("own_networks.py").write_text(FACTORY)
    np.save("rows.npy", blobs)
    return tmp_path


FIT = ("fit", "--data", "rows.npy", "--clusters", "3", "--out", "run", "--steps", "20", "--task", "own_networks:make")


@pytest.mark.parametrize("extra", [(), ("--no-train", "--measure-smoothness")])
def test_fit_why_and_verify(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], extra: tuple[str, ...]
) -> None:
    assert run_main(monkeypatch, *FIT, *extra) == 0
    said = capsys.readouterr().out
    assert ("further steps at learning rate" in said) == bool(extra)
    assert ("down-weighting 24 single examples" in said) == bool(extra)
    asked = ("--sample", "3", "--run", "run", "--task", "own_networks:make")
    assert run_main(monkeypatch, "why", *asked, "--json") == 0
    assert json.loads(capsys.readouterr().out)["method"] == ("further" if extra else "unrolled")
    assert run_main(monkeypatch, "verify", *asked, "--singles", "6", "--groups", "2", "--quiet") in (0, 3, 4)


def test_without_the_task_the_run_says_what_it_needs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, *FIT, "--quiet") == 0
    assert run_main(monkeypatch, "why", "--sample", "3", "--run", "run") == 2
    assert "made with a network of your own by own_networks:make" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nonsense", "names no factory. Expected package.module:factory"),
        ("no_such_module:make", "cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"),
        (
            "own_networks:missing",
            "cannot be imported: AttributeError: module 'own_networks' has no attribute 'missing'",
        ),
        ("own_networks:wrong", "returned a str. Expected an EmbeddingTask"),
    ],
)
def test_wrong_factories_are_explained(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, message: str
) -> None:
    assert run_main(monkeypatch, *FIT[:-1], name) == 2
    assert message in capsys.readouterr().err


CLUSTERS = """
import numpy as np
from sklearn.cluster import AgglomerativeClustering, KMeans

ward = AgglomerativeClustering(3)
turns = iter(range(100))


def found(Z, sample_weight):
    return AgglomerativeClustering(3).fit_predict(Z)


def other_each_time(Z, sample_weight):
    return (np.arange(len(Z)) + next(turns)) // 7
"""


def test_given_labels_are_found_anew_by_a_function_that_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("own_clusters.py").write_text(CLUSTERS)
    np.savetxt(
        "labels.csv", AgglomerativeClustering(3).fit_predict(np.load("rows.npy")), fmt="%d", header="label", comments=""
    )
    fit = ("fit", "--data", "rows.npy", "--labels", "labels.csv", "--model", "precomputed", "--out", "run", "--quiet")
    assert run_main(monkeypatch, *fit) == 0
    few = ("verify", "--run", "run", "--sample", "3", "--singles", "20", "--groups", "2", "--quiet")
    assert run_main(monkeypatch, *few) in (0, 3, 4)
    said = " ".join(capsys.readouterr().out.split())
    assert "the clustering was not run again" in said
    assert "there is nothing but the direct part" in said
    own = ("--reclusterer", "own_clusters:found")
    assert run_main(monkeypatch, *few, *own) in (0, 3, 4)
    said = " ".join(capsys.readouterr().out.split())
    assert "the clustering was not run again" not in said
    assert "with the clustering continued" in said
    assert run_main(monkeypatch, "flip", "--run", "run", "--sample", "3", "--quiet", *own) in (0, 3)
    assert "the given labels kept" not in capsys.readouterr().out
    stable = ("stability", "--run", "run", "--seeds", "0", "--bootstrap", "2", "--quiet")
    assert run_main(monkeypatch, *stable, *own) == 0
    assert "2 bootstrap draws" in capsys.readouterr().out
    why = ("why", "--run", "run", "--sample", "3", "--quiet")
    assert run_main(monkeypatch, *why) == 0
    assert "Stability:" not in capsys.readouterr().out  # of a way to find labels that this answer knows nothing of
    assert run_main(monkeypatch, *why, *own) == 0
    assert "Stability:" in capsys.readouterr().out
    assert run_main(monkeypatch, "report", "--run", "run", "--sample", "3", "--out", "page.html", *own) == 0
    assert "2 refits" in Path("page.html").read_text()
    for name, message in (
        (None, "reclusterer="),
        ("own_clusters:ward", "AgglomerativeClustering.fit takes no sample_weight"),
        ("own_clusters:other_each_time", "gives other labels each time"),
        ("own_clusters:nothing", "--reclusterer 'own_clusters:nothing' cannot be imported"),
        ("own_clusters", "names no function. Expected package.module:function"),
    ):
        assert run_main(monkeypatch, *stable, *(() if name is None else ("--reclusterer", name))) == 2
        assert message in " ".join(capsys.readouterr().err.split())


def test_targets_are_a_column_that_is_not_trained_on(folder: Path, blobs: np.ndarray, call: Caller) -> None:
    kinds = np.arange(30) % 3
    rows = pd.DataFrame(blobs, columns=COLUMNS).assign(kind=kinds, word="a", batch=np.repeat(["x", "y"], 15))
    rows.to_csv("rows.csv", index=False)
    fit = (
        "fit",
        "--data",
        "rows.csv",
        "--clusters",
        "3",
        "--steps",
        "20",
        "--task",
        "own_networks:classify",
        "--quiet",
    )
    aside = ("--metadata", "batch", "--metadata", "word")
    assert call(*fit, *aside, "--targets", "kind", "--out", "run")[0] == 0
    task = find_factory("own_networks:classify")(Dataset(blobs))
    loaded = ClusterExplainer.load("run", model=task)
    np.testing.assert_array_equal(loaded.data_.targets, kinds)
    assert loaded.data_.feature_names == COLUMNS
    expected = ClusterExplainer(model=task, n_clusters=3, n_steps=20, random_state=0).fit(blobs, targets=kinds)
    np.testing.assert_array_equal(loaded.explain([3]).influence, expected.explain([3]).influence)
    Path("fit.toml").write_text(call("config", "--run", "run", "--task", "own_networks:classify")[1])
    assert call("fit", "--config", "fit.toml", "--out", "again", "--quiet")[0] == 0
    assert ClusterExplainer.load("again", model=task).loss_ == loaded.loss_
    missing = call.refused(*fit, "--metadata", "batch", "--metadata", "word", "--targets", "sort", "--out", "other")
    assert "'sort'" in missing
    assert "--targets sort is no column of the data. Expected one of: 'target'" in call.refused(
        "fit", "--data", "digits", "--targets", "sort", "--out", "other"
    )
    assert "Expected numbers; classes that are texts" in call.refused(
        *fit, *aside, "--targets", "word", "--out", "other"
    )
