"""Every error is one line and exit code 2, and leaves the disk alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterexplain.storage import sidecars
from tests.cli.caller import Caller, run_main


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
            "Error: --ids, --metadata cannot be used with --data digits, which brings its own ids and metadata. "
            "Expected --data FILE.csv",
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
    assert run_main(monkeypatch, *arguments) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cluster", "9"], "There is no cluster 9 with members. Expected one of: 0, 1, 2"),
        (
            ["cluster", "T cells"],
            "No cluster has the name 'T cells'. Expected a cluster number, or the name of a cluster ('B cells')",
        ),
        (["separation", "1", "B cells"], "separation needs two different clusters, but both are 1"),
        (["separation", "0", "noise"], "No cluster has the name 'noise'"),
        (["why", "--sample", "4", "--against", "nobody"], "No cluster has the name 'nobody'"),
        (["why", "--sample", "4", "--against", "noise"], "against='noise' is not a cluster"),
        (
            ["why", "--sample", "4", "--by", "dose"],
            "There is no metadata column 'dose'. Expected one of: cluster, batch",
        ),
        (["why"], "why needs either --sample ID or --row FILE, and not both"),
        (["why", "--sample", "4", "--row", "rows.csv"], "why needs either --sample ID or --row FILE, and not both"),
        (["why", "--row", "none.csv"], "There is no file none.csv"),
        (["flip", "--sample", "99"], "no sample with id 99"),
        (["label-conflicts", "--share", "2"], "share=2.0 must lie in [0, 1)"),
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
        (("verify", "--sample", "11", "--level", "huge"), "level='huge' is unknown"),
        (("verify", "--sample", "11", "--estimand", "seeds"), "expected one or more of 'seed', 'model', 'recipe'"),
        (("why", "--sample", "11", "--method", "magic"), "method='magic' is unknown"),
        (
            ("why", "--sample", "11", "--method-option", "damping"),
            "--method-option 'damping' does not have the form NAME=VALUE. Expected for example damping=0.1",
        ),
    ],
)
def test_wrong_choices_are_named(
    plain: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple, message: str
) -> None:
    assert run_main(monkeypatch, *arguments) == 2
    assert message in capsys.readouterr().err
