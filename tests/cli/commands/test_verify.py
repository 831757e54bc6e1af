"""Checks and stability: exit codes, what is stored with the run, what an interrupted check says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clusterexplain import ClusterExplainer
from clusterexplain.cli.arguments import open_run
from clusterexplain.storage import sidecars
from tests.cli.caller import Caller, run_main

FEW = ("--singles", "8", "--groups", "5")


def test_verify_keeps_its_check_and_speaks_by_exit_code(
    plain: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, "verify", "--sample", "11", "--singles", "24", "--groups", "6") == 0
    assert "Verdict: supported by" in capsys.readouterr().out
    assert sidecars.read_check(plain) is not None
    run_main(monkeypatch, "why", "--sample", "11")
    out = capsys.readouterr().out
    assert "This answer is checked: supported by" in out
    assert "Next: clusterexplain report --sample 11" in out
    assert run_main(monkeypatch, "verify", "--sample", "11", "--singles", "0", "--groups", "6", "--json") == 4
    assert json.loads(capsys.readouterr().out)["status"] == "untested"
    run_main(monkeypatch, "why", "--sample", "11", "--json")
    assert "NaN" not in capsys.readouterr().out


def test_a_larger_check_prints_its_controls(
    plain: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = ClusterExplainer.verify

    def with_controls(self: ClusterExplainer, *arguments: object, **options: object) -> object:
        return usual(self, *arguments, n_planted=1, n_duplicates=5, **options)

    monkeypatch.setattr(ClusterExplainer, "verify", with_controls)
    few = ["--singles", "6", "--groups", "0", "--estimand", "seed"]
    run_main(monkeypatch, "verify", "--sample", "11", "--level", "standard", *few)
    out = " ".join(capsys.readouterr().out.split())
    for title in (
        "Clustered from scratch after retraining",
        "Near-duplicates planted",
        "Examples and their exact duplicates",
    ):
        assert title in out
    assert "both clusters of the pair are found again in" in out


def test_a_check_without_a_result_hides_none_that_has_one(
    plain: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["verify", "--sample", "12", "--singles", "5", "--groups", "0"]
    assert run_main(monkeypatch, *few) == 4
    run_main(monkeypatch, "why", "--sample", "12")
    assert "This answer is checked without a result: untested after" in capsys.readouterr().out
    settled = run_main(monkeypatch, "verify", "--sample", "12", "--singles", "24", "--groups", "6")
    assert settled in (0, 3)
    assert run_main(monkeypatch, *few) == 4
    capsys.readouterr()
    run_main(monkeypatch, "why", "--sample", "12")
    assert "supported by" in capsys.readouterr().out.lower()


def test_an_interrupted_check_says_what_is_kept(
    plain: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(self: ClusterExplainer, *arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ClusterExplainer, "verify", interrupted)
    assert run_main(monkeypatch, "verify", "--sample", "11") == 130
    found = capsys.readouterr()
    assert "Interrupted. Finished retrainings are stored in" in found.err
    assert "the same command resumes from them" in found.err
    assert not found.out


def test_the_newest_check_that_covers_the_answer_is_shown(
    plain: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for sample in ("11", "3"):
        run_main(monkeypatch, "verify", "--sample", sample, *FEW)
    capsys.readouterr()
    for sample, checked in (("11", True), ("3", True), ("5", False)):
        run_main(monkeypatch, "why", "--sample", sample, "--json")
        assert (json.loads(capsys.readouterr().out)["checked"] is not None) == checked
    run_main(monkeypatch, "why", "--sample", "11", "--method", "gradient_dot", "--json")
    assert json.loads(capsys.readouterr().out)["checked"] is None
    assert len(list((plain / "check_history").glob("*.json"))) == 1


def test_checks_without_a_sample_choose_some(
    plain: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, "verify", *FEW, "--json") in (0, 3, 4)
    found = json.loads(capsys.readouterr().out)
    assert len(found["each"]) == 8
    assert {one["grade"] for one in found["each"]} <= set("ABCDU")
    assert found["grade"] == found["grades"][0]["grade"] or found["grade"] == found["grades"][1]["grade"]


def test_estimands_and_methods_are_chosen(
    plain: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--estimand", "recipe", "--check-seeds", "3", "--method", "implicit", "--method-option", "damping=0.1")
    assert run_main(monkeypatch, "verify", "--sample", "11", *FEW, *asked, "--json") in (0, 3, 4)
    found = json.loads(capsys.readouterr().out)
    assert {one["estimand"] for one in found["grades"]} == {"recipe"}
    run_main(monkeypatch, "why", "--sample", "11", "--method", "implicit", "--method-option", "damping=0.1", "--json")
    answer = json.loads(capsys.readouterr().out)
    assert answer["method_options"] == {"damping": 0.1}
    assert answer["checked"]["status"] == found["status"]


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


@pytest.mark.parametrize("quiet", [False, True])
def test_quiet_hides_the_bars_of_a_run_however_it_was_fitted(plain: Path, quiet: bool) -> None:
    _, explainer = open_run(plain, None, quiet=quiet)
    assert explainer.explain(list(explainer.data_.ids[:1])).fit.execution.progress is not quiet
