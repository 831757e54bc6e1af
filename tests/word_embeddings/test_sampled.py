"""The minibatch variant: its derivative against retraining, its gradient against the expected one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from clusterexplain.exceptions import TrainingDivergedError
from clusterexplain.training import Adam
from clusterexplain.word_embeddings.corpus import Corpus
from clusterexplain.word_embeddings.counts import UnitCounts
from clusterexplain.word_embeddings.sampled import SampledSkipGram
from clusterexplain.word_embeddings.training import SkipGram


def score(embeddings: torch.Tensor) -> torch.Tensor:
    unit = torch.nn.functional.normalize(embeddings[0], dim=1)
    return (unit[0] - unit[1]) @ (unit[2] - unit[3])


def test_derivative_is_that_of_retraining(corpus: Corpus) -> None:
    recipe = SampledSkipGram(corpus.counts, 4, Adam(0.05, 23, eps=1e-4), batch_size=64, dtype=torch.float64)
    weights = np.random.default_rng(0).uniform(0.5, 1.5, len(corpus))
    point = recipe.train(weights).clone().requires_grad_()
    (cotangent,) = torch.autograd.grad(score(point), point)
    row = recipe.vjp(cotangent, weights)
    found = []
    for unit in range(0, len(corpus), 6):
        shift = 1e-5 * (np.arange(len(corpus)) == unit)
        ends = [float(score(recipe.train(weights + sign * shift))) for sign in (1, -1)]
        found.append((ends[0] - ends[1]) / 2e-5)
    np.testing.assert_allclose(row[::6], found, rtol=1e-5, atol=1e-5 * np.abs(found).max())


def test_gradient_of_many_samples_is_the_expected_one(corpus: Corpus) -> None:
    sampled = SampledSkipGram(corpus.counts, 4, Adam(0.05, 1), batch_size=1_000_000, scale=0.5, dtype=torch.float64)
    expected = SkipGram(corpus.counts, 4, Adam(0.05, 1), scale=0.5, dtype=torch.float64)
    embeddings = expected.initial()
    wanted = expected.loss(np.ones(len(corpus))).gradient(embeddings)
    found = sampled.gradient(embeddings, torch.ones(len(corpus), dtype=torch.float64), 0)
    assert float((found - wanted).norm() / wanted.norm()) < 0.02


def test_divergence_is_told(corpus: Corpus) -> None:
    counts = UnitCounts(corpus.counts.pairs, corpus.counts.words)
    with pytest.raises(TrainingDivergedError, match="lower learning_rate"):
        SampledSkipGram(counts, 2, Adam(float("inf"), 3), batch_size=8).train(np.ones(len(corpus)))
