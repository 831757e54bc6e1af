"""Where the training starts: what the embedding keeps, and how far answers of two seeds agree.

Run: ``python -m tests.benchmarks.starts [data ...] [--models autoencoder ...] [--steps 700] [--rate 1e-3]``. One Markdown row
for each data set, model and start. Two fits with seeds 0 and 1 have other random weights and other batches; both explain the
labels that the clustering of the first found, so that their margins are the same question. 12 samples, half of them at a
boundary; 24 random single removals and 12 random 5 % groups are retrained with seed 0, labels kept. Columns: share of the
variance that the reconstruction leaves, beside principal components of the same dimension; adjusted Rand index of k-means with
the known classes, on the embedding, on those components and on the rows; mean Spearman correlation, with 95 % intervals over
the samples, of the two seeds' rows (all, without the direct part) and of seed 0's retrained changes with the predictions of
seed 0 and of seed 1 (single removals, then groups).
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from sklearn import datasets
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from clusterexplain import ClusterExplainer
from clusterexplain.explanation.gradients import influence_rows
from clusterexplain.results.influence_rows import InfluenceRows
from clusterexplain.results.margins import Margins
from clusterexplain.statistics import bootstrap_interval, spearman

QUERIES, SINGLES, GROUPS, SHARE = 12, 24, 12, 0.05
Rows = tuple[np.ndarray, np.ndarray]


def unit_vectors(n_samples: int = 3000, n_features: int = 384, n_topics: int = 30) -> Rows:
    """Return unit vectors around topics, as of a sentence encoder, and the topics."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(n_topics, n_features))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    topics = rng.integers(n_topics, size=n_samples)
    X = centres[topics] + 0.08 * rng.normal(size=(n_samples, n_features))
    return X / np.linalg.norm(X, axis=1, keepdims=True), topics


def counts_of_types(n_cells: int = 6000, n_genes: int = 2000) -> Rows:
    """Return counts of overdispersed genes in 8 types of cells, the rarest of 20 of 6,000 cells, and the types."""
    rng = np.random.default_rng(0)
    shares = np.array([0.3, 0.22, 0.16, 0.12, 0.1, 0.06, 0.04 - 20 / 6000, 20 / 6000])
    types = rng.permutation(np.repeat(np.arange(8), np.diff(np.round(np.cumsum([0, *shares]) * n_cells).astype(int))))
    rates = np.tile(rng.gamma(0.4, 1.0, size=n_genes), (8, 1))
    for profile in rates:
        profile[rng.choice(n_genes, 60, replace=False)] *= rng.uniform(3, 8, size=60)
    expected = (rates / rates.sum(axis=1, keepdims=True))[types] * np.exp(rng.normal(0, 0.35, (n_cells, 1))) * 1500
    return rng.poisson(rng.gamma(2.0, expected / 2.0)), types


def log_counts(n_cells: int = 6000, n_genes: int = 2000) -> Rows:
    """Return logarithms of those counts, normalised to the median total of a cell, and the types."""
    counts, types = counts_of_types(n_cells, n_genes)
    totals = counts.sum(axis=1, keepdims=True)
    return np.log1p(counts / totals * np.median(totals)), types


def table(load: Callable[..., Rows]) -> Rows:
    """Return a data set of scikit-learn with its columns at unit variance, and its classes."""
    X, classes = load(return_X_y=True)
    return (X - X.mean(axis=0)) / X.std(axis=0), classes


DATA: dict[str, tuple[Callable[[], Rows], int]] = {
    "digits": (lambda: datasets.load_digits(return_X_y=True), 10),
    "wine": (lambda: table(datasets.load_wine), 5),
    "breast cancer": (lambda: table(datasets.load_breast_cancer), 10),
    "unit vectors": (unit_vectors, 10),
    "log counts": (log_counts, 10),
}
"""Rows and classes, and the dimension of the embedding."""


