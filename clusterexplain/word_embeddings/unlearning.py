"""Continued training that forgets or stresses some units, kept from harming the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from clusterexplain.execution.executors import one_thread
from clusterexplain.word_embeddings.expected_loss import ExpectedLoss
from clusterexplain.word_embeddings.training import SkipGram

FIRST_STEP = 0.01
"""Length of the first step, relative to the vectors."""
SMALLEST_STEP = 1e-5
"""Steps shorter than this end the training."""


@dataclass(frozen=True, eq=False)
class UnlearnedVectors:
    """Vectors after continued training.

    Attributes
    ----------
    embeddings : Tensor of shape (2, n_words, dim)
        Word and context vectors.
    n_steps : int
        Steps that were accepted.
    loss_before, loss_after : float
        On all units that were not to be forgotten or stressed.
    """

    embeddings: Tensor
    n_steps: int
    loss_before: float
    loss_after: float


def continue_training(
    recipe: SkipGram,
    embeddings: Tensor,
    rows: np.ndarray,
    *,
    forget: bool,
    tolerance: float = 0.005,
    n_steps: int = 100,
) -> UnlearnedVectors:
    """Go up (forget) or down the loss of some units, as long as the loss of the others stays within a tolerance.

    Steps follow the normalized gradient of the loss of the chosen units. A step that would raise the loss of the others by
    more than the tolerance is halved, so that the length of the steps needs no tuning and what is given up is known.

    Parameters
    ----------
    recipe : SkipGram
        How the vectors were trained.
    embeddings : Tensor of shape (2, n_words, dim)
        Trained vectors.
    rows : ndarray of int
        Chosen units.
    forget : bool
        Ascend instead of descend.
    tolerance : float, default=0.005
        Largest relative rise of the loss of the other units.
    n_steps : int, default=100
        Steps at most.

    Returns
    -------
    UnlearnedVectors
        The same vectors if no unit was chosen or no step could be taken.

    References
    ----------
    A. Silva, R. Chopra, M. Gombolay. Cross-loss influence functions to explain deep network representations. AISTATS 2022.
    """
    chosen = np.zeros(recipe.counts.n_units)
    chosen[rows] = 1.0
    others = recipe.loss(1 - chosen)
    table = recipe.counts.table(chosen, recipe.dtype)
    own = ExpectedLoss(
        table, recipe.counts.occurrences(np.ones(len(chosen)), recipe.dtype), others.nominal, others.negatives
    )
    with one_thread(), torch.no_grad():
        before = after = float(others.value(embeddings))
        length, done, sign = FIRST_STEP, 0, 1.0 if forget else -1.0
        while len(rows) and done < n_steps and length >= SMALLEST_STEP:
            gradient = own.gradient(embeddings)
            size = float(gradient.norm())
            if not size > 0:
                break
            proposed = embeddings + gradient * (sign * length * float(embeddings.norm()) / size)
            value = float(others.value(proposed))
            if value <= before * (1 + tolerance):
                embeddings, after, done = proposed, value, done + 1
            else:
                length /= 2
    return UnlearnedVectors(embeddings, done, before, after)
