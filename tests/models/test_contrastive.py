"""NT-Xent against a double loop over its formula, against another library, and with examples that are not there."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from clusterexplain.models import Contrastive
from clusterexplain.models.augmentation import TableAugmentation
from clusterexplain.models.contrastive import nt_xent
from clusterexplain.models.networks import Dense

BATCH = 6
WEIGHTS = {
    "equal": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
    "unequal": [0.3, 1.7, 1.0, 0.9, 2.5, 0.01],
    "two removed": [1.0, 0.0, 1.0, 1.0, 0.0, 1.0],
    "unequal and one removed": [0.3, 1.7, 0.0, 0.9, 2.5, 1.0],
    "one left": [0.0, 0.0, 0.0, 0.7, 0.0, 0.0],
}


def views(seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Return two different views of a batch; rows are far from unit length."""
    generator = torch.Generator().manual_seed(seed)
    first = 3 * torch.randn(BATCH, 4, generator=generator, dtype=torch.float64)
    return first.to(dtype), (first + torch.randn(BATCH, 4, generator=generator, dtype=torch.float64)).to(dtype)


def weights_of(name: str) -> Tensor:
    """Return a named vector of data weights."""
    return torch.tensor(WEIGHTS[name], dtype=torch.float64)


def double_loop(first: Tensor, second: Tensor, weights: Tensor, temperature: float) -> float:
    """Return the loss from its formula, number by number."""
    rows = first.tolist() + second.tolist()
    example, weight = list(range(len(first))) * 2, weights.tolist()
    total = 0.0
    for u, row in enumerate(rows):
        denominator, positive = 0.0, 0.0
        for v, other in enumerate(rows):
            if v == u:
                continue
            dot = sum(a * b for a, b in zip(row, other, strict=True))
            cosine = dot / math.sqrt(sum(a * a for a in row)) / math.sqrt(sum(b * b for b in other))
            denominator += weight[example[v]] * math.exp(cosine / temperature)
            if example[v] == example[u]:
                positive = cosine
        if weight[example[u]] > 0:
            total += weight[example[u]] * (math.log(denominator) - positive / temperature)
    return total / len(rows)


@pytest.mark.parametrize("temperature", [0.05, 0.5, 2.0])
@pytest.mark.parametrize("weights", WEIGHTS)
def test_the_loss_is_the_double_loop_over_its_formula(weights: str, temperature: float) -> None:
    first, second = views()
    loss = nt_xent(first, second, weights_of(weights), temperature)
    assert loss.item() == pytest.approx(double_loop(first, second, weights_of(weights), temperature), rel=1e-10)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_at_weight_one_it_is_the_loss_of_another_library(temperature: float) -> None:
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    first, second = (view.requires_grad_() for view in views(1))
    loss = nt_xent(first, second, weights_of("equal"), temperature)
    theirs = losses.NTXentLoss(temperature=temperature)(torch.cat([first, second]), torch.arange(BATCH).repeat(2))
    assert loss.item() == pytest.approx(theirs.item(), rel=1e-7)  # they compute in float32 where they mask
    for slope, expected in zip(*(torch.autograd.grad(x, (first, second)) for x in (loss, theirs)), strict=True):
        torch.testing.assert_close(slope, expected, rtol=1e-5, atol=1e-7)


def test_weight_zero_is_the_loss_of_the_smaller_batch() -> None:
    first, second = views()
    weights = weights_of("unequal and one removed")
    kept = weights > 0
    loss = nt_xent(first, second, weights, 0.5)
    smaller = nt_xent(first[kept], second[kept], weights[kept], 0.5)
    assert loss.item() == pytest.approx(smaller.item() * kept.sum().item() / BATCH, rel=1e-12)


def test_weight_zero_hides_whatever_the_row_holds() -> None:
    first, second = (view.requires_grad_() for view in views())
    weights = weights_of("two removed")
    slopes = torch.autograd.grad(nt_xent(first, second, weights, 0.5), (first, second))
    assert all(slope[weights == 0].count_nonzero() == 0 for slope in slopes)
    assert all(slope[weights > 0].count_nonzero() > 0 for slope in slopes)


@pytest.mark.parametrize("weights", ["equal", "unequal", "unequal and one removed"])
def test_the_slope_in_the_weights_is_that_of_finite_differences(weights: str) -> None:
    """At a weight of 0 the loss is continued to negative weights, where only the formula's kept terms are summed."""
    first, second = views()
    w = weights_of(weights).requires_grad_()
    (slope,) = torch.autograd.grad(nt_xent(first, second, w, 0.5), w)
    for i, direction in enumerate(1e-6 * torch.eye(BATCH, dtype=torch.float64)):
        up, down = (nt_xent(first, second, w.detach() + sign * direction, 0.5).item() for sign in (1, -1))
        assert slope[i].item() == pytest.approx((up - down) / 2e-6, rel=1e-6, abs=1e-8)


