"""Planted causes are found, and flips are confirmed, on digits.

Run: ``python -m tests.benchmarks.questions [bridges] [near_duplicates] [flips]``; all by default. Prints Markdown rows.

* bridges: points between two clusters (means of a member of each) are added to the data. ``between`` should name them first
  among those that merge the two clusters, and removing them should part the clusters as predicted.
* near_duplicates: near-duplicates of a query are added with the label of its runner-up cluster. ``explain`` should name
  them first among those that push it away, and removing them should move the query as predicted.
* flips: ``flip`` for boundary samples, against two baselines that remove members of the own cluster: latent nearest
  neighbours first, and in random order. All sizes are the smallest that a search by retraining found, with the same search.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from clusterexplain import ClusterExplainer, Dataset, Explanation
from clusterexplain.explanation import Retrainings, shortest_prefix
from tests.benchmarks.faithfulness import DIGITS

PLANTED = 20
PAIRS = ((2, 7), (3, 8), (4, 5), (3, 5))
N_FLIPS = 10


def fitted(X: np.ndarray, clusterer: object = "kmeans", seed: int = 0) -> ClusterExplainer:
    """Fit with default settings."""
    data = Dataset(X, image_shape=(8, 8))
    return ClusterExplainer(clusterer=clusterer, n_clusters=10, random_state=seed).fit(data)


def recall(explanation: Explanation, planted: np.ndarray, k: int) -> float:
    """Return the share of the planted rows among the `k` strongest on the negative side."""
    strongest = np.argsort(explanation.influence[0], kind="stable")[:k]
    return float(np.isin(planted, strongest).mean())


def removed(explanation: Explanation, planted: np.ndarray) -> tuple[float, float, float]:
    """Remove the planted rows; return the score before, the predicted change and the retrained one (clustering continued)."""
    weights = explanation.sample_weight.copy()
    weights[planted] = 0
    fit = explanation.fit
    truth = explanation.evaluate(fit.refit(weights)) - explanation.evaluate(fit)
    predicted = explanation.predict(weights, assignments="continued")
    return float(explanation.scores[0]), float(predicted[0]), float(truth[0])


def bridges(pair: tuple[int, int], n_planted: int = PLANTED) -> tuple[Explanation, np.ndarray]:
    """Plant points between two clusters of the plain fit and ask what is between them."""
    base = fitted(DIGITS.X)
    rng = np.random.default_rng(pair[0])
    ends = [rng.choice(np.flatnonzero(base.labels_ == cluster), n_planted, replace=False) for cluster in pair]
    planted = np.arange(len(DIGITS), len(DIGITS) + n_planted)
    explainer = fitted(np.vstack([DIGITS.X, (DIGITS.X[ends[0]] + DIGITS.X[ends[1]]) / 2]))
    # Clusters may be numbered otherwise with the new rows: those of the ends' members are meant.
    first, second = (int(np.bincount(explainer.labels_[: len(DIGITS)][base.labels_ == one]).argmax()) for one in pair)
    return explainer.separation(first, second), planted


def near_duplicates(query: int, n_planted: int = PLANTED) -> tuple[Explanation, np.ndarray]:
    """Plant near-duplicates of a query with the label of its runner-up cluster and ask why the query is where it is."""
    base = fitted(DIGITS.X)
    asked = base.explain([query])
    rng = np.random.default_rng(query)
    near = DIGITS.X[query] + rng.normal(size=(n_planted, DIGITS.X.shape[1]))
    labels = np.concatenate([base.labels_, np.full(n_planted, asked.runner_ups[0])])
    explainer = fitted(np.vstack([DIGITS.X, near]), labels)
    return explainer.explain([query], against=int(asked.runner_ups[0])), np.arange(len(DIGITS), len(labels))


def flips(explainer: ClusterExplainer, query: int, max_removed: int = 179) -> dict[str, int | None]:
    """Return the smallest sizes of sets whose removal moves a sample to its runner-up, by how the sets were chosen."""
    found = explainer.flip([query], max_removed=max_removed)
    explanation = explainer.explain([query])
    embedding, labels = explainer.embedding_, explainer.labels_
    own = np.flatnonzero(labels == explanation.labels[0])
    own = own[own != query]
    nearest = own[np.argsort(np.linalg.norm(embedding[own] - embedding[query], axis=1), kind="stable")]
    random = np.random.default_rng(query).permutation(own)
    sizes: dict[str, int | None] = {"flip": len(found.removed) if found.flipped else None}
    for name, order in (("nearest", nearest), ("random", random)):
        retrainings = Retrainings(explanation)
        prefix = shortest_prefix(order, 0, min(len(order), max_removed), retrainings, 0)
        sizes[name] = None if prefix is None else len(prefix)
    return sizes


def boundary_samples(explainer: ClusterExplainer, n: int = N_FLIPS, seed: int = 0) -> np.ndarray:
    """Draw samples from the tenth with the smallest margins."""
    membership = np.sort(explainer.membership(DIGITS), axis=1)
    boundary = np.argsort(membership[:, -1] / membership[:, -2])[: len(DIGITS) // 10]
    return np.random.default_rng(seed).choice(boundary, n, replace=False)


def print_planted(name: str, cases: list[tuple[object, Callable[[], tuple[Explanation, np.ndarray]]]]) -> None:
    """Print one row for each case."""
    print(f"| {name} | recall in the top {PLANTED} | top 5 % | score | predicted | retrained |")
    print("|---|---|---|---|---|---|")
    for case, plant in cases:
        explanation, planted = plant()
        score, predicted, truth = removed(explanation, planted)
        few, many = recall(explanation, planted, len(planted)), recall(explanation, planted, len(DIGITS) // 20)
        cells = f"{few:.2f} | {many:.2f} | {score:.3f} | {predicted:+.3f} | {truth:+.3f}"
        print(f"| {case} | {cells} |", flush=True)


def print_flips() -> None:
    """Print one row for each boundary sample."""
    explainer = fitted(DIGITS.X)
    print("| sample | flip | latent nearest neighbours | random members |\n|---|---|---|---|")
    for query in boundary_samples(explainer):
        sizes = flips(explainer, int(query))
        print("| " + " | ".join([str(query), *(str(size or "none") for size in sizes.values())]) + " |", flush=True)


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["bridges", "near_duplicates", "flips"])
    parts = parser.parse_args().parts
    if "bridges" in parts:
        print_planted("clusters", [(pair, lambda pair=pair: bridges(pair)) for pair in PAIRS])
    if "near_duplicates" in parts:
        queries = np.random.default_rng(1).choice(len(DIGITS), 4, replace=False)
        print_planted("query", [(int(query), lambda query=int(query): near_duplicates(query)) for query in queries])
    if "flips" in parts:
        print_flips()


if __name__ == "__main__":
    main()
