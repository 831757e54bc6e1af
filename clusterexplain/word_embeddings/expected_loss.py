"""The expected objective of skip-gram with negative sampling, as a function of word vectors and counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

POWER = 0.75
"""Negative words are drawn in proportion to this power of their occurrences, as published."""
BLOCK_CELLS = 2**18
"""Cells of the table that are worked on at a time, so that what lies between stays in the cache."""


@dataclass(eq=False)
class CountCotangent:
    """Sums over training steps from which the derivative in the counts is made.

    Parameters
    ----------
    table : Tensor of shape (n_words, n_words)
        Sum of the direct derivative in every cell.
    right, left : Tensor of shape (n_words,)
        Sums of the change of all products, times the noise distribution and times the centre counts.
    """

    table: Tensor
    right: Tensor
    left: Tensor

    @classmethod
    def empty(cls, table: Tensor) -> CountCotangent:
        """Return sums of nothing."""
        return cls(torch.zeros_like(table), table.new_zeros(len(table)), table.new_zeros(len(table)))


@dataclass(frozen=True, eq=False)
class ExpectedLoss:
    r"""Loss of skip-gram with negative sampling, in expectation over windows, subsampling and negatives.

    With word vectors U, context vectors V, products :math:`s_{ij} = u_i \cdot v_j`, co-occurrence counts C with row sums c,
    and the noise distribution :math:`q_j \propto o_j^{3/4}` of the occurrences o,

    .. math::
        L = \frac{1}{N} \sum_{ij} C_{ij} \log(1 + e^{-s_{ij}}) + k \, c_i q_j \log(1 + e^{s_{ij}}),

    where N is a constant and k the number of negatives. Nothing is drawn, so that training is deterministic. Writing
    :math:`A = C + k c q^\top`, the gradient in the products is :math:`(k c q^\top - A \circ \sigma(-S)) / N`: one pass over
    the table for each step.

    Parameters
    ----------
    table : Tensor of shape (n_words, n_words)
        Co-occurrence counts C.
    occurrences : Tensor of shape (n_words,)
        Occurrences o, not thinned out.
    nominal : float
        The constant N. It must not depend on the weights of the units: otherwise removing one would rescale all others.
    negatives : float, default=5
        Expected negatives k for each pair.

    References
    ----------
    T. Mikolov, I. Sutskever, K. Chen, G. Corrado, J. Dean. Distributed representations of words and phrases and their
    compositionality. NeurIPS 2013. O. Levy, Y. Goldberg. Neural word embedding as implicit matrix factorization. NeurIPS
    2014 (the objective in expectation).
    """

    table: Tensor
    occurrences: Tensor
    nominal: float
    negatives: float = 5.0

    @cached_property
    def center_counts(self) -> Tensor:
        """How often each word is the centre of a pair: k times the row sums of the table."""
        return self.negatives * self.table.sum(dim=1)

    @cached_property
    def negative_distribution(self) -> Tensor:
        """The distribution of negative words."""
        powers = self.occurrences**POWER
        return powers / powers.sum()

    @cached_property
    def _both(self) -> Tensor:
        return torch.addr(self.table, self.center_counts, self.negative_distribution)

    def value(self, embeddings: Tensor) -> Tensor:
        """Return the loss at word and context vectors of shape (2, n_words, dim)."""
        products = embeddings[0] @ embeddings[1].T
        ups = torch.nn.functional.softplus(-products)
        return ((self._both * ups).sum() + self.center_counts @ products @ self.negative_distribution) / self.nominal

    def gradient(self, embeddings: Tensor) -> Tensor:
        """Return the gradient in `embeddings`, shape (2, n_words, dim)."""
        words, contexts = embeddings
        gradient = torch.empty_like(embeddings)
        torch.outer(self.negative_distribution, self.center_counts @ words, out=gradient[1])
        negative_mean = self.negative_distribution @ contexts
        buffer = self._buffer()
        for rows in self._blocks():
            part = buffer[: rows.stop - rows.start]
            torch.mm(words[rows], contexts.T, out=part)
            part.neg_().sigmoid_().mul_(self._both[rows])
            torch.addmm(
                torch.outer(self.center_counts[rows], negative_mean), part, contexts, alpha=-1, out=gradient[0][rows]
            )
            gradient[1].addmm_(part.T, words[rows], alpha=-1)
        return gradient.div_(self.nominal)

    def hessian_vector_product(self, embeddings: Tensor, direction: Tensor, sums: CountCotangent) -> Tensor:
        """Return the Hessian times a direction, and add what the counts need to `sums`.

        Parameters
        ----------
        embeddings, direction : Tensor of shape (2, n_words, dim)
            Point and direction.
        sums : CountCotangent
            Receives the derivative of <gradient, direction> in the counts.

        Returns
        -------
        Tensor of shape (2, n_words, dim)
            Derivative of the gradient along the direction.
        """
        (words, contexts), (to_words, to_contexts) = embeddings, direction
        left, right = torch.cat([to_words, words], dim=1), torch.cat([contexts, to_contexts], dim=1)
        product = torch.empty_like(embeddings)
        torch.outer(self.negative_distribution, self.center_counts @ to_words, out=product[1])
        negative_mean = self.negative_distribution @ to_contexts
        change, share = self._buffer(), self._buffer()
        for rows in self._blocks():
            moved, part = change[: rows.stop - rows.start], share[: rows.stop - rows.start]
            torch.mm(left[rows], right.T, out=moved)
            torch.mm(words[rows], contexts.T, out=part)
            part.neg_().sigmoid_()
            sums.table[rows].addcmul_(part, moved, value=-1 / self.nominal)
            moved.mul_(1 - part)
            part.mul_(self._both[rows])
            moved.mul_(part)  # minus the change of A sigma(-S)
            torch.addmm(torch.outer(self.center_counts[rows], negative_mean), moved, contexts, out=product[0][rows])
            product[0][rows].addmm_(part, to_contexts, alpha=-1)
            product[1].addmm_(moved.T, words[rows]).addmm_(part.T, to_words[rows], alpha=-1)
        sums.right += left @ (right.T @ self.negative_distribution)
        sums.left += right @ (left.T @ self.center_counts)
        return product.div_(self.nominal)

    def count_gradients(self, sums: CountCotangent) -> tuple[Tensor, Tensor]:
        """Return the derivative in table and occurrences, from sums over any number of steps.

        Returns
        -------
        Tensor of shape (n_words, n_words)
            In every cell, cells taken as independent.
        Tensor of shape (n_words,)
            In every word's occurrences; 0 for a word that never occurs.
        """
        on_centers = sums.right / self.nominal + sums.table @ self.negative_distribution
        on_negatives = sums.left / self.nominal + self.center_counts @ sums.table
        powers = self.occurrences**POWER
        slope = torch.where(self.occurrences > 0, POWER * powers / self.occurrences.clamp(min=1e-30), 0.0)
        on_occurrences = (on_negatives - on_negatives @ self.negative_distribution) * slope / powers.sum()
        return sums.table + self.negatives * on_centers[:, None], on_occurrences

    def _buffer(self) -> Tensor:
        n_words = len(self.table)
        return self.table.new_empty(min(n_words, max(1, BLOCK_CELLS // n_words)), n_words)

    def _blocks(self) -> Iterator[slice]:
        n_words = len(self.table)
        size = max(1, BLOCK_CELLS // n_words)
        return (slice(start, min(start + size, n_words)) for start in range(0, n_words, size))
