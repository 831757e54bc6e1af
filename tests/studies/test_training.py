"""The batched networks, trainer and derivative of the fragility study against plain autograd and plain loops."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from clusterexplain.studies.fragility.derivative import unroll
from clusterexplain.studies.fragility.optimizer import BatchedAdam
from clusterexplain.studies.fragility.perceptron import Perceptron
from clusterexplain.studies.fragility.training import Trainer

NAMES = ("selu", "tanh", "relu")


def problem(activation: str, n: int = 12, depth: int = 2) -> tuple[Perceptron, Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    net = Perceptron((4, *[5] * depth, 3), activation)
    x = torch.randn(4, n, generator=generator, dtype=torch.float64)
    y = nn.functional.one_hot(torch.arange(n) % 3, 3).T.to(torch.float64)
    weights = torch.rand(3, n, generator=generator, dtype=torch.float64)
    return net, x, y, net.initial([0, 1, 2], torch.float64), weights


def module(net: Perceptron, theta: Tensor) -> nn.Sequential:
    """Build the same network of torch's own layers."""
    acts = {"selu": nn.SELU, "tanh": nn.Tanh, "relu": nn.ReLU}
    parts: list[nn.Module] = []
    for (weights, biases), inputs, outputs in zip(net.layers(theta), net.sizes[:-1], net.sizes[1:], strict=True):
        layer = nn.Linear(inputs, outputs).double()
        layer.weight.data, layer.bias.data = weights.clone(), biases[..., 0].clone()
        parts += [layer, acts[net.activation]()]
    return nn.Sequential(*parts[:-1])


