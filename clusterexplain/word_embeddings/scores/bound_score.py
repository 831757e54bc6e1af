"""A score as it is asked of one corpus: which of its words can be used, and the score and its derivative."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.word_embeddings.corpus import Corpus
from clusterexplain.word_embeddings.scores.weat import Weat
from clusterexplain.word_embeddings.scores.word_scores import Index, WordScore


@dataclass(frozen=True, eq=False)
class BoundScore:
    """A score of word vectors, for one corpus.

    Attributes
    ----------
    name : str
        What it is called.
    score : callable
        ``(vectors, index) -> scalar``.
    index : dict of str to int
        Row of every word.
    words : tuple of str
        Words that the score is made of, as far as they can be used; empty for a function that does not tell.
    missing, concentrated : tuple of str
        Words that were left out.
    """

    name: str
    score: WordScore
    index: Index
    words: tuple[str, ...]
    missing: tuple[str, ...] = ()
    concentrated: tuple[str, ...] = ()

    @classmethod
    def of(cls, score: WordScore | str, corpus: Corpus, largest_share: float) -> BoundScore:
        """Prepare a score.

        Parameters
        ----------
        score : WordScore or str
            The score, or the name of a published WEAT.
        corpus : Corpus
            Decides which words a WEAT can use.
        largest_share : float
            A word of a WEAT is left out if one document holds more than this share of its uses.

        Returns
        -------
        BoundScore
            A WEAT without the words that cannot be used; any other score as it is.
        """
        score = Weat.named(score) if isinstance(score, str) else score
        if not callable(score):
            raise InvalidParameterError(
                f"score={score!r} is no score. Expected the name of a test, a Weat, a Cosine, a WordMembership, or a function "
                f"(vectors, index) -> scalar."
            )
        index = corpus.vocabulary.index
        name = str(getattr(score, "name", getattr(score, "__name__", type(score).__name__)))
        if not isinstance(score, Weat):
            words = tuple(word for word in getattr(score, "words", ()) if word in index)
            return cls(name, score, index, words)
        shares = corpus.uses([word for word in score.words if word in index])["largest_share"]
        concentrated = tuple(dict.fromkeys(shares.index[shares > largest_share]))
        missing = score.missing(index)
        usable = score.restricted(index).without(set(concentrated))
        return cls(name, usable, index, usable.words, missing, concentrated)

    def value(self, embeddings: Tensor) -> float:
        """Return the score at word and context vectors of shape (2, n_words, dim)."""
        with torch.no_grad():
            return float(self.score(embeddings[0], self.index))

    def gradient(self, embeddings: Tensor) -> Tensor:
        """Return the derivative of the score in all vectors.

        Raises
        ------
        InvalidParameterError
            If the score is no differentiable number.
        """
        point = embeddings.detach().clone().requires_grad_()
        number = cast(object, self.score(point[0], self.index))
        if not isinstance(number, Tensor) or number.numel() != 1 or not number.requires_grad:
            raise InvalidParameterError(
                f"The score {self.name!r} does not return a differentiable number. Expected a tensor with one element, made "
                f"from the vectors by torch."
            )
        (gradient,) = torch.autograd.grad(number.reshape(()), point)
        return gradient

    def p_value(self, embeddings: Tensor) -> float:
        """Return the p-value of the permutation test; NaN for a score that has none."""
        return self.score.p_value(embeddings[0], self.index) if isinstance(self.score, Weat) else float("nan")

    def halves(self, seed: int) -> tuple[BoundScore, BoundScore] | None:
        """Return the score of one half of the words and that of the other; None for a score that has no halves."""
        if not isinstance(self.score, Weat) or any(len(getattr(self.score, side)) < 2 for side in "xyab"):
            return None
        first, second = self.score.split(seed)
        return BoundScore(first.name, first, self.index, first.words), BoundScore(
            second.name, second, self.index, second.words
        )

    def uses(self, corpus: Corpus) -> np.ndarray:
        """Return how often every unit uses every word of the score, shape (n_units, n_score_words)."""
        columns = [self.index[word] for word in dict.fromkeys(self.words)]
        uses: np.ndarray = corpus.counts.words[:, columns].toarray().astype(float)
        return uses
