"""Write the arrays of all cases: ``PYTHONPATH=TREE python tests/goldens/make.py --floors old --out FOLDER``."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT)  # the goldens are those beside this file, whatever tree the package comes from
from tests.goldens import cases  # noqa: E402

del sys.path[0]


def main() -> None:
    """Read the command line, extract, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--floors", choices=("old", "current"), required=True, help="which module extracts")
    parser.add_argument("--out", type=Path, required=True, help="folder of the .npz files")
    parser.add_argument("--case", action="append", choices=cases.NAMES, help="only these; all if not given")
    options = parser.parse_args()
    floors = importlib.import_module("tests.goldens.floors_old" if options.floors == "old" else "tests.goldens.floors")
    print("package:", importlib.import_module("clusterexplain").__file__)
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.case or cases.NAMES:
        started = time.perf_counter()
        arrays = floors.floors(name)
        file = options.out / f"{name}.npz"
        np.savez_compressed(file, **arrays)
        seconds = time.perf_counter() - started
        print(f"{name}: {len(arrays)} floors, {file.stat().st_size / 1000:.0f} kB, {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
