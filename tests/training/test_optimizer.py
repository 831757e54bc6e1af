"""Adam against its textbook formula, and its hand-written transpose against automatic differentiation."""

import math

import torch
from torch.func import vjp

from clusterexplain.training import Adam


def _state(seed: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    theta, first, second, gradient = torch.randn(4, 7, generator=generator, dtype=torch.float64)
    return theta, first, second.square(), gradient


def test_two_steps_equal_the_textbook() -> None:
    optimizer = Adam(0.01, 50, eps=1e-3, weight_decay=0.1)
    theta, _, _, gradient = _state(0)
    state = optimizer.initial_state(theta)
    first, second = torch.zeros_like(theta), torch.zeros_like(theta)
    for step in range(2):
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        corrected = first / (1 - 0.9 ** (step + 1)), second / (1 - 0.999 ** (step + 1))
        rate = 0.01 * optimizer.schedule(step)
        theta = theta - rate * (corrected[0] / torch.sqrt(corrected[1] + 1e-3) + 0.1 * theta)
        coefficients = torch.tensor(optimizer.coefficients(step), dtype=torch.float64)
        state = optimizer.update(state, gradient, coefficients)
    torch.testing.assert_close(state, (theta, first, second), rtol=1e-12, atol=1e-14)


def test_pull_is_the_transpose_of_update() -> None:
    optimizer = Adam(0.01, 50, eps=1e-3, weight_decay=0.1)
    *state, gradient = _state(1)
    *cotangent, _ = _state(2)
    coefficients = torch.tensor(optimizer.coefficients(7), dtype=torch.float64)
    _, pull = vjp(lambda s, g: optimizer.update(s, g, coefficients), tuple(state), gradient)
    expected_state, expected_gradient = pull(tuple(cotangent))
    on_state, on_gradient = optimizer.vjp(tuple(state), gradient, coefficients, tuple(cotangent))
    torch.testing.assert_close(on_state, expected_state, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(on_gradient, expected_gradient, rtol=1e-12, atol=1e-14)


def test_schedule_rises_then_decays_to_zero() -> None:
    optimizer = Adam(1.0, 100)
    shares = [optimizer.schedule(step) for step in range(100)]
    assert math.isclose(max(shares), shares[9])
    assert shares == sorted(shares[:10]) + sorted(shares[10:], reverse=True)
    assert 0 < shares[-1] < 1e-3
