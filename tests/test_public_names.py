"""The public surface: exports, start-up without heavy imports."""

import subprocess
import sys

import pytest

import clusterexplain

HEAVY = ("numpy", "torch", "sklearn", "umap", "numba", "altair", "pandas", "hdbscan")


def test_every_exported_name_exists_and_the_list_is_sorted() -> None:
    assert clusterexplain.__all__ == sorted(clusterexplain.__all__)
    assert all(getattr(clusterexplain, name) is not None for name in clusterexplain.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        clusterexplain.nonsense  # noqa: B018


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_and_version_import_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom clusterexplain.cli.app import main\n"
        f"sys.argv = ['clusterexplain', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\nassert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_importing_everything_leaves_the_slow_packages_alone() -> None:
    code = (
        "import sys, pkgutil, importlib, clusterexplain\n"
        "for module in pkgutil.walk_packages(clusterexplain.__path__, 'clusterexplain.'):\n"
        "    if not module.name.endswith('__main__'):\n        importlib.import_module(module.name)\n"
        "slow = [name for name in ('umap', 'numba', 'hdbscan', 'altair', 'dask') if name in sys.modules]\n"
        "assert not slow, slow\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
