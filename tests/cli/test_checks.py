"""Checks, methods and seeds from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clusterexplain import ClusterExplainer
from clusterexplain.cli.app import main
from tests.conftest import SMALL

FEW = ("--singles", "8", "--groups", "5")


@pytest.fixture
def folder(blobs: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return ClusterExplainer(**SMALL).fit(pd.DataFrame(blobs)).save("runs/small")


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["clusterexplain", *arguments])
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_the_newest_check_that_covers_the_answer_is_shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for sample in ("11", "3"):
        call(monkeypatch, "verify", "--sample", sample, *FEW)
    capsys.readouterr()
    for sample, checked in (("11", True), ("3", True), ("5", False)):
        call(monkeypatch, "why", "--sample", sample, "--json")
        assert (json.loads(capsys.readouterr().out)["checked"] is not None) == checked
    call(monkeypatch, "why", "--sample", "11", "--method", "gradient_dot", "--json")
    assert json.loads(capsys.readouterr().out)["checked"] is None
    assert len(list((folder / "checks").glob("*.json"))) == 1


def test_checks_without_a_sample_choose_some(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "verify", *FEW, "--json") in (0, 3, 4)
    found = json.loads(capsys.readouterr().out)
    assert len(found["each"]) == 8
    assert {one["grade"] for one in found["each"]} <= set("ABCDU")
    assert found["grade"] == found["grades"][0]["grade"] or found["grade"] == found["grades"][1]["grade"]


def test_estimands_and_methods_are_chosen(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--estimand", "recipe", "--check-seeds", "3", "--method", "implicit", "--method-option", "damping=0.1")
    assert call(monkeypatch, "verify", "--sample", "11", *FEW, *asked, "--json") in (0, 3, 4)
    found = json.loads(capsys.readouterr().out)
    assert {one["estimand"] for one in found["grades"]} == {"recipe"}
    call(monkeypatch, "why", "--sample", "11", "--method", "implicit", "--method-option", "damping=0.1", "--json")
    answer = json.loads(capsys.readouterr().out)
    assert answer["method_options"] == {"damping": 0.1}
    assert answer["checked"]["status"] == found["status"]


def test_the_next_command_asks_for_the_same_method_and_seeds(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for asked in ("--method implicit --method-option damping=0.1", "--seeds 2"):
        call(monkeypatch, "why", "--sample", "11", *asked.split())
        assert f"Next: clusterexplain verify --sample 11 {asked}" in " ".join(capsys.readouterr().out.split())


def test_seeds_from_the_command_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "why", "--sample", "11", "--seeds", "3") == 0
    assert "Over 3 seeds: two seeds rank the examples" in " ".join(capsys.readouterr().out.split())


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
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple, message: str
) -> None:
    assert call(monkeypatch, *arguments) == 2
    assert message in capsys.readouterr().err
