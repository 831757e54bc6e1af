"""Speed of every model on digits with default settings, as ratios within one run.

Run: ``python tests/benchmarks/bench_models.py [model ...]``. One Markdown row for each model: seconds of one recorded training;
exact rows for 8 queries (all three parts) over that training; 32 recorded trainings one after the other over 32 replicas on all
cores; parameters; megabytes of recorded states. Tracing happens before the clock starts.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
import torch

from clusterexplain.training import retrain_many
from clusterexplain.training.trajectory import train
from tests.benchmarks.bench_core import seconds
from tests.benchmarks.faithfulness import FITS

REPLICAS = 32


def row(model: str) -> str:
    """Measure one model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        explainer = FITS[model](0)
    trajectory = explainer.fit_.trajectory
    weights = torch.ones(REPLICAS, trajectory.recipe.n_samples)
    weights[torch.arange(REPLICAS), torch.arange(REPLICAS)] = 0
    explainer.explain(np.arange(8))
    retrain_many(trajectory.recipe, weights)
    training = seconds(lambda: train(trajectory.recipe, trajectory.weights, spacing=trajectory.spacing))
    rows = seconds(lambda: explainer.explain(np.arange(8)))
    together = seconds(lambda: retrain_many(trajectory.recipe, weights))
    states = sum(part.numel() * part.element_size() for state in trajectory.checkpoints for part in state[:3])
    return (
        f"| {model} | {training:.2f} | {rows / training:.1f} | {REPLICAS * training / together:.1f} | "
        f"{trajectory.recipe.layout.size} | {states / 1e6:.0f} |"
    )


if __name__ == "__main__":
    print(
        "| model | one training [s] | 8 exact rows / training | 32 trainings / 32 replicas | parameters | states [MB] |"
    )
    print("|---|---|---|---|---|---|")
    for name in sys.argv[1:] or list(FITS):
        print(row(name), flush=True)
