"""Pages and pictures: which samples are shown, what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from clusterexplain import ClusterExplainer
from tests.cli.caller import run_main


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
