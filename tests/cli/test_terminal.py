"""What the command line prints and writes when ids, paths and checks are hostile: no escapes, quoted commands, own files."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.cells import cell_len

from clusterexplain import ClusterExplainer, Dataset
from clusterexplain.cli import terminal
from clusterexplain.cli.commands.report import file_name
from clusterexplain.exceptions import ClusterExplainWarning, ReportWriteError
from clusterexplain.storage import sidecars
from tests.cli.caller import run_main
from tests.conftest import SMALL

IDS = ["a/b", "a_b", "-5", "=1+1", "two words", "\x1b[2J\u202eevil\nid", *(f"s{i}" for i in range(6, 30))]
RUN = "my runs/it's"


@pytest.fixture
def folder(blobs: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    ce = ClusterExplainer(**SMALL).fit(Dataset(blobs, ids=IDS, metadata=pd.DataFrame({"lab": ["\x1b[31m", "b"] * 15})))
    ce.stability(n_seeds=0, n_bootstrap=1)
    sidecars.write_map(ce.save(RUN), ce.embedding_)  # UMAP has its own slow test
    return Path(RUN)


def _next(text: str) -> list[str]:
    (found,) = re.findall(r"Next: (clusterexplain .*)", text)
    return shlex.split(found)


def test_no_escapes_reach_the_terminal_and_commands_are_quoted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, "why", "--run", RUN, "--sample", IDS[5], "--by", "lab", "--top", "30") == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "Sample \ufffd[2J\ufffdevil id is in" in out
    assert _next(out) == ["clusterexplain", "verify", "--sample", "\ufffd[2J\ufffdevil id", "--run", RUN]
    assert run_main(monkeypatch, "why", "--run", RUN, "--sample", "two words", "--against", "0") in (0, 2)
    assert run_main(monkeypatch, "why", "--run", RUN, "--sample", "\x1b[2J") == 2
    assert "\x1b" not in capsys.readouterr().err
    terminal.fitted(ClusterExplainer.load(folder), Path("a b"))
    assert _next(capsys.readouterr().out) == ["clusterexplain", "why", "--sample", "a/b", "--run", "a b"]


def test_sentences_of_a_check_are_cleaned_and_the_report_keeps_the_cluster_it_compares_with(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ce = ClusterExplainer.load(folder)
    row = int(np.flatnonzero(np.array(IDS) == "two words")[0])
    own = int(ce.labels_[row])
    nearest = int(ce.explain(["two words"]).runner_ups[0])
    other = str(next(one for one in range(3) if one not in (own, nearest)))
    verify = ["verify", "--run", RUN, "--sample", "two words", "--against", other, "--singles", "6", "--groups", "2"]
    assert run_main(monkeypatch, *verify) in (0, 3, 4)
    stored = json.loads((folder / "check.json").read_text())
    for verdict in (stored["together"], *stored["each"]):
        verdict["sentence"] = "\x1b]0;owned\x07" + verdict["sentence"]
    (folder / "check.json").write_text(json.dumps(stored))
    capsys.readouterr()
    assert run_main(monkeypatch, "why", "--run", RUN, "--sample", "two words", "--against", other) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "This answer is checked without a result: \ufffd]0;owned\ufffd" in out
    assert _next(out) == ["clusterexplain", "report", "--sample", "two words", "--against", other, "--run", RUN]


def test_cells_of_a_csv_are_no_formulas(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, "why", "--run", RUN, "--sample", "=1+1", "--csv", "deep/all.csv", "--quiet") == 0
    with Path("deep/all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {one["query"] for one in rows} == {"'=1+1"}
    assert [one["id"] for one in rows[:6]] == ["a/b", "a_b", "-5", "'=1+1", "two words", IDS[5]]
    expected = ClusterExplainer.load(folder).explain(["=1+1"]).influence[0]
    np.testing.assert_allclose([float(one["influence"]) for one in rows], expected, rtol=1e-12)
    assert (expected < 0).any()  # numbers keep their sign without an apostrophe
    frame = pd.DataFrame({"x": ["+1", "@a", "-a", "\tb", "\rc", "\nd", "-1e-5", "plain", None], "n": range(9)})
    read = csv.reader(io.StringIO(terminal.as_csv(frame).decode(), newline=""))
    assert [row[0] for row in read][1:] == ["'+1", "'@a", "'-a", "'\tb", "'\rc", "'\nd", "-1e-5", "plain", ""]
    (Path("file")).write_text("")
    assert run_main(monkeypatch, "why", "--run", RUN, "--sample", "s7", "--csv", "file/x.csv") == 2
    assert "Error: 'file/x.csv' cannot be written" in capsys.readouterr().err


def test_names_of_pages_tell_questions_apart() -> None:
    assert file_name([11]) == "11"
    assert file_name([1, 2, 3]) == "1-2-3"
    assert file_name(["a-b"]) == "a-b"
    questions = [
        (["a/b"], "runner-up"), (["a_b"], "runner-up"), (["a_b"], 1), (["a_b"], 2), (["a_b"], "noise"),
        (["a", "b"], "runner-up"),
        (["a-b"], "runner-up"), (["a-b", "c"], "runner-up"), (["a", "b-c"], "runner-up"), ([1, 2, 3, 4], "runner-up"),
        ([1, 2, 3, 5], "runner-up"), ([1, 2, 3], "runner-up"), (["\u5b57" * 300], "runner-up"), (["\u5b57" * 301], "runner-up"),
    ]  # fmt: skip
    names = [file_name(*question) for question in questions]
    assert len(set(names)) == len(names)
    assert names == [file_name(*question) for question in questions]
    assert all(len(name.encode()) < 200 for name in names)
    assert re.fullmatch("a_b-[0-9a-f]{6}", names[0])
    assert re.fullmatch("1-2-3-[0-9a-f]{6}", names[9])


def test_pages_do_not_overwrite_each_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for sample in ("a/b", "a_b"):
        assert run_main(monkeypatch, "report", "--run", RUN, "--sample", sample, "--quiet") == 0
    found = [Path(line.removeprefix("Report: ")) for line in capsys.readouterr().out.splitlines()]
    assert len(set(found)) == 2
    assert all(path.is_file() for path in found)
    assert found[1] == folder / "why-a_b.html"


def test_several_samples_have_a_picture_each(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("vl_convert")
    two = ["report", "--run", RUN, "--sample", "s7", "--sample", "a/b", "--quiet"]
    assert run_main(monkeypatch, *two, "--chart", "waterfall", "--png", "x.png", "--svg", "deep/y.svg") == 0
    made = sorted(path.name for path in Path().glob("**/*.[ps][nv]g"))
    assert made == [f"x-{file_name(['a/b'])}.png", "x-s7.png", f"y-{file_name(['a/b'])}.svg", "y-s7.svg"]
    assert capsys.readouterr().out.count("Picture: ") == 4
    assert run_main(monkeypatch, *two, "--chart", "clusters", "--svg", "all.svg") == 0
    assert Path("all.svg").is_file()
    assert run_main(monkeypatch, *two[:5], "--chart", "influence", "--svg", "one.svg") == 0
    assert Path("one.svg").is_file()


def test_a_picture_that_cannot_be_drawn_does_not_stop_the_rest(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(chart: object, path: Path) -> Path:
        if path.suffix == ".png":
            raise ReportWriteError("The chart cannot be drawn as .png (no luck). Expected what vl-convert can draw.")
        path.write_text("<svg/>")
        return path

    monkeypatch.setattr("clusterexplain.report.export.save_chart", refuse)
    pictures = ["--png", "x.png", "--svg", "x.svg", "--out", "why.html"]
    assert run_main(monkeypatch, "report", "--run", RUN, "--sample", "s7", *pictures) == 2
    out, err = capsys.readouterr()
    assert Path("x.svg").is_file()
    assert Path("why.html").is_file()
    assert "Report: why.html" in out
    assert "Error: The chart cannot be drawn as .png (no luck)." in err


def test_a_run_that_cannot_be_written_does_not_stop_a_report(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(run_directory: Path, name: str, blob: bytes) -> None:
        raise PermissionError(13, "Permission denied", name)

    (folder / "map.npy").unlink()
    monkeypatch.setattr("clusterexplain.report.projection.umap_view", lambda embedding, seed: embedding)
    monkeypatch.setattr(sidecars, "write_in_run", refuse)
    with pytest.warns(ClusterExplainWarning, match=r"The map could not be kept in .*Permission denied") as caught:
        assert (
            run_main(monkeypatch, "report", "--run", RUN, "--sample", "s7", "--out", "why.html", "--svg", "x.svg") == 0
        )
    assert len(caught) == 1
    assert Path("why.html").is_file()


def test_tables_are_never_cut_off(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    names = [
        "sample",
        "removed",
        "margin now",
        *(f"{margin}, {labels}" for labels in ("labels kept", "continued") for margin in ("predicted", "retrained")),
    ]
    frame = pd.DataFrame([["123", "top pullers 10", *[0.1] * 5], ["123", "random 10", *[0.2] * 5]], columns=names)
    for width in ("40", "80", "100", "200"):
        monkeypatch.setenv("COLUMNS", width)
        terminal.table(frame, "title")
        out = capsys.readouterr().out
        parts = [part.splitlines() for part in re.split(r"^title.*\n", out, flags=re.MULTILINE)[1:]]
        for lines in parts:
            assert len({cell_len(one.rstrip()) for one in lines}) == 1, width
            assert cell_len(lines[0].rstrip()) <= int(width), width
            assert all(one.rstrip()[-1] in "┓┃┩│┘" for one in lines), width
            assert any("sample" in one for one in lines[1:5])
        assert (len(parts) > 1) == (width in ("40", "80"))
        assert out.count("predicted,") == out.count("retrained,") == 2, width
