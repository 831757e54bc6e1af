"""The embedding that the user has: the rows are the embedding, and nothing is trained."""

from __future__ import annotations

import torch
from torch import Tensor

from clusterexplain.models.task import EmbeddingTask, Params


class Precomputed(EmbeddingTask):
    """A model without parameters: each row is its own embedding.

    Influence is then the direct part alone: what an example's weight does to the clusters while the embedding stays.
    """

    separable = True
    closed_form = True
    held_fixed = "your embedding is held fixed; what its making owes to these examples is not included"

    def initial_params(self, generator: torch.Generator, dtype: torch.dtype) -> Params:
        """Return no parameters."""
        return {}

    def embed(self, params: Params, inputs: Tensor) -> Tensor:
        """Return the rows, shape (batch, n_features)."""
        return inputs

    def loss(self, params: Params, inputs: Tensor, weights: Tensor) -> Tensor:
        """Return 0: nothing is fitted."""
        return weights.sum() * 0
