"""DEC against loops over the formulas of Xie, Girshick and Farhadi (2016), with weighted cluster frequencies."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from clusterexplain.models import DEC
from clusterexplain.models.dec import student_t, target_distribution
from clusterexplain.training import Adam, BatchPlan, CompiledSteps, Recipe

N, DIM, K = 9, 2, 3
WEIGHTS = {
    "equal": [1.0] * N,
    "unequal": [0.3, 1.7, 1.0, 0.9, 2.5, 0.01, 1.0, 0.4, 1.2],
    "two removed": [1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0],
}


def points(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return embedded examples and centroids."""
    generator = torch.Generator().manual_seed(seed)
    drawn = 1.5 * torch.randn(N + K, DIM, generator=generator, dtype=torch.float64)
    return drawn[:N], drawn[N:]


def weights_of(name: str) -> Tensor:
    """Return a named vector of data weights."""
    return torch.tensor(WEIGHTS[name], dtype=torch.float64)


def looped_assignments(embedding: Tensor, centroids: Tensor) -> list[list[float]]:
    """Return equation (1), number by number: q_ij = (1 + |z_i - mu_j|^2)^-1 over its sum in j."""
    rows = []
    for z in embedding.tolist():
        kernel = [1 / (1 + sum((a - b) ** 2 for a, b in zip(z, mu, strict=True))) for mu in centroids.tolist()]
        rows.append([value / sum(kernel) for value in kernel])
    return rows


def looped_targets(assignments: list[list[float]], weights: Tensor) -> list[list[float]]:
    """Return equation (3), number by number: p_ij = q_ij^2 / f_j over its sum in j, with f_j = sum_i w_i q_ij."""
    frequency = [sum(w * q[j] for w, q in zip(weights.tolist(), assignments, strict=True)) for j in range(K)]
    rows = []
    for q in assignments:
        sharpened = [q[j] ** 2 / frequency[j] for j in range(K)]
        rows.append([value / sum(sharpened) for value in sharpened])
    return rows


def looped_divergence(assignments: list[list[float]], targets: list[list[float]], weights: Tensor) -> float:
    """Return equation (2), number by number, weighted and over the size of the batch."""
    total = 0.0
    for w, p, q in zip(weights.tolist(), targets, assignments, strict=True):
        total += w * sum(p[j] * math.log(p[j] / q[j]) for j in range(K))
    return total / len(assignments)


def model(**options: float) -> tuple[DEC, dict[str, Tensor], Tensor]:
    """Return a small model, parameters with centroids that are not zero, and rows."""
    task = DEC(5, hidden=(4,), latent_dim=DIM, n_clusters=K, **options)  # type: ignore[arg-type]
    params = task.initial_params(torch.Generator().manual_seed(0), torch.float64)
    rows = torch.randn(N, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return task, {**params, "centroids": 0.3 * points()[1]}, rows


def equals(actual: Tensor, expected: list[list[float]]) -> None:
    """Compare a tensor with the numbers of a loop."""
    torch.testing.assert_close(actual, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=1e-14)


def test_soft_assignments_are_the_loop() -> None:
    embedding, centroids = points()
    equals(student_t(embedding, centroids), looped_assignments(embedding, centroids))


@pytest.mark.parametrize("weights", WEIGHTS)
def test_targets_are_the_loop(weights: str) -> None:
    expected = looped_assignments(*points())
    assignments = torch.tensor(expected, dtype=torch.float64)
    equals(target_distribution(assignments, weights_of(weights)), looped_targets(expected, weights_of(weights)))


def test_targets_of_the_others_are_those_without_the_absent_row() -> None:
    assignments, weights = student_t(*points()), weights_of("two removed")
    there = weights > 0
    targets = target_distribution(assignments, weights)
    torch.testing.assert_close(
        targets[there], target_distribution(assignments[there], weights[there]), rtol=1e-14, atol=0
    )
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(N, dtype=torch.float64), rtol=1e-14, atol=0)


def test_targets_do_not_depend_on_the_scale_of_the_weights() -> None:
    assignments, weights = student_t(*points()), weights_of("unequal")
    torch.testing.assert_close(target_distribution(assignments, 7 * weights), target_distribution(assignments, weights))


@pytest.mark.parametrize("weights", WEIGHTS)
def test_targets_have_the_slopes_of_finite_differences(weights: str) -> None:
    assignments = student_t(*points()).requires_grad_()
    torch.autograd.gradcheck(target_distribution, (assignments, weights_of(weights).requires_grad_()))


def test_assignments_have_the_slopes_of_finite_differences() -> None:
    """Where an example lies on a centroid, too."""
    embedding, centroids = (x.clone() for x in points())
    centroids[1] = embedding[4]
    torch.autograd.gradgradcheck(student_t, (embedding.requires_grad_(), centroids.requires_grad_()))


