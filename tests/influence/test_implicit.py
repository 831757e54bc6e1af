"""The implicit method against closed forms, exact refits, and the exact derivative of trainings that came to rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor

from clusterexplain.exceptions import InvalidParameterError, SolverWarning
from clusterexplain.influence import GaussNewton, Hessian, Implicit, Shifted, TrajectoryObjective, Unrolled
from clusterexplain.influence.objective import stationary_decay
from clusterexplain.influence.solvers import ConjugateGradients, Dense, LiSSA, OnBlock, Status
from clusterexplain.models import DEC, Autoencoder, Contrastive, EmbeddingTask, VariationalAutoencoder
from clusterexplain.models.augmentation import TableAugmentation
from clusterexplain.models.networks import Dense as DenseNetwork
from clusterexplain.training import SGD, Adam, BatchPlan, Recipe, Trajectory, with_choices_kept
from clusterexplain.training.trajectory import train
from tests.oracles.dense_training import error

Objective = Callable[[Tensor, Tensor], Tensor]

N, FEATURES, DECAY = 15, 4, 0.1


def normal(*shape: int, seed: int) -> Tensor:
    """Return float64 numbers that depend on the seed alone."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def method(objective: Objective, theta: Tensor, weights: Tensor, damping: float = 0.0, **options: Any) -> Implicit:
    """Return the implicit method with a dense Hessian."""
    solver = Dense.of(Hessian(lambda flat: objective(flat, weights), theta), **options)
    return Implicit(objective, theta, weights, solver, damping)


# Ridge regression: everything is known in closed form.

