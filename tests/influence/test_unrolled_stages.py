"""Exact influence of every kind of task against dense autograd through its stages, and against real retrainings."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from clusterexplain.influence import Unrolled
from clusterexplain.models import (
    DEC,
    Autoencoder,
    Contrastive,
    ConvAutoencoder,
    EmbeddingTask,
    Stage,
    VariationalAutoencoder,
)
from clusterexplain.models.augmentation import TableAugmentation
from clusterexplain.models.networks import Dense
from clusterexplain.training import SGD, Adam, BatchPlan, Recipe, Trajectory, retrain_many, with_choices_kept
from clusterexplain.training.trajectory import train
from tests.oracles.dense_training import error, flat, rows_of, trained_params

N, FEATURES, N_STEPS, BATCH = 14, 5, 9, 5
WEIGHTS = ("equal", "unequal", "unequal and one removed")
DIFFERENCED = ("equal", "unequal and one removed")
TASKS: dict[str, Callable[[Tensor], EmbeddingTask]] = {
    "autoencoder": lambda rows: Autoencoder(FEATURES, hidden=(), latent_dim=2),
    "vae": lambda rows: VariationalAutoencoder(FEATURES, hidden=(4,), latent_dim=2, beta=0.3),
    "conv": lambda rows: ConvAutoencoder((4, 4), hidden=(2,), latent_dim=2),
    "contrastive": lambda rows: Contrastive(*networks(), TableAugmentation.measured(rows), "gelu"),
    "dec": lambda rows: DEC(FEATURES, hidden=(4,), latent_dim=2, n_clusters=3, pretrain=0.5, update_every=3),
    "dec from scratch": lambda rows: DEC(FEATURES, hidden=(), latent_dim=2, n_clusters=3, pretrain=0, update_every=2),
}
OPTIMIZERS = {
    "adamw": Adam(0.05, N_STEPS, weight_decay=0.03),
    "adam": Adam(0.05, N_STEPS, weight_decay=0.03, decoupled=False, shape="linear"),
    "sgd": SGD(0.1, N_STEPS, weight_decay=0.03, shape="constant", momentum=0.8),
}


def networks() -> tuple[Dense, Dense]:
    """Return an encoder and a projector."""
    return Dense("encoder", (FEATURES, 5, 3), "gelu"), Dense("projector", (3, 4), "gelu")


def weights_of(name: str) -> Tensor:
    """Return the data weights of a training; every example is in a batch, the removed one too."""
    weights = torch.rand(N, generator=torch.Generator().manual_seed(1), dtype=torch.float64) + 0.5
    if name == "unequal and one removed":
        weights[5] = 0
    return torch.ones_like(weights) if name == "equal" else weights


@cache
def recipe_of(task: str, optimizer: str = "adamw") -> Recipe:
    """Return a small float64 recipe, made once and settled at equal weights: choices belong to the recipe."""
    generator = torch.Generator().manual_seed(0)
    centers = 1.5 * torch.randn(3, 16, generator=generator, dtype=torch.float64)
    rows = centers[torch.arange(N) % 3] + torch.randn(N, 16, generator=generator, dtype=torch.float64)
    rows = rows if task == "conv" else rows[:, :FEATURES]
    model = TASKS[task](rows)
    params = model.initial_params(torch.Generator().manual_seed(2), torch.float64)
    plan = BatchPlan.draw(N, n_steps=N_STEPS, batch_size=BATCH, seed=3)
    return with_choices_kept(Recipe(model, rows, params, plan, OPTIMIZERS[optimizer]), weights_of("equal"))


@cache
def retrained(task: str) -> tuple[Tensor, dict[str, Tensor]]:
    """Retrain with replicas at all weights, and at both sides of two of them; return the trained parameters.

    One call, because a trace of replicas holds for their number.
    """
    recipe, step = recipe_of(task), 1e-5 * torch.eye(N, dtype=torch.float64)
    sides = {name: torch.cat([weights_of(name) + step, weights_of(name) - step]) for name in DIFFERENCED}
    thetas = retrain_many(recipe, torch.cat([torch.stack([weights_of(name) for name in WEIGHTS]), *sides.values()]))
    ends = thetas[len(WEIGHTS) :].split(2 * N)
    return thetas[: len(WEIGHTS)], dict(zip(sides, ends, strict=True))


@cache
def trajectory_of(task: str, weights: str, optimizer: str = "adamw", spacing: int = 1) -> Trajectory:
    """Train once and record."""
    return train(recipe_of(task, optimizer), weights_of(weights), spacing=spacing)


def cotangents_of(recipe: Recipe) -> Tensor:
    """Return three random derivatives in the trained parameters."""
    size = recipe.layout.size
    return torch.randn(3, size, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


def textbook_stages(task: DEC) -> list[Stage]:
    """Return the refinement of DEC written out from the paper's formulas, after the task's own pre-training."""
    *before, own = task.stages()

    def assignments(params: dict[str, Tensor], rows: Tensor) -> Tensor:
        gap = task.embed(params, rows)[:, None, :] - params["centroids"][None, :, :]
        kernel = 1 / (1 + (gap * gap).sum(dim=2))
        return kernel / kernel.sum(dim=1, keepdim=True)

    def divergence(params: dict[str, Tensor], rows: Tensor, weights: Tensor, targets: Tensor) -> Tensor:
        logarithms = torch.log(targets) - torch.log(assignments(params, rows))
        return (weights * (targets * logarithms).sum(dim=1)).sum() / len(rows)

    def targets(params: dict[str, Tensor], rows: Tensor, weights: Tensor) -> Tensor:
        soft = assignments(params, rows)
        sharpened = soft**2 / (weights[:, None] * soft).sum(dim=0)
        return sharpened / sharpened.sum(dim=1, keepdim=True)

    def weighted_means(params: dict[str, Tensor], rows: Tensor, weights: Tensor, labels: Tensor) -> dict[str, Tensor]:
        embedding = task.embed(params, rows)
        members = [[i for i in range(N) if labels[i] == k] for k in range(3)]
        means = [(weights[m, None] * embedding[m]).sum(dim=0) / weights[m].sum() for m in members]
        return {**params, "centroids": torch.stack(means)}

    stage = Stage(
        divergence, own.share, own.rate, initialize=weighted_means, memory=targets, update_interval=own.update_interval
    )
    return [*before, stage]


def assert_exact(trajectory: Trajectory, stages: list[Stage] | None = None) -> None:
    """Compare the trained parameters and the rows of random cotangents with the dense oracle."""
    cotangents = cotangents_of(trajectory.recipe)
    expected, theta = rows_of(trajectory.recipe, trajectory.weights, cotangents, stages)
    assert error(trajectory.final, theta) <= 1e-11
    for row, reference in zip(Unrolled(trajectory).vjp(cotangents), expected, strict=True):
        assert error(row, reference) <= 1e-9


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("task", ["vae", "conv", "contrastive"])
def test_a_single_stage_equals_autograd_through_the_whole_training(task: str, weights: str) -> None:
    assert_exact(trajectory_of(task, weights))


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("task", ["dec", "dec from scratch"])
def test_dec_equals_autograd_through_targets_and_initial_centroids(task: str, weights: str) -> None:
    """Everything about the refinement is written out again: assignments, targets, divergence, weighted means."""
    trajectory = trajectory_of(task, weights)
    assert_exact(trajectory, textbook_stages(trajectory.recipe.task))


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_other_optimizers_equal_autograd(optimizer: str) -> None:
    assert_exact(trajectory_of("autoencoder", "unequal and one removed", optimizer))


def without(stage: Stage, what: str) -> Stage:
    """Return a stage with one path of the derivative cut."""
    initialize, memory = stage.initialize, stage.memory

    def still_centroids(params: dict[str, Tensor], *rest: Any) -> dict[str, Tensor]:
        entered = initialize(params, *rest)
        return {**entered, "centroids": entered["centroids"].detach()}

    def still_targets(*arguments: Any) -> Tensor:
        return memory(*arguments).detach()

    if what == "centroids":
        return Stage(
            stage.loss,
            stage.share,
            stage.rate,
            initialize=still_centroids,
            memory=memory,
            update_interval=stage.update_interval,
        )
    return Stage(
        stage.loss,
        stage.share,
        stage.rate,
        initialize=initialize,
        memory=still_targets,
        update_interval=stage.update_interval,
    )


@pytest.mark.parametrize("what", ["targets", "centroids"])
def test_the_oracle_would_notice_a_path_that_is_missing(what: str) -> None:
    """Neither the path through the targets nor that through the initial centroids is small enough to hide."""
    trajectory = trajectory_of("dec", "unequal")
    cotangents = cotangents_of(trajectory.recipe)
    *before, refinement = textbook_stages(trajectory.recipe.task)
    cut, _ = rows_of(trajectory.recipe, trajectory.weights, cotangents, [*before, without(refinement, what)])
    assert error(Unrolled(trajectory).vjp(cotangents), cut) > 1e-3


@pytest.mark.parametrize("task", ["contrastive", "dec"])
@pytest.mark.parametrize("spacing", [2, 4])
def test_fewer_checkpoints_give_the_same_rows(task: str, spacing: int) -> None:
    """Checkpoints fall before, at and between the events of the stages; states are replayed to the bit."""
    full, short = (trajectory_of(task, "unequal and one removed", spacing=k) for k in (1, spacing))
    assert len(short.checkpoints) == math.ceil(N_STEPS / spacing) < len(full.checkpoints)
    cotangents = cotangents_of(full.recipe)
    assert torch.equal(short.final, full.final)
    assert torch.equal(Unrolled(short).vjp(cotangents), Unrolled(full).vjp(cotangents))


@pytest.mark.parametrize("task", ["contrastive", "dec"])
def test_replicas_equal_separate_trainings(task: str) -> None:
    together, _ = retrained(task)
    alone = torch.stack([trajectory_of(task, name).final for name in WEIGHTS])
    assert error(together, alone) <= 1e-12
    assert (together[0] - together[1]).abs().max() > 1e-3


@pytest.mark.parametrize("weights", DIFFERENCED)
@pytest.mark.parametrize("task", ["contrastive", "dec"])
def test_rows_equal_central_differences_of_retrainings(task: str, weights: str) -> None:
    """Nothing here is differentiated, so a path that the oracle forgot as well would show."""
    trajectory = trajectory_of(task, weights)
    cotangents = cotangents_of(trajectory.recipe)
    up, down = retrained(task)[1][weights].split(N)
    expected = cotangents @ ((up - down) / 2e-5).T
    for row, reference in zip(Unrolled(trajectory).vjp(cotangents), expected, strict=True):
        assert error(row, reference) <= 1e-6


def test_dec_equals_central_differences_of_separate_retrainings() -> None:
    """The same without replicas, for two examples: one by one, as a user would retrain."""
    trajectory = trajectory_of("dec", "unequal")
    cotangents = cotangents_of(trajectory.recipe)
    rows = Unrolled(trajectory).vjp(cotangents)
    for example in (0, 9):
        up, down = (trajectory.weights.clone() for _ in range(2))
        up[example] += 1e-5
        down[example] -= 1e-5
        ends = [train(trajectory.recipe, weights, spacing=N_STEPS).final for weights in (up, down)]
        assert error(rows[:, example], cotangents @ ((ends[0] - ends[1]) / 2e-5)) <= 1e-5


@pytest.mark.parametrize("task", ["contrastive", "dec", "dec from scratch"])
def test_weight_zero_is_absence_whatever_the_row_holds(task: str) -> None:
    """In batches, in everybody's denominator, in the frequencies of the clusters and in their initial means."""
    recipe, weights = recipe_of(task), weights_of("unequal and one removed")
    rows = recipe.inputs.clone()
    rows[5] += 3.0
    changed = Recipe(recipe.task, rows, recipe.initial, recipe.plan, recipe.optimizer, recipe.choices)
    theta = flat(trained_params(changed, weights)).detach()
    assert error(trajectory_of(task, "unequal and one removed").final, theta) <= 1e-11
