"""The architecture page is made from the code, and the calls that it lists exist."""

from __future__ import annotations

import importlib
import importlib.util
import re
from functools import reduce
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("architecture", DOCS / "architecture.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_code_says(script: ModuleType) -> None:
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    assert page == script.written(page), "run `python docs/architecture.py`"


def test_every_module_says_what_it_holds(script: ModuleType) -> None:
    package = DOCS.parent / "clusterexplain"
    assert [str(file) for file in package.rglob("*.py") if not script.first_line(file)] == []


def test_every_call_of_the_walks_exists() -> None:
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```text\n((?:estimator|results)\..*?)```", page, flags=re.S)
    assert len(blocks) == 4
    for call in (line.split()[0] for block in blocks for line in block.splitlines()):
        parts = call.split(".")
        for stop in range(len(parts), 0, -1):
            try:
                module = importlib.import_module(".".join(["clusterexplain", *parts[:stop]]))
            except ModuleNotFoundError:
                continue
            assert reduce(getattr, parts[stop:], module) is not None, call
            break
