"""Retraining without each example in turn, which the predictions are compared with."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.func import vmap

from clusterexplain.experiments.mixture.network import MixtureNetwork
from clusterexplain.influence.solvers import Solution
from clusterexplain.training import Recipe, retrain_many


def leave_one_out(recipe: Recipe, removed: Tensor, queries: Tensor, own: Tensor) -> np.ndarray:
    """Train once on all examples and once without each of some of them, and return the changes of the scores.

    Every training starts from the same parameters with a fresh optimizer, and recomputes its targets and where its centroids
    start from the examples that are left.

    Parameters
    ----------
    recipe : Recipe
        Of a :class:`MixtureNetwork`.
    removed, queries : Tensor of shape (n_removed,) and (n_queries,), int64
        Row numbers.
    own : Tensor of shape (n_queries,), int64
        Their clusters.

    Returns
    -------
    ndarray of shape (n_removed, n_queries)
        Score without the example minus score with all examples.
    """
    weights = torch.cat([torch.ones(1, recipe.n_samples, dtype=recipe.dtype), without_each(recipe, removed)])
    scores = scores_of(recipe, retrain_many(recipe, weights, chunk=len(weights)), queries, own)
    changes: np.ndarray = scores[1:] - scores[0]
    return changes


def without_each(recipe: Recipe, removed: Tensor) -> Tensor:
    """Return data weights that leave out one example in each row, shape (n_removed, n_samples)."""
    return 1 - torch.eye(recipe.n_samples, dtype=recipe.dtype)[removed]


def scores_of(recipe: Recipe, thetas: Tensor, queries: Tensor, own: Tensor) -> np.ndarray:
    """Return log memberships of the queries under several networks, shape (n_networks, n_queries)."""
    task, layout, points = recipe.task, recipe.layout, recipe.inputs[queries]
    assert isinstance(task, MixtureNetwork)
    with torch.no_grad():
        return vmap(lambda theta: task.log_memberships(layout.split(theta), points, own))(thetas).numpy()


def solver_facts(solution: Solution) -> dict[str, float | str]:
    """Return how a solver fared, in two columns."""
    return {"LiSSA": solution.status.name.lower().replace("_", " "), "residual": float(solution.residual.median())}
