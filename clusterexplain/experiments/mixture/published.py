"""The experiment as published: two steps of Adam, one optimizer for all retrainings, one truth for both arms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from clusterexplain.clustering import KMeansClusterer, centroid_state
from clusterexplain.execution import DEFAULT_EXECUTION, Execution, one_thread
from clusterexplain.experiments.mixture.corrected import OWN_LOSS, purity
from clusterexplain.experiments.mixture.estimates import estimates
from clusterexplain.experiments.mixture.network import MixtureNetwork
from clusterexplain.experiments.mixture.points import MEANS, N_COMPONENTS, draw_mixture, query_and_removal_rows
from clusterexplain.experiments.mixture.predicted_and_retrained import CROSS, MATCHED, Comparison
from clusterexplain.experiments.mixture.removal import leave_one_out, scores_of, solver_facts, without_each
from clusterexplain.influence import Unrolled
from clusterexplain.models import CENTROIDS, Params
from clusterexplain.training import Adam, BatchPlan, CompiledSteps, Recipe, Trajectory, train

N_STEPS, LEARNING_RATE = 2, 1e-3
EPSILON = 1e-16
"""Inside the square root, where it does what the published 1e-8 does outside of it."""
START_NOISE = 0.5
AS_PUBLISHED, FRESH = "as published", "fresh optimizer"


def published(seed: int, *, removed_every: int, execution: Execution = DEFAULT_EXECUTION) -> list[Comparison]:
    """Run both arms for one draw of the points.

    Parameters
    ----------
    seed : int
        Of points, initial parameters and the noise on the centroids.
    removed_every : int
        Distance of two removed points in the order of the points; 1 removes each in turn. The published retrainings are
        repeated for each query with the optimizer as the last one left it, so fewer of them also mean a shorter chain.
    execution : Execution, default=DEFAULT_EXECUTION
        Chunks of exact rows that are computed side by side, and a bar for the chain.

    Returns
    -------
    list of Comparison
        Both arms against the published truth (retraining on the negative log-likelihood, the optimizer carried over), the
        same with fresh optimizers, and each arm's own loss with fresh optimizers, which for the matched arm is the second.
    """
    points, components = draw_mixture(seed)
    queries, removed = query_and_removal_rows(len(points), removed_every)
    initial = initial_network(points, seed)
    trajectories = {MATCHED: trained(points, initial, components), CROSS: trained(points, initial, None)}
    clusters = {arm: clusters_of_components(trajectory)[components] for arm, trajectory in trajectories.items()}
    own = clusters[MATCHED][queries]
    likelihood = recipe_of(points, initial, clusters[MATCHED])
    truths = {
        AS_PUBLISHED: chain(likelihood, removed, queries, own, execution),
        FRESH: leave_one_out(likelihood, removed, queries, own),
    }
    comparisons = []
    for arm, trajectory in trajectories.items():
        mine = clusters[arm][queries]
        rows, facts = _rows(
            trajectory,
            likelihood if arm == MATCHED else trajectory.recipe,
            queries,
            mine,
            clusters[arm],
            execution.silent(),
        )
        facts |= {"settled": float("nan"), "purity": purity(_assigned(trajectory), components)}
        last = {} if arm == MATCHED else {OWN_LOSS: leave_one_out(trajectory.recipe, removed, queries, mine)}
        for truth, retrained in (truths | last).items():
            comparisons.append(
                Comparison(
                    variant="published",
                    arm=arm,
                    truth=truth,
                    retrained=retrained,
                    predicted={name: -row.numpy().T[removed] for name, row in rows.items()},
                    member=(clusters[arm][removed][:, None] == mine).numpy(),
                    queries=queries.numpy(),
                    removed=removed.numpy(),
                    components=components[queries].numpy(),
                    facts=facts,
                )
            )
    return comparisons


def initial_network(points: Tensor, seed: int) -> Params:
    """Draw the encoder, put the centroids on the means of a k-means of its embedding, and add noise to them once."""
    generator = torch.Generator().manual_seed(seed)
    task = MixtureNetwork("relu")
    params = task.initial_params(generator, points.dtype)
    embedding, weights = task.embed(params, points), torch.ones(len(points), dtype=points.dtype)
    labels = torch.from_numpy(KMeansClusterer(N_COMPONENTS, seed=seed).fit(embedding.numpy(), weights.numpy()))
    centers = centroid_state(embedding, weights, labels, N_COMPONENTS).centers
    noise = torch.randn(centers.shape, generator=generator, dtype=points.dtype)
    return params | {CENTROIDS: centers + START_NOISE * noise}


def recipe_of(points: Tensor, initial: Params, labels: Tensor | None) -> Recipe:
    """Return two full-batch steps of Adam on the labels, or on DEC's targets if there are none."""
    plan = BatchPlan(torch.arange(len(points)).repeat(N_STEPS, 1), 0)
    optimizer = Adam(LEARNING_RATE, N_STEPS, weight_decay=0.0, warmup=0.0, shape="constant", eps=EPSILON)
    return Recipe(MixtureNetwork("relu", labels=labels), points, initial, plan, optimizer)


