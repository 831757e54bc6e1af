"""``--task``: a network of the user's own on the command line, given again whenever its run is opened."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.caller import run_main

FACTORY = """
import torch
from torch import nn
from clusterexplain import EmbeddingTask


def make(data):
    torch.manual_seed(0)
    width = data.X.shape[1]
    encoder = nn.Sequential(nn.Linear(width, 6), nn.GELU(), nn.Linear(6, 2))
    return EmbeddingTask.from_module(encoder, decoder=nn.Linear(2, width))


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
