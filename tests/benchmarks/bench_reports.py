"""What reports cost: seconds and bytes of page, card and chart, beside the explanation itself, in one run.

Run: ``python -m tests.benchmarks.bench_reports`` for digits (1,797 rows); with ``--rows 20000`` for noisy copies, drawn
anew until there are so many.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from clusterexplain import ClusterExplainer, Dataset, load_dataset


def digits(n: int) -> Dataset:
    """Return the digits, or `n` noisy copies of digits drawn with replacement (made, not measured)."""
    data = load_dataset("digits")
    if n <= len(data):
        return data
    rng = np.random.default_rng(0)
    rows = data.X[rng.integers(len(data), size=n)] + rng.normal(scale=1.0, size=(n, data.X.shape[1]))
    return Dataset(np.clip(rows, 0, 16), image_shape=(8, 8))


def timed(act: Callable[[], Any]) -> tuple[float, Any]:
    """Return seconds and the result."""
    start = time.perf_counter()
    found = act()
    return time.perf_counter() - start, found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1797)
    parser.add_argument("--queries", type=int, default=3)
    asked = parser.parse_args()
    data = digits(asked.rows)
    fit, ce = timed(lambda: ClusterExplainer(n_clusters=10, n_steps=400, random_state=0).fit(data))
    ce.fit_.annotations.map_coordinates = ce.embedding_[:, :2]  # what UMAP costs is UMAP's
    explain, e = timed(lambda: ce.explain(list(range(asked.queries))))
    lines = [("fit, 400 steps", fit, 0), (f"explain {asked.queries}", explain, 0)]
    first, _ = timed(lambda: e.plot.map())
    lines.append(("map, the first (imports altair)", first, 0))
    seconds, chart = timed(lambda: e.plot.map())
    lines.append(("map", seconds, len(chart.to_json())))
    seconds, bundle = timed(lambda: e._repr_mimebundle_())
    lines.append(("card", seconds, len(bundle["text/html"])))
    with tempfile.TemporaryDirectory() as folder:
        seconds, page = timed(lambda: e.report(Path(folder) / "page.html"))
        lines.append(("page (10 clusters explained too)", seconds, page.stat().st_size))
    print(f"{len(data):,} rows, {asked.queries} queries; ratio to explaining them")
    for name, seconds, size in lines:
        print(f"{name:36} {seconds:7.2f} s  {seconds / explain:5.2f}x  {size / 1e6:6.2f} MB")


if __name__ == "__main__":
    main()