def trained(points: Tensor, initial: Params, labels: Tensor | None) -> Trajectory:
    """Train one arm on all points."""
    return train(recipe_of(points, initial, labels), torch.ones(len(points), dtype=points.dtype), spacing=1)


def clusters_of_components(trajectory: Trajectory) -> Tensor:
    """Return the cluster in which the network puts the mean of each Gaussian, shape (3,); two may share one."""
    with torch.no_grad():
        return (
            _task(trajectory)
            .assignments(trajectory.params, torch.tensor(MEANS, dtype=trajectory.recipe.dtype))
            .argmax(dim=1)
        )


def chain(
    recipe: Recipe, removed: Tensor, queries: Tensor, own: Tensor, execution: Execution = DEFAULT_EXECUTION
) -> np.ndarray:
    """Return the published truth: for each query the examples are removed in turn, by one optimizer.

    The network is put back before each retraining, the moments of Adam and its count of steps are not: a retraining of two
    steps is moved by the gradients of the retrainings before it.

    Parameters
    ----------
    recipe : Recipe
        Of the matched arm.
    removed : Tensor of shape (n_removed,), int64
        Row numbers of what is removed, in this order.
    queries, own : Tensor of shape (n_queries,), int64
        Row numbers and clusters.
    execution : Execution, default=DEFAULT_EXECUTION
        Whether a bar is shown; a chain runs on one thread.

    Returns
    -------
    ndarray of shape (n_removed, n_queries)
        Changes of the scores, up to a constant for each query, which no correlation sees.
    """
    optimizer, n = recipe.optimizer, recipe.n_samples
    compiled = CompiledSteps(recipe)
    start, first, second, memory = compiled.prepared(recipe.initial_state(), torch.ones(n, dtype=recipe.dtype), 0)
    step, all_rows = compiled.step(0), torch.arange(n)
    taken, columns = 0, []
    with one_thread(), torch.inference_mode():
        for query in execution.track(range(len(queries)), "retraining in a chain"):
            thetas = []
            for weights in without_each(recipe, removed):
                theta = start
                for _ in range(recipe.plan.n_steps):
                    coefficients = torch.tensor(optimizer.coefficients(taken), dtype=recipe.dtype)
                    state = (theta, first, second, memory)
                    theta, first, second, memory = step(state, coefficients, recipe.inputs, weights, all_rows)
                    taken += 1
                thetas.append(theta)
            columns.append(scores_of(recipe, torch.stack(thetas), queries[query : query + 1], own[query : query + 1]))
    return np.concatenate(columns, axis=1)


def _rows(
    trajectory: Trajectory, retrained: Recipe, queries: Tensor, own: Tensor, clusters: Tensor, execution: Execution
) -> tuple[dict[str, Tensor], dict[str, float | str]]:
    """Return the estimates at a trained network with the labels of the retrainings, and the derivative of the latter."""
    points = trajectory.recipe.inputs[queries]
    again = train(retrained, trajectory.weights, spacing=1)
    exact = Unrolled(again, execution).vjp(_task(again).cotangents(retrained.layout, again.final, points, own))
    here = replace(trajectory, recipe=retrained)
    cotangents = _task(here).cotangents(retrained.layout, trajectory.final, points, own)
    rows, solution = estimates(here, cotangents, own, clusters, exact=exact)
    return rows, solver_facts(solution)


def _task(trajectory: Trajectory) -> MixtureNetwork:
    assert isinstance(trajectory.recipe.task, MixtureNetwork)
    return trajectory.recipe.task


def _assigned(trajectory: Trajectory) -> Tensor:
    with torch.no_grad():
        return _task(trajectory).assignments(trajectory.params, trajectory.recipe.inputs).argmax(dim=1)
