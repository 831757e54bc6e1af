"""Shell completion is offered for verbs and values, and the values are those that the library knows."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys

import pytest

from clusterexplain.cli import options
from clusterexplain.clustering.registry import CLUSTERERS
from clusterexplain.influence.registry import METHODS
from clusterexplain.models.registry import MODELS
from clusterexplain.report import Plots
from clusterexplain.results.verdict import Estimand
from clusterexplain.verification.levels import LEVELS

HEAVY = ("numpy", "torch", "sklearn", "pandas", "altair", "numba", "rich")


def python(code: str, **environment: str) -> str:
    """Run code in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def completed(line: str) -> list[str]:
    """Return what bash offers at the end of a line; the program must not import anything heavy for it."""
    code = (
        "import sys\nfrom clusterexplain.cli.app import main\nsys.argv = ['clusterexplain']\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\nassert not heavy, heavy\n"
    )
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    return python(code, _CLUSTEREXPLAIN_COMPLETE="complete_bash", **words).split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("clusterexplain label", ["label-conflicts"]),
        ("clusterexplain sep", ["separation"]),
        ("clusterexplain why --met", ["--method", "--method-option"]),
        ("clusterexplain why --method gra", ["gradient_dot", "gradient_cosine"]),
        ("clusterexplain fit --clusterer s", ["spherical_kmeans", "soft_kmeans"]),
    ],
)
def test_the_shell_completes_verbs_options_and_values(line: str, offered: list[str]) -> None:
    assert completed(line) == offered


def test_completion_can_be_shown_and_installed() -> None:
    help_text = python(
        "import sys\nsys.argv = ['clusterexplain', '--help']\nfrom clusterexplain.cli.app import main\nmain()"
    )
    assert "--install-completion" in help_text
    assert "--show-completion" in help_text


def test_the_completed_values_are_those_of_the_library() -> None:
    public = {name for name, _ in inspect.getmembers(Plots, inspect.isfunction) if not name.startswith("_")}
    assert set(options.CLUSTERERS) == set(CLUSTERERS)
    assert set(options.MODELS) == set(MODELS)
    assert set(options.METHODS) == set(METHODS)
    assert set(options.LEVELS) == set(LEVELS)
    assert set(options.ESTIMANDS) == set(Estimand)
    assert set(options.CHARTS) == public - {"widget", "selected"}
