"""What a method must beat: predictions that know less, for the same scores and the same removals."""

from __future__ import annotations

import contextlib

import numpy as np
import torch
from torch import Tensor
from torch.func import grad, vjp

from clusterexplain.explanation.gradients import cotangents_of
from clusterexplain.influence import TrajectoryObjective
from clusterexplain.influence.baselines import (
    gradient_cosine,
    latent_similarity,
    random_rows,
    same_cluster,
)
from clusterexplain.results.explanation import Explanation
from clusterexplain.training import Trajectory

BASELINES = (
    "same_cluster", "direct", "latent_distance", "gradient_dot", "gradient_cosine", "loss", "random",
)  # fmt: skip


def reference_rankings(explanation: Explanation, *, seed: int) -> dict[str, np.ndarray]:
    """Return the baselines as influences.

    Parameters
    ----------
    explanation : Explanation
        Gives the fit, the scores and the direct component.
    seed : int
        Of the random numbers.

    Returns
    -------
    dict of str to ndarray of shape (n_queries, n_samples)
        By name: same_cluster (the example is in the query's own cluster), direct (the example's own weight in its cluster, the
        network held fixed), latent_distance (minus the squared distance in the embedding), gradient_dot and gradient_cosine
        (of loss and score), loss (the larger the loss of an example, the more it is thought to push), random. Left out are
        distances and clusters for scores of whole clusters, which are nowhere; the cosine where a network has no forward
        derivative; what needs the loss of a training where the model is in closed form; and the direct part where it is all.
    """
    fit = explanation.fit
    n, width = explanation.influence.shape
    rankings = {"random": random_rows(n, width, seed=seed).numpy()}
    if fit.recipe.layout.size:  # of an embedding that is given, the direct part is all
        rankings["direct"] = explanation.direct
    if not fit.recipe.task.closed_form:
        rankings |= _of_the_loss(explanation)
    if not explanation.combined:
        own = torch.from_numpy(explanation.labels.copy())
        rankings["same_cluster"] = same_cluster(own, fit.clustering.labels).numpy()
        rankings["latent_distance"] = latent_similarity(
            fit.embed_normalized(fit.query_inputs(explanation.margins)), fit.assignment.embedding
        ).numpy()
    return {name: rankings[name] * explanation.sample_weight for name in BASELINES if name in rankings}


def _of_the_loss(explanation: Explanation) -> dict[str, np.ndarray]:
    """Return the rankings that read gradients of the training's loss."""
    fit, trajectory = explanation.fit, explanation.fit.trajectory
    objective = TrajectoryObjective.of_trajectory(trajectory)
    through = cotangents_of(fit, explanation.margins)
    cotangents = through.encoder + through.cluster
    losses = grad(lambda weights: objective(trajectory.final, weights))(trajectory.weights)
    rankings = {
        "gradient_dot": _gradient_products(objective, trajectory, cotangents),
        "loss": np.tile(-losses.double().numpy(), (len(cotangents), 1)),
    }
    with contextlib.suppress(RuntimeError, NotImplementedError):  # not every network can be differentiated forwards
        rankings["gradient_cosine"] = (
            gradient_cosine(objective, trajectory.final, trajectory.weights, cotangents).double().numpy()
        )
    return rankings


def _gradient_products(objective: TrajectoryObjective, trajectory: Trajectory, cotangents: Tensor) -> np.ndarray:
    """Return :func:`clusterexplain.influence.baselines.gradient_dot` backwards alone, as the training itself can be."""
    slope = grad(objective)
    pull = vjp(lambda weights: slope(trajectory.final, weights), trajectory.weights)[1]
    return -torch.stack([pull(cotangent)[0] for cotangent in cotangents]).double().numpy()
