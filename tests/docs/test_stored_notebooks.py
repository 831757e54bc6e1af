"""Notebooks with stored output: the output is there, it is what the cells give, and the text says what it shows."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "docs" / "stored_notebooks.py"
STORED = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
NUMBER = re.compile(r"(?<![\w-])-?\d+(?:\.\d+)?(?![\w-])")
LONGEST = 12
"""Code cells from the file to the answer, hidden ones counted."""
PACKAGES = {"single_cells.ipynb": ("anndata", "scanpy")}
"""What a notebook needs beyond the packages of development."""
LONG = {"residual_network.ipynb"}
"""Notebooks that take longer than 20 seconds."""


def outputs(cell: nbformat.NotebookNode) -> str:
    """Return what a code cell printed or returned, as text."""
    return " ".join(out.get("text") or out.get("data", {}).get("text/plain", "") for out in cell.get("outputs", []))


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.name)
def test_every_cell_was_run_in_order_without_an_error_and_names_no_place_on_a_disk(path: Path) -> None:
    code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert len(code) <= LONGEST
    assert {out.output_type for cell in code for out in cell.outputs} <= {"execute_result", "display_data"}
    assert "site-packages" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.name)
def test_each_output_is_followed_by_what_it_says_and_what_it_does_not_say(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    shown = [i for i, cell in enumerate(cells) if outputs(cell) and "remove-cell" not in cell.metadata.get("tags", [])]
    assert shown
    for position in shown:
        assert re.fullmatch(r"This says: .*\n\nIt does not say: .*", cells[position + 1].source, flags=re.S), position


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.name)
def test_the_figures_of_the_text_are_figures_of_the_output(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    printed = {abs(float(number)) for cell in cells for number in NUMBER.findall(outputs(cell).replace("+", ""))}
    said = [cell.source.split("It does not say")[0] for cell in cells if cell.source.startswith("This says")]
    figures = [number.lstrip("-") for text in said for number in NUMBER.findall(text)]
    assert len(figures) > 5
    for figure in figures:
        places = len(figure.partition(".")[2])
        assert any(f"{number:.{places}f}" == figure for number in printed), figure


@pytest.mark.parametrize(
    "path", [pytest.param(path, marks=[pytest.mark.slow] * (path.name in LONG), id=path.name) for path in STORED]
)
def test_the_stored_output_is_what_the_cells_give_now(path: Path) -> None:
    for package in PACKAGES.get(path.name, ()):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package}, which the notebook reads with, is not installed")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--check", path.name],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stored_output_that_is_stale_is_told_from_rounding() -> None:
    spec = importlib.util.spec_from_file_location("stored_notebooks", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.same("Its margin is 0.022 (98% lie farther)", "Its margin is 0.0221 (98% lie farther)")
    assert not script.same("Its margin is 0.022", "Its margin is 0.031")
    assert not script.same("Its margin is 0.022", "Its margin is -0.022")
    assert not script.same("Its margin is 0.022", "The margin is 0.022")
    assert not script.same("cells: 4", "cells: 4 5")
