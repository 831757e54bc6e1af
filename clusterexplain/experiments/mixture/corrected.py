"""The experiment corrected: trained until assignments settle, truth from the estimate's own loss, everything recomputed."""

from __future__ import annotations

import torch
from torch import Tensor

from clusterexplain.execution import DEFAULT_EXECUTION, Execution
from clusterexplain.experiments.mixture.estimates import estimates
from clusterexplain.experiments.mixture.network import MixtureNetwork
from clusterexplain.experiments.mixture.points import draw_mixture, query_and_removal_rows
from clusterexplain.experiments.mixture.predicted_and_retrained import CROSS, MATCHED, Comparison
from clusterexplain.experiments.mixture.removal import leave_one_out, solver_facts
from clusterexplain.training import Adam, BatchPlan, Recipe, Trajectory, train, with_choices_kept

N_STEPS, LEARNING_RATE, EPSILON = 200, 5e-3, 1e-3
OWN_LOSS, LIKELIHOOD = "retrained on its own loss", "retrained on the negative log-likelihood"


def corrected(seed: int, *, removed_every: int, execution: Execution = DEFAULT_EXECUTION) -> list[Comparison]:
    """Run both arms for one draw of the points.

    Parameters
    ----------
    seed : int
        Of points and initial parameters.
    removed_every : int
        Distance of two removed points in the order of the points; 1 removes each in turn.
    execution : Execution, default=DEFAULT_EXECUTION
        Chunks of exact rows that are computed side by side.

    Returns
    -------
    list of Comparison
        The matched arm and the cross-loss arm against retraining on their own losses, and the cross-loss arm against
        retraining on the other loss, which is what the paper compares it with.
    """
    points, components = draw_mixture(seed)
    queries, removed = query_and_removal_rows(len(points), removed_every)
    truths, comparisons = {}, []
    for arm, labels in ((MATCHED, components), (CROSS, None)):
        trajectory = train_arm(points, labels, seed)
        assigned = components if labels is not None else _assigned(trajectory, trajectory.params)
        own = assigned[queries]
        cotangents = _task(trajectory).cotangents(trajectory.recipe.layout, trajectory.final, points[queries], own)
        rows, solution = estimates(trajectory, cotangents, own, assigned, execution=execution)
        truths[arm] = leave_one_out(trajectory.recipe, removed, queries, own)
        facts: dict[str, float | str] = {
            "settled": settled(trajectory),
            "purity": purity(_assigned(trajectory, trajectory.params), components),
        }
        for truth in (OWN_LOSS,) if arm == MATCHED else (OWN_LOSS, LIKELIHOOD):
            comparisons.append(
                Comparison(
                    variant="corrected",
                    arm=arm,
                    truth=truth,
                    retrained=truths[arm if truth == OWN_LOSS else MATCHED],
                    predicted={name: -row.numpy().T[removed] for name, row in rows.items()},
                    member=(assigned[removed][:, None] == own).numpy(),
                    queries=queries.numpy(),
                    removed=removed.numpy(),
                    components=components[queries].numpy(),
                    facts=facts | solver_facts(solution),
                )
            )
    return comparisons


def train_arm(points: Tensor, labels: Tensor | None, seed: int) -> Trajectory:
    """Train one arm until its assignments settle.

    Parameters
    ----------
    points : Tensor of shape (n, 2)
        Training examples.
    labels : Tensor of shape (n,), int64, or None
        Targets of the matched arm; None trains DEC.
    seed : int
        Of the initial parameters.

    Returns
    -------
    Trajectory
        At weights 1, with every step recorded.
    """
    task = MixtureNetwork("gelu", labels=labels, placed=True)
    initial = task.initial_params(torch.Generator().manual_seed(seed), points.dtype)
    plan = BatchPlan(torch.arange(len(points)).repeat(N_STEPS, 1), seed)
    present = torch.ones(len(points), dtype=points.dtype)
    recipe = Recipe(task, points, initial, plan, Adam(LEARNING_RATE, N_STEPS, eps=EPSILON))
    return train(with_choices_kept(recipe, present), present, spacing=1)


def settled(trajectory: Trajectory) -> float:
    """Return the share of points whose largest assignment is the same after two thirds of the steps and at the end."""
    early = trajectory.recipe.layout.split(trajectory.checkpoints[2 * len(trajectory.checkpoints) // 3][0])
    return float((_assigned(trajectory, early) == _assigned(trajectory, trajectory.params)).double().mean())


def purity(assigned: Tensor, components: Tensor) -> float:
    """Return the share of points that are in the cluster in which most of their Gaussian is."""
    counts = torch.zeros(3, 3).index_put((components, assigned), torch.tensor(1.0), accumulate=True)
    return float(counts.amax(dim=1).sum() / len(components))


def _assigned(trajectory: Trajectory, params: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        return _task(trajectory).assignments(params, trajectory.recipe.inputs).argmax(dim=1)


def _task(trajectory: Trajectory) -> MixtureNetwork:
    assert isinstance(trajectory.recipe.task, MixtureNetwork)
    return trajectory.recipe.task