@dataclass(frozen=True, eq=False)
class TwoSeeds:
    """Two fits of one recipe with the same labels, and what is asked of both."""

    fits: tuple[ClusterExplainer, ClusterExplainer]
    margins: Margins
    rows: tuple[InfluenceRows, InfluenceRows]

    @classmethod
    def of(cls, X: np.ndarray, n_clusters: int, options: dict[str, object]) -> TwoSeeds:
        """Fit both and explain the same margins."""
        found = ClusterExplainer(n_clusters=n_clusters, random_state=0, **options).fit(X).labels_
        first, second = (
            ClusterExplainer(clusterer=found, membership_score="margin", random_state=seed, **options).fit(X)
            for seed in (0, 1)
        )
        rng, near = np.random.default_rng(1), np.argsort(np.abs(first.fit_.assignment.train_margins.numpy()))
        half = QUERIES // 2
        asked = [*rng.choice(len(X), half, replace=False), *rng.choice(near[: len(X) // 10], half, replace=False)]
        margins = first.explain(np.array(asked)).margins
        rows = [influence_rows(ce.fit_, margins, ce.fit_.jacobian()) for ce in (first, second)]
        return cls((first, second), margins, (rows[0], rows[1]))

    def agreements(self) -> list[np.ndarray]:
        """Return the rank correlations of the columns, each for every sample."""
        totals = [rows.total.T for rows in self.rows]
        through_training = [(rows.encoder + rows.cluster).T for rows in self.rows]
        removed, changes = self._retrained()
        found = [spearman(*totals), spearman(*through_training)]
        for kind in (slice(0, SINGLES), slice(SINGLES, None)):
            found += [spearman(-removed[kind] @ total, changes[kind]) for total in totals]
        return found

    def _retrained(self) -> tuple[np.ndarray, np.ndarray]:
        """Return what is removed, 0 or 1 of shape (n_removals, n_samples), and the changes of the margins."""
        n, rng = len(self.rows[0].total.T), np.random.default_rng(2)
        removed = np.zeros((SINGLES + GROUPS, n))
        removed[np.arange(SINGLES), rng.choice(n, SINGLES, replace=False)] = 1
        for group in removed[SINGLES:]:
            group[rng.choice(n, int(SHARE * n), replace=False)] = 1
        fit, weights = self.fits[0].fit_, np.concatenate([np.ones((1, n)), 1 - removed])
        scores = [
            fit.outcome(theta, row, self.margins, assignments="kept").scores
            for theta, row in zip(fit.thetas(weights), weights, strict=True)
        ]
        return removed, np.stack(scores[1:]) - scores[0]


def residual(ce: ClusterExplainer) -> float:
    """Return the share of the variance that the reconstruction leaves; NaN for a model without a decoder."""
    recipe = ce.fit_.recipe
    if not hasattr(recipe.task, "reconstruct"):
        return float("nan")
    with torch.no_grad():
        left = recipe.task.reconstruct(ce.fit_.params, recipe.inputs) - recipe.inputs
    return float(left.square().mean() / (recipe.inputs - recipe.inputs.mean(dim=0)).square().mean())


def rand_index(rows: np.ndarray, classes: np.ndarray) -> float:
    """Return the adjusted Rand index of a k-means with as many clusters as classes."""
    found = KMeans(len(np.unique(classes)), n_init=10, random_state=0).fit_predict(rows)
    return float(adjusted_rand_score(classes, found))


def row(name: str, options: dict[str, object]) -> str:
    """Measure one data set, model and start."""
    load, latent_dim = DATA[name]
    X, classes = load()
    two = TwoSeeds.of(X, len(np.unique(classes)), {**options, "latent_dim": latent_dim})
    pca = PCA(latent_dim, random_state=0).fit(X)
    left = f"{residual(two.fits[0]):.3f} ({1 - pca.explained_variance_ratio_.sum():.3f})"
    indices = [rand_index(rows, classes) for rows in (two.fits[0].embedding_, pca.transform(X), X)]
    agreed = [str(bootstrap_interval(each, largest=1.0)) for each in two.agreements()]
    rand = f"{indices[0]:.2f} ({indices[1]:.2f}, {indices[2]:.2f})"
    cells = [name, str(options["model"]), str(options["start"]), left, rand, *agreed]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", default=["digits"])
    parser.add_argument("--models", nargs="+", default=["autoencoder"])
    parser.add_argument("--starts", nargs="+", default=["random", "fixed", "pca"])
    parser.add_argument("--steps", type=int)
    parser.add_argument("--rate", type=float)
    asked = parser.parse_args()
    print(
        "| data | model | start | left (PCA) | Rand index (PCA, rows) | rows of two seeds | without direct | singles, own | "
        "singles, other seed | groups, own | groups, other seed |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for name in asked.data:
        for model in asked.models:
            for start in asked.starts:
                options = {"model": model, "start": start, "n_steps": asked.steps, "learning_rate": asked.rate}
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    print(row(name, {**options, "min_agreement": 0.0}), flush=True)


if __name__ == "__main__":
    main()
