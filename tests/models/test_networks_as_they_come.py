"""Networks as people bring them: residual blocks with frozen statistics, lazy layers, single numbers as parameters."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from clusterexplain import ClusterExplainer, EmbeddingTask, check_task
from clusterexplain.exceptions import InvalidTaskError

SIDE, N = 4, 18
OPTIONS = {"n_clusters": 3, "random_state": 0, "n_jobs": 1, "dtype": "float64", "scaling": None, "further_steps": 3}


class Block(nn.Module):
    """The basic block of a residual network, as torchvision writes it: in place, with a strided skip."""

    def __init__(self, channels: int, wide: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, wide, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(wide)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(wide, wide, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(wide)
        self.downsample = nn.Sequential(nn.Conv2d(channels, wide, 1, stride, bias=False), nn.BatchNorm2d(wide))

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += self.downsample(x)
        return self.relu(out)


class Residual(nn.Module):
    """A stem with pooling, a block, average pooling, dropout and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 3, 3, 1, 1, bias=False), nn.BatchNorm2d(3), nn.ReLU(inplace=True))
        self.maxpool = nn.MaxPool2d(2, 1, 1)
        self.block = Block(3, 4, 2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.avgpool(self.block(self.maxpool(self.stem(x))))
        return self.fc(self.dropout(torch.flatten(pooled, 1)))


def images() -> np.ndarray:
    """Return 18 images of three kinds, as rows."""
    X = np.random.default_rng(0).normal(size=(N, 3 * SIDE * SIDE))
    X[:6] += 1
    X[6:12, ::2] -= 1
    return X


def trained_elsewhere() -> nn.Module:
    """Train a residual network in an ordinary loop, so that its statistics are those of the images."""
    torch.manual_seed(0)
    net = Residual()
    x = torch.tensor(images()).float().reshape(N, 3, SIDE, SIDE)
    wanted = torch.eye(3)[torch.arange(3).repeat_interleave(6)][:, :2]
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(15):
        optimizer.zero_grad()
        (net(x) - wanted).square().mean().backward()
        optimizer.step()
    return net.eval()


def assert_derivative(ce: ClusterExplainer, query: int, step: float = 1e-5) -> None:
    """Compare the strongest influence on a row with central differences of refits."""
    e = ce.explain([query])
    row = int(np.abs(e.influence[0]).argmax())
    ends = []
    for sign in (1, -1):
        weights = e.sample_weight.copy()
        weights[row] += sign * step
        ends.append(e.evaluate(ce.refit(sample_weight=weights), assignments="kept")[0])
    slope = (ends[0] - ends[1]) / (2 * step)
    assert abs(slope - e.influence[0, row]) <= 1e-5 * abs(slope)


def test_a_residual_network_in_eval_mode_is_explained_as_refits_say(capfd: pytest.CaptureFixture[str]) -> None:
    """Seen to fail: "view size is not compatible", after check_task had passed it; lines of torch on the terminal."""
    task = EmbeddingTask.from_module(
        trained_elsewhere(), decoder=nn.Linear(2, 3 * SIDE**2), input_shape=(3, SIDE, SIDE)
    )
    ce = ClusterExplainer(model=task, **OPTIONS).fit(images(), train=False)
    assert_derivative(ce, 0)
    assert "BatchedFallback" not in capfd.readouterr().err


def test_a_single_number_can_be_a_parameter() -> None:
    """Seen to fail: a crash in the layout of the parameters, where a tensor without dimensions has no shape to give."""

    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(48, 2)
            self.log_scale = nn.Parameter(torch.tensor(0.3))

        def forward(self, x: Tensor) -> Tensor:
            return torch.tanh(self.linear(x)) * self.log_scale.exp()

    torch.manual_seed(0)
    task = EmbeddingTask.from_module(Scaled(), decoder=nn.Linear(2, 48))
    check_task(task, torch.tensor(images()))
    assert_derivative(ClusterExplainer(model=task, n_steps=5, **OPTIONS).fit(images()), 0)


@pytest.mark.parametrize(
    ("net", "name"),
    [
        (nn.Sequential(nn.LazyLinear(8), nn.GELU(), nn.Linear(8, 2)), r"encoder\.0 \(LazyLinear\)"),
        (nn.Sequential(nn.Unflatten(1, (3, 4, 4)), nn.LazyConv2d(2, 3), nn.Flatten()), r"encoder\.1 \(LazyConv2d\)"),
        (nn.Sequential(nn.Linear(48, 2), nn.LazyBatchNorm1d()), r"encoder\.1 \(LazyBatchNorm1d\)"),
    ],
)
def test_a_lazy_layer_without_weights_is_refused_by_name(net: nn.Module, name: str) -> None:
    with pytest.raises(InvalidTaskError, match=name + r" has no weights yet.*call net\(rows\[:2\]\)"):
        EmbeddingTask.from_module(net, decoder=nn.Linear(2, 48))


def test_a_lazy_layer_that_has_seen_a_batch_is_a_task() -> None:
    net = nn.Sequential(nn.LazyLinear(8), nn.GELU(), nn.Linear(8, 2))
    net(torch.tensor(images()[:2]).float())
    check_task(EmbeddingTask.from_module(net, decoder=nn.Linear(2, 48)), torch.tensor(images()))


def test_check_task_says_what_a_fit_would_say_when_a_step_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen to fail: check_task passed what fit refused."""

    def refuse(self: object, *arguments: object) -> None:
        raise InvalidTaskError("The training step cannot be recorded: it is refused by this test.")

    task = EmbeddingTask.from_module(nn.Linear(48, 2), decoder=nn.Linear(2, 48))
    monkeypatch.setattr("clusterexplain.training.compiled_steps.CompiledSteps.step_vjp", refuse)
    with pytest.raises(InvalidTaskError, match="cannot be recorded"):
        check_task(task, torch.tensor(images()))
    check_task(task, torch.tensor(images()), record=False)


def test_a_loss_with_a_domain_is_recorded_where_the_trial_leaves_it() -> None:
    """A square root of what is positive at the network's weights and not at those of the trial.

    Seen to fail: a bare RuntimeError of torch.allclose, whose tolerance was NaN.
    """
    net = nn.Linear(48, 2)
    with torch.no_grad():
        net.weight.mul_(0.01)

    def each(module: nn.Module, x: Tensor) -> Tensor:
        return (0.2 - module(x).square().mean(dim=1)).sqrt() * x[:, 0]

    task = EmbeddingTask.from_module(net, example_loss=each)
    check_task(task, torch.tensor(images() * 0.1))
