"""Speed of the core on digits with default settings, as ratios within one run: machines here are noisy.

Run: ``python tests/benchmarks/bench_core.py [repeats]``. Prints a Markdown table.

* exact rows for 1, 8 and 64 queries (all three parts) over the time of the recorded training of the same recipe;
* 64 separate plain PyTorch trainings (nn.Module, torch.optim.AdamW, LambdaLR) of the same sizes over 64 replicas. The plain
  trainings run one after the other on one thread, which is their fastest setting at this size; replicas use all cores;
* memory of the recorded training and peak memory of the process.

Each ratio is the median over the repeats; numerator and denominator are measured next to each other. Tracing, which
happens once for each shape, is included in the first repeat only and shown in a row of its own.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from clusterexplain import ClusterExplainer, load_dataset
from clusterexplain.execution import Execution, one_thread
from clusterexplain.training import Recipe, retrain_many
from clusterexplain.training.trajectory import train

QUERIES = (1, 8, 64)
REPLICAS = 64
PLAIN_SHARE = 4
"""Plain trainings that are really run for each repeat; their time is scaled up to REPLICAS."""


def seconds(function: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def plain_training(recipe: Recipe) -> nn.Module:
    """Train the same network the ordinary way."""
    net = nn.Sequential(
        nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 10), nn.Linear(10, 64), nn.GELU(), nn.Linear(64, 64)
    )
    optimizer = torch.optim.AdamW(net.parameters(), lr=recipe.optimizer.learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, recipe.optimizer.schedule)
    weights = torch.ones(recipe.n_samples)
    for index in recipe.plan.indices:
        inputs = recipe.inputs[index]
        optimizer.zero_grad()
        loss = ((net(inputs) - inputs).square().mean(dim=1) * weights[index]).sum() / len(index)
        loss.backward()
        optimizer.step()
        schedule.step()
    return net


def main(repeats: int) -> None:
    """Measure and print."""
    data = load_dataset("digits")
    explainer = ClusterExplainer(n_clusters=10, random_state=0).fit(data)
    trajectory = explainer.fit_.trajectory
    weights = torch.ones(REPLICAS, len(data))
    weights[torch.arange(REPLICAS), torch.arange(REPLICAS)] = 0
    tracing = {n: seconds(lambda n=n: explainer.explain(np.arange(n))) for n in QUERIES}
    seconds(lambda: retrain_many(trajectory.recipe, weights))
    ratios: dict[str, list[float]] = {}
    for _ in range(repeats):
        training = seconds(lambda: train(trajectory.recipe, trajectory.weights, spacing=1))
        ratios.setdefault("one recorded training [s]", []).append(training)
        for n in QUERIES:
            rows = seconds(lambda n=n: explainer.explain(np.arange(n)))
            ratios.setdefault(f"exact rows, {n} queries / training", []).append(rows / training)
            ratios.setdefault(f"tracing, {n} queries [s]", []).append(tracing[n] - rows)
        with one_thread():
            plain = seconds(lambda: [plain_training(trajectory.recipe) for _ in range(PLAIN_SHARE)]) / PLAIN_SHARE
        ratios.setdefault("one plain training [s]", []).append(plain)
        ratios.setdefault("recorded training / plain training", []).append(training / plain)
        for jobs in (1, None):
            together = seconds(
                lambda jobs=jobs: retrain_many(trajectory.recipe, weights, execution=Execution(n_jobs=jobs))
            )
            name = f"{REPLICAS} plain trainings / {REPLICAS} replicas, {'one core' if jobs else 'all cores'}"
            ratios.setdefault(name, []).append(REPLICAS * plain / together)
    states = sum(part.numel() * part.element_size() for state in trajectory.checkpoints for part in state)
    print(f"| what | median | range of {repeats} |\n|---|---|---|")
    for name, values in ratios.items():
        print(f"| {name} | {statistics.median(values):.2f} | {min(values):.2f} - {max(values):.2f} |")
    print(f"| recorded states [MB] | {states / 1e6:.0f} | |")
    print(f"| peak memory of the process [MB] | {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} | |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
