"""Loss, gradient, training and the exact derivative, against autograd and against retraining."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import logsigmoid

from clusterexplain.exceptions import TrainingDivergedError
from clusterexplain.training import Adam
from clusterexplain.word_embeddings.corpus import Corpus
from clusterexplain.word_embeddings.counts import UnitCounts
from clusterexplain.word_embeddings.expected_loss import CountCotangent, ExpectedLoss
from clusterexplain.word_embeddings.training import SkipGram


def plain_loss(
    embeddings: torch.Tensor, table: torch.Tensor, occurrences: torch.Tensor, nominal: float
) -> torch.Tensor:
    """Spell the definition out, cell by cell."""
    q = occurrences**0.75 / (occurrences**0.75).sum()
    total = embeddings.new_zeros(())
    for i in range(len(table)):
        centre_count = table[i].sum()
        for j in range(len(table)):
            product = embeddings[0, i] @ embeddings[1, j]
            total = total - table[i, j] * logsigmoid(product) - 5 * centre_count * q[j] * logsigmoid(-product)
    return total / nominal


@pytest.fixture
def problem() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    table = torch.rand(5, 5, generator=generator, dtype=torch.float64)
    embeddings, direction = torch.randn(2, 2, 5, 3, generator=generator, dtype=torch.float64)
    return embeddings, direction, table + table.T, torch.rand(5, generator=generator, dtype=torch.float64) + 1


def test_loss_and_gradient_are_those_of_the_definition(problem: tuple[torch.Tensor, ...]) -> None:
    embeddings, _, table, occurrences = problem
    point = embeddings.clone().requires_grad_()
    value = plain_loss(point, table, occurrences, 7.0)
    (gradient,) = torch.autograd.grad(value, point)
    loss = ExpectedLoss(table, occurrences, 7.0)
    torch.testing.assert_close(loss.value(embeddings), value.detach())
    torch.testing.assert_close(loss.gradient(embeddings), gradient)


def test_derivative_of_the_gradient_in_vectors_and_counts_is_that_of_autograd(
    problem: tuple[torch.Tensor, ...],
) -> None:
    embeddings, direction, table, occurrences = (part.clone().requires_grad_() for part in problem)
    value = plain_loss(embeddings, table, occurrences, 7.0)
    (gradient,) = torch.autograd.grad(value, embeddings, create_graph=True)
    expected = torch.autograd.grad((gradient * direction.detach()).sum(), (embeddings, table, occurrences))
    loss, sums = ExpectedLoss(problem[2], problem[3], 7.0), CountCotangent.empty(problem[2])
    product = loss.hessian_vector_product(problem[0], problem[1], sums)
    for found, wanted in zip((product, *loss.count_gradients(sums)), expected, strict=True):
        torch.testing.assert_close(found, wanted)


def test_a_word_that_never_occurs_has_no_derivative(problem: tuple[torch.Tensor, ...]) -> None:
    embeddings, direction, table, occurrences = problem
    loss, sums = ExpectedLoss(table, occurrences * torch.tensor([0.0, 1, 1, 1, 1]), 7.0), CountCotangent.empty(table)
    loss.hessian_vector_product(embeddings, direction, sums)
    on_table, on_occurrences = loss.count_gradients(sums)
    assert torch.isfinite(on_table).all()
    assert on_occurrences[0] == 0


def smooth_score(vectors: torch.Tensor) -> torch.Tensor:
    unit = torch.nn.functional.normalize(vectors[0], dim=1)
    return (unit[0] - unit[1]) @ (unit[2] - unit[3]) + 0.1 * unit[4] @ unit[5]


@pytest.mark.parametrize("spacing", [1, 4, 25])
def test_derivative_is_that_of_retraining(recipe: SkipGram, corpus: Corpus, spacing: int) -> None:
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.5, 1.5, len(corpus))
    trajectory = recipe.record(weights, spacing=spacing)
    point = trajectory.final.clone().requires_grad_()
    (cotangent,) = torch.autograd.grad(smooth_score(point), point)
    row = trajectory.vjp(cotangent)
    step, found = 1e-5, []
    for unit in range(0, len(corpus), 5):
        shift = step * (np.arange(len(corpus)) == unit)
        ends = [smooth_score(recipe.train(weights + sign * shift)) for sign in (1, -1)]
        found.append(float(ends[0] - ends[1]) / (2 * step))
    np.testing.assert_allclose(row[::5], found, rtol=1e-5, atol=1e-5 * np.abs(found).max())


def test_influence_of_a_document_is_that_of_its_paragraphs(texts: object) -> None:
    rows = []
    for unit in ("document", "paragraph"):
        corpus = Corpus.read(texts, unit=unit, min_count=1)  # type: ignore[arg-type]
        recipe = SkipGram(corpus.counts, 3, Adam(0.05, 10, eps=1e-4), dtype=torch.float64)
        trajectory = recipe.record(np.ones(len(corpus)))
        rows.append((corpus.units["document"], trajectory.vjp(torch.ones_like(trajectory.final))))
    sums = np.bincount(np.unique(rows[1][0], return_inverse=True)[1], weights=rows[1][1])
    order = np.unique(rows[0][0], return_inverse=True)[1]
    np.testing.assert_allclose(sums[order], rows[0][1], rtol=1e-3, atol=1e-6)


def test_a_unit_of_weight_0_was_never_there(recipe: SkipGram) -> None:
    weights = np.ones(recipe.counts.n_units)
    weights[[2, 7]] = 0
    kept = np.flatnonzero(weights)
    without = SkipGram(recipe.counts.subset(kept), recipe.dim, recipe.optimizer, dtype=torch.float64)
    nominal = recipe.counts.total / recipe.counts.n_words
    loss, smaller = recipe.loss(weights), without.loss(np.ones(len(kept)))
    embeddings = recipe.initial()
    torch.testing.assert_close(
        loss.gradient(embeddings) * nominal, smaller.gradient(embeddings) * without.counts.total / recipe.counts.n_words
    )


def test_equal_seeds_give_equal_bytes_and_other_seeds_others(recipe: SkipGram) -> None:
    weights = np.ones(recipe.counts.n_units)
    assert torch.equal(recipe.train(weights), recipe.train(weights))
    assert not torch.equal(recipe.train(weights), recipe.with_seed(1).train(weights))


def test_divergence_is_told(corpus: Corpus) -> None:
    counts = UnitCounts(corpus.counts.pairs * np.float32("inf"), corpus.counts.words)
    with pytest.raises(TrainingDivergedError, match=r"within 3 steps at learning rate 1.*lower learning_rate"):
        SkipGram(counts, 2, Adam(1.0, 3)).train(np.ones(len(corpus)))


def test_the_yardstick_is_minus_the_product_of_gradients(recipe: SkipGram, corpus: Corpus) -> None:
    trajectory = recipe.record(np.ones(len(corpus)))
    direction = torch.randn(trajectory.final.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    row, step = trajectory.gradient_dot(direction), 1e-6
    for unit in (0, 7):
        shift = step * (np.arange(len(corpus)) == unit)
        ends = [recipe.loss(np.ones(len(corpus)) + sign * shift).gradient(trajectory.final) for sign in (1, -1)]
        assert row[unit] == pytest.approx(-float(((ends[0] - ends[1]) * direction).sum()) / (2 * step), rel=1e-5)


def test_long_recordings_keep_fewer_states(recipe: SkipGram, corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    full = recipe.record(np.ones(len(corpus)))
    monkeypatch.setattr(
        "clusterexplain.execution.budget.WORD_STATES_BYTES", 12 * full.checkpoints[0][0].numel() * 3 * 8
    )
    thin = recipe.record(np.ones(len(corpus)))
    assert (full.spacing, len(full.checkpoints)) == (1, 25)
    assert thin.spacing > 1
    cotangent = torch.ones_like(full.final)
    np.testing.assert_array_equal(full.vjp(cotangent), thin.vjp(cotangent))
