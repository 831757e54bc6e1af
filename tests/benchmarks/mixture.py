"""The mixture of three Gaussians of the cross-loss paper, with DEC trained until its assignments settle.

Run: ``python tests/benchmarks/mixture.py [seed ...]``. 50 points each at (0, 0), (5, 5) and (5, -5), standard deviation 1.25;
network 2-12-12, GELU, 300 full-batch steps, targets recomputed at every step. Every one of the 150 points is removed in turn,
everything is trained again, and the change of every point's margin is compared with the prediction: 150 x 150 numbers for each
seed, labels kept and clustering continued. The baseline knows only whether the removed point is in the query's cluster.
"""

from __future__ import annotations

import sys

import numpy as np

from clusterexplain import ClusterExplainer
from clusterexplain.models.dec import student_t
from clusterexplain.statistics import metrics
from clusterexplain.training import Trajectory

MEANS = ((0.0, 0.0), (5.0, 5.0), (5.0, -5.0))
PER_CLUSTER, DEVIATION = 50, 1.25


def mixture(seed: int) -> np.ndarray:
    """Draw the 150 points."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(mean, DEVIATION, (PER_CLUSTER, 2)) for mean in MEANS])


def settled(trajectory: Trajectory) -> float:
    """Return the share of points whose largest soft assignment is the same at two thirds of the steps and at the end."""
    task, recipe = trajectory.recipe.task, trajectory.recipe
    at = [recipe.layout.split(trajectory.checkpoints[2 * len(trajectory.checkpoints) // 3][0]), trajectory.params]
    early, late = (student_t(task.embed(params, recipe.inputs), params["centroids"]).argmax(dim=1) for params in at)
    return float((early == late).double().mean())


def leave_one_out(seed: int) -> dict[str, float]:
    """Train, explain all points, remove each in turn; return mean correlations over the queries."""
    points = mixture(seed)
    explainer = ClusterExplainer(
        model="dec",
        n_clusters=3,
        hidden=(12,),
        latent_dim=12,
        n_steps=300,
        batch_size=len(points),
        model_options={"pretrain": 0.0, "update_every": 1, "rate": 1.0},
        random_state=seed,
    ).fit(points)
    explanation = explainer.explain(slice(None))
    fit = explainer.fit_
    weights = np.vstack([np.ones((1, len(points))), 1 - np.eye(len(points))])
    trained = fit.thetas(weights)
    predicted = explanation.predict(weights[1:])
    member = explanation.train_labels[:, None] == explanation.labels
    found: dict[str, float] = {
        "smallest cluster": float(np.bincount(explanation.train_labels).min()),
        "settled": settled(fit.trajectory),
    }
    for assignments in ("kept", "continued"):
        scores = np.stack(
            [
                fit.outcome(theta, row, explanation.margins, assignments=assignments).scores
                for theta, row in zip(trained, weights, strict=True)
            ]
        )
        truth = scores[1:] - scores[0]
        found |= {
            f"pearson {assignments}": metrics.average(metrics.pearson(predicted, truth)),
            f"spearman {assignments}": metrics.average(metrics.spearman(predicted, truth)),
            f"within {assignments}": metrics.average(metrics.spearman(np.where(member, predicted, np.nan), truth)),
            f"same cluster {assignments}": metrics.average(metrics.pearson(-member.astype(float), truth)),
        }
    return found


if __name__ == "__main__":
    seeds = [int(argument) for argument in sys.argv[1:]] or list(range(10))
    for seed in seeds:
        figures = leave_one_out(seed)
        if seed == seeds[0]:
            print("| seed | " + " | ".join(figures) + " |\n|---" * 1 + "|---" * len(figures) + "|")
        print(f"| {seed} | " + " | ".join(f"{value:.3f}" for value in figures.values()) + " |", flush=True)
