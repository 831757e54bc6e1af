"""Old and new, interleaved: the median of the ratios of their times, for what people wait for.

``python tests/benchmarks/bench_versions.py --old PYTHON TREE --new PYTHON TREE`` starts one process for each side, which does
the same piece of work whenever it is told to; the two take turns, so that a machine whose speed drifts slows both alike.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 7
WORKER = """
import sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np, torch
torch.set_num_threads(1)
from sklearn.datasets import load_digits
from clusterexplain import ClusterExplainer
try:
    from clusterexplain.training import retrain_many
except ImportError:
    from clusterexplain.training import train_replicas as retrain_many
X = load_digits().data
options = dict(n_clusters=10, n_steps=300, random_state=0, n_jobs=1)
ce = ClusterExplainer(**options).fit(X)
recipe = (ce.fit_.trajectory if hasattr(ce, "fit_") else ce._pipeline.run).recipe
weights = torch.ones(64, len(X)); weights[range(64), range(64)] = 0
rows = lambda n: (np.arange(len(X)) % (len(X) // n) == 0) & (np.cumsum(np.arange(len(X)) % (len(X) // n) == 0) <= n)
work = {
    "fit": lambda: ClusterExplainer(**options).fit(X),
    "1 row": lambda: ce.explain(rows(1)),
    "8 rows": lambda: ce.explain(rows(8)),
    "64 rows": lambda: ce.explain(rows(64)),
    "64 retrainings": lambda: retrain_many(recipe, weights, **EXTRA),
}
import inspect
names = inspect.signature(retrain_many).parameters
if "execution" in names:
    from clusterexplain.execution import Execution
    EXTRA = {"execution": Execution(n_jobs=1)}
else:
    EXTRA = {"n_jobs": 1}
for one in ("1 row", "8 rows", "64 rows", "64 retrainings"):
    work[one]()  # traced once
print("ready", flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    work[line.strip()]()
    print(time.perf_counter() - start, flush=True)
"""
WORK = ("fit", "1 row", "8 rows", "64 rows", "64 retrainings")
COMMANDS = {
    "import": ["-c", "from clusterexplain import ClusterExplainer"],
    "--help": ["-m", "clusterexplain", "--help"],
}


class Side:
    """One version: an interpreter, a checkout, and a process that waits for work."""

    def __init__(self, python: str, tree: str) -> None:
        self.python, self.tree = python, str(Path(tree).resolve())
        self.environment = os.environ | {"PYTHONPATH": self.tree, "OMP_NUM_THREADS": "1"}
        self.worker = subprocess.Popen(
            [python, "-c", WORKER], cwd=self.tree, env=self.environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self.worker.stdout is not None
        assert self.worker.stdout.readline().strip() == "ready"

    def seconds(self, work: str) -> float:
        """Do a piece of work once."""
        if work in COMMANDS:
            start = time.perf_counter()
            command = [self.python, *COMMANDS[work]]
            subprocess.run(command, cwd=self.tree, env=self.environment, check=True, stdout=subprocess.DEVNULL)
            return time.perf_counter() - start
        assert self.worker.stdin is not None
        assert self.worker.stdout is not None
        self.worker.stdin.write(work + "\n")
        self.worker.stdin.flush()
        return float(self.worker.stdout.readline())


def main() -> None:
    """Print one row for each piece of work."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--old", "--new"):
        parser.add_argument(name, nargs=2, metavar=("PYTHON", "TREE"), required=True)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    old, new = Side(*options.old), Side(*options.new)
    print("| work | old [s] | new [s] | median of ratios new / old |\n|---|---|---|---|")
    for work in (*WORK, *COMMANDS):
        pairs = []
        for turn in range(options.rounds):
            sides = (old, new) if turn % 2 else (new, old)
            times = {side: side.seconds(work) for side in sides}
            pairs.append((times[old], times[new]))
        before, after = (statistics.median(side) for side in zip(*pairs, strict=True))
        ratio = statistics.median(b / a for a, b in pairs)
        print(f"| {work} | {before:.3f} | {after:.3f} | {ratio:.2f} |", flush=True)
    for side in (old, new):
        side.worker.kill()


if __name__ == "__main__":
    sys.exit(main())
