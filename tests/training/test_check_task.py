"""Every rule of the contract has a task that breaks it, and a message that says how to mend it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from clusterexplain import ClusterExplainer, Dataset, EmbeddingTask, check_task
from clusterexplain.exceptions import InvalidTaskError
from clusterexplain.models import MODELS, ModelSpec, build
from clusterexplain.models.registry import OF_COUNTS

X = torch.randn(12, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class Noisy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + 0.1 * torch.rand_like(x[:, :2])


class Centred(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x - x.mean(dim=0))


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        z = self.linear(x)
        return z if float(z.sum()) > 1e9 else 2 * z


OUTSIDE = nn.Linear(4, 2, dtype=torch.float64)


def _each(net: nn.Module, x: Tensor) -> Tensor:
    return (net(x).sum(dim=1) - x[:, 0]).square()


def _task(net: nn.Module | None = None, **options) -> EmbeddingTask:
    given = {"loss", "example_loss", "decoder"} & set(options)
    return EmbeddingTask.from_module(net or nn.Linear(4, 2), **({} if given else {"example_loss": _each}), **options)


class FalselySeparable(EmbeddingTask):
    separable = True

    def initial_params(self, generator: torch.Generator, dtype: torch.dtype) -> dict[str, Tensor]:
        return {"a": torch.ones(4, 2, dtype=dtype)}

    def embed(self, params: dict[str, Tensor], inputs: Tensor) -> Tensor:
        return inputs @ params["a"]

    def loss(self, params: dict[str, Tensor], inputs: Tensor, weights: Tensor) -> Tensor:
        each = self.embed(params, inputs).square().sum(dim=1)
        return ((each * weights).sum() + (each.outer(each) * weights.outer(weights)).sum()) / len(weights)


BROKEN: list[tuple[Callable[[], EmbeddingTask], str]] = [
    (
        lambda: _task(nn.Sequential(nn.Linear(4, 2), nn.Dropout())),
        r"1 \(Dropout\) is in train mode.*Call \.eval\(\)",
    ),
    (
        lambda: _task(nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2))),
        r"1 \(BatchNorm1d\) is in train mode.*who else is in the batch.*LayerNorm",
    ),
    (lambda: _task(Noisy()), r"Two passes over the same rows gave different embeddings"),
    (lambda: _task(Centred()), r"depends on the other rows of its batch"),
    (lambda: _task(nn.Linear(3, 2)), r"embed failed on 8 rows of shape \(4,\).*input_shape= reshapes"),
    (lambda: _task(embed=lambda net, x: (net(x), 0)), r"embed returned a tuple.*embed=lambda"),
    (lambda: _task(embed=lambda net, x: net(x)[:, None]), r"embed returned shape \(8, 1, 2\).*Expected \(batch, dim\)"),
    (lambda: _task(embed=lambda net, x: net(x) / 0), r"embed returned NaN or infinite"),
    (lambda: _task(augment=lambda x, keys: x + torch.rand_like(x)), r"different results for the same keys"),
    (lambda: _task(augment=lambda x, keys: x + torch.arange(8.0)[:, None]), r"depends on its place in the batch"),
    (lambda: _task(augment=lambda x, keys: x[:3]), r"another number of rows"),
    (lambda: _task(example_loss=lambda net, x: net(x).square().mean()), r"example_loss returned shape \(\)"),
    (lambda: _task(loss=lambda net, x, w: net(x).square().sum(1) * w), r"Expected a finite scalar Tensor"),
    (lambda: _task(loss=lambda net, x, w: _each(net, x).mean()), r"The loss ignores the weights"),
    (
        lambda: _task(loss=lambda net, x, w: (w * _each(net, x)).sum() / w.sum()),
        r"normalised by the sum of the weights",
    ),
    (
        lambda: _task(loss=lambda net, x, w: (w * _each(net, x - x.mean(0))).sum() / len(w)),
        r"Weight 0 is not the same as leaving the example out",
    ),
    (FalselySeparable, r"separable=True, but its loss is not a sum"),
    (lambda: _task(Branching()), r"cannot be differentiated twice by torch\.func"),
    (
        lambda: _task(example_loss=lambda net, x: (net(x).sum(1) * 0).abs().sqrt()),
        r"first or second derivative of the loss is NaN",
    ),
    (
        lambda: _task(embed=lambda net, x: OUTSIDE(x)),
        r"embed does not depend on any parameter.*lambda net, x: net\(x\)",
    ),
    (lambda: _task(example_loss=lambda net, x: _each(OUTSIDE, x)), r"The loss does not depend on any parameter"),
    (lambda: _task(loss=lambda net, x, w: (w * _each(net, x)).sum()), r"The loss is a sum over the batch"),
    (
        lambda: _task(example_loss=lambda net, x: net(x + torch.randn_like(x)).sum(1)),
        r"Two calls of the loss with the same arguments",
    ),
    (lambda: _task(decoder=nn.Linear(2, 3)), r"decoder returned shape \(8, 3\) for inputs of shape \(8, 4\)"),
]


@pytest.mark.parametrize(("build_task", "message"), BROKEN)
def test_a_broken_rule_is_named(build_task: Callable[[], EmbeddingTask], message: str) -> None:
    with pytest.raises(InvalidTaskError, match=message):
        check_task(build_task(), X)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_good_tasks_pass(dtype: torch.dtype) -> None:
    check_task(_task(), X.to(dtype))
    check_task(_task(decoder=nn.Sequential(nn.LayerNorm(2), nn.Linear(2, 4))), X.to(dtype))


@pytest.mark.parametrize("name", MODELS)
def test_every_named_model_keeps_the_contract(name: str) -> None:
    rows = torch.randn(12, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rows = torch.floor(torch.exp(rows)) if name in OF_COUNTS else rows
    check_task(build(name, ModelSpec(rows, (4, 4), torch.zeros(16), 3, 2, (4,), "gelu", {})), rows)


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(InvalidTaskError, match=r"got 3 rows\. Expected at least 4"):
        check_task(_task(), X[:3])


@pytest.mark.parametrize(
    ("rows", "kind"), [(np.ones((8, 4)), "ndarray"), (torch.ones(8, 4, dtype=torch.int64), "torch.int64")]
)
def test_rows_that_are_no_tensor_are_refused(rows: object, kind: str) -> None:
    with pytest.raises(InvalidTaskError, match=rf"rows of {kind}\. Expected a floating-point tensor, for example"):
        check_task(_task(), rows)


def test_fit_checks_a_task_before_it_trains() -> None:
    with pytest.raises(InvalidTaskError, match=r"Dropout"):
        ClusterExplainer(model=BROKEN[0][0](), n_clusters=2).fit(Dataset(np.asarray(X)))
