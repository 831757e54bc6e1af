"""Writes in place are replaced where nobody else looks at what is written to, and left where somebody does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from clusterexplain.training.out_of_place import drop_copies, write_out_of_place
from clusterexplain.training.torch_compat import has_mutable_schema, make_fx

X = torch.arange(6.0).reshape(2, 3)


def chain(x: Tensor) -> Tensor:
    made = torch.empty_like(x).fill_(2.0).div_(4.0)
    return made.add_(x) * made


def copied(x: Tensor) -> Tensor:
    return (torch.empty_like(x).copy_(x * 2)).mul_(3)


def into_a_view(x: Tensor) -> Tensor:
    made = x * 2
    made[:, :1].add_(5.0)
    return made


def with_a_view(x: Tensor) -> Tensor:
    made = x * 2
    column = made[:, 0]
    made.add_(1.0)
    return column * 2


def read_before(x: Tensor) -> Tensor:
    made = x * 2
    before = made + 1
    made.mul_(10.0)
    return before - made


@pytest.mark.parametrize(
    ("function", "writes"),
    [(chain, False), (copied, False), (read_before, False), (into_a_view, True), (with_a_view, True)],
)
def test_a_rewritten_graph_computes_the_same(function: Callable[[Tensor], Tensor], writes: bool) -> None:
    module = make_fx(function)(X.clone())
    assert any(has_mutable_schema(node.target) for node in module.graph.nodes)
    write_out_of_place(module.graph)
    drop_copies(module.graph)
    module.recompile()
    assert any(has_mutable_schema(node.target) for node in module.graph.nodes) is writes
    for rows in (X, -3 * X + 1):
        torch.testing.assert_close(module(rows.clone()), function(rows.clone()), rtol=0, atol=0)
