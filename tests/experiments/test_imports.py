"""Experiments stand on the faces of rooms: what a room lists in ``__all__``, and nothing private."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import clusterexplain

PACKAGE = Path(clusterexplain.__file__).parent
EXPERIMENTS = PACKAGE / "experiments"
OWN = "clusterexplain.experiments"
FILES = sorted(EXPERIMENTS.rglob("*.py"))


def offences(source: str) -> Iterator[str]:
    """Yield every import that goes past a face, and every use of somebody else's private name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (f"import {name.name}" for name in node.names if name.name.startswith("clusterexplain."))
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "clusterexplain":
            yield from (f"from {node.module} import {name}" for name in past_the_face(node))
        elif isinstance(node, ast.Attribute) and is_private(node.attr) and not is_own(node.value):
            yield ast.unparse(node)


def past_the_face(node: ast.ImportFrom) -> Iterator[str]:
    """Yield the names of an import that the room does not offer."""
    module = str(node.module)
    inside = module == OWN or module.startswith(f"{OWN}.")
    for name in (alias.name for alias in node.names):
        if is_private(name) or not (inside or name in face(module)):
            yield name


def face(module: str) -> set[str]:
    """Return what a room offers: nothing if the module is a file within a room."""
    place = PACKAGE.joinpath(*module.split(".")[1:])
    if place.is_dir():
        return set(getattr(importlib.import_module(module), "__all__", ()))
    if place.parent != PACKAGE:
        return set()
    return {name for name in vars(importlib.import_module(module)) if not is_private(name)}  # a room of one file


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def is_own(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id in ("self", "cls")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(EXPERIMENTS).as_posix())
def test_experiments_import_from_faces_alone(file: Path) -> None:
    assert list(offences(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("source", "offence"),
    [
        (
            "from clusterexplain.training.trajectory import train",
            "from clusterexplain.training.trajectory import train",
        ),
        ("from clusterexplain.training import trajectory", "from clusterexplain.training import trajectory"),
        (
            "from clusterexplain.experiments.study import _figure",
            "from clusterexplain.experiments.study import _figure",
        ),
        ("import clusterexplain.training.trajectory", "import clusterexplain.training.trajectory"),
        ("explainer._fit", "explainer._fit"),
    ],
)
def test_what_goes_past_a_face_is_found(source: str, offence: str) -> None:
    assert list(offences(source)) == [offence]


@pytest.mark.parametrize(
    "source",
    [
        "from clusterexplain.training import train",
        "from clusterexplain.influence.solvers import LiSSA",
        "from clusterexplain.exceptions import InvalidParameterError",
        "from clusterexplain.experiments.study import Study",
        "self._folder",
    ],
)
def test_a_face_is_open(source: str) -> None:
    assert list(offences(source)) == []
