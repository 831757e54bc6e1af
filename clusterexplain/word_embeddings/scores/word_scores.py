"""What can be asked of word vectors: any differentiable number; here are those that are no WEAT."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from clusterexplain.exceptions import InvalidDataError, InvalidParameterError

Index = dict[str, int]

TEMPERATURE = 0.1
"""Of the softmax over clusters: a difference of 0.1 in cosine counts as much as odds of e."""


class WordScore(Protocol):
    """A number that is made of word vectors.

    Any function of this signature is one. Scores should not change under a rotation or a rescaling of all vectors: training
    does not determine those.
    """

    def __call__(self, vectors: Tensor, index: Index) -> Tensor:
        """Return the score.

        Parameters
        ----------
        vectors : Tensor of shape (n_words, dim)
            Word vectors.
        index : dict of str to int
            Row of each word.

        Returns
        -------
        Tensor of shape ()
            Differentiable in the vectors.
        """


@dataclass(frozen=True)
class Cosine:
    """Cosine of the angle between two words.

    Parameters
    ----------
    first, second : str
        The words.
    """

    first: str
    second: str

    @property
    def name(self) -> str:
        """What is asked."""
        return f"cosine of {self.first} and {self.second}"

    @property
    def words(self) -> tuple[str, ...]:
        """The words that the score is made of."""
        return (self.first, self.second)

    def __call__(self, vectors: Tensor, index: Index) -> Tensor:
        """Return the cosine, in [-1, 1]."""
        first, second = directions(vectors, index, self.words)
        cosine: Tensor = first @ second
        return cosine


@dataclass(frozen=True)
class WordMembership:
    r"""How much a word belongs to a cluster of words rather than to the others.

    The log-odds of the own cluster in a softmax of the cosines to the clusters' mean directions m:
    :math:`\cos(u, m_0) / T - \log \sum_{k > 0} \exp(\cos(u, m_k) / T)`. The word itself is left out of the means, which are
    recomputed from the vectors.

    Parameters
    ----------
    word : str
        The word.
    cluster : tuple of str
        Words of its cluster.
    others : tuple of tuple of str
        Words of each other cluster.
    temperature : float, default=0.1
        The number T.
    """

    word: str
    cluster: tuple[str, ...]
    others: tuple[tuple[str, ...], ...]
    temperature: float = TEMPERATURE

    def __post_init__(self) -> None:
        """Refuse a membership in the only cluster."""
        if not self.others:
            raise InvalidParameterError(
                f"The membership of {self.word!r} needs something to be compared with. Expected at least one other cluster."
            )

    @property
    def name(self) -> str:
        """What is asked."""
        return f"membership of {self.word}"

    @property
    def words(self) -> tuple[str, ...]:
        """The words that the score is made of."""
        return tuple(dict.fromkeys((self.word, *self.cluster, *(word for other in self.others for word in other))))

    def __call__(self, vectors: Tensor, index: Index) -> Tensor:
        """Return the log-odds; positive is inside."""
        (own,) = directions(vectors, index, (self.word,))
        means = []
        for cluster in (self.cluster, *self.others):
            members = [word for word in cluster if word != self.word]
            if not members:
                raise InvalidDataError(
                    f"A cluster holds no word but {self.word!r}, so it has no mean without it. Expected another word."
                )
            means.append(torch.nn.functional.normalize(directions(vectors, index, members).mean(dim=0), dim=0))
        cosines = torch.stack(means) @ own / self.temperature
        log_odds: Tensor = cosines[0] - torch.logsumexp(cosines[1:], dim=0)
        return log_odds


def nearest(vectors: Tensor, index: Index, word: str, n: int) -> pd.DataFrame:
    """List the words nearest to a word: word and cosine, nearest first."""
    words = list(index)
    with torch.no_grad():
        (own,) = directions(vectors, index, [word])
        cosines = (torch.nn.functional.normalize(vectors, dim=1) @ own).numpy()
    order = [row for row in np.argsort(-cosines, kind="stable") if row != index[word]][:n]
    return pd.DataFrame({"word": [words[row] for row in order], "cosine": cosines[order]})


def directions(vectors: Tensor, index: Index, words: Iterable[str]) -> Tensor:
    """Return the vectors of some words, scaled to length 1.

    Raises
    ------
    InvalidDataError
        If a word has no vector.
    """
    rows = []
    for word in words:
        if word not in index:
            raise InvalidDataError(
                f"{word!r} is not in the vocabulary: it is too rare in these texts, or spelled with capitals. Expected a word "
                f"in lower case that occurs at least min_count times."
            )
        rows.append(index[word])
    return torch.nn.functional.normalize(vectors[rows], dim=1)
