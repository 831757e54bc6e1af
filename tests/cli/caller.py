"""How tests run the command line."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from clusterexplain import ClusterExplainer
from clusterexplain.cli.app import main

COLUMNS = ["a", "b", "c", "d", "e"]


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command line; return its exit code."""
    monkeypatch.setattr("sys.argv", ["clusterexplain", *arguments])
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


class Caller:
    """Runs the command line."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Return exit code, stdout and stderr."""
        self.monkeypatch.setenv("COLUMNS", "200")
        code = run_main(self.monkeypatch, *arguments)
        out, err = self.capsys.readouterr()
        return code, out, err

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Return what --json prints: strict JSON and nothing else."""
        found, out, _ = self(*arguments, "--json")
        assert found == code

        def refuse(constant: str) -> None:
            raise AssertionError(f"{constant} is no JSON")

        return json.loads(out, parse_constant=refuse)

    def refused(self, *arguments: str) -> str:
        """Return the one line of an error; which run was opened is a remark before it."""
        code, out, err = self(*arguments)
        lines = [line for line in err.splitlines() if not line.startswith("Run: ")]
        assert code == 2
        assert len(lines) == 1
        assert lines[0].startswith("Error: ")
        assert not out
        return lines[0]


def sample_of(ce: ClusterExplainer, cluster: int) -> str:
    """Return the id of the first sample of a cluster."""
    return str(int(np.flatnonzero(ce.labels_ == cluster)[0]))
