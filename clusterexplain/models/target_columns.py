"""Targets as columns behind those of the rows, so that whatever takes rows of a training set takes their targets along."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class TargetColumns:
    """Where the targets are: behind the features of each row.

    Parameters
    ----------
    n_features : int
        Columns of a row.
    shape : tuple of int
        Of one example's target; empty for a single number.
    dtype : torch.dtype or None
        What a loss receives: int64 or bool; None for the floating-point type of the training.
    """

    n_features: int
    shape: tuple[int, ...]
    dtype: torch.dtype | None

    @classmethod
    def of(cls, targets: np.ndarray, n_features: int) -> TargetColumns:
        """Describe targets of shape (n_samples, ...) beside rows of `n_features` columns."""
        dtypes = {"i": torch.int64, "b": torch.bool}
        return cls(n_features, targets.shape[1:], dtypes.get(targets.dtype.kind))

    def beside(self, rows: Tensor, targets: np.ndarray) -> Tensor:
        """Append targets of shape (n, ...) to rows of shape (n, n_features): (n, n_features + size of a target)."""
        flat = torch.from_numpy(targets.reshape(len(targets), -1).astype(np.float64)).to(rows.dtype)
        return torch.cat([rows, flat], dim=1)

    def rows(self, inputs: Tensor) -> Tensor:
        """Return the features alone, shape (n, n_features); rows that were never trained on have nothing else."""
        return inputs[:, : self.n_features]

    def targets(self, inputs: Tensor) -> Tensor:
        """Return the columns of the targets, shape (n, size of a target)."""
        return inputs[:, self.n_features :]

    def restored(self, columns: Tensor) -> Tensor:
        """Return targets as a loss receives them, shape (n, *shape)."""
        values = columns.reshape(len(columns), *self.shape) if self.shape else columns.reshape(len(columns))
        return values if self.dtype is None else values.to(self.dtype)

    @property
    def size(self) -> int:
        """Numbers in one target."""
        return math.prod(self.shape)
