"""The verbs for clusters, pairs, flips, twins, stability and names on a small run: words, JSON, exit codes."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clusterexplain import ClusterExplainer, Dataset
from clusterexplain.cli.app import main
from clusterexplain.storage import sidecars
from tests.conftest import SMALL

COLUMNS = ["a", "b", "c", "d", "e"]


@cache
def template() -> Path:
    """Save one run, to be copied."""
    from sklearn.datasets import make_blobs

    X = make_blobs(30, n_features=5, centers=3, cluster_std=2.0, random_state=0)[0]
    metadata = pd.DataFrame({"batch": np.repeat(["A", "B [bold]"], 15)})
    data = Dataset(X, feature_names=COLUMNS, metadata=metadata)
    ce = ClusterExplainer(**SMALL, dtype="float64").fit(data)
    ce.name_clusters({1: "B cells"})
    return ce.save(Path(mkdtemp()) / "small")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(template(), tmp_path / "runs" / "small")).relative_to(tmp_path)


@cache
def opened() -> ClusterExplainer:
    found = ClusterExplainer.load(template())
    found.explain([0])
    return found


@pytest.fixture(autouse=True)
def _traced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every opened copy the traces of the first, which take most of the time: they hold no numbers of a fit."""
    traces, load = opened().fit_.recipe.traces, ClusterExplainer.load

    def quick(path: Any, *arguments: Any, **options: Any) -> ClusterExplainer:
        found = load(path, *arguments, **options)
        if Path(path).name == "small":
            found.fit_.recipe.traces.adopt(traces)
        return found

    monkeypatch.setattr(ClusterExplainer, "load", staticmethod(quick))


@pytest.fixture
def ce() -> ClusterExplainer:
    """Return the run as Python opens it; tests must not modify it."""
    return opened()


