"""Co-occurrence counts that are linear in the weights of the units of text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

Passage = np.ndarray
"""Row numbers of the words of a passage in the vocabulary, in the order of the text."""


@dataclass(frozen=True, eq=False)
class UnitCounts:
    r"""How often words occur, and occur near each other, in every unit of a corpus.

    The table at unit weights w is :math:`C(w) = H(w) + H(w)^\top` with :math:`H(w) = \sum_u w_u H_u` upper triangular, so
    that it is linear in w: weight 0 is a unit that was never there.

    Parameters
    ----------
    pairs : sparse matrix of shape (n_units, n_words ** 2)
        Row u holds :math:`H_u`, flat.
    words : sparse matrix of shape (n_units, n_words)
        Occurrences of every word, not thinned out.
    """

    pairs: sparse.csr_matrix
    words: sparse.csr_matrix

    @property
    def n_units(self) -> int:
        """Number of units."""
        return int(self.words.shape[0])

    @property
    def n_words(self) -> int:
        """Number of words in the vocabulary."""
        return int(self.words.shape[1])

    @cached_property
    def total(self) -> float:
        """Sum of the table at weights 1; the normaliser of losses, whatever the weights."""
        return float(2 * self.pairs.sum(dtype=np.float64))

    def table(self, weights: np.ndarray, dtype: torch.dtype = torch.float64) -> Tensor:
        """Return the co-occurrence counts at unit weights of shape (n_units,): symmetric, shape (n_words, n_words)."""
        half = (self.pairs.T @ np.asarray(weights, dtype=np.float64)).reshape(self.n_words, self.n_words)
        return torch.from_numpy(half + half.T).to(dtype)

    def occurrences(self, weights: np.ndarray, dtype: torch.dtype = torch.float64) -> Tensor:
        """Return how often each word occurs at unit weights of shape (n_units,): shape (n_words,)."""
        return torch.from_numpy(self.words.T @ np.asarray(weights, dtype=np.float64)).to(dtype)

    def vjp(self, on_table: Tensor, on_occurrences: Tensor) -> np.ndarray:
        """Pull derivatives in table and occurrences back to the unit weights.

        Parameters
        ----------
        on_table : Tensor of shape (n_words, n_words)
            Derivative in every cell, cells taken as independent.
        on_occurrences : Tensor of shape (n_words,)
            Derivative in every word's occurrences.

        Returns
        -------
        ndarray of shape (n_units,)
            Derivative in every unit's weight.
        """
        cells = (on_table + on_table.T).reshape(-1).to(torch.float64).numpy()
        on_weights: np.ndarray = self.pairs @ cells + self.words @ on_occurrences.to(torch.float64).numpy()
        return on_weights

    def subset(self, rows: np.ndarray) -> UnitCounts:
        """Return the counts of some units alone."""
        return UnitCounts(self.pairs[rows], self.words[rows])

    def merged(self, codes: np.ndarray, n: int) -> UnitCounts:
        """Return the counts of groups of units; `codes` holds the group of every unit, below `n`."""
        ones = np.ones(self.n_units, dtype=self.pairs.dtype)
        groups = sparse.csr_matrix((ones, (codes, np.arange(self.n_units))), shape=(n, self.n_units))
        return UnitCounts((groups @ self.pairs).tocsr(), (groups @ self.words).tocsr())


def kept_share(occurrences: np.ndarray, subsample: float) -> np.ndarray:
    r"""Return the share of each word's occurrences that subsampling keeps.

    :math:`\min(1, \sqrt{t / f})` for a word of relative frequency f, as published; every occurrence counts with it instead
    of being kept at random.

    Parameters
    ----------
    occurrences : ndarray of shape (n_words,)
        How often each word occurs.
    subsample : float
        The threshold t; infinite keeps everything.

    Returns
    -------
    ndarray of shape (n_words,)
        In (0, 1].

    References
    ----------
    T. Mikolov, I. Sutskever, K. Chen, G. Corrado, J. Dean. Distributed representations of words and phrases and their
    compositionality. NeurIPS 2013.

    Examples
    --------
    >>> kept_share(np.array([75.0, 25.0]), 0.25).round(3)
    array([0.577, 1.   ])
    """
    frequency = occurrences / occurrences.sum()
    share: np.ndarray = np.minimum(1.0, np.sqrt(np.divide(subsample, frequency)))
    return share


def count(passages: list[tuple[int, Passage]], n_units: int, kept: np.ndarray, window: int) -> UnitCounts:
    """Count words, and pairs of words within a window, in every unit.

    Two words at distance d count (window + 1 - d) / window, which is the share of random windows of sizes 1 to `window`
    that hold both. A window does not cross the end of a passage.

    Parameters
    ----------
    passages : list of (int, ndarray of int)
        Unit and words of every passage.
    n_units : int
        Number of units.
    kept : ndarray of shape (n_words,)
        From :func:`kept_share`.
    window : int
        Largest distance.

    Returns
    -------
    UnitCounts
        In single precision.
    """
    n_words = len(kept)
    words = np.concatenate([words for _, words in passages]).astype(np.int64)
    lengths = [len(words) for _, words in passages]
    passage = np.repeat(np.arange(len(passages)), lengths)
    unit = np.repeat([unit for unit, _ in passages], lengths)
    rows, columns, values = [], [], []
    for distance in range(1, min(window, len(words) - 1) + 1):
        inside = passage[:-distance] == passage[distance:]
        left, right = words[:-distance][inside], words[distance:][inside]
        rows.append(unit[distance:][inside])
        columns.append(np.minimum(left, right) * n_words + np.maximum(left, right))
        values.append((window + 1 - distance) / window * kept[left] * kept[right])
    shape = (n_units, n_words * n_words)
    if not rows:
        pairs = sparse.csr_matrix(shape, dtype=np.float32)
    else:
        places = (np.concatenate(rows), np.concatenate(columns))
        pairs = sparse.csr_matrix((np.concatenate(values), places), shape=shape).astype(np.float32)
    occurrences = sparse.csr_matrix((np.ones(len(words)), (unit, words)), shape=(n_units, n_words)).astype(np.float32)
    return UnitCounts(pairs, occurrences)
