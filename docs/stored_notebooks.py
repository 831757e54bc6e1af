"""Execute the notebooks whose output is stored: ``python docs/stored_notebooks.py`` writes it, ``--check`` compares.

Names of files after it choose some of the notebooks. The documentation shows stored output where it should not make it: the
notebook needs packages that its builder may not have, or takes longer than a page should.
"""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).with_name("notebooks")
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
NEAR = {"rel_tol": 0.02, "abs_tol": 0.002}
"""How far a printed number may be from the stored one: rounding differs between machines."""


def execute(notebook: nbformat.NotebookNode) -> None:
    """Run the cells in a kernel of their own; keep the output that a page shows."""
    NotebookClient(notebook, timeout=600, record_timing=False).execute()
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        shown = output.get("data", {})
        if "text/html" in shown:
            shown.pop("image/png", None)


def plain(cell: nbformat.NotebookNode) -> str:
    """Return the output of a cell as text, pictures left out."""
    parts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.get("outputs", [])]
    return re.sub(r"\s+", " ", " ".join(part for part in parts if "alt." not in part)).strip()


def same(stored: str, now: str) -> bool:
    """Return whether two texts have the same words, and numbers that differ by rounding alone."""
    pairs = zip(NUMBER.findall(stored), NUMBER.findall(now), strict=False)
    return NUMBER.sub("0", stored) == NUMBER.sub("0", now) and all(
        math.isclose(float(a), float(b), **NEAR) for a, b in pairs
    )


def differences(path: Path) -> list[str]:
    """Return where the stored output is not what the cells give now."""
    stored = nbformat.read(path, as_version=4)
    fresh = nbformat.read(path, as_version=4)
    execute(fresh)
    pairs = [(old.id, plain(old), plain(new)) for old, new in zip(stored.cells, fresh.cells, strict=True)]
    return [f"{path.name}, cell {name}: stored\n{old}\nnow\n{new}" for name, old, new in pairs if not same(old, new)]


def main(arguments: list[str]) -> int:
    """Write or compare; return the exit status."""
    check, stale = "--check" in arguments, []
    names = [argument for argument in arguments if argument != "--check"]
    for path in [NOTEBOOKS / name for name in names] or sorted(NOTEBOOKS.glob("*.ipynb")):
        if check:
            stale += differences(path)
            continue
        notebook = nbformat.read(path, as_version=4)
        execute(notebook)
        nbformat.write(notebook, path)
    sys.stdout.write("\n\n".join(stale))
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
