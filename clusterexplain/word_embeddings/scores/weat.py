"""The Word Embedding Association Test: effect size, permutation test, published word lists."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from clusterexplain.exceptions import InvalidDataError, InvalidParameterError
from clusterexplain.word_embeddings.lists import read_list
from clusterexplain.word_embeddings.scores.word_scores import Index, directions

MOST_PARTITIONS = 200_000
"""Partitions of the target words that are all tried; of more, as many are drawn."""
FEWEST = 2
"""Words that every list must keep: of a single one there is no spread to compare with."""


@dataclass(frozen=True)
class Weat:
    r"""Differential association of two sets of target words with two sets of attribute words.

    With the association :math:`s(w) = \operatorname{mean}_{a \in A} \cos(w, a) - \operatorname{mean}_{b \in B} \cos(w, b)`
    the score is the effect size

    .. math:: d = \frac{\operatorname{mean}_{x \in X} s(x) - \operatorname{mean}_{y \in Y} s(y)}
                       {\operatorname{std}_{w \in X \cup Y} s(w)},

    positive if X goes with A and Y with B. The standard deviation divides by the number of words, so that d lies in [-2, 2]
    for lists of equal length. It is an association in a corpus, not a statement about people.

    Parameters
    ----------
    name : str
        What the test is called.
    x, y : tuple of str
        Target words.
    a, b : tuple of str
        Attribute words.

    References
    ----------
    A. Caliskan, J. J. Bryson, A. Narayanan. Semantics derived automatically from language corpora contain human-like
    biases. Science 356 (2017).

    Examples
    --------
    >>> vectors = torch.tensor([[1.0, 0.1], [1.0, 0.2], [0.1, 1.0], [0.2, 1.0], [1.0, 0.0], [0.0, 1.0]])
    >>> test = Weat("made", ("p", "q"), ("r", "s"), ("t",), ("u",))
    >>> round(float(test(vectors, {word: row for row, word in enumerate("pqrstu")})), 2)
    2.0
    """

    name: str
    x: tuple[str, ...]
    y: tuple[str, ...]
    a: tuple[str, ...]
    b: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse lists that are empty, or targets that are on both sides."""
        empty = [side for side in "xyab" if not getattr(self, side)]
        if empty:
            raise InvalidParameterError(f"List {empty[0]} of the test {self.name!r} is empty. Expected words in each.")
        both = (set(self.x) & set(self.y)) | (set(self.a) & set(self.b))
        if both:
            raise InvalidParameterError(
                f"The test {self.name!r} has {', '.join(sorted(both))} on both sides. Expected lists that share no word."
            )

    @classmethod
    def named(cls, name: str) -> Weat:
        """Return a published test.

        Parameters
        ----------
        name : str
            One of :func:`weat_names`.

        Returns
        -------
        Weat
            With the words as published, in lower case.

        Raises
        ------
        InvalidParameterError
            If there is none of this name.
        """
        tests = read_list("weat")["tests"]
        if name not in tests:
            raise InvalidParameterError(
                f"There is no test {name!r}. Expected one of {', '.join(tests)}; or make a Weat."
            )
        return cls(name, *(tuple(tests[name][side]["words"]) for side in "xyab"))

    @property
    def words(self) -> tuple[str, ...]:
        """All words of the lists."""
        return self.x + self.y + self.a + self.b

    def missing(self, index: Index) -> tuple[str, ...]:
        """Return the words that have no vector; they are left out of the score."""
        return tuple(word for word in self.words if word not in index)

    def restricted(self, index: Index) -> Weat:
        """Return the test of the words that have vectors.

        Raises
        ------
        InvalidDataError
            If fewer than two words of a list of targets, or none of a list of attributes, are left.
        """
        left = {side: tuple(word for word in getattr(self, side) if word in index) for side in "xyab"}
        for side, words in left.items():
            if len(words) < min(FEWEST, len(getattr(self, side))):
                gone = ", ".join(word for word in getattr(self, side) if word not in index)
                raise InvalidDataError(
                    f"Too few words of list {side} of the test {self.name!r} have vectors ({len(words)}; missing: {gone}). "
                    f"Expected at least {FEWEST}; lower min_count, bring more text, or choose other words."
                )
        return Weat(self.name, left["x"], left["y"], left["a"], left["b"])

    def without(self, words: set[str]) -> Weat:
        """Return the test without some words."""
        return self.restricted({word: 0 for word in self.words if word not in words})

    def associations(self, vectors: Tensor, index: Index) -> tuple[Tensor, Tensor]:
        """Return s(w) of every word of X and of Y that has a vector."""
        test = self.restricted(index)
        a, b = (directions(vectors, index, words).mean(dim=0) for words in (test.a, test.b))
        x, y = (directions(vectors, index, words) @ (a - b) for words in (test.x, test.y))
        return x, y

    def __call__(self, vectors: Tensor, index: Index) -> Tensor:
        """Return the effect size d."""
        x, y = self.associations(vectors, index)
        return (x.mean() - y.mean()) / torch.cat([x, y]).std(correction=0)

    def p_value(self, vectors: Tensor, index: Index, *, seed: int = 0) -> float:
        """Return the share of partitions of the target words whose statistic is at least the observed one.

        One-sided, as published: the statistic is the sum of s over the words of X minus that over Y, and every partition into
        sets of the sizes of X and Y counts, the observed one included. If there are more than ``MOST_PARTITIONS``, so many are
        drawn, and the observed one is added.

        Parameters
        ----------
        vectors : Tensor of shape (n_words, dim)
            Word vectors.
        index : dict of str to int
            Row of each word.
        seed : int, default=0
            Of the partitions that are drawn.

        Returns
        -------
        float
            In (0, 1].
        """
        with torch.no_grad():
            x, y = (part.double().numpy() for part in self.associations(vectors, index))
        both, n = np.concatenate([x, y]), len(x)
        slack = 1e-9 * np.abs(both).sum()
        if math.comb(len(both), n) <= MOST_PARTITIONS:
            chosen = np.array(list(itertools.combinations(range(len(both)), n)))
            # sum over X minus sum over Y is twice the sum over X minus a constant
            return float((both[chosen].sum(axis=1) >= x.sum() - slack).mean())
        orders = np.random.default_rng(seed).random((MOST_PARTITIONS, len(both))).argpartition(n - 1, axis=1)[:, :n]
        return float(((both[orders].sum(axis=1) >= x.sum() - slack).sum() + 1) / (MOST_PARTITIONS + 1))

    def split(self, seed: int = 0) -> tuple[Weat, Weat]:
        """Cut every list into two random halves, so that one half can show whether what was done to the other carries over.

        Returns
        -------
        tuple of Weat
            They share no word; of an odd number the first gets one more.
        """
        rng = np.random.default_rng(seed)
        sides = [[str(word) for word in rng.permutation(getattr(self, side))] for side in "xyab"]
        name = f"{self.name}, half of the words"
        first = Weat(name, *(tuple(words[: (len(words) + 1) // 2]) for words in sides))
        second = Weat(name, *(tuple(words[(len(words) + 1) // 2 :]) for words in sides))
        return first, second


def weat_names() -> list[str]:
    """Return the names of the published tests that come along."""
    return list(read_list("weat")["tests"])