def test_second_derivatives_are_those_of_finite_differences() -> None:
    first, second = views()
    w = weights_of("unequal and one removed").requires_grad_()
    torch.autograd.gradgradcheck(
        lambda a, b, c: nt_xent(a, b, c, 0.5), (*(v.requires_grad_() for v in (first, second)), w)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_all_weights_zero_is_no_loss_and_no_trouble(dtype: torch.dtype) -> None:
    first, second = (view.requires_grad_() for view in views(dtype=dtype))
    weights = torch.zeros(BATCH, dtype=dtype, requires_grad=True)
    loss = nt_xent(first, second, weights, 0.5)
    assert loss.item() == 0
    slopes = torch.autograd.grad(loss, (first, second, weights))
    assert all(torch.isfinite(slope).all() for slope in slopes)
    assert slopes[0].count_nonzero() == slopes[1].count_nonzero() == 0


@pytest.mark.parametrize("weights", WEIGHTS)
def test_the_lowest_temperature_stays_finite_in_float32(weights: str) -> None:
    first, second = views(2, torch.float32)
    second[0] = -first[0]  # the positive pair at the far end of the exponential
    arguments = [x.requires_grad_() for x in (first, second, weights_of(weights).float())]
    loss = nt_xent(*arguments, 0.02)
    assert loss.item() == pytest.approx(double_loop(first, second, weights_of(weights), 0.02), rel=1e-4, abs=1e-4)
    assert all(torch.isfinite(slope).all() for slope in torch.autograd.grad(loss, arguments))


def test_a_row_of_zeros_has_finite_slopes() -> None:
    first, second = (view.clone() for view in views())
    first[1] = 0
    slopes = torch.autograd.grad(
        nt_xent(first.requires_grad_(), second.requires_grad_(), weights_of("unequal"), 0.5), (first, second)
    )
    assert all(torch.isfinite(slope).all() for slope in slopes)


def tasks() -> tuple[Contrastive, Contrastive, dict[str, Tensor], Tensor]:
    """Return tasks that embed with the encoder and with the projector, their parameters, and rows."""
    rows = torch.randn(BATCH, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    networks = Dense("encoder", (5, 6, 3), "gelu"), Dense("projector", (3, 4), "gelu")
    options: dict[str, Any] = {"temperature": 0.3}
    by_encoder, by_projector = (
        Contrastive(*networks, TableAugmentation.measured(rows), "gelu", embedding=embedding, **options)
        for embedding in ("encoder", "projector")
    )
    return by_encoder, by_projector, by_encoder.initial_params(torch.Generator().manual_seed(0), torch.float64), rows


def test_the_task_compares_its_two_projected_views() -> None:
    by_encoder, by_projector, params, rows = tasks()
    pair = by_encoder.augment(rows, torch.arange(BATCH))
    weights = weights_of("unequal")
    expected = double_loop(*(by_projector.embed(params, view) for view in pair), weights, 0.3)
    for task in (by_encoder, by_projector):
        assert task.loss(params, pair, weights).item() == pytest.approx(expected, rel=1e-10)


def test_embeddings_are_unit_vectors_of_either_network() -> None:
    by_encoder, by_projector, params, rows = tasks()
    assert by_encoder.embed(params, rows).shape == (BATCH, 3)
    assert by_projector.embed(params, rows).shape == (BATCH, 4)
    for task in (by_encoder, by_projector):
        torch.testing.assert_close(task.embed(params, rows).norm(dim=1), torch.ones(BATCH, dtype=torch.float64))


def test_every_view_is_drawn_anew_and_depends_on_its_key_alone() -> None:
    """Neighbouring keys included: the second view of one is not the first view of the next."""
    task, _, _, rows = tasks()
    keys = torch.arange(200)
    row = rows[:1].expand(200, -1)
    first, second = task.augment(row, keys)
    assert len(torch.cat([first, second]).unique(dim=0)) == 400
    order = torch.randperm(200, generator=torch.Generator().manual_seed(0))[:20]
    for view, alone in zip((first, second), task.augment(row[order], keys[order]), strict=True):
        assert torch.equal(view[order], alone)


def test_the_two_views_of_an_example_are_independent() -> None:
    task = tasks()[0]
    first, second = task.augment(torch.zeros(4000, 5, dtype=torch.float64), torch.arange(4000))
    correlation = torch.corrcoef(torch.stack([first.reshape(-1), second.reshape(-1)]))[0, 1].item()
    assert abs(correlation) < 4 / math.sqrt(first.numel())
