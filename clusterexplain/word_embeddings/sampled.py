"""Skip-gram with negative sampling in minibatches, as published: pairs and negatives are drawn, once, and kept.

The faithful variant, for measuring. Which pairs meet at which step, and which negatives they meet, is drawn at weights 1 and
fixed in every retraining; a unit's weight multiplies its pairs and their negatives, so that weight 0 is a unit whose places in
the batches stay empty. What the draw leaves out is that the noise distribution itself would shift a little.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from clusterexplain.execution.budget import BATCH_CACHE_BYTES
from clusterexplain.execution.executors import one_thread
from clusterexplain.training.optimizer import State
from clusterexplain.word_embeddings.expected_loss import POWER
from clusterexplain.word_embeddings.training import SkipGram


@dataclass(frozen=True)
class Batch:
    """Pairs and negatives of a step.

    Attributes
    ----------
    unit : Tensor of shape (batch_size,)
        Where each pair is from.
    centre : Tensor of shape (batch_size,)
        Word.
    others : Tensor of shape (batch_size, 1 + negatives)
        Word that is near, then the negatives.
    """

    unit: Tensor
    centre: Tensor
    others: Tensor


@dataclass(frozen=True, eq=False)
class SampledSkipGram(SkipGram):
    """Everything about a minibatch training but the weights of the units.

    Parameters
    ----------
    batch_size : int, default=8192
        Pairs of a step.
    """

    batch_size: int = 8192

    def batch(self, step: int) -> Batch:
        """Return pairs in proportion to their counts, with either word as the centre, and their negatives."""
        if step in self._drawn:
            return self._drawn[step]
        batch = self._draw(step)
        if self.batch_size * (3 + round(self.negatives)) * 8 * self.optimizer.n_steps <= BATCH_CACHE_BYTES:
            self._drawn[step] = batch
        return batch

    def _draw(self, step: int) -> Batch:
        rng = np.random.default_rng([self.seed, step])
        n_words, cells = self.counts.n_words, self.counts.pairs
        places = np.searchsorted(self._pair_cdf, rng.random(self.batch_size) * self._pair_cdf[-1], side="right")
        unit = np.searchsorted(cells.indptr, places, side="right") - 1
        ends = np.stack(np.divmod(cells.indices[places].astype(np.int64), n_words))
        first = rng.integers(2, size=self.batch_size)
        columns = np.arange(self.batch_size)
        drawn = rng.random((self.batch_size, round(self.negatives)))
        negatives = np.searchsorted(self._negative_cdf, drawn * self._negative_cdf[-1], side="right")
        others = np.concatenate([ends[1 - first, columns][:, None], negatives], axis=1)
        return Batch(*(torch.from_numpy(part) for part in (unit, ends[first, columns], others)))

    def product_gradients(self, embeddings: Tensor, batch: Batch) -> Tensor:
        """Return the derivative of every pair's loss in its products, shape (batch_size, 1 + negatives)."""
        products = torch.einsum("bd,bkd->bk", embeddings[0][batch.centre], embeddings[1][batch.others])
        gradients = torch.sigmoid(products)
        gradients[:, 0] -= 1  # the word that is near; the others are negatives
        return gradients

    def gradient(self, embeddings: Tensor, weights: Tensor, step: int) -> Tensor:
        """Return the gradient of a step's loss; its expectation over draws is that of :class:`ExpectedLoss` at weights 1."""
        batch = self.batch(step)
        return self._vectors_vjp(
            batch, self._pair_weights(weights, batch) * self.product_gradients(embeddings, batch), embeddings
        )

    def _pair_weights(self, weights: Tensor, batch: Batch) -> Tensor:
        return (weights[batch.unit] * (self.counts.n_words / self.batch_size))[:, None]

    def _vectors_vjp(self, batch: Batch, on_products: Tensor, embeddings: Tensor) -> Tensor:
        """Pull derivatives in the products of a batch back to the vectors that they are made of."""
        words, contexts = embeddings[0][batch.centre], embeddings[1][batch.others]
        vectors = torch.zeros_like(embeddings)
        vectors[0].index_add_(0, batch.centre, torch.einsum("bk,bkd->bd", on_products, contexts))
        each = (on_products[:, :, None] * words[:, None]).reshape(-1, self.dim)
        vectors[1].index_add_(0, batch.others.reshape(-1), each)
        return vectors

    def vjp(self, cotangent: Tensor, weights: np.ndarray) -> np.ndarray:
        """Return the derivative of a scalar in the weight of every unit; all states are computed again and kept.

        Parameters
        ----------
        cotangent : Tensor of shape (2, n_words, dim)
            Derivative of the scalar in the trained vectors.
        weights : ndarray of shape (n_units,)
            Weights of the training.

        Returns
        -------
        ndarray of shape (n_units,)
            Positive: more of the unit raises the scalar.
        """
        point = torch.from_numpy(np.asarray(weights, dtype=float)).to(self.dtype)
        with one_thread(), torch.no_grad():
            states = [self.optimizer.initial_state(self.initial().reshape(-1))]
            for step in range(self.optimizer.n_steps - 1):
                states.append(self._advanced(states[-1], point, step))
            row = torch.zeros_like(point)
            on_state = self.optimizer.initial_state(cotangent.to(self.dtype).reshape(-1))
            for step, state in reversed(list(enumerate(states))):
                on_state, on_weights = self._step_vjp(state, point, step, on_state)
                row += on_weights
        return row.double().numpy()

    def _step_vjp(self, state: State, weights: Tensor, step: int, cotangent: State) -> tuple[State, Tensor]:
        embeddings, batch = self.embeddings(state[0]), self.batch(step)
        product_gradients, pair_weights = self.product_gradients(embeddings, batch), self._pair_weights(weights, batch)
        gradient = self._vectors_vjp(batch, pair_weights * product_gradients, embeddings).reshape(-1)
        (on_theta, *rest), u = self.optimizer.vjp(state, gradient, self.coefficients(step), cotangent)
        direction = self.embeddings(u)
        moved = torch.einsum("bd,bkd->bk", direction[0][batch.centre], embeddings[1][batch.others])
        moved += torch.einsum("bd,bkd->bk", embeddings[0][batch.centre], direction[1][batch.others])
        sigmoid = product_gradients.clone()
        sigmoid[:, 0] += 1
        hessian_u = self._vectors_vjp(batch, pair_weights * sigmoid * (1 - sigmoid) * moved, embeddings)
        hessian_u += self._vectors_vjp(batch, pair_weights * product_gradients, direction)
        on_pairs = (product_gradients * moved).sum(dim=1) * (self.counts.n_words / self.batch_size)
        on_weights = torch.zeros_like(weights).index_add_(0, batch.unit, on_pairs)
        return (on_theta + hessian_u.reshape(-1), *rest), on_weights

    def _advanced(self, state: State, weights: Tensor, step: int) -> State:
        gradient = self.gradient(self.embeddings(state[0]), weights, step).reshape(-1)
        return self.optimizer.update(state, gradient, self.coefficients(step))

    def _train(self, weights: np.ndarray) -> Tensor:
        point = torch.from_numpy(np.asarray(weights, dtype=float)).to(self.dtype)
        state = self.optimizer.initial_state(self.initial().reshape(-1))
        for step in range(self.optimizer.n_steps):
            state = self._advanced(state, point, step)
        return self._finite(self.embeddings(state[0]))

    @cached_property
    def _drawn(self) -> dict[int, Batch]:
        return {}

    @cached_property
    def _pair_cdf(self) -> np.ndarray:
        return np.cumsum(self.counts.pairs.data, dtype=np.float64)

    @cached_property
    def _negative_cdf(self) -> np.ndarray:
        return np.cumsum(self.counts.occurrences(np.ones(self.counts.n_units)).numpy() ** POWER)
