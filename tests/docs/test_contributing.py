"""What CONTRIBUTING.md names exists: verbs of make, paths, functions and classes."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from clusterexplain.clustering import Clustering, check_clustering
from clusterexplain.clustering.scores import Score, check_score
from clusterexplain.influence import TrainingJacobian, registry
from clusterexplain.influence.check_method import check_method
from clusterexplain.models import EmbeddingTask
from clusterexplain.training.check_task import check_task

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
CODE = sorted(set(re.findall(r"`([^`\n]+)`", TEXT)))
"""Everything in code spans."""
SPANS = [span.removeprefix("python ") for span in CODE]
PATHS = [span for span in SPANS if re.fullmatch(r"[\w./<>]+(/|\.py|\.md)", span)]
LINKS = re.findall(r"\]\(([^)#:]+)\)", TEXT)
VERBS = [span.removeprefix("make ") for span in CODE if span.startswith("make ")]
NAMED = {
    EmbeddingTask: ("initial_params", "embed", "loss"),
    Clustering: ("state", "scores"),
    Score: ("logits", "boundary_margins", "reads"),
    TrainingJacobian: ("shape", "dtype", "report", "needs", "vjp_with_report", "jvp", "has_jvp"),
    registry: ("METHODS", "make_jacobian"),
}
"""Members that the steps name."""
CHECKS = (check_task, check_clustering, check_score, check_method)


def rules() -> dict[str, str]:
    """Return the prerequisites of each verb of the Makefile."""
    lines = (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    found = (re.fullmatch(r"([a-z-]+):([^#=]*)##.*", line) for line in lines)
    return {rule[1]: rule[2] for rule in found if rule}


def test_there_is_something_to_find() -> None:
    assert len(VERBS) >= 12
    assert len(PATHS) >= 15
    assert LINKS


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_one_of_make(verb: str) -> None:
    assert verb in rules()


def test_every_verb_of_make_is_in_the_table_but_help() -> None:
    assert set(rules()) - set(VERBS) == {"help"}


def test_the_next_seven_are_what_make_test_runs() -> None:
    rows = re.findall(r"^\| (`make .*?) \|", TEXT, flags=re.M)
    verbs = [re.findall(r"`make ([a-z-]+)`", row)[0] for row in rows]
    after = verbs.index("test") + 1
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    side_by_side = re.findall(r"^\t@\$\(MAKE\) .*-j 2 \S+ (.*)$", makefile, flags=re.M)[0].split()
    assert sorted(verbs[after : after + 7]) == sorted(rules()["test"].split() + side_by_side)


@pytest.mark.parametrize("path", [*PATHS, *LINKS])
def test_every_path_exists(path: str) -> None:
    """A path begins at the root or in the package; what is in angle brackets stands for any name."""
    pattern = re.sub(r"<\w+>", "*", path.rstrip("/"))
    assert any(next(base.glob(pattern), None) for base in (ROOT, ROOT / "clusterexplain")), path


def test_every_name_exists() -> None:
    words = set(re.findall(r"\w+", " ".join(CODE)))
    for owner, names in NAMED.items():
        assert {owner.__name__.rpartition(".")[2], *names} <= words, owner
        assert [
            name for name in names if not hasattr(owner, name) and name not in getattr(owner, "__annotations__", {})
        ] == []
    assert {check.__name__ for check in CHECKS} == {word for word in words if word.startswith("check_")}
    for dotted in (span for span in CODE if re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", span) and span not in PATHS):
        module, _, name = dotted.rpartition(".")
        assert hasattr(importlib.import_module(f"clusterexplain.{module}"), name), dotted
