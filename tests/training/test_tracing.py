"""Traced functions compute what the functions compute."""

import pytest
import torch
from torch.func import grad, vmap

from clusterexplain.training.tracing import trace


def _energy(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return (torch.nn.functional.gelu(x @ w.T + 1.5).square() / 3).sum() + 2 * (0 * w).sum()


@pytest.mark.parametrize("spelled", [False, True])
def test_trace_equals_function(spelled: bool) -> None:
    x, w = torch.randn(5, 3, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    slope = grad(_energy, argnums=1)
    traced = trace(slope, x, w, spell_out_slopes=spelled)
    other = torch.randn_like(w)
    torch.testing.assert_close(traced(x, other), slope(x, other), rtol=1e-12, atol=1e-12)


def test_trace_can_be_batched_and_traced_again() -> None:
    x, w = torch.randn(5, 3, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    stacked = torch.randn(6, 4, 3, dtype=torch.float64)
    single = trace(grad(_energy, argnums=1), x, w, spell_out_slopes=True)
    twice = trace(vmap(single, in_dims=(None, 0)), x, stacked)
    expected = torch.stack([grad(_energy, argnums=1)(x, one) for one in stacked])
    torch.testing.assert_close(twice(x, stacked), expected, rtol=1e-12, atol=1e-12)


def test_nested_arguments_and_results_survive() -> None:
    def swap(pair: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        return pair[1] * 1.0, pair[0] + 0.0

    a, b = torch.tensor([1.0]), torch.tensor([2.0])
    assert trace(swap, (a, b))((a, b)) == (b, a)
