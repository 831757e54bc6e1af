"""The trainer, its exact derivative and the classical influence of the fragility study, against plain torch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.experiments.fragility.classical_influence import Classical, curvature, removal_effects
from clusterexplain.experiments.fragility.classifiers import ACTIVATIONS, Network
from clusterexplain.experiments.fragility.exact_derivative import vjp
from clusterexplain.experiments.fragility.full_batch_training import Examples, Schedule, State, train, train_many

MODULES = {"selu": nn.SELU, "tanh": nn.Tanh, "relu": nn.ReLU, "gelu": nn.GELU}
NETWORK = Network((4, 5, 5, 3), "tanh")


def examples(n: int = 20, seed: int = 0) -> Examples:
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(n, 4, generator=generator, dtype=torch.float64)
    return Examples.of(X, torch.randint(0, 3, (n,), generator=generator), 3)


def module(network: Network, theta: Tensor) -> nn.Sequential:
    parts: list[nn.Module] = []
    for weight, bias in network.layers(theta):
        layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=theta.dtype)
        layer.load_state_dict({"weight": weight, "bias": bias[:, 0]})
        parts += [layer, MODULES[network.activation]()]
    return nn.Sequential(*parts[:-1])


def flat(model: nn.Module) -> Tensor:
    return torch.cat([one.detach().flatten() for one in model.parameters()])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_written_out_gradients_are_autograds(activation: str) -> None:
    network, some = Network((4, 5, 5, 3), activation), examples()
    theta = network.initial(range(2)).double()
    weights = torch.rand(2, 20, dtype=torch.float64)
    losses, gradient = network.gradient(theta, some.inputs, some.targets, weights)
    for one in range(2):
        model = module(network, theta[one])
        each = nn.functional.cross_entropy(model(some.inputs.T), some.targets.argmax(0), reduction="none")
        torch.testing.assert_close(losses[one], each.detach())
        (each * weights[one]).sum().backward()
        expected = torch.cat([part.grad.flatten() for part in model.parameters() if part.grad is not None])
        torch.testing.assert_close(gradient[one], expected)
        each = network.gradients(theta[[one]], some.inputs, some.targets)
        torch.testing.assert_close(weights[one] @ each, expected)


def test_an_unknown_activation_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match=r"activation='sine' is unknown. Expected one of 'selu', 'tanh'"):
        Network((4, 5, 3), "sine")


@pytest.mark.parametrize(("decay", "last_only"), [(0.0, False), (0.005, False), (0.005, True)])
def test_many_trainings_are_plain_trainings_with_adam_and_a_plateau_schedule(decay: float, last_only: bool) -> None:
    network, some, n_steps = Network((4, 5, 3), "selu"), examples(), 500
    theta, weights = network.initial(range(3)).double(), torch.full((3, 20), 1 / 20, dtype=torch.float64)
    schedule = Schedule(n_steps, learning_rate=0.02, weight_decay=decay, last_only=last_only)
    trained = train(network, State.fresh(theta), some, weights, schedule)
    for one in range(3):
        model = module(network, theta[one])
        free = list(model.parameters())[-2:] if last_only else list(model.parameters())
        optimizer = torch.optim.Adam(free, lr=0.02, weight_decay=decay)
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=100)
        for _ in range(n_steps):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(some.inputs.T), some.targets.argmax(0))
            loss.backward()
            optimizer.step()
            plateau.step(loss.item())
        torch.testing.assert_close(trained.theta[one], flat(model), rtol=1e-6, atol=1e-7)


def test_a_plateau_schedule_ends_when_every_rate_is_at_its_floor() -> None:
    network, some = Network((4, 5, 3), "selu"), examples()
    weights = torch.full((2, 20), 1 / 20)
    some = some.float()
    schedule = Schedule(20_000, learning_rate=0.05, weight_decay=0.5)
    trained = train(network, State.fresh(network.initial(range(2))), some, weights, schedule)
    assert 500 < trained.n_done < 5_000


def test_chunks_do_not_change_a_training() -> None:
    some = examples()
    some = some.float()
    start = State.fresh(NETWORK.initial(range(3)).repeat_interleave(100, 0))
    weights = torch.rand(300, 20) / 10
    schedule = Schedule(10, weight_decay=0.01)
    together = train(NETWORK, start, some, weights, schedule).theta
    torch.testing.assert_close(train_many(NETWORK, start, some, weights, schedule), together, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(50, learning_rate=0.01, weight_decay=0.01, shape="constant"),
        Schedule(50, learning_rate=0.02, weight_decay=0.01, shape="cosine", eps=1e-4, inside=True),
        Schedule(50, learning_rate=0.01, weight_decay=0.01, last_only=True),
    ],
)
def test_the_exact_derivative_is_the_finite_difference(schedule: Schedule) -> None:
    some, queries = examples(), examples(2, seed=1)
    start = State.fresh(NETWORK.initial(range(2)).double())
    weights = torch.full((2, 20), 1 / 20, dtype=torch.float64)
    trained = train(NETWORK, start, some, weights, schedule, record=True)
    cotangents = torch.stack(
        [NETWORK.gradients(theta[None], queries.inputs, queries.targets) for theta in trained.theta]
    )
    rows = vjp(NETWORK, trained, some, weights, schedule, cotangents)

    def losses(at: Tensor) -> Tensor:
        return NETWORK.losses(train(NETWORK, start, some, at, schedule).theta, queries.inputs, queries.targets)

    for example in (0, 7):
        step = torch.zeros_like(weights)
        step[:, example] = 1e-6
        expected = (losses(weights + step) - losses(weights - step)) / 2e-6
        torch.testing.assert_close(rows[:, :, example], expected, rtol=1e-5, atol=1e-7)


def test_further_training_with_a_restored_optimizer_is_one_longer_training() -> None:
    some = examples()
    weights = torch.full((2, 20), 1 / 20, dtype=torch.float64)
    start = State.fresh(NETWORK.initial(range(2)).double())
    half, whole = Schedule(30, shape="constant"), Schedule(60, shape="constant")
    twice = train(NETWORK, train(NETWORK, start, some, weights, half), some, weights, half)
    torch.testing.assert_close(twice.theta, train(NETWORK, start, some, weights, whole).theta)


@pytest.mark.parametrize("name", ["hessian", "gauss-newton"])
def test_curvatures_are_those_of_dense_autograd(name: str) -> None:
    some, theta = examples(), NETWORK.initial(range(1)).double()
    classes = some.targets.argmax(0)

    def logits(at: Tensor) -> Tensor:
        return NETWORK.logits(at[None], some.inputs)[0].T

    if name == "hessian":
        expected = torch.autograd.functional.hessian(
            lambda at: nn.functional.cross_entropy(logits(at), classes), theta[0]
        )
    else:
        slopes = torch.autograd.functional.jacobian(logits, theta[0])
        chances = torch.softmax(logits(theta[0]), dim=1)
        outer = torch.diag_embed(chances) - chances[:, :, None] * chances[:, None]
        expected = torch.einsum("icp,icd,idq->pq", slopes, outer, slopes) / some.n_rows
    torch.testing.assert_close(curvature(NETWORK, theta, some, name), expected)


def test_the_influence_of_the_last_layer_is_that_of_dense_autograd() -> None:
    some, queries = examples(), examples(2, seed=1)
    theta = NETWORK.initial(range(1)).double()
    last, bias = theta[0, NETWORK.last].view(3, 5), theta[0, NETWORK.last.stop :]
    before = NETWORK.hidden(theta, some.inputs)[1][-1][0]
    asked = NETWORK.hidden(theta, queries.inputs)[1][-1][0]

    def loss(weight: Tensor, rows: Tensor, targets: Tensor) -> Tensor:
        logits = (weight.view(3, 5) @ rows).T + bias
        return nn.functional.cross_entropy(logits, targets.argmax(0))

    matrix = torch.autograd.functional.hessian(lambda at: loss(at, before, some.targets), last.flatten())
    matrix = matrix + 0.01 * torch.eye(15, dtype=torch.float64)

    def slope(rows: Tensor, targets: Tensor) -> Tensor:
        return torch.autograd.functional.jacobian(lambda at: loss(at, rows, targets), last.flatten())

    of_queries = torch.stack([slope(asked[:, [one]], queries.targets[:, [one]]) for one in range(2)])
    of_examples = torch.stack([slope(before[:, [one]], some.targets[:, [one]]) for one in range(20)])
    expected = of_examples @ torch.linalg.solve(matrix, of_queries.T) / 20
    (found,) = removal_effects(NETWORK, theta, some, queries, [Classical(damping=0.01)])
    torch.testing.assert_close(found[0], expected)


def test_the_criticised_inverse_is_that_of_a_singular_matrix() -> None:
    some, queries = examples(200), examples(2, seed=1)
    theta = NETWORK.initial(range(1)).double()
    assert (torch.linalg.eigvalsh(curvature(NETWORK, theta, some, "hessian", last=True))[:5].abs() < 1e-15).all()
    (exact,) = removal_effects(NETWORK, theta, some, queries, [Classical()])
    single = Classical(single=True)
    (found,) = removal_effects(NETWORK, theta.float(), some.float(), queries.float(), [single])
    error = (found - exact).abs().max() / exact.abs().max()
    assert error > 1e-4  # float32 alone would give 1e-6

    (again,) = removal_effects(NETWORK, theta.float(), some.float(), queries.float(), [single])
    assert torch.equal(found, again)


def test_classical_influence_predicts_removal_at_a_minimum() -> None:
    network, some, queries = Network((4, 5, 3), "tanh"), examples(), examples(3, seed=1)
    schedule = Schedule(3_000, learning_rate=0.02, weight_decay=0.02, shape="cosine")
    start = State.fresh(network.initial(range(1)).double())
    weights = torch.full((1, 20), 1 / 20, dtype=torch.float64)
    base = train(network, start, some, weights, schedule)
    (predicted,) = removal_effects(network, base.theta, some, queries, [Classical(last=False, decay=0.02)])
    without = weights.repeat(20, 1) - 1e-3 * torch.eye(20, dtype=torch.float64) / 20
    after = train(network, base.repeated(20), some, without, schedule).theta
    null = train(network, base, some, weights, schedule).theta
    changes = network.losses(after, queries.inputs, queries.targets) - network.losses(
        null, queries.inputs, queries.targets
    )
    torch.testing.assert_close(1e3 * changes, predicted[0], rtol=0.02, atol=2e-3)


def test_an_unknown_curvature_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match=r"curvature='fisher' is unknown. Expected one of 'hessian'"):
        Classical("fisher")
    with pytest.raises(
        InvalidParameterError, match=r"single=True is the criticised inverse. Expected curvature='hessian'"
    ):
        Classical(single=True, damping=0.1)
