"""What the documentation names exists: verbs and options of command lines, attributes and keywords of Python blocks."""

import ast
import inspect
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from clusterexplain import Check, ClusterExplainer, Explanation
from clusterexplain.cli.app import app
from clusterexplain.explanation import ClusterAnswer, Flip
from clusterexplain.report import Plots
from clusterexplain.results.stability import Stability
from clusterexplain.verification import verify

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = [*(ROOT / "docs" / "notebooks").glob("*.md"), *(ROOT / "docs" / "notebooks").glob("*.ipynb")]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(NOTEBOOKS)]
OBJECTS: dict[str, type] = {
    "ce": ClusterExplainer, "e": Explanation, "check": Check, "flip": Flip, "stability": Stability,
}  # fmt: skip
"""What a name stands for in every block; the pages keep to it."""
ELSEWHERE = {"words.md"}
"""Pages whose `check` and `answer` are those of word embeddings."""


def blocks(page: Path) -> Iterator[ast.Module]:
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        yield from (ast.parse("".join(cell["source"])) for cell in cells if cell["cell_type"] == "code")
    for block in re.findall(r"^```(?:python|\{code-cell\} ipython3)\n(.*?)^```", text, flags=re.M | re.S):
        yield ast.parse("\n".join(line for line in block.splitlines() if not line.startswith(":tags:")))


def has(kind: type, name: str) -> bool:
    declared = {entry.name for entry in fields(kind)} if is_dataclass(kind) else set()
    parameters = inspect.signature(kind).parameters if kind is ClusterExplainer else {}
    return hasattr(kind, name) or name in declared or name in parameters or name in getattr(kind, "__annotations__", {})


def keywords_of(call: ast.Call) -> Any:
    """Return the function whose keywords a call uses, if it is one of the front; None otherwise."""
    match call.func:
        case ast.Name("ClusterExplainer"):
            return ClusterExplainer
        case ast.Attribute(ast.Name("ce"), "verify"):
            return verify
        case ast.Attribute(ast.Name(owner), name) if owner in OBJECTS and has(OBJECTS[owner], name):
            return getattr(OBJECTS[owner], name, None)
    return None


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in ELSEWHERE], ids=lambda page: page.name)
def test_python_blocks_name_what_exists(page: Path) -> None:
    for tree in blocks(page):
        for node in ast.walk(tree):
            match node:
                case ast.Attribute(ast.Attribute(ast.Name("e"), "plot"), name):
                    assert hasattr(Plots, name), f"{page.name}: e.plot.{name}"
                case ast.Attribute(ast.Name("answer"), name):
                    assert has(ClusterAnswer, name), f"{page.name}: answer.{name}"
                case ast.Attribute(ast.Name(owner), name) if owner in OBJECTS:
                    assert has(OBJECTS[owner], name), f"{page.name}: {owner}.{name}"
                case ast.Call() if (function := keywords_of(node)) is not None:
                    known = inspect.signature(function).parameters
                    given = {keyword.arg for keyword in node.keywords if keyword.arg is not None}
                    assert given <= set(known), f"{page.name}: {ast.unparse(node)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_command_lines_name_verbs_and_options_that_exist(page: Path) -> None:
    group: Any = typer.main.get_command(app)
    for line in re.findall(r"^    clusterexplain (.*)$", page.read_text(encoding="utf-8"), flags=re.M):
        words = shlex.split(line, comments=True)
        verb = group.commands.get(words[0])
        assert verb is not None, f"{page.name}: {line}"
        if words[0] == "reproduce":
            verb = verb.commands[words[1]]
        known = {option for parameter in verb.params for option in (*parameter.opts, *parameter.secondary_opts)}
        used = {word.split("=")[0] for word in words[1:] if word.startswith("--")}
        assert used <= known, f"{page.name}: {line}"
