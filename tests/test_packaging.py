"""What the package declares: its dependencies, and that it is typed."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import clusterexplain

PACKAGE = Path(clusterexplain.__file__).parent
PROJECT = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]

NOT_INSTALLED = {"anndata"}
"""Modules of an extra that the development environment leaves out; the distribution has the same name."""


def normalized(name: str) -> str:
    """Return the name of a distribution as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> set[str]:
    extras = [
        name for key, names in PROJECT["optional-dependencies"].items() if key not in ("dev", "docs") for name in names
    ]
    return {normalized(re.split(r"[\[>=<~! ]", name)[0]) for name in (*PROJECT["dependencies"], *extras)}


def imported() -> set[str]:
    modules = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules.add(node.module.split(".")[0])
    return modules - set(sys.stdlib_module_names) - {"clusterexplain"}


def test_what_is_imported_is_declared() -> None:
    distributions = packages_distributions()
    needed = {normalized(distributions[module][0]) for module in imported() if module in distributions}
    assert needed <= declared(), f"pyproject.toml does not declare {sorted(needed - declared())}"
    unknown = {module for module in imported() if module not in distributions} - NOT_INSTALLED
    assert declared() >= NOT_INSTALLED
    assert not unknown, f"no installed package provides {sorted(unknown)}"


def test_the_package_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()
