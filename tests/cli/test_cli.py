"""The command line on a small run: words, JSON, files, exit codes; the same numbers as Python and the page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.cells import cell_len

from clusterexplain import ClusterExplainer
from clusterexplain.cli import printing
from clusterexplain.cli.app import main
from clusterexplain.storage import sidecars
from tests.conftest import SMALL


@pytest.fixture
def folder(blobs: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    ce = ClusterExplainer(**SMALL).fit(pd.DataFrame(blobs, columns=["a", "b<script>", "c", "d", "e"]))
    ce.fit_.annotations.map_coordinates = ce.embedding_  # UMAP has its own slow test
    return ce.save("runs/small")


def _call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["clusterexplain", *arguments])
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_why_answers_in_words(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call(monkeypatch, "why", "--sample", "11") == 0
    out = capsys.readouterr().out
    assert re.search(r"Sample 11 is in cluster \d \(\d+ members\); rival: cluster \d\. Its margin", out)
    for words in (
        "PULLED IT IN",
        "PUSHED IT AWAY",
        "if removed",
        "not checked",
        "Next: clusterexplain verify --sample 11",
    ):
        assert words in out
    assert "%)" in out


def test_json_csv_page_and_python_show_the_same_numbers(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call(monkeypatch, "why", "--sample", "11", "--json", "--csv", "all.csv") == 0
    answer = json.loads(capsys.readouterr().out)
    explanation = ClusterExplainer.load(folder).explain([11])
    assert answer == explanation.to_dict()
    frame = pd.read_csv("all.csv")
    np.testing.assert_allclose(frame["influence"], explanation.to_frame()["influence"], rtol=1e-15)
    assert _call(monkeypatch, "report", "--sample", "11", "--out", "page.html") == 0
    page = Path("page.html").read_text()
    embedded = re.search(r'<script type="application/json" id="page">(.*?)</script>', page, re.DOTALL)
    assert embedded
    assert json.loads(embedded[1])["answers"] == explanation.to_dict(50)
    first = answer["answers"][0]["pulled_in"][0]
    card = explanation._repr_mimebundle_()["text/html"]
    assert f"{first['if_removed']:+.4f} ({first['if_removed_percent']:+.1f} %)" in card


def test_same_command_same_bytes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = []
    for name in ("one.html", "two.html"):
        _call(monkeypatch, "why", "--sample", "3", "--json")
        _call(monkeypatch, "report", "--sample", "3", "--out", name)
        outputs.append((capsys.readouterr().out.replace(name, ""), Path(name).read_bytes()))
    assert outputs[0] == outputs[1]


def test_verify_keeps_its_check_and_speaks_by_exit_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call(monkeypatch, "verify", "--sample", "11", "--singles", "24", "--groups", "6") == 0
    assert "Verdict: supported by" in capsys.readouterr().out
    assert sidecars.read_check(folder) is not None
    _call(monkeypatch, "why", "--sample", "11")
    out = capsys.readouterr().out
    assert "This answer is checked: supported by" in out
    assert "Next: clusterexplain report --sample 11" in out
    assert _call(monkeypatch, "verify", "--sample", "11", "--singles", "0", "--groups", "6", "--json") == 4
    assert json.loads(capsys.readouterr().out)["status"] == "untested"
    _call(monkeypatch, "why", "--sample", "11", "--json")
    assert "NaN" not in capsys.readouterr().out


def test_fit_from_a_file(blobs: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pd.DataFrame(blobs).to_csv("rows.csv", index=False)
    arguments = ["fit", "--data", "rows.csv", "--out", "runs/rows", "--clusters", "3", "--steps", "20", "--quiet"]
    assert _call(monkeypatch, *arguments) == 0
    assert ClusterExplainer.load("runs/rows").n_clusters == 3
    assert _call(monkeypatch, *arguments) == 2
    assert _call(monkeypatch, *arguments, "--overwrite") == 0


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
    assert _call(monkeypatch, *fit) == 2
    assert "not numbers: doc_id, abstract, author (" in (message := capsys.readouterr().err)
    assert "--ids, --text or --metadata" in message
    assert _call(monkeypatch, *fit, *named) == 0
    data = ClusterExplainer.load("runs/docs").data_
    assert data.feature_names == list("abcde")
    assert data.text == "abstract"
    assert data.metadata is not None
    assert data.metadata.columns.tolist() == ["abstract", "batch", "author"]
    assert _call(monkeypatch, "why", "--sample", "d4", "--by", "batch", "--quiet") == 0
    assert "Sample d4 is in cluster" in capsys.readouterr().out


def test_data_lists_the_named_sets(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert _call(monkeypatch, "data") == 0
    assert "digits" in capsys.readouterr().out
    assert _call(monkeypatch, "data", "--json") == 0
    assert json.loads(capsys.readouterr().out)["digits"]["n_samples"] == 1797


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["why", "--sample", "1"],
            "Error: There is no run under runs/. Make one with `clusterexplain fit --data digits",
        ),
        (["fit", "--data", "mnist", "--out", "x"], "Error: There is no data set named 'mnist'. Expected one of digits"),
        (["fit", "--data", "no.csv", "--out", "x"], "Error: There is no file no.csv."),
        (
            ["fit", "--data", "digits", "--out", "x", "--ids", "id", "--metadata", "batch"],
            "Error: --ids, --metadata cannot be used with --data digits, which brings its own ids and metadata: they name "
            "columns of a file. Expected --data FILE.csv",
        ),
        (
            ["fit", "--data", "mnist", "--out", "x", "--text", "body"],
            "Error: There is no data set named 'mnist'. Expected one of digits",
        ),
    ],
)
def test_errors_are_one_line_and_exit_code_2(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _call(monkeypatch, *arguments) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_sample_names_the_range(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call(monkeypatch, "why", "--sample", "99") == 2
    assert (
        "no sample with id 99. Expected one of the 30 ids, from 0 in the first row to 29 in the last"
        in capsys.readouterr().err
    )


def test_a_damaged_check_is_refused_and_a_whole_one_draws(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call(monkeypatch, "verify", "--sample", "11", "--singles", "24", "--groups", "6") == 0
    assert _call(monkeypatch, "report", "--sample", "11", "--chart", "check", "--svg", "check.svg") == 0
    assert "supported" in Path("check.svg").read_text()
    stored = json.loads((folder / "check.json").read_text())
    stored["retrained"]["kept"] = stored["retrained"]["kept"][1:]
    (folder / "check.json").write_text(json.dumps(stored))
    assert _call(monkeypatch, "why", "--sample", "11") == 2
    assert "retrainings is not whole" in capsys.readouterr().err
    (folder / "check.json").unlink()


def test_pictures_are_refused_with_the_reason(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call(monkeypatch, "report", "--png", "x.svg") == 2
    assert "Expected a name ending in .png" in capsys.readouterr().err
    assert _call(monkeypatch, "report", "--chart", "pie", "--png", "x.png") == 2
    assert "--chart 'pie' is unknown. Expected one of: map, influence" in capsys.readouterr().err


def test_a_report_without_samples_takes_the_most_marginal_of_each_cluster(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _call(monkeypatch, "report", "--out", "page.html") == 0
    embedded = re.search(r'id="page">(.*?)</script>', Path("page.html").read_text(), re.DOTALL)
    assert embedded
    ce = ClusterExplainer.load(folder)
    asked = json.loads(embedded[1])["answers"]["answers"]
    assert sorted(one["cluster"] for one in asked) == np.unique(ce.labels_).tolist()
    margins = np.abs(ce.margins_)
    for one in asked:
        assert margins[one["sample"]] == margins[ce.labels_ == one["cluster"]].min()


def test_a_larger_check_prints_its_controls(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = ClusterExplainer.verify

    def with_controls(self: ClusterExplainer, *arguments: object, **options: object) -> object:
        return usual(self, *arguments, n_planted=1, n_duplicates=5, **options)

    monkeypatch.setattr(ClusterExplainer, "verify", with_controls)
    few = ["--singles", "6", "--groups", "0", "--estimand", "seed"]
    _call(monkeypatch, "verify", "--sample", "11", "--level", "standard", *few)
    out = " ".join(capsys.readouterr().out.split())
    for title in ("Clustered from scratch after retraining", "Near-copies planted", "Examples and their copies"):
        assert title in out
    assert "both clusters of the pair are found again in" in out


def test_a_check_without_a_result_hides_none_that_has_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["verify", "--sample", "12", "--singles", "5", "--groups", "0"]
    assert _call(monkeypatch, *few) == 4
    _call(monkeypatch, "why", "--sample", "12")
    assert "This answer is checked without a result: untested after" in capsys.readouterr().out
    settled = _call(monkeypatch, "verify", "--sample", "12", "--singles", "24", "--groups", "6")
    assert settled in (0, 3)
    assert _call(monkeypatch, *few) == 4
    capsys.readouterr()
    _call(monkeypatch, "why", "--sample", "12")
    assert "supported by" in capsys.readouterr().out.lower()


def test_an_interrupted_check_says_what_is_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(self: ClusterExplainer, *arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ClusterExplainer, "verify", interrupted)
    assert _call(monkeypatch, "verify", "--sample", "11") == 130
    found = capsys.readouterr()
    assert "Interrupted. What was retrained is kept in" in found.err
    assert "the same command goes on from there" in found.err
    assert not found.out


def test_tables_are_never_cut_off(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    names = [
        "sample",
        "removed",
        "margin now",
        *(f"{one}, {how}" for how in ("kept", "re-clustered") for one in ("predicted", "retrained")),
    ]
    frame = pd.DataFrame([["123", "top pullers 10", *[0.1] * 5], ["123", "random 10", *[0.2] * 5]], columns=names)
    for width in ("40", "80", "100", "200"):
        monkeypatch.setenv("COLUMNS", width)
        printing.table(frame, "title")
        lines = capsys.readouterr().out.splitlines()[1:]
        assert len({cell_len(one.rstrip()) for one in lines}) == 1, width
        assert all(one.rstrip()[-1] in "┓┃┩│┘" for one in lines), width