class Caller:
    """Runs the command line."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Return exit code, stdout and stderr."""
        self.monkeypatch.setattr("sys.argv", ["clusterexplain", *arguments])
        self.monkeypatch.setenv("COLUMNS", "200")
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = self.capsys.readouterr()
        return code, out, err

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Return what --json prints: strict JSON and nothing else."""
        found, out, _ = self(*arguments, "--json")
        assert found == code

        def refuse(constant: str) -> None:
            raise AssertionError(f"{constant} is no JSON")

        return json.loads(out, parse_constant=refuse)

    def refused(self, *arguments: str) -> str:
        """Return the one line of an error; which run was opened is a remark before it."""
        code, out, err = self(*arguments)
        lines = [line for line in err.splitlines() if not line.startswith("Run: ")]
        assert code == 2
        assert len(lines) == 1
        assert lines[0].startswith("Error: ")
        assert not out
        return lines[0]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Caller:
    return Caller(monkeypatch, capsys)


def sample_of(ce: ClusterExplainer, cluster: int) -> str:
    return str(int(np.flatnonzero(ce.labels_ == cluster)[0]))


def test_clusters(folder: Path, ce: ClusterExplainer, call: Caller) -> None:
    code, out, _ = call("clusters")
    assert code == 0
    assert '1 "B cells"' in out
    marginal = int(np.argmin(ce.margins_))
    assert f"Next: clusterexplain why --sample {marginal}" in out
    found = call.json("clusters")
    assert sum(one["n"] for one in found) == len(ce.labels_)
    assert found == ce.clusters().astype(object).to_dict("records")


def test_cluster(folder: Path, ce: ClusterExplainer, call: Caller) -> None:
    code, out, _ = call("cluster", "1")
    assert code == 0
    for words in (
        'Cluster 1 "B cells" has',
        "HOLDS IT TOGETHER",
        "LOOSENS IT",
        "Most typical members",
        "Least typical members",
        "Towards other clusters",
        "not checked",
    ):
        assert words in out
    answer = call.json("cluster", "1", "--top", "3")
    expected = ce.cluster(1, n_shown=3)
    assert answer["cluster"] == 1
    assert answer["size"] == len(expected.members)
    assert answer["answers"] == expected.cohesion.to_dict(3)["answers"]
    assert [one["id"] for one in answer["typical"]] == expected.typical(3)["id"].tolist()
    assert [one["strongest"] for one in answer["towards"]] == expected.towards["strongest"].tolist()
    assert call.json("cluster", "B cells", "--top", "3") == answer


def test_between(folder: Path, ce: ClusterExplainer, call: Caller) -> None:
    code, out, _ = call("between", "0", "B cells")
    assert code == 0
    assert 'Cluster 0 and cluster 1 "B cells"' in out
    assert "KEEPS THEM APART" in out
    assert "MERGES THEM" in out
    assert call.json("between", "0", "1", "--top", "4") == ce.between(0, 1).to_dict(4)


def test_verify_of_a_pair(folder: Path, call: Caller) -> None:
    answer = call.json("between", "0", "1", "--verify", "--top", "2")
    assert answer["checked"]["sentence"] == answer["check"]["sentence"]
    code, out, _ = call("between", "0", "1", "--verify", "--quiet")
    assert code == 0
    assert "This answer is checked: " in out


def test_flip_speaks_by_exit_code(folder: Path, ce: ClusterExplainer, call: Caller) -> None:
    scores = ce.explain(slice(None)).scores
    easy, hard = str(scores.argmin()), str(scores.argmax())
    answer = call.json("flip", "--sample", easy, "--max-removed", "15")
    expected = ce.flip(int(easy), max_removed=15)
    assert expected.flipped
    assert answer == expected.to_dict()
    weights = np.ones(30)
    weights[answer["removed"]] = 0
    assert ce.explain([int(easy)]).evaluate(ce.refit(weights))[0] < 0
    assert f"sample {easy} moves from" in answer["sentence"]
    code, out, _ = call("flip", "--sample", hard, "--max-removed", "1")
    assert code == 3
    assert "No set of at most 1 training examples was found" in out
    assert f"Removed: {ce.flip(int(hard), max_removed=1).removed[0]}\n" in out
    assert "Every retraining" in out


def test_flip_against_a_name(folder: Path, ce: ClusterExplainer, call: Caller) -> None:
    sample = sample_of(ce, 0)
    expected = ce.flip(int(sample), against=1, max_removed=1)
    code = 0 if expected.flipped else 3
    answer = call.json("flip", "--sample", sample, "--against", "B cells", "--max-removed", "1", code=code)
    assert answer == expected.to_dict()
    assert answer["rival"] == 1


def test_twins(folder: Path, call: Caller, tmp_path: Path) -> None:
    code, out, _ = call("twins", "--share", "0")
    assert code == 0
    assert "No near-identical rows have different labels" in out
    assert call.json("twins", "--share", "0") == []
    ce = ClusterExplainer.load(folder)
    X = ce.data_.X.copy()
    X[29] = X[3]
    labels = ce.labels_.copy()
    labels[[3, 29]] = [0, 1]
    ClusterExplainer(**{**SMALL, "n_steps": 2}, clusterer=labels, min_agreement=0).fit(X).save("runs/twins")
    code, out, _ = call("twins", "--run", "runs/twins")
    assert code == 0
    assert "Near-identical rows with different labels" in out
    assert "--sample 3 --against 1" in out
    found = call.json("twins", "--run", "runs/twins")
    assert found[0]["id"] == 3
    assert (found[0]["twin"], found[0]["twin_cluster"], found[0]["distance"]) == (29, 1, 0)


def test_stability_is_kept_and_shown_beside_answers(folder: Path, call: Caller) -> None:
    answer = call.json("stability", "--seeds", "1", "--bootstrap", "2")
    assert answer["summary"]["n_seeds"] == 1
    assert answer["summary"]["n_bootstrap"] == 2
    assert len(answer["clusters"]) == 3
    assert sidecars.read_stability(folder) is not None
    badge = ClusterExplainer.load(folder).stability_.badge(4).text
    assert call.json("why", "--sample", "4")["answers"][0]["stability"] == badge
    assert f"Stability: {badge}." in call("why", "--sample", "4")[1]
    code, out, _ = call("stability", "--seeds", "1", "--bootstrap", "0")
    assert code == 0
    assert "Samples that keep their cluster least often" in out
    assert "1 other seeds" in out
    assert ClusterExplainer.load(folder).stability_.kinds.tolist() == ["seed"]


def test_names_are_given_shown_and_taken_away(folder: Path, ce: ClusterExplainer, call: Caller) -> None:
    sample = sample_of(ce, 0)
    code, out, _ = call("name", "0", "T [red]cells")
    assert code == 0
    assert '0 "T [red]cells", 1 "B cells"' in out
    assert sidecars.read_names(folder) == {0: "T [red]cells", 1: "B cells"}
    code, out, _ = call("why", "--sample", sample, "--against", "B cells")
    assert code == 0
    assert 'in cluster 0 "T [red]cells"' in out
    assert 'rival: cluster 1 "B cells"' in out
    assert call.json("why", "--sample", sample, "--against", "B cells")["answers"][0]["rival"] == 1
    for cluster in ("0", "1"):
        code, out, _ = call("name", cluster, "")
        assert code == 0
    assert "none" in out
    assert sidecars.read_names(folder) == {}
    assert "B cells" not in call("why", "--sample", sample)[1]


def test_why_for_new_rows(folder: Path, ce: ClusterExplainer, call: Caller) -> None:
    rows = ce.data_.X[[2, 8]] + 0.1
    pd.DataFrame(rows, columns=COLUMNS).to_csv("rows.csv", index=False)
    np.save("rows.npy", rows)
    expected = ce.explain(rows)
    for name in ("rows.csv", "rows.npy"):
        answers = call.json("why", "--row", name, "--top", "3")["answers"]
        assert [one["sample"] for one in answers] == ["new 0", "new 1"]
        np.testing.assert_allclose([one["margin"] for one in answers], expected.scores, rtol=1e-9)
        assert [one["cluster"] for one in answers] == expected.labels.tolist()
    code, out, _ = call("why", "--row", "rows.csv")
    assert code == 0
    assert "Sample new 1 is in cluster" in out
    assert "(itself)" not in out


@pytest.mark.parametrize("name", ["short.csv", "other.csv", "short.npy"])
def test_new_rows_with_other_columns_are_refused(name: str, folder: Path, ce: ClusterExplainer, call: Caller) -> None:
    rows = pd.DataFrame(ce.data_.X[:1], columns=COLUMNS)
    rows[COLUMNS[:4]].to_csv("short.csv", index=False)
    rows.rename(columns={"a": "z"}).to_csv("other.csv", index=False)
    np.save("short.npy", ce.data_.X[:1, :4])
    call.refused("why", "--row", name)


def test_new_rows_are_read_by_name(folder: Path, ce: ClusterExplainer, call: Caller) -> None:
    """A run that `fit` made of a file with a header knows its columns: in another order they are sorted or refused."""
    frame = pd.DataFrame(ce.data_.X, columns=COLUMNS)
    frame.to_csv("data.csv", index=False)
    assert call("fit", "--data", "data.csv", "--clusters", "3", "--out", "f", "--steps", "20", "--quiet")[0] == 0
    frame[:1].to_csv("row.csv", index=False)
    frame[:1][COLUMNS[::-1]].to_csv("turned.csv", index=False)
    expected = call.json("why", "--run", "f", "--row", "row.csv", "--top", "1")["answers"]
    code, out, _ = call("why", "--run", "f", "--row", "turned.csv", "--top", "1", "--json")
    if code != 2:
        assert json.loads(out)["answers"] == expected


def test_why_by_groups(folder: Path, ce: ClusterExplainer, call: Caller) -> None:
    expected = ce.explain([4]).by("batch")
    groups = call.json("why", "--sample", "4", "--by", "batch")["by"]["batch"]
    assert [one["group"] for one in groups] == expected["group"].tolist()
    for name in ("influence", "low", "high", "pull_share", "share"):
        np.testing.assert_allclose([one[name] for one in groups], expected[name], rtol=1e-8, atol=1e-9)
    code, out, _ = call("why", "--sample", "4", "--by", "batch")
    assert code == 0
    assert "Sample 4, by batch" in out
    assert "B [bold]" in out
    assert "of the pull comes from batch" in out
    assert len(call.json("why", "--sample", "4", "--by", "cluster")["by"]["cluster"]) == 3


def test_fit_with_a_clusterer_and_its_options(folder: Path, ce: ClusterExplainer, call: Caller) -> None:
    pd.DataFrame(ce.data_.X, columns=COLUMNS).to_csv("data.csv", index=False)
    arguments = ("fit", "--data", "data.csv", "--clusters", "3", "--latent-dim", "2", "--steps", "20", "--quiet")
    options = ("--option", "covariance_type=diag", "--option", "reg_covar=1e-4")
    chosen = ("--score", "responsibility", "--min-agreement", "0.5")
    code, _, err = call(*arguments, "--out", "g", "--clusterer", "gmm", *options, *chosen)
    assert (code, err) == (0, "")
    loaded = ClusterExplainer.load("g")
    assert loaded.clusterer == "gmm"
    assert loaded.clusterer_options == {"covariance_type": "diag", "reg_covar": 1e-4}
    assert (loaded.membership_score, loaded.min_agreement) == ("responsibility", 0.5)
    assert "responsibilities" in call.json("why", "--run", "g", "--sample", "1")["score"]
    options = ("--option", "min_cluster_size=5", "--option", "min_samples=2")
    assert call(*arguments, "--out", "h", "--clusterer", "hdbscan", *options)[0] == 0
    loaded = ClusterExplainer.load("h")
    assert loaded.clusterer_options == {"min_cluster_size": 5, "min_samples": 2}
    noise = np.flatnonzero(loaded.labels_ == -1)
    inside = np.flatnonzero(loaded.labels_ == 0)
    assert len(noise)
    assert len(inside)
    answer = call.json("why", "--run", "h", "--sample", str(noise[0]))["answers"][0]
    assert answer["cluster"] == -1
    assert answer["lacks"] in ("density", "distance")
    code, out, _ = call("why", "--run", "h", "--sample", str(inside[0]), "--against", "noise")
    assert code == 0
    assert "rival: noise" in out


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
    code, out, _ = call(
        "fit", "--data", "data.csv", "--out", "l", "--labels", f"labels.{kind}", "--latent-dim", "2", "--steps", "20"
    )
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
        (["cluster", "9"], "There is no cluster 9 with members. Expected one of: 0, 1, 2"),
        (
            ["cluster", "T cells"],
            "'T cells' is no cluster. Expected a number, or a name that one cluster was given ('B cells')",
        ),
        (["between", "1", "B cells"], "between needs two different clusters, but both are 1"),
        (["between", "0", "noise"], "'noise' is no cluster"),
        (["why", "--sample", "4", "--against", "nobody"], "'nobody' is no cluster"),
        (["why", "--sample", "4", "--against", "noise"], "against='noise' is not a cluster"),
        (
            ["why", "--sample", "4", "--by", "dose"],
            "There is no metadata column 'dose'. Expected one of: cluster, batch",
        ),
        (["why"], "why needs either --sample ID or --row FILE, and not both"),
        (["why", "--sample", "4", "--row", "rows.csv"], "why needs either --sample ID or --row FILE, and not both"),
        (["why", "--row", "none.csv"], "There is no file none.csv"),
        (["flip", "--sample", "99"], "no sample with id 99"),
        (["twins", "--share", "2"], "share=2.0 must lie in [0, 1)"),
        (["stability", "--seeds", "0", "--bootstrap", "0"], "n_seeds + n_bootstrap is 0"),
        (["name", "7", "x"], "does not name a cluster. Expected a number from 0 to 2"),
        (["name", "0", "x" * 81], "text of at most 80 characters"),
        (["cluster", "0", "--run", "nowhere"], "There is no run at nowhere"),
    ],
)
def test_errors_are_one_line(arguments: list[str], message: str, folder: Path, call: Caller) -> None:
    assert message in call.refused(*arguments)
    assert sidecars.read_names(folder) == {1: "B cells"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--clusterer", "kmean"], "clusterer='kmean' is unknown. Expected one of 'kmeans'"),
        (["--clusterer", "dec"], "clusterer='dec' takes the assignment that a model has learned"),
        (["--option", "diag"], "--option 'diag' is no NAME=VALUE. Expected for example covariance_type=diag"),
        (["--option", "=diag"], "is no NAME=VALUE"),
        (["--option", "covariance_type=diag"], "clusterer_options has 'covariance_type', which clusterer='kmeans'"),
        (["--clusterer", "gmm", "--option", "covariance_type=3"], "['covariance_type']=3 is unknown"),
        (["--clusterer", "hdbscan", "--option", "min_cluster_size=[5]"], "must be a whole number of at least 2"),
        (["--score", "responsibility"], "membership_score='responsibility' cannot score clusterer 'kmeans'"),
        (["--score", "best"], "membership_score='best'"),
        (["--min-agreement", "2"], "min_agreement=2.0 must be a number from 0 to 1"),
        (["--labels", "none.csv"], "There is no file none.csv"),
        (["--labels", "none.npy"], "There is no file none.npy"),
        (["--labels", "short.csv"], "labels of shape (3,), expected (30,)"),
        (["--labels", "wide.csv"], "wide.csv has 2 columns. Expected one"),
        (["--labels", "words.csv"], "words.csv"),
        (["--labels", "half.csv"], "labels that are not whole numbers from -1 (noise) up"),
        (["--labels", "bomb.npy"], "bomb.npy cannot be read as labels"),
        (["--labels", "good.csv", "--clusterer", "gmm"], "--labels good.csv are clusters already"),
        (["--labels", "good.csv", "--option", "temperature=1"], "belong to a clusterer that is asked for by name"),
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


def test_why_names_twins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blobs: np.ndarray, call: Caller) -> None:
    monkeypatch.chdir(tmp_path)
    rows = np.vstack([blobs, blobs[:1]])
    pd.DataFrame(rows, columns=COLUMNS).to_csv("data.csv", index=False)
    labels = np.append(np.arange(30) % 2, 1)
    pd.DataFrame({"label": labels}).to_csv("labels.csv", index=False)
    made = ["fit", "--data", "data.csv", "--labels", "labels.csv", "--out", "runs/t", "--steps", "5", "--quiet"]
    assert call(*made, "--min-agreement", "0")[0] == 0
    code, out, _ = call("why", "--sample", "0")
    assert code == 0
    assert "Twins of 0, near-identical rows with other labels: 30 (cluster 1)." in out