def mean_loss(net: Perceptron, theta: Tensor, x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean cross-entropy of one network from the textbook formula."""
    act = {"selu": torch.selu, "tanh": torch.tanh, "relu": torch.relu}[net.activation]
    value = x.T
    for depth, (matrix, biases) in enumerate(net.layers(theta)):
        value = value @ matrix.T + biases[:, 0]
        value = act(value) if depth < len(net.spans) - 1 else value
    return (weights * nn.functional.cross_entropy(value, y.T.argmax(dim=1), reduction="none")).sum() / len(value)


@pytest.mark.parametrize("activation", NAMES)
def test_losses_gradient_and_products_are_those_of_autograd(activation: str) -> None:
    net, x, y, theta, weights = problem(activation)
    losses, gradient = net.gradient(theta, x, y, weights)
    directions = torch.randn(3, 4, net.n_params, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    on_losses, product = net.along(theta, x, y, weights, directions)
    unit = torch.eye(x.shape[1], dtype=torch.float64) * x.shape[1]
    for r in range(3):
        own = theta[r].clone().requires_grad_()
        torch.testing.assert_close(
            (weights[r] * losses[r]).sum() / x.shape[1], mean_loss(net, own, x, y, weights[r]).detach()
        )
        expected = torch.autograd.grad(mean_loss(net, own, x, y, weights[r]), own)[0]
        torch.testing.assert_close(gradient[r], expected, rtol=1e-10, atol=1e-13)
        hessian = torch.autograd.functional.hessian(lambda t, r=r: mean_loss(net, t, x, y, weights[r]), theta[r])
        torch.testing.assert_close(product[r], directions[r] @ hessian, rtol=1e-9, atol=1e-12)
        jacobian = torch.stack([torch.autograd.grad(mean_loss(net, own, x, y, row), own)[0] for row in unit])
        torch.testing.assert_close(on_losses[r], directions[r] @ jacobian.T, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(net.query_gradients(theta, x, y)[2], jacobian, rtol=1e-9, atol=1e-12)


def test_gauss_newton_leaves_out_the_second_derivatives_of_the_network() -> None:
    net, x, y, theta, weights = problem("tanh")
    eye = torch.eye(net.n_params, dtype=torch.float64).expand(3, -1, -1)
    found = net.along(theta, x, y, weights, eye, gauss_newton=True)[1]

    def logits(t: Tensor) -> Tensor:
        return net.values(t[None], x)[-1][0]

    jacobian = torch.autograd.functional.jacobian(logits, theta[1]).flatten(0, 1)
    p = torch.softmax(logits(theta[1]), dim=0)
    outer = torch.diag_embed(p.T) - p.T.unsqueeze(2) * p.T.unsqueeze(1)
    middle = torch.zeros(3, 12, 3, 12, dtype=torch.float64)
    middle[:, torch.arange(12), :, torch.arange(12)] = outer * (weights[1] / 12)[:, None, None]
    torch.testing.assert_close(found[1], jacobian.T @ middle.reshape(36, 36) @ jacobian, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("weight_decay", [0.0, 5e-3])
def test_batched_training_is_the_plain_loop_with_torchs_own_optimizer_and_schedule(weight_decay: float) -> None:
    net, x, y, theta, _ = problem("selu")
    n_steps = 1500
    trained = Trainer(net, x, y, BatchedAdam(weight_decay), n_steps).train(
        theta, torch.ones(3, 12, dtype=torch.float64)
    )
    for r in range(3):
        model = module(net, theta[r])
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=weight_decay)
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=100)
        for _ in range(n_steps):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x.T), y.T.argmax(dim=1))
            loss.backward()
            optimizer.step()
            schedule.step(loss.item())
        expected = torch.cat([part.flatten() for part in model.parameters()])
        torch.testing.assert_close(trained.theta[r], expected.detach(), rtol=0, atol=1e-10)


def test_a_network_that_is_done_leaves_the_batch_and_changes_nobody_else() -> None:
    net, x, y, theta, _ = problem("tanh")
    ones = torch.ones(3, 12, dtype=torch.float64)
    trainer = Trainer(net, x[:, :12], y, BatchedAdam(0.05), 6000)
    together = trainer.train(theta, ones)
    assert len(set(together.steps.tolist())) > 1
    assert bool((together.steps < 6000).any())
    for r in range(3):
        alone = trainer.train(theta[r : r + 1], ones[:1])
        torch.testing.assert_close(alone.theta[0], together.theta[r], rtol=0, atol=1e-9)
        assert torch.equal(alone.drops[0], together.drops[r])


def test_replayed_rates_give_the_same_training() -> None:
    net, x, y, theta, weights = problem("selu")
    trainer = Trainer(net, x, y, BatchedAdam(0.05), 4000)
    first = trainer.train(theta, weights)
    again = trainer.train(theta, weights, drops=first.drops)
    # After its last drop a network takes no step any more; a plateau is looked at every 50 steps only.
    torch.testing.assert_close(first.theta, again.theta, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("activation", "inside", "eps", "n_steps"),
    [("tanh", False, 1e-8, 300), ("tanh", True, 1e-4, 300), ("selu", False, 1e-8, 20)],  # SELU: few steps meet no kink
)
def test_the_derivative_is_that_of_finite_differences(activation: str, inside: bool, eps: float, n_steps: int) -> None:
    net, x, y, theta, _ = problem(activation)
    trainer = Trainer(net, x, y, BatchedAdam(5e-3, eps, inside), n_steps)
    ones = torch.ones(3, 12, dtype=torch.float64)
    drops = torch.tensor([[100, 200, -1, -1, -1], [250, -1, -1, -1, -1], [-1, -1, -1, -1, -1]])
    end = trainer.train(theta, ones, drops=drops)
    cotangents = net.query_gradients(end.theta, x[:, :2], y[:, :2])
    rows = unroll(trainer, theta, ones, drops, cotangents)
    for i in (0, 7):
        moved = []
        for sign in (1, -1):
            weights = ones.clone()
            weights[:, i] += sign * 1e-5
            moved.append(net.losses(trainer.train(theta, weights, drops=drops).theta, x[:, :2], y[:, :2]))
        torch.testing.assert_close(rows[:, :, i], (moved[0] - moved[1]) / 2e-5, rtol=2e-4, atol=1e-8)


def test_the_derivative_is_that_of_the_package_for_an_optimizer_that_both_have() -> None:
    from clusterexplain.influence import Unrolled
    from clusterexplain.models.task import EmbeddingTask
    from clusterexplain.training import Adam, BatchPlan, Recipe
    from clusterexplain.training.recorded import train

    net, x, y, theta, weights = problem("tanh")

    class Classifier(EmbeddingTask):
        separable = True

        def initial_params(self, generator, dtype):  # type: ignore[no-untyped-def]
            return {"theta": theta[0]}

        def embed(self, params, inputs):  # type: ignore[no-untyped-def]
            return inputs

        def loss(self, params, inputs, weights):  # type: ignore[no-untyped-def]
            value = torch.tanh(inputs[:, :4] @ params["theta"][:20].view(5, 4).T + params["theta"][20:25])
            value = torch.tanh(value @ params["theta"][25:50].view(5, 5).T + params["theta"][50:55])
            value = value @ params["theta"][55:70].view(3, 5).T + params["theta"][70:]
            return -(weights * (torch.log_softmax(value, dim=1) * inputs[:, 4:]).sum(dim=1)).sum() / len(weights)

    adam = Adam(1e-3, 200, weight_decay=5e-3, warmup=0.0, shape="constant", eps=1e-4, decoupled=False)
    plan = BatchPlan.draw(12, n_steps=200, batch_size=12, seed=0)
    run = train(Recipe(Classifier(), torch.cat([x, y]).T, {"theta": theta[0]}, plan, adam), weights[0], spacing=200)
    trainer = Trainer(net, x, y, BatchedAdam(5e-3, 1e-4, inside=True), 200)
    drops = torch.full((3, 5), -1)
    end = trainer.train(theta, weights, drops=drops)
    torch.testing.assert_close(end.theta[0], run.final, rtol=0, atol=1e-11)
    cotangents = net.query_gradients(end.theta, x[:, :2], y[:, :2])
    rows = unroll(trainer, theta, weights, drops, cotangents)
    torch.testing.assert_close(rows[0], Unrolled(run).pull(cotangents[0]), rtol=1e-7, atol=1e-10)
