"""How well the exact influence predicts retraining on digits, for every model, by the protocol of the method page.

Run: ``python tests/benchmarks/faithfulness.py [model ...] [--seeds 0 1 2]``; all models with seed 0 by default. 8 queries: 4
random, 4 among the tenth of the samples with the smallest margin. 48 random single removals, 48 random 5 % groups, 48
down-weightings of single examples by 5 %, 48 random halves. A half keeps the strength of the training: those who stay have
weight 2. Prints a Markdown row for each model and seed: mean Spearman correlations, labels kept / clustering continued.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from clusterexplain import Check, ClusterExplainer, EmbeddingTask, Explanation, load_dataset
from clusterexplain.data.scaling import Scaling
from clusterexplain.statistics import metrics

QUERIES, HALVES = 4, 48
DIGITS = load_dataset("digits")


def named(model: str) -> Callable[[int], ClusterExplainer]:
    """Return a function that fits a named model with default settings."""
    return lambda seed: ClusterExplainer(model, n_clusters=10, random_state=seed).fit(DIGITS)


def clustered(clusterer: str, model: str = "autoencoder", **options: object) -> Callable[[int], ClusterExplainer]:
    """Return a function that fits a named model and clusters it otherwise than by k-means."""
    return lambda seed: ClusterExplainer(model, clusterer, n_clusters=10, random_state=seed, **options).fit(DIGITS)


def own_network(seed: int) -> ClusterExplainer:
    """Fit a network that this package did not build, from its initial weights."""
    torch.manual_seed(seed)
    encoder = nn.Sequential(nn.Linear(64, 48), nn.LayerNorm(48), nn.SiLU(), nn.Linear(48, 8))
    decoder = nn.Sequential(nn.Linear(8, 48), nn.SiLU(), nn.Linear(48, 64))
    task = EmbeddingTask.from_module(encoder, decoder=decoder)
    return ClusterExplainer(model=task, n_clusters=10, scaling="global", random_state=seed).fit(DIGITS)


def trained_elsewhere(activation: type[nn.Module], seed: int, epochs: int = 50) -> tuple[nn.Module, nn.Module]:
    """Train an autoencoder with an ordinary PyTorch loop: Adam as it comes, shuffled batches, no schedule."""
    torch.manual_seed(seed)
    rows = Scaling.measure(DIGITS.X, "global").to_tensor(DIGITS.X, torch.float32)
    encoder = nn.Sequential(nn.Linear(64, 64), activation(), nn.Linear(64, 10))
    decoder = nn.Sequential(nn.Linear(10, 64), activation(), nn.Linear(64, 64))
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)
    for _ in range(epochs):
        for batch in rows[torch.randperm(len(rows))].split(64):
            optimizer.zero_grad()
            (decoder(encoder(batch)) - batch).square().mean().backward()
            optimizer.step()
    return encoder, decoder


def pretrained(activation: type[nn.Module], **options: float) -> Callable[[int], ClusterExplainer]:
    """Return a function that takes over a trained network and explains it by further training."""

    def fit(seed: int) -> ClusterExplainer:
        encoder, decoder = trained_elsewhere(activation, seed)
        task = EmbeddingTask.from_module(encoder, decoder=decoder)
        explainer = ClusterExplainer(model=task, n_clusters=10, scaling="global", random_state=seed, **options)
        return explainer.fit(DIGITS, train=False)

    return fit


FITS: dict[str, Callable[[int], ClusterExplainer]] = {
    **{model: named(model) for model in ("autoencoder", "vae", "contrastive", "dec", "conv_autoencoder")},
    **{name: clustered(name) for name in ("spherical_kmeans", "soft_kmeans", "gmm", "hdbscan")},
    "dec's assignment": clustered("dec", "dec"),
    "own network": own_network,
    "further, ReLU": pretrained(nn.ReLU),
    "further, GELU": pretrained(nn.GELU),
}
STEPS = (35, 70, 145, 290, 580)


def queries(explainer: ClusterExplainer, seed: int) -> np.ndarray:
    """Draw the samples that are asked about."""
    membership = np.sort(explainer.membership(DIGITS), axis=1)
    clustered = np.flatnonzero(explainer.labels_ >= 0)
    ratio = membership[clustered, -1] / membership[clustered, -2]
    boundary = clustered[np.argsort(ratio)[: len(DIGITS) // 10]]
    rng = np.random.default_rng(seed)
    near = rng.choice(boundary, QUERIES, replace=False)
    random = rng.choice(np.setdiff1d(clustered, near), QUERIES, replace=False)
    return np.concatenate([random, near])


def faithfulness(seed: int, model: str = "autoencoder") -> Check:
    """Fit, explain 8 queries and check them."""
    explainer = FITS[model](seed)
    return explainer.verify(explainer.explain(queries(explainer, seed)), n_down=48, n_top=0)


def halves(explanation: Explanation, seed: int) -> dict[str, float]:
    """Retrain on random halves at twice the weight; return mean rank correlations by assignments."""
    rng, n = np.random.default_rng(seed + 1), len(explanation.train_ids)
    weights = np.ones((HALVES + 1, n))
    for row in weights[1:]:
        row[:] = 2
        row[rng.choice(n, n // 2, replace=False)] = 0
    fit, margins, predicted = explanation.fit, explanation.margins, explanation.predict(weights[1:])
    trained = fit.thetas(weights)
    found = {}
    for assignments in ("kept", "continued"):
        scores = np.stack(
            [
                fit.outcome(theta, row, margins, assignments=assignments).scores
                for theta, row in zip(trained, weights, strict=True)
            ]
        )
        found[assignments] = metrics.average(metrics.spearman(predicted, scores[1:] - scores[0]))
    return found


def row(model: str, seed: int, *, with_halves: bool) -> str:
    """Measure one model with one seed."""
    start = time.perf_counter()
    check = faithfulness(seed, model)
    cells = []
    for kind in ("down-weight", "single", "within", "group"):
        low, high = check.figure(kind, "kept", "low"), check.figure(kind, "kept", "high")
        cells.append(
            f"{check.figure(kind, 'kept'):.3f} [{low:.3f}, {high:.3f}] / {check.figure(kind, 'continued'):.3f}"
        )
    found = halves(check.explanation, seed) if with_halves else None
    cells.append(f"{found['kept']:.3f} / {found['continued']:.3f}" if found else "")
    return f"| {model} | {seed} | {' | '.join(cells)} | {time.perf_counter() - start:.0f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(FITS))
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    parser.add_argument("--halves", action="store_true", help="also retrain on halves")
    parser.add_argument("--steps", action="store_true", help="how the answer of `further` changes with its length")
    given = parser.parse_args()
    if given.steps:
        further_steps()
        return
    print(
        "| model | seed | 5 % of one example | one example | one of the own cluster | 5 % groups | halves | seconds |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for model in given.models:
        for seed in given.seeds:
            print(row(model, seed, with_halves=given.halves), flush=True)


def further_steps() -> None:
    """Print how the answer of further training depends on the number of steps, at the rate chosen for the usual number."""
    print(
        "| network | steps | drift | one example | 5 % groups | rows agree with the usual length |\n|---|---|---|---|---|---|"
    )
    for name, activation in (("ReLU", nn.ReLU), ("GELU", nn.GELU)):
        usual = pretrained(activation)(0)
        asked = queries(usual, 0)
        reference = usual.explain(asked).influence
        for steps in STEPS:
            explainer = pretrained(activation, further_steps=steps, further_rate=usual.further_.learning_rate)(0)
            explanation = explainer.explain(asked)
            check = explainer.verify(explanation, n_top=0, n_within=0)
            agreement = metrics.average(metrics.spearman(explanation.influence.T, reference.T))
            print(
                f"| {name} | {steps} | {explainer.further_.drift:.1%} | {check.figure('single', 'kept'):.3f} | "
                f"{check.figure('group', 'kept'):.3f} | {agreement:.3f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
