"""The batch plan: which examples meet at which step, and the random key of each (step, example)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from clusterexplain.models.counter_rng import splitmix


@dataclass(frozen=True, eq=False)
class BatchPlan:
    """An ordered list of index batches, drawn once and used by every training at any weights.

    Removing an example sets its weight to 0 and leaves the plan alone: no other example changes its batch or its
    augmentation noise.

    Parameters
    ----------
    indices : Tensor of shape (n_steps, batch_size), int64
        Row numbers of each step's batch.
    seed : int
        Seed of the (step, example) keys.
    """

    indices: Tensor
    seed: int

    @classmethod
    def draw(cls, n_samples: int, *, n_steps: int, batch_size: int, seed: int) -> BatchPlan:
        """Shuffle the examples anew in every epoch and cut full batches; a remainder waits for the next shuffle.

        Parameters
        ----------
        n_samples, n_steps, batch_size : int
            Sizes; a batch size above `n_samples` means full batches.
        seed : int
            Seed of order and keys.

        Returns
        -------
        BatchPlan
            With every batch of the nominal size and without repeats inside a batch.

        Examples
        --------
        >>> plan = BatchPlan.draw(10, n_steps=4, batch_size=4, seed=0)
        >>> plan.indices.shape
        torch.Size([4, 4])
        """
        size = min(batch_size, n_samples)
        if not n_steps:  # a model in closed form
            return cls(torch.empty(0, size, dtype=torch.int64), seed)
        generator = torch.Generator().manual_seed(seed)
        per_epoch = n_samples // size
        batches: list[Tensor] = []
        while len(batches) < n_steps:
            order = torch.randperm(n_samples, generator=generator)[: per_epoch * size]
            batches.extend(order.view(per_epoch, size))
        return cls(torch.stack(batches[:n_steps]), seed)

    @property
    def n_steps(self) -> int:
        """Number of optimizer steps."""
        return self.indices.shape[0]

    @property
    def batch_size(self) -> int:
        """Nominal batch size, the normaliser of the loss."""
        return self.indices.shape[1]

    def keys(self, step: int) -> Tensor:
        """Return one 63-bit random key for each example of a step.

        The key is a hash (splitmix64) of (seed, step, example), so it does not depend on who else is in the batch.

        Parameters
        ----------
        step : int
            Step number.

        Returns
        -------
        Tensor of shape (batch_size,), int64
            The keys.
        """
        with np.errstate(over="ignore"):
            state = splitmix(np.array([self.seed], dtype=np.uint64))
            state = splitmix(state + np.uint64(step))
            state = splitmix(state + self.indices[step].numpy().astype(np.uint64))
        return torch.from_numpy((state >> np.uint64(1)).astype(np.int64))