X, Y = normal(N, FEATURES, seed=0), normal(N, seed=1)
W = 0.5 + torch.rand(N, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def ridge(theta: Tensor, weights: Tensor, decay: float = DECAY) -> Tensor:
    """Return half the weighted mean squared error plus half the decay."""
    return 0.5 * (weights * (X @ theta - Y) ** 2).sum() / N + 0.5 * decay * (theta * theta).sum()


def ridge_matrix(weights: Tensor, decay: float = DECAY) -> Tensor:
    """Return the Hessian."""
    return X.T @ torch.diag(weights) @ X / N + decay * torch.eye(FEATURES, dtype=torch.float64)


def ridge_fit(weights: Tensor, decay: float = DECAY) -> Tensor:
    """Solve the normal equations."""
    return torch.linalg.solve(ridge_matrix(weights, decay), X.T @ (weights * Y) / N)


def ridge_rows(cotangents: Tensor, weights: Tensor) -> Tensor:
    """Return g^T dtheta/dw_i = -g^T A^-1 x_i (x_i theta - y_i) / n."""
    theta = ridge_fit(weights)
    moves = -torch.linalg.solve(ridge_matrix(weights), (X * (X @ theta - Y).unsqueeze(1) / N).T)
    return cotangents @ moves


def central_differences(value: Callable[[Tensor], Tensor], weights: Tensor, step: float = 1e-5) -> Tensor:
    """Return the derivative of a vector in each weight, shape (len(value), n)."""
    ends = [(value(weights + step * e) - value(weights - step * e)) / (2 * step) for e in torch.eye(N).double()]
    return torch.stack(ends, dim=1)


@pytest.mark.parametrize("weights", [torch.ones(N, dtype=torch.float64), W], ids=["equal", "unequal"])
def test_ridge_regression_equals_its_closed_form(weights: Tensor) -> None:
    cotangents = normal(5, FEATURES, seed=3)
    found = method(ridge, ridge_fit(weights), weights).vjp(cotangents)
    assert error(found, ridge_rows(cotangents, weights)) <= 1e-10
    assert error(found, central_differences(lambda w: cotangents @ ridge_fit(w), weights)) <= 1e-8


@pytest.mark.parametrize(
    ("make", "bound"),
    [
        (Dense.of, 1e-10),
        (partial(Dense.of, eigenvalues="raw"), 1e-10),
        (partial(ConjugateGradients, tolerance=1e-12), 1e-10),
        (partial(LiSSA, tolerance=1e-8, depth=5000), 1e-6),
    ],
)
@pytest.mark.parametrize("curvature", ["hessian", "gauss-newton"])
def test_every_solver_and_curvature_gives_the_same_on_ridge_regression(make: Any, bound: float, curvature: str) -> None:
    theta, cotangents = ridge_fit(W), normal(2, FEATURES, seed=3)
    operator: Any = Hessian(lambda flat: ridge(flat, W), theta)
    if curvature == "gauss-newton":
        operator = GaussNewton(lambda flat: X @ flat, lambda o, w: 0.5 * (w * (o - Y) ** 2).sum() / N, theta, W)
        operator = Shifted(operator, torch.tensor(DECAY, dtype=torch.float64))
    found = Implicit(ridge, theta, W, make(operator), 0.0).vjp(cotangents)
    assert error(found, ridge_rows(cotangents, W)) <= bound


def test_the_sign_is_that_of_one_more_unit_of_weight_and_removals_are_ranked() -> None:
    weights = torch.ones(N, dtype=torch.float64)
    cotangents, theta = normal(4, FEATURES, seed=3), ridge_fit(weights)
    predicted = -method(ridge, theta, weights).vjp(cotangents)
    for g, row in zip(cotangents, predicted, strict=True):
        refits = torch.stack([g @ (ridge_fit(weights - e) - theta) for e in torch.eye(N).double()])
        assert stats.spearmanr(row.numpy(), refits.numpy()).statistic > 0.95


def test_damping_is_added_to_the_curvature() -> None:
    theta, cotangents = ridge_fit(W), normal(2, FEATURES, seed=3)
    found = method(ridge, theta, W, damping=0.7).vjp(cotangents)
    solved = torch.linalg.solve(ridge_matrix(W, DECAY + 0.7), cotangents.T).T
    assert error(found, -solved @ (X * (X @ theta - Y).unsqueeze(1) / N).T) <= 1e-10


def test_two_copies_of_a_row_have_each_the_influence_of_one_row_of_double_weight() -> None:
    doubled = torch.ones(N, dtype=torch.float64)
    doubled[3] = 2.0
    theta, cotangents = ridge_fit(doubled), normal(2, FEATURES, seed=3)
    x, y, ones = torch.cat([X, X[3:4]]), torch.cat([Y, Y[3:4]]), torch.ones(N + 1, dtype=torch.float64)

    def with_copy(flat: Tensor, weights: Tensor) -> Tensor:
        return 0.5 * (weights * (x @ flat - y) ** 2).sum() / N + 0.5 * DECAY * (flat * flat).sum()

    one, two = method(ridge, theta, doubled).vjp(cotangents), method(with_copy, theta, ones).vjp(cotangents)
    assert error(two[:, :N], one) <= 1e-12
    assert error(two[:, N], one[:, 3]) <= 1e-12


def test_a_row_that_was_never_there_pulls_nothing_but_would() -> None:
    absent = W.clone()
    absent[6] = 0.0
    cotangents = normal(2, FEATURES, seed=3)
    found = method(ridge, ridge_fit(absent), absent).vjp(cotangents)
    expected = central_differences(lambda w: cotangents @ ridge_fit(w), absent)
    assert error(found, expected) <= 1e-8
    assert float(found[:, 6].abs().min()) > 1e-3


# A network that is not convex, trained until it stands still.


def network(theta: Tensor, weights: Tensor, decay: float = 0.02) -> Tensor:
    """Return the loss of a 4-3-2 tanh network with biases (23 parameters) plus the decay; homogeneous in the weights."""
    first, bias, second, last = theta.split([12, 3, 6, 2])
    outputs = torch.tanh(X @ first.view(FEATURES, 3) + bias) @ second.view(3, 2) + last
    targets = torch.stack([Y, X[:, 0] * X[:, 1]], dim=1)
    return (weights * ((outputs - targets) ** 2).mean(dim=1)).sum() / N + 0.5 * decay * (theta * theta).sum()


VIEWS = (X + 0.3 * normal(N, FEATURES, seed=5), X + 0.3 * normal(N, FEATURES, seed=6))


def views(theta: Tensor) -> Tensor:
    """Return unit vectors of all views; a fixed fourth coordinate leaves no rotation or scale that changes nothing."""
    first, bias = theta.split([12, 3])
    free = torch.tanh(torch.cat(VIEWS) @ first.view(FEATURES, 3) + bias)
    z = torch.cat([free, torch.ones(2 * N, 1, dtype=theta.dtype)], dim=1)
    return z / z.norm(dim=1, keepdim=True)


def contrastive(theta: Tensor, weights: Tensor) -> Tensor:
    """Return a weighted NT-Xent of two fixed views, written out from its formula, plus a decay."""
    z = views(theta)
    both, cosines = torch.cat([weights, weights]), z @ z.T
    total = torch.zeros((), dtype=theta.dtype)
    for u in range(2 * N):
        others = [v for v in range(2 * N) if v != u]
        denominator = (both[others] * torch.exp(cosines[u, others])).sum()
        total = total + both[u] * (torch.log(denominator) - cosines[u, (u + N) % (2 * N)])
    return total / (2 * N) + 0.5 * 0.02 * (theta * theta).sum()


PROBLEMS: dict[str, tuple[Objective, int]] = {"network": (network, 23), "contrastive": (contrastive, 15)}


def settled(objective: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    """Minimise by L-BFGS and finish with Newton steps."""
    theta = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([theta], max_iter=500, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = objective(theta)
        loss.backward()
        return loss

    optimizer.step(closure)
    return polished(objective, theta.detach())


def polished(objective: Callable[[Tensor], Tensor], theta: Tensor, steps: int = 3) -> Tensor:
    """Take Newton steps with a dense Hessian; refits that start nearby need no more."""
    for _ in range(steps):
        here = theta.clone().requires_grad_()
        (slope,) = torch.autograd.grad(objective(here), here)
        theta = theta - torch.linalg.solve(torch.autograd.functional.hessian(objective, theta), slope)
    return theta


@cache
def minimum(problem: str) -> Tensor:
    """Return a minimum at the weights W, made once."""
    objective, size = PROBLEMS[problem]
    return settled(lambda flat: objective(flat, W), 0.5 * normal(size, seed=7))


@pytest.mark.parametrize("problem", PROBLEMS)
def test_at_a_minimum_it_equals_central_differences_of_refits(problem: str) -> None:
    objective, size = PROBLEMS[problem]
    theta, cotangents = minimum(problem), normal(3, size, seed=8)
    slope = torch.func.grad(objective)(theta, W)
    assert float(slope.norm()) < 1e-12
    found = method(objective, theta, W)
    values = found.solver.spectrum.pair[0]
    assert float(values[0]) > 1e-3  # a minimum, and isolated
    expected = central_differences(
        lambda w: cotangents @ polished(lambda flat: objective(flat, w), theta, steps=2), W, step=2e-5
    )
    assert error(found.vjp(cotangents), expected) <= 1e-6
    assert found.solve(cotangents).status is Status.CONVERGED


def test_the_network_is_not_convex() -> None:
    start = 0.5 * normal(23, seed=7)
    assert float(torch.linalg.eigvalsh(torch.autograd.functional.hessian(lambda t: network(t, W), start))[0]) < -1e-3


def test_examples_that_interact_are_seen_as_negatives_too() -> None:
    """An absent example pulls nothing in its own terms, but its weight would enter all denominators."""
    theta, cotangents = minimum("contrastive"), normal(1, 15, seed=8)
    rows = method(contrastive, theta, W).vjp(cotangents)

    def own_terms(flat: Tensor, weights: Tensor) -> Tensor:
        """Hold the denominators at W: what a method of per-example losses would differentiate."""
        anchors = contrastive_terms(flat, W)
        return (torch.cat([weights, weights]) * anchors).sum() / (2 * N)

    own = replace(method(contrastive, theta, W), objective=own_terms).vjp(cotangents)
    assert error(own, rows) > 0.2


def contrastive_terms(theta: Tensor, weights: Tensor) -> Tensor:
    """Return the loss of each view against denominators at `weights`."""
    z = views(theta)
    both, kernel = torch.cat([weights, weights]), torch.exp(z @ z.T)
    masked = kernel * (1 - torch.eye(2 * N, dtype=theta.dtype)) * both
    partner = torch.arange(2 * N).roll(N)
    return torch.log(masked.sum(dim=1)) - (z * z[partner]).sum(dim=1)


def test_scaling_weights_and_decay_together_changes_nothing_so_their_influences_cancel() -> None:
    r"""Euler's identity: theta(c w, c decay) = theta(w, decay), so sum_i w_i ds/dw_i = -decay ds/ddecay."""
    theta, cotangents = minimum("network"), normal(3, 23, seed=8)
    total = method(network, theta, W).vjp(cotangents) @ W
    step = 1e-6

    def at(decay: float) -> Tensor:
        return cotangents @ polished(lambda flat: network(flat, W, decay), theta, steps=2)

    of_decay = 0.02 * (at(0.02 + step) - at(0.02 - step)) / (2 * step)
    assert error(total, -of_decay) <= 1e-6
    solved = torch.linalg.solve(torch.autograd.functional.hessian(lambda t: network(t, W), theta), cotangents.T).T
    assert error(total, solved @ (0.02 * theta)) <= 1e-8  # d theta / d decay = -C^-1 theta


def test_a_block_moves_alone() -> None:
    """Only the last layer is trained: refits with the first layer held."""
    theta, cotangents, mask = minimum("network"), normal(2, 23, seed=8), torch.arange(23) >= 15

    def last_only(part: Tensor, weights: Tensor) -> Tensor:
        return network(torch.cat([theta[:15], part]), weights)

    hessian = Hessian(lambda flat: network(flat, W), theta)
    found = Implicit(network, theta, W, OnBlock.of(hessian, mask, Dense.of), 0.0).vjp(cotangents)
    expected = method(last_only, theta[15:], W).vjp(cotangents[:, 15:])
    assert error(found, expected) <= 1e-10
    refits = central_differences(
        lambda w: cotangents[:, 15:] @ polished(lambda part: last_only(part, w), theta[15:], steps=2), W, step=1e-4
    )
    assert error(found, refits) <= 1e-6


def test_a_failed_solve_is_warned_about_and_can_be_recorded_instead() -> None:
    theta = 0.5 * normal(23, seed=7)  # not trained at all
    hessian = Hessian(lambda flat: network(flat, W), theta)
    here = Implicit(network, theta, W, ConjugateGradients(hessian), 0.0)
    with pytest.warns(SolverWarning, match=r"ConjugateGradients: indefinite after .* Raise the damping"):
        rows = here.vjp(normal(2, 23, seed=8))
    solution = here.solve(normal(2, 23, seed=8))
    assert solution.status is Status.INDEFINITE
    assert torch.equal(rows, here.rows(solution.value))
    clamped = Implicit(network, theta, W, Dense.of(hessian), 0.01)
    clamped.vjp(normal(2, 23, seed=8))  # asked for, so not warned about
    assert clamped.solve(normal(2, 23, seed=8)).status is Status.MODIFIED


def test_a_solver_of_other_parameters_is_refused() -> None:
    theta = ridge_fit(W)
    solver = Dense.of(Hessian(lambda flat: (flat * flat).sum(), theta[:2]))
    with pytest.raises(
        InvalidParameterError, match=r"takes 2 numbers, but theta has 4 parameters\. Expected a solver of"
    ):
        Implicit(ridge, theta, W, solver)


# Recorded trainings.


def trajectory_of(
    task: EmbeddingTask, rows: Tensor, optimizer: Any, *, batch_size: int, weights: Tensor | None = None
) -> Trajectory:
    """Train a task on rows and record every step."""
    plan = BatchPlan.draw(len(rows), n_steps=optimizer.n_steps, batch_size=batch_size, seed=3)
    params = task.initial_params(torch.Generator().manual_seed(2), torch.float64)
    weights = W[: len(rows)] if weights is None else weights
    return train(with_choices_kept(Recipe(task, rows, params, plan, optimizer), weights), weights, spacing=1)


@cache
def at_rest(optimizer: str) -> Trajectory:
    """Train a small autoencoder with all data in every batch until it stands still."""
    task = Autoencoder(3, hidden=(2,), latent_dim=1, activation="tanh")
    rules = {
        "sgd": SGD(0.3, 3000, weight_decay=0.05, shape="constant"),
        "adam": Adam(0.1, 3000, weight_decay=0.05, decoupled=False, eps=1e-2, shape="constant"),
        "adamw": Adam(0.2, 3000, weight_decay=0.1, eps=0.25, shape="constant"),
    }
    return trajectory_of(task, 2 * X[:10, :3], rules[optimizer], batch_size=10)


@pytest.mark.parametrize(("optimizer", "bound"), [("sgd", 1e-6), ("adam", 1e-5), ("adamw", 1e-2)])
def test_of_a_training_that_came_to_rest_it_is_the_exact_derivative(optimizer: str, bound: float) -> None:
    """Rows of the unrolled training, for decay in the gradient and beside it (whose own small response is left out)."""
    trajectory = at_rest(optimizer)
    found = Implicit.of_trajectory(trajectory, damping=0.0)
    slope = torch.func.grad(found.objective)(trajectory.final, trajectory.weights)
    assert float(slope.norm()) < 1e-5 * float(trajectory.final.norm())
    cotangents = normal(3, trajectory.recipe.layout.size, seed=8)
    assert float(trajectory.final.abs().max()) > 0.3  # not the zero network
    exact = Unrolled(trajectory).vjp(cotangents)
    assert error(found.vjp(cotangents), exact) <= bound
    if optimizer == "adamw":  # the factor of the decoupled decay is no detail
        assert error(Implicit.of_trajectory(trajectory, damping=0.0, decay=0.1).vjp(cotangents), exact) > 0.2


def test_the_decoupled_decay_has_its_own_factor_for_every_parameter() -> None:
    trajectory = at_rest("adamw")
    factors, optimizer = stationary_decay(trajectory), trajectory.recipe.optimizer
    assert factors.shape == trajectory.final.shape
    assert bool((factors >= optimizer.weight_decay * optimizer.eps**0.5).all())
    task, rows = trajectory.recipe.task, trajectory.recipe.inputs

    def loss(flat: Tensor) -> Tensor:
        return task.loss(trajectory.recipe.layout.split(flat), rows, trajectory.weights)

    slope = torch.func.grad(loss)(trajectory.final)
    assert error(slope, -factors * trajectory.final) <= 1e-3  # the training stands still where the two are equal
    assert stationary_decay(at_rest("sgd")).item() == pytest.approx(0.05)


def test_decay_of_the_users_choice_and_none() -> None:
    trajectory = at_rest("sgd")
    theta, weights = trajectory.final, trajectory.weights
    plain, strong, default = (
        TrajectoryObjective.of_trajectory(trajectory, **decay)(theta, weights)
        for decay in ({"decay": 0.0}, {"decay": 0.4}, {})
    )
    square = theta.square().sum().item()
    assert (strong - plain).item() == pytest.approx(0.2 * square)
    assert (default - plain).item() == pytest.approx(0.5 * 0.05 * square)


def test_a_separable_loss_is_taken_on_all_data_and_other_losses_on_the_last_pass_of_batches() -> None:
    short = Adam(0.01, 9, weight_decay=0.0)
    separable = trajectory_of(Autoencoder(FEATURES, hidden=(), latent_dim=2), X, short, batch_size=4)
    (index, inputs), *rest = TrajectoryObjective.of_trajectory(separable, passes=5).draws
    assert torch.equal(index, torch.arange(N))
    assert inputs is separable.recipe.inputs
    assert not rest

    interacting = trajectory_of(contrastive_task(), X, short, batch_size=4)
    recipe = interacting.recipe
    for passes, first in ((1, 6), (2, 3), (100, 0)):  # three batches of four make a pass over fifteen rows
        objective = TrajectoryObjective.of_trajectory(interacting, passes=passes)
        losses = []
        for step in range(first, 9):
            batch = recipe.plan.indices[step]
            views = recipe.task.augment(recipe.inputs[batch], recipe.plan.keys(step))
            losses.append(recipe.task.loss(interacting.params, views, W[batch]))
        assert objective(interacting.final, W).item() == pytest.approx(torch.stack(losses).mean().item(), rel=1e-12)
    rows = Implicit.of_trajectory(interacting, damping=0.1).vjp(normal(2, recipe.layout.size, seed=8))
    batches = recipe.plan.indices[6:].unique()
    assert sorted(rows.abs().sum(dim=0).nonzero().squeeze(1).tolist()) == batches.tolist()


def contrastive_task() -> Contrastive:
    """Return a small contrastive task."""
    networks = DenseNetwork("encoder", (FEATURES, 3), "gelu"), DenseNetwork("projector", (3, 2), "gelu")
    return Contrastive(*networks, TableAugmentation.measured(X), "gelu")


def test_noise_of_a_separable_loss_is_keyed_as_in_the_recipe() -> None:
    trajectory = trajectory_of(
        VariationalAutoencoder(FEATURES, hidden=(), latent_dim=2), X, Adam(0.01, 9, weight_decay=0.0), batch_size=4
    )
    recipe, draws = trajectory.recipe, TrajectoryObjective.of_trajectory(trajectory, passes=2).draws
    assert len(draws) == 2
    for step, (_, drawn) in zip((7, 8), draws, strict=True):
        index, inputs = recipe.batch(step)
        for all_rows, in_batch in zip(drawn, inputs, strict=True):
            torch.testing.assert_close(all_rows[index], in_batch)
    rows = Implicit.of_trajectory(trajectory, damping=0.1, passes=2).vjp(normal(1, recipe.layout.size, seed=8))
    assert bool((rows != 0).all())


def test_targets_of_a_deep_embedded_clustering_are_constant_for_parameters_and_not_for_weights() -> None:
    """The right-hand side is the derivative of the published gradient, targets recomputed at other weights."""
    task = DEC(FEATURES, hidden=(), latent_dim=2, n_clusters=3, pretrain=0.5, update_every=2)
    trajectory = trajectory_of(task, X, Adam(0.02, 20, weight_decay=0.0), batch_size=5)
    found = Implicit.of_trajectory(trajectory, damping=0.05)
    layout = trajectory.recipe.layout

    def published_gradient(weights: Tensor) -> Tensor:
        targets = task.targets(trajectory.params, X, weights).detach()
        theta = trajectory.final.clone().requires_grad_()
        loss = task.divergence(layout.split(theta), X, weights, targets)
        return torch.autograd.grad(loss, theta)[0]

    vectors = normal(2, layout.size, seed=8)
    expected = central_differences(lambda w: vectors @ published_gradient(w), W)
    assert error(found.rows(vectors), -expected) <= 1e-7

    targets = task.targets(trajectory.params, X, W).detach()
    hessian = torch.autograd.functional.hessian(
        lambda t: task.divergence(layout.split(t), X, W, targets), trajectory.final
    )
    torch.testing.assert_close(found.solver.spectrum.operator.dense(), hessian, rtol=1e-8, atol=1e-10)


def test_of_trajectory_takes_solver_curvature_and_block() -> None:
    trajectory = at_rest("sgd")
    cotangents = normal(2, trajectory.recipe.layout.size, seed=8)
    by_hand = Implicit.of_trajectory(trajectory, damping=0.01)
    by_steps = Implicit.of_trajectory(trajectory, damping=0.01, solver=partial(ConjugateGradients, tolerance=1e-12))
    assert error(by_steps.vjp(cotangents), by_hand.vjp(cotangents)) <= 1e-9
    shifted = Shifted(by_hand.solver.spectrum.operator, torch.tensor(0.01, dtype=torch.float64))
    given = Implicit.of_trajectory(trajectory, damping=0.0, curvature=shifted)
    assert error(given.vjp(cotangents), by_hand.vjp(cotangents)) <= 1e-9
    layout = trajectory.recipe.layout
    encoder = torch.cat(
        [torch.full((value.numel(),), name.startswith("encoder")) for name, value in trajectory.params.items()]
    )
    vectors = Implicit.of_trajectory(trajectory, damping=0.01, block=encoder).solve(cotangents).value
    assert all(bool(value.any()) == name.startswith("encoder") for name, value in layout.split(vectors[0]).items())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decay": -1.0}, "decay=-1.0 must be a finite number of at least 0, or None"),
        ({"passes": 0}, "passes=0 must be a whole number of at least 1"),
        ({"block": torch.ones(2, dtype=torch.bool)}, "Expected torch.bool and"),
    ],
)
def test_options_of_a_run_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        Implicit.of_trajectory(at_rest("sgd"), **options)
