"""Compare two environments to the last bit: each extracts with its own package, then the arrays are laid side by side.

``python tests/goldens/compare.py --old PYTHON TREE --new PYTHON TREE``

prints for every case and floor "bit for bit", or the largest difference relative to the largest entry of its row, and exits 1
if any is above 1e-10 and not named in ``REORDERED``. Then it prints which keys differ in what ``why``, ``verify`` and
``report`` say with default settings; that is for reading, because settings and words may change on purpose.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[0] = str(ROOT)

from tests.goldens import cases  # noqa: E402
from tests.goldens.comparing import difference, differing  # noqa: E402

LARGEST = 1e-10
REORDERED: dict[str, str] = {
    "*/cohesion.scores": "combinations of margins are summed by NumPy, as the rest of a result is",
    "*/between.scores": "the same",
    "*/towards.margin": "the same",
}
"""Floors in which a sum changed its order, and why that is right: ``case/floor``, either of which may be a pattern (*)."""
PAYLOADS = ("why", "verify", "report")
SHOWN = 40
"""Lines that are printed of each payload."""


def extract(python: str, tree: str, floors: str, out: Path, options: argparse.Namespace) -> None:
    """Run one environment; what it writes is in `out`."""
    names = (*cases.NAMES, *(cases.EXPERIMENTS if options.experiments else ()))
    chosen = [part for name in options.case or names for part in ("--case", name)]
    payloads = [] if options.no_payloads or options.case else ["--payloads"]
    command = [python, str(ROOT / "tests/goldens/make.py"), "--floors", floors, "--out", str(out), *chosen, *payloads]
    place = Path(tree).resolve()
    print(f"extracting from {place}", file=sys.stderr)
    environment = os.environ | {"PYTHONPATH": str(place), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=place, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    package = Path(done.stdout.splitlines()[0].partition(": ")[2]).resolve()
    if not package.is_relative_to(place):
        raise SystemExit(
            f"The package came from {package}, not from {place}. Expected a tree that holds clusterexplain/."
        )


def reason_for(place: str) -> str | None:
    """Return why a floor, ``case/floor``, may differ."""
    return next((why for pattern, why in REORDERED.items() if fnmatch.fnmatchcase(place, pattern)), None)


def compared(old: Path, new: Path) -> list[str]:
    """Print how every floor of every case compares; return those that differ without a reason."""
    unexplained = []
    for file in sorted(old.glob("*.npz")):
        with np.load(file, allow_pickle=False) as before, np.load(new / file.name, allow_pickle=False) as after:
            for name in sorted({*before.files, *after.files}):
                place = f"{file.stem}/{name}"
                if name not in before.files or name not in after.files:
                    found, apart = "only old" if name in before.files else "only new", float("inf")
                else:
                    apart = difference(before[name], after[name])
                    found = f"{apart:.2g}" if apart else "bit for bit"
                why = reason_for(place)
                print(f"{place}: {found}{f' ({why})' if why and apart else ''}")
                if apart > LARGEST and why is None:
                    unexplained.append(f"{place}: {found}")
    return unexplained


def compare_payloads(old: Path, new: Path) -> None:
    """Print the keys that differ in what the commands say."""
    for name in PAYLOADS:
        if not (old / f"{name}.json").exists():
            continue
        lines = differing(*(json.loads((folder / f"{name}.json").read_text()) for folder in (old, new)))
        print(f"\n{name}: {len(lines) or 'no'} differing keys", *lines[:SHOWN], sep="\n")
        if len(lines) > SHOWN:
            print(f"... and {len(lines) - SHOWN} more")


def main() -> int:
    """Read the command line, run both, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    both = {"nargs": 2, "metavar": ("PYTHON", "TREE"), "required": True}
    parser.add_argument("--old", help="interpreter and checkout of the old commit", **both)  # type: ignore[arg-type]
    parser.add_argument("--new", help="interpreter and checkout of the new one", **both)  # type: ignore[arg-type]
    parser.add_argument(
        "--old-floors", choices=("old", "current"), default="old", help="which module reads the old one"
    )
    parser.add_argument("--case", action="append", help="only these cases, and no payloads")
    parser.add_argument("--experiments", action="store_true", help="the quick experiments, too: minutes")
    parser.add_argument("--no-payloads", action="store_true", help="arrays alone")
    parser.add_argument("--keep", type=Path, help="write what was extracted into this folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) if options.keep is None else options.keep
        extract(*options.old, options.old_floors, folder / "old", options)
        extract(*options.new, "current", folder / "new", options)
        unexplained = compared(folder / "old", folder / "new")
        compare_payloads(folder / "old", folder / "new")
    print(f"\n{len(unexplained) or 'No'} floors differ without a reason.", *unexplained, sep="\n")
    return int(bool(unexplained))


if __name__ == "__main__":
    raise SystemExit(main())
