"""Time embeddings of the size that people have: fit, the first answer, 32 answers, and the memory at its peak.

Run with ``python -m tests.benchmarks.bench_embeddings [case ...]``; each case runs in a process of its own. Times are those of
the clock, and of the processor in brackets. The last column is the processor's time of the fit beside that of one fit of the
clusterer itself, as scikit-learn or hdbscan do it.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse

SEED = 0


@dataclass(frozen=True)
class Case:
    """What is fitted, and what it is compared with."""

    rows: Callable[[], np.ndarray | scipy.sparse.csr_matrix]
    options: dict[str, object]
    alone: Callable[[np.ndarray], Any]
    given: bool = False
    """Whether the labels of the clusterer alone are given to the fit."""


def topics(n: int, dim: int, n_topics: int, spread: float) -> np.ndarray:
    """Return unit vectors around random topics, as sentence embeddings are; shape (n, dim)."""
    rng = np.random.default_rng(SEED)
    centres = rng.normal(size=(n_topics, dim))
    rows = centres[rng.integers(n_topics, size=n)] + spread * rng.normal(size=(n, dim))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def counts(n: int, genes: int, types: int) -> scipy.sparse.csr_matrix:
    """Return sparse log counts of cells of some types; shape (n, genes)."""
    rng = np.random.default_rng(SEED)
    profiles = rng.gamma(0.3, size=(types, genes))
    means = profiles[rng.integers(types, size=n)] * rng.gamma(5, 0.1, size=(n, 1))
    return scipy.sparse.csr_matrix(np.log1p(rng.poisson(means)))


def kmeans_alone(n_clusters: int, rows: np.ndarray) -> Any:
    """Cluster with scikit-learn alone."""
    from sklearn.cluster import KMeans

    return KMeans(n_clusters, n_init=10, random_state=SEED).fit(rows)


def hdbscan_alone(rows: np.ndarray) -> Any:
    """Cluster with hdbscan alone."""
    from hdbscan import HDBSCAN

    return HDBSCAN(min_cluster_size=60, min_samples=5).fit(rows)


def pca_alone(rows: np.ndarray) -> Any:
    """Reduce and cluster with scikit-learn alone."""
    from sklearn.decomposition import PCA

    return kmeans_alone(8, PCA(30, random_state=SEED).fit_transform(rows))


DENSITY: dict[str, object] = {
    "model": "precomputed",
    "clusterer": "hdbscan",
    "clusterer_options": {"min_cluster_size": 60, "min_samples": 5},
}
CASES = {
    "k-means 50, 23,000 x 384": Case(
        partial(topics, 23_000, 384, 50, 0.6), {"model": "precomputed", "n_clusters": 50}, partial(kmeans_alone, 50)
    ),
    "votes of neighbours, k-means 50, 23,000 x 384": Case(
        partial(topics, 23_000, 384, 50, 0.6),
        {"model": "precomputed", "membership_score": "knn"},
        partial(kmeans_alone, 50),
        given=True,
    ),
    "HDBSCAN, 23,000 x 5, 100 topics": Case(partial(topics, 23_000, 5, 100, 0.05), DENSITY, hdbscan_alone),
    "HDBSCAN, 23,000 x 384, 100 topics": Case(partial(topics, 23_000, 384, 100, 0.6), DENSITY, hdbscan_alone),
    "PCA(30), 6,000 x 2,000 sparse": Case(
        partial(counts, 6_000, 2_000, 8), {"model": "pca", "latent_dim": 30, "n_clusters": 8}, pca_alone
    ),
}


def timed(step: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return what a step gives, and the seconds of the clock and of the processor."""
    started = time.perf_counter(), time.process_time()
    made = step()
    return made, time.perf_counter() - started[0], time.process_time() - started[1]


def run(name: str) -> None:
    """Print one case."""
    from clusterexplain import ClusterExplainer

    case = CASES[name]
    rows = case.rows()
    dense = rows if isinstance(rows, np.ndarray) else rows.toarray()
    found, *alone = timed(lambda: case.alone(dense))
    explainer = ClusterExplainer(random_state=SEED, **case.options)  # type: ignore[arg-type]
    spent = [alone]
    steps: tuple[Callable[[], object], ...] = (
        lambda: explainer.fit(rows, labels=found.labels_ if case.given else None),
        lambda: repr(explainer.explain([7])),
        lambda: explainer.explain(list(range(100, 132))),
    )
    for step in steps:
        _, *seconds = timed(step)
        spent.append(seconds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    columns = [f"{clock:.1f} ({processor:.1f})" for clock, processor in spent]
    ratio = spent[1][1] / alone[1]
    print(f"| {' | '.join([name, *columns])} | {peak:.2f} | {ratio:.2f} |", flush=True)


def main(names: list[str]) -> None:
    """Run every case in a process of its own."""
    print("| case | clusterer alone [s] | fit [s] | first answer [s] | 32 answers [s] | peak [GB] | fit / alone |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for name in names or list(CASES):
        code = f"from tests.benchmarks.bench_embeddings import run; run({name!r})"
        subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