@pytest.mark.parametrize("weights", WEIGHTS)
def test_the_loss_is_the_weighted_divergence_of_the_batch(weights: str) -> None:
    task, params, rows = model()
    targets = looped_targets(looped_assignments(*points(2)), torch.ones(N))
    loss = task.divergence(params, rows, weights_of(weights), torch.tensor(targets, dtype=torch.float64))
    assignments = looped_assignments(task.embed(params, rows), params["centroids"])
    assert loss.item() == pytest.approx(looped_divergence(assignments, targets, weights_of(weights)), rel=1e-12)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_the_model_remembers_the_targets_of_all_examples(weights: str) -> None:
    task, params, rows = model()
    expected = looped_targets(looped_assignments(task.embed(params, rows), params["centroids"]), weights_of(weights))
    equals(task.targets(params, rows, weights_of(weights)), expected)


def test_the_gradient_of_the_centroids_is_that_of_the_paper() -> None:
    """Equation (5) with alpha = 1, which holds the targets constant; our loss is its mean over the batch."""
    task, params, rows = model()
    targets = task.targets(params, rows, torch.ones(N, dtype=torch.float64))
    centroids = params["centroids"].clone().requires_grad_()
    loss = task.divergence({**params, "centroids": centroids}, rows, torch.ones(N, dtype=torch.float64), targets)
    (slope,) = torch.autograd.grad(loss, centroids)
    embedding = task.embed(params, rows)
    assignments = looped_assignments(embedding, centroids.detach())
    for j in range(K):
        expected = torch.zeros(DIM, dtype=torch.float64)
        for i in range(N):
            gap = embedding[i] - centroids[j].detach()
            expected -= 2 * (targets[i, j] - assignments[i][j]) * gap / (1 + (gap**2).sum())
        torch.testing.assert_close(slope[j], expected / N, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_centroids_start_as_weighted_means_of_the_frozen_clusters(weights: str) -> None:
    task, params, rows = model(pretrain=0.5)
    w = weights_of(weights)
    _, refinement = task.stages()
    labels = refinement.freeze_choice(params, rows, torch.ones(N, dtype=torch.float64))
    assert sorted(set(labels.tolist())) == [0, 1, 2]
    entered = refinement.initialize(params, rows, w, labels)
    embedding = task.embed(params, rows)
    for k in range(K):
        members = [i for i in range(N) if labels[i] == k]
        mean = sum(w[i] * embedding[i] for i in members) / sum(w[i] for i in members)
        torch.testing.assert_close(entered["centroids"][k], mean, rtol=1e-12, atol=1e-14)
    assert all(torch.equal(entered[name], params[name]) for name in params if name != "centroids")


def test_the_chosen_labels_are_a_fixed_point_of_k_means() -> None:
    """Every example that is there lies in the cluster of the nearest weighted mean."""
    task, params, rows = model(pretrain=0.5)
    for name in WEIGHTS:
        w = weights_of(name)
        refinement = task.stages()[-1]
        labels = refinement.freeze_choice(params, rows, w)
        means = refinement.initialize(params, rows, w, labels)["centroids"]
        nearest = torch.cdist(task.embed(params, rows), means).argmin(dim=1)
        assert torch.equal(labels[w > 0], nearest[w > 0])


@pytest.mark.parametrize(("pretrain", "shares"), [(0.5, [0.5, 0.5]), (0.25, [0.25, 0.75]), (0.0, [1.0])])
def test_pretraining_takes_its_share_of_the_steps(pretrain: float, shares: list[float]) -> None:
    task, _, _ = model(pretrain=pretrain, update_every=7, rate=0.2)
    stages = task.stages()
    total = sum(stage.share for stage in stages)
    assert [stage.share / total for stage in stages] == pytest.approx(shares)
    assert [stage.rate for stage in stages] == ([1.0, 0.2] if pretrain else [0.2])
    assert stages[-1].update_interval == 7


def test_pretraining_leaves_the_centroids_at_zero() -> None:
    task, _, rows = model(pretrain=0.5)
    params = task.initial_params(torch.Generator().manual_seed(0), torch.float64)
    plan = BatchPlan.draw(N, n_steps=6, batch_size=3, seed=0)
    recipe = Recipe(task, rows, params, plan, Adam(0.05, 6))
    state, weights = recipe.initial_state(), torch.ones(N, dtype=torch.float64)
    for step in range(3):
        state = CompiledSteps(recipe).advance(state, weights, step)
    assert recipe.layout.split(state[0])["centroids"].count_nonzero() == 0
    assert not torch.equal(state[0], recipe.initial_state()[0])
