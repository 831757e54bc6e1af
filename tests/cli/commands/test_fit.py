"""Fits from files, with clusterers, labels and named data; what cannot be fitted is one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from clusterexplain import ClusterExplainer
from clusterexplain.training import trajectory
from tests.cli.caller import COLUMNS, Caller, run_main
from tests.conftest import SMALL


def test_fit_from_a_file(blobs: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pd.DataFrame(blobs).to_csv("rows.csv", index=False)
    arguments = ["fit", "--data", "rows.csv", "--out", "runs/rows", "--clusters", "3", "--steps", "20", "--quiet"]
    assert run_main(monkeypatch, *arguments) == 0
    assert ClusterExplainer.load("runs/rows").n_clusters == 3
    assert run_main(monkeypatch, *arguments) == 2
    assert run_main(monkeypatch, *arguments, "--overwrite") == 0


def test_fit_from_a_file_with_texts(
    blobs: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame(blobs, columns=list("abcde")).assign(
        doc_id=[f"d{i}" for i in range(30)], abstract="</script>\u200f", batch=np.arange(30) % 2, author="=1+1"
    )
    frame.to_csv("docs.csv", index=False)
    fit = ["fit", "--data", "docs.csv", "--out", "runs/docs", "--clusters", "3", "--steps", "20", "--quiet"]
    named = ["--ids", "doc_id", "--text", "abstract", "--metadata", "batch", "--metadata", "author"]
    assert run_main(monkeypatch, *fit) == 2
    assert "not numbers: doc_id, abstract, author (" in (message := capsys.readouterr().err)
    assert "--ids, --text or --metadata" in message
    assert run_main(monkeypatch, *fit, *named) == 0
    data = ClusterExplainer.load("runs/docs").data_
    assert data.feature_names == list("abcde")
    assert data.text == "abstract"
    assert data.metadata is not None
    assert data.metadata.columns.tolist() == ["abstract", "batch", "author"]
    assert run_main(monkeypatch, "why", "--sample", "d4", "--by", "batch", "--quiet") == 0
    assert "Sample d4 is in cluster" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore::clusterexplain.exceptions.InputWarning")
def test_fit_says_what_it_was_trained_on(folder: Path, blobs: np.ndarray, call: Caller) -> None:
    frame = pd.DataFrame(blobs, columns=list("abcde")).assign(kind=[f"kind {i % 3}" for i in range(30)])
    frame.to_csv("numbered.csv", sep=";", decimal=",")
    fit = ("fit", "--data", "numbered.csv", "--steps", "20", "--latent-dim", "2", "--min-agreement", "0")
    code, out, _ = call(*fit, "--labels", "kind", "--out", "k")
    assert code == 0
    assert "It was trained on 5 columns: a ... e. Left aside: Unnamed: 0 (it is an index that lost its name" in out
    loaded = ClusterExplainer.load("k")
    assert loaded.cluster_names_ == {0: "kind 0", 1: "kind 1", 2: "kind 2"}
    assert loaded.labels_.tolist() == [i % 3 for i in range(30)]
    frame[["kind"]].iloc[::-1].to_parquet("labels.parquet")
    assert call(*fit, "--metadata", "kind", "--labels", "labels.parquet", "--out", "f", "--quiet")[0] == 0
    assert ClusterExplainer.load("f").labels_.tolist() == loaded.labels_.tolist()
    code, text, _ = call("config", "--run", "k")
    Path("again.toml").write_text(text)
    assert call("fit", "--config", "again.toml", "--out", "again", "--quiet")[0] == 0
    np.testing.assert_array_equal(ClusterExplainer.load("again").embedding_, loaded.embedding_)


@pytest.mark.filterwarnings("ignore::clusterexplain.exceptions.InputWarning")
def test_fit_on_vectors_arrays_and_pictures(folder: Path, blobs: np.ndarray, call: Caller) -> None:
    from PIL import Image

    fit = ("fit", "--steps", "20", "--latent-dim", "2", "--clusters", "3", "--quiet", "--data")
    names = [f"d{i}" for i in range(30)]
    table = pd.DataFrame({"name": names, "batch": np.arange(30) % 2})
    table.assign(vector=list(blobs)).to_parquet("vectors.parquet")
    given = ("--ids", "name", "--embedding-column", "vector", "--metadata", "batch")
    assert call(*fit, "vectors.parquet", *given, "--out", "v")[0] == 0
    np.save("rows.npy", blobs)
    table.to_csv("table.csv", index=False)
    assert call(*fit, "rows.npy", "--table", "table.csv", "--ids", "name", "--out", "n")[0] == 0
    for run in "vn":
        data = ClusterExplainer.load(run).data_
        np.testing.assert_array_equal(data.X, blobs)
        assert data.ids.tolist() == names
        assert data.metadata is not None
        assert data.metadata["batch"].tolist() == table["batch"].tolist()
    for number in range(12):
        Path("p", f"class {number % 2}").mkdir(parents=True, exist_ok=True)
        colours = np.random.default_rng(number).integers(0, 255, (6, 6, 3)).astype(np.uint8)
        Image.fromarray(colours).save(Path("p", f"class {number % 2}", f"{number}.png"))
    Path("p", "bad.png").touch()
    assert "bad.png cannot be read" in call.refused(*fit, "p", "--out", "p-run")
    assert call(*fit, "p", "--skip-bad", "--size", "4x4", "--mode", "L", "--out", "p-run")[0] == 0
    assert ClusterExplainer.load("p-run").data_.image_shape == (4, 4)
    assert "does not take size (--size is for a folder)" in call.refused(
        *fit, "table.csv", "--size", "4x4", "--out", "x"
    )
    refused = call.refused(*fit, "digits", "--use-rep", "X", "--embedding-column", "v", "--out", "x")
    assert "--embedding-column, --use-rep cannot be used with --data digits" in refused


def test_data_lists_the_named_sets(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main(monkeypatch, "data") == 0
    assert "digits" in capsys.readouterr().out
    assert run_main(monkeypatch, "data", "--json") == 0
    assert json.loads(capsys.readouterr().out)["digits"]["n_samples"] == 1797


def test_fit_with_a_clusterer_and_its_options(folder: Path, ce: ClusterExplainer, call: Caller) -> None:
    pd.DataFrame(ce.data_.X, columns=COLUMNS).to_csv("data.csv", index=False)
    arguments = ("fit", "--data", "data.csv", "--clusters", "3", "--latent-dim", "2", "--steps", "20", "--quiet")
    options = ("--clusterer-option", "covariance_type=diag", "--clusterer-option", "reg_covar=1e-4")
    chosen = ("--score", "responsibility", "--min-agreement", "0.5")
    code, _, err = call(*arguments, "--out", "g", "--clusterer", "gmm", *options, *chosen)
    assert (code, err) == (0, "")
    loaded = ClusterExplainer.load("g")
    assert loaded.clusterer == "gmm"
    assert loaded.clusterer_options == {"covariance_type": "diag", "reg_covar": 1e-4}
    assert (loaded.membership_score, loaded.min_agreement) == ("responsibility", 0.5)
    assert "responsibilities" in call.json("why", "--run", "g", "--sample", "1")["score"]
    options = ("--clusterer-option", "min_cluster_size=5", "--clusterer-option", "min_samples=2")
    assert call(*arguments, "--out", "h", "--clusterer", "hdbscan", *options)[0] == 0
    loaded = ClusterExplainer.load("h")
    assert loaded.clusterer_options == {"min_cluster_size": 5, "min_samples": 2}
    noise = np.flatnonzero(loaded.labels_ == -1)
    inside = np.flatnonzero(loaded.labels_ == 0)
    assert len(noise)
    assert len(inside)
    answer = call.json("why", "--run", "h", "--sample", str(noise[0]))["answers"][0]
    assert answer["cluster"] == -1
    assert answer["noise_reason"] in ("density", "distance")
    code, out, _ = call("why", "--run", "h", "--sample", str(inside[0]), "--against", "noise")
    assert code == 0
    assert "compared with noise" in out


@pytest.mark.parametrize("kind", ["csv", "npy", "parquet"])
def test_fit_with_labels(kind: str, folder: Path, ce: ClusterExplainer, call: Caller) -> None:
    pd.DataFrame(ce.data_.X, columns=COLUMNS).to_csv("data.csv", index=False)
    labels = np.array([2, 0, 1])[ce.labels_]
    labels[0] = -1
    if kind == "npy":
        np.save("labels.npy", labels)
    else:
        frame = pd.DataFrame({"cluster": labels})
        frame.to_csv("labels.csv", index=False) if kind == "csv" else frame.to_parquet("labels.parquet")
    fit = (
        "fit",
        "--data",
        "data.csv",
        "--out",
        "l",
        "--labels",
        f"labels.{kind}",
        "--latent-dim",
        "2",
        "--steps",
        "20",
    )
    code, out, _ = call(*fit, "--min-agreement", "0")
    assert code == 0
    assert "Run saved in l" in out
    loaded = ClusterExplainer.load("l")
    np.testing.assert_array_equal(loaded.labels_, labels)
    code, out, err = call("stability", "--run", "l")
    assert code == 2
    assert "labels of this fit were given" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--clusterer", "kmean"], "clusterer='kmean' is unknown. Expected one of 'kmeans'"),
        (["--clusterer", "dec"], "clusterer='dec' takes the assignment that a model has learned"),
        (
            ["--clusterer-option", "diag"],
            "'diag' does not have the form NAME=VALUE. Expected for example covariance_type=diag",
        ),
        (["--clusterer-option", "=diag"], "does not have the form NAME=VALUE"),
        (
            ["--clusterer-option", "covariance_type=diag"],
            "clusterer_options has 'covariance_type', which clusterer='kmeans'",
        ),
        (["--clusterer", "gmm", "--clusterer-option", "covariance_type=3"], "['covariance_type']=3 is unknown"),
        (
            ["--clusterer", "hdbscan", "--clusterer-option", "min_cluster_size=[5]"],
            "must be a whole number of at least 2",
        ),
        (["--score", "responsibility"], "membership_score='responsibility' cannot score clusterer 'kmeans'"),
        (["--score", "best"], "membership_score='best'"),
        (["--min-agreement", "2"], "min_agreement=2.0 must be a number from 0 to 1"),
        (["--labels", "none.csv"], "There is no file none.csv"),
        (["--labels", "none.npy"], "There is no file none.npy"),
        (["--labels", "short.csv"], "labels of shape (3,), expected (30,)"),
        (["--labels", "wide.csv"], "wide.csv has 2 columns, and neither holds ids of the data"),
        (["--labels", "words"], "has no column 'words'"),
        (["--labels", "half.csv"], "labels that are not whole numbers from -1 (noise) up"),
        (["--labels", "bomb.npy"], "bomb.npy cannot be read as labels"),
        (
            ["--labels", "good.csv", "--clusterer", "gmm"],
            "--clusterer gmm cannot be used with it",
        ),
        (
            ["--labels", "good.csv", "--clusterer-option", "temperature=1"],
            "belong to a clusterer that is asked for by name",
        ),
    ],
)
def test_fits_that_cannot_be_made_are_one_line(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blobs: np.ndarray, call: Caller
) -> None:
    monkeypatch.chdir(tmp_path)
    pd.DataFrame(blobs, columns=COLUMNS).to_csv("data.csv", index=False)
    for name, labels in {
        "short": [0, 1, 2],
        "half": [0.5] * 30,
        "words": ["x"] * 30,
        "good": np.arange(30) % 3,
    }.items():
        pd.DataFrame({"label": labels}).to_csv(f"{name}.csv", index=False)
    pd.DataFrame(blobs[:, :2], columns=["a", "b"]).to_csv("wide.csv", index=False)
    np.save("bomb.npy", np.array([None] * 30, dtype=object), allow_pickle=True)
    assert message in call.refused("fit", "--data", "data.csv", "--out", "x", "--steps", "2", "--quiet", *arguments)
    assert not Path("x").exists()


def test_a_configuration_repeats_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Caller) -> None:
    monkeypatch.chdir(tmp_path)
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 4)), columns=list("abcd"))
    rows.assign(name=[f"s{row}" for row in range(40)], batch=["x", "y"] * 20).to_csv("rows.csv", index=False)
    few = ("--clusters", "3", "--steps", "20", "--latent-dim", "2", "--quiet")
    source = ("--data", "rows.csv", "--ids", "name", "--metadata", "batch")
    assert call("fit", *source, "--clusterer", "gmm", *few, "--seed", "4", "--out", "runs/one")[0] == 0
    code, text, _ = call("config", "--run", "runs/one")
    assert code == 0
    Path("run.toml").write_text(text)
    assert 'metadata = ["batch"]' in text
    assert call("fit", "--config", "run.toml", "--quiet", "--out", "runs/two")[0] == 0
    one, two = (json.loads((Path("runs") / name / "run.json").read_text()) for name in ("one", "two"))
    assert one["files"] == two["files"]
    assert one["data"] == two["data"]
    assert call("fit", "--config", "run.toml", "--seed", "5", "--quiet", "--out", "runs/three")[0] == 0
    three = json.loads(Path("runs/three/run.json").read_text())
    assert three["config"]["random_state"] == 5
    assert three["config"]["clusterer"] == "gmm"


def test_a_configuration_says_what_it_does_not_repeat(blobs: np.ndarray, tmp_path: Path, call: Caller) -> None:
    weights = np.linspace(0.5, 2, len(blobs))
    ClusterExplainer(**SMALL | {"random_state": None}).fit(blobs, sample_weight=weights).save(tmp_path / "drawn")
    _, printed, _ = call("config", "--run", tmp_path / "drawn")
    assert (
        "# random_state was not a whole number: this file repeats the settings, with other random numbers." in printed
    )
    assert "# The run was fitted with sample_weight, which this file does not hold." in printed


def test_without_data_there_is_nothing_to_fit(call: Caller) -> None:
    code, _, errors = call("fit", "--out", "runs/none", "--quiet")
    assert code == 2
    assert "There is nothing to fit. Expected --data with a data set or a file, or --config" in errors


def test_a_map_from_a_file_is_joined_by_id_and_kept(
    blobs: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Caller
) -> None:
    monkeypatch.chdir(tmp_path)
    cells = [f"c{number}" for number in range(30)]
    pd.DataFrame(blobs, columns=COLUMNS).assign(cell=cells).to_csv("rows.csv", index=False)
    places = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 2)), index=cells, columns=["u", "v"])
    places.iloc[::-1].rename_axis("cell").reset_index().to_csv("map.csv", index=False)
    fit = ["fit", "--data", "rows.csv", "--ids", "cell", "--model", "precomputed", "--clusters", "3", "--quiet"]
    assert call(*fit, "--map", "map.csv", "--out", "run")[0] == 0
    np.testing.assert_allclose(np.load("run/map.npy"), places.to_numpy())
    assert json.loads(Path("run/display.json").read_text()) == {"map": "map.csv", "colours": {}}
    _, out, _ = call("config", "--run", "run")
    assert 'map = "map.csv"' in out
    Path("fit.toml").write_text(out)
    assert call("fit", "--config", "fit.toml", "--out", "again", "--quiet")[0] == 0
    assert (Path("run") / "map.npy").read_bytes() == (Path("again") / "map.npy").read_bytes()
    assert "map names an obsm" not in (refused := call.refused(*fit, "--map", "X_umap", "--out", "other"))
    assert "does not take map (--map is for .h5ad)" in refused
    (-places).rename_axis("cell").reset_index().to_csv("other.csv", index=False)
    assert call("report", "--run", "run", "--sample", "c3", "--map", "other.csv", "--out", "page.html")[0] == 0
    assert "Map: other.csv as given" in Path("page.html").read_text()
    np.testing.assert_allclose(np.load("run/map.npy"), -places.to_numpy())
    assert ClusterExplainer.load("run").fit_.annotations.map_source == "other.csv"


def test_given_labels_with_their_graph(folder: Path, blobs: np.ndarray, call: Caller) -> None:
    labels = np.arange(30) % 3
    pd.DataFrame(blobs, columns=COLUMNS).assign(kind=labels).to_csv("rows.csv", index=False)
    scipy.sparse.save_npz("graph.npz", scipy.sparse.csr_matrix((labels[:, None] == labels) * 1.0))
    fit = ("fit", "--data", "rows.csv", "--model", "precomputed", "--labels", "kind", "--quiet")
    refused = call.refused(*fit, "--out", "none")
    assert "No membership score tells what the labels tell." in refused
    assert not Path("none").exists()
    assert call(*fit, "--graph", "graph.npz", "--score", "graph", "--out", "run")[0] == 0
    loaded = ClusterExplainer.load("run")
    assert loaded.fit_.score.name == "graph"
    _, text, _ = call("config", "--run", "run")
    assert 'graph = "graph.npz"' in text
    Path("run.toml").write_text(text)
    assert call("fit", "--config", "run.toml", "--out", "again", "--quiet")[0] == 0
    assert ClusterExplainer.load("again").fit_.key == loaded.fit_.key
    assert "There is no file other.npz" in call.refused(*fit, "--graph", "other.npz", "--out", "none")


def test_a_long_training_says_how_long_and_how_much(
    folder: Path, blobs: np.ndarray, call: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    np.save("rows.npy", blobs)
    fit = ("fit", "--data", "rows.npy", "--clusters", "3", "--steps", "30")
    said = "training takes about less than a second for 30 steps, and 1 MB for its states"
    assert call(*fit, "--out", "short")[0] == 0
    assert said not in caplog.messages
    monkeypatch.setattr(trajectory, "LONG", 0.0)
    assert call(*fit, "--out", "quiet", "--quiet")[0] == 0
    assert said not in caplog.messages
    assert call(*fit, "--out", "long")[0] == 0
    assert said in caplog.messages
