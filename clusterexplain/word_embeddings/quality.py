"""Whether word vectors are still of use: loss on text that was held out, and ranks of related words."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from clusterexplain.word_embeddings.counts import UnitCounts
from clusterexplain.word_embeddings.expected_loss import ExpectedLoss
from clusterexplain.word_embeddings.lists import read_list
from clusterexplain.word_embeddings.scores.word_scores import Index


def held_out_loss(embeddings: Tensor, counts: UnitCounts, occurrences: Tensor, *, negatives: float) -> float:
    """Return the loss per pair of words on units that were not trained on.

    Parameters
    ----------
    embeddings : Tensor of shape (2, n_words, dim)
        Word and context vectors.
    counts : UnitCounts
        Of the held-out units.
    occurrences : Tensor of shape (n_words,)
        Of the training units; the noise distribution.
    negatives : float
        Expected negatives for each pair.

    Returns
    -------
    float
        NaN if nothing was held out.
    """
    if not counts.n_units or not counts.total > 0:
        return float("nan")
    table = counts.table(np.ones(counts.n_units), embeddings.dtype)
    with torch.no_grad():
        return float(ExpectedLoss(table, occurrences.to(embeddings.dtype), counts.total, negatives).value(embeddings))


def related_rank(vectors: Tensor, index: Index) -> float:
    """Return how near related words are to each other, among all words.

    Parameters
    ----------
    vectors : Tensor of shape (n_words, dim)
        Word vectors.
    index : dict of str to int
        Row of each word.

    Returns
    -------
    float
        Mean over the pairs of the shipped list, in both directions, of the share of all other words that are further away
        than the related one: 1 is nearest, 0.5 is chance; NaN if no pair is in the vocabulary.
    """
    pairs = [(index[a], index[b]) for a, b in read_list("related")["pairs"] if a in index and b in index]
    if not pairs or len(index) < 3:
        return float("nan")
    rows = torch.tensor(pairs + [(b, a) for a, b in pairs])
    with torch.no_grad():
        unit = torch.nn.functional.normalize(vectors, dim=1)
        cosines = unit[rows[:, 0]] @ unit.T
        own = cosines.gather(1, rows[:, 1:])
        further = (cosines < own).sum(dim=1)  # the word itself is never further than another
    return float((further.double() / (len(index) - 2)).mean())
