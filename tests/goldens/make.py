"""Write the arrays of all cases: ``PYTHONPATH=TREE python tests/goldens/make.py --floors old --out FOLDER``.

The package is that of TREE; cases and floors are those beside this file.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
from pathlib import Path

if __name__ == "__main__":  # before anything is imported that reads it: sums over threads end in other bits
    os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":  # the goldens are those beside this file, whatever tree the package comes from
    sys.path[0] = str(ROOT)

from tests.goldens import cases  # noqa: E402

if __name__ == "__main__":
    del sys.path[0]

EVERYTHING = (*cases.NAMES, *cases.EXPERIMENTS)


def main() -> None:
    """Read the command line, extract, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--floors", choices=("old", "current"), required=True, help="which module extracts")
    parser.add_argument("--out", type=Path, required=True, help="folder of the .npz files")
    parser.add_argument(
        "--case", action="append", choices=EVERYTHING, help="only these; all but experiments if not given"
    )
    parser.add_argument("--payloads", action="store_true", help="what why, verify and report say, too, as JSON")
    options = parser.parse_args()
    floors = importlib.import_module("tests.goldens.floors_old" if options.floors == "old" else "tests.goldens.floors")
    print("package:", importlib.import_module("clusterexplain").__file__)
    options.out.mkdir(parents=True, exist_ok=True)
    for name in cases.NAMES if options.case is None else options.case:
        started = time.perf_counter()
        arrays = floors.floors(name)
        file = options.out / f"{name}.npz"
        np.savez_compressed(file, **arrays)
        seconds = time.perf_counter() - started
        print(f"{name}: {len(arrays)} floors, {file.stat().st_size / 1000:.0f} kB, {seconds:.1f} s", flush=True)
    for name, payload in floors.payloads(options.out) if options.payloads else ():
        (options.out / f"{name}.json").write_text(json.dumps(payload, indent=1))
        print(f"{name}.json", flush=True)


if __name__ == "__main__":
    main()
