"""docs/runs.md lists every file of a run, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from clusterexplain.storage import run_files
from clusterexplain.storage.sidecars import SIDECARS

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "runs.md").read_text(encoding="utf-8")
NAMES = {value for name, value in vars(run_files).items() if name.isupper() and isinstance(value, str)}


def test_the_table_lists_every_file() -> None:
    cells = [line.split("|")[1] for line in TEXT.splitlines() if line.startswith("| `")]
    assert {name.rstrip("/") for cell in cells for name in re.findall("`([^`]+)`", cell)} == NAMES


def test_every_sidecar_is_about_the_fit() -> None:
    assert set(SIDECARS) | {run_files.CHECK_HISTORY} == set(run_files.ABOUT_THE_FIT)
