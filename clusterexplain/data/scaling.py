"""Scaling of the columns before the network: part of the recipe, measured once and frozen in every refit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from clusterexplain.exceptions import InvalidDataError, InvalidParameterError, ScaleWarning, warn

SCALINGS = ("global", "standard", None)
DOMINANCE = 0.9
"""Share of the total variance in one column from which on "global" scaling warns."""


@dataclass(frozen=True, eq=False)
class Scaling:
    """An affine map of the columns: ``(X - center) / spread``.

    Parameters
    ----------
    center, spread : ndarray of shape (n_features,)
        Frozen constants.
    """

    center: np.ndarray
    spread: np.ndarray

    @classmethod
    def measure(cls, X: np.ndarray, kind: str | None) -> Scaling:
        """Measure the constants.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Training data.
        kind : {"global", "standard", None}
            "global" centres each column and divides all by one number, which keeps their relative variances (images,
            columns of one unit). "standard" divides each column by its own standard deviation. None does nothing.

        Returns
        -------
        Scaling
            The map.

        Raises
        ------
        InvalidParameterError
            If `kind` is unknown.
        """
        if kind not in SCALINGS:
            raise InvalidParameterError(f"scaling={kind!r} is unknown. Expected 'global', 'standard' or None.")
        if kind is None:
            return cls(np.zeros(X.shape[1]), np.ones(X.shape[1]))
        with np.errstate(over="ignore", invalid="ignore"):
            mean, variance = X.mean(axis=0), X.var(axis=0)
        if not np.isfinite(variance).all():
            raise InvalidDataError(
                f"Column {int(np.argmin(np.isfinite(variance)))} holds values too large to square. Expected numbers below "
                f"about 1e150; change the unit."
            )
        # What rounding leaves of a constant column is not a scale (the bound is scikit-learn's).
        rounding = np.finfo(float).eps * len(X)
        variance = np.where(variance <= rounding * variance + (rounding * mean) ** 2, 0, variance)
        if kind == "standard":
            spread = np.sqrt(variance)
        else:
            _warn_if_dominated(variance)
            spread = np.full(X.shape[1], np.sqrt(variance.mean()))
        return cls(mean, np.where(spread > 0, spread, 1.0))

    def apply(self, X: np.ndarray) -> np.ndarray:
        """Return the scaled rows."""
        scaled: np.ndarray = (X - self.center) / self.spread
        return scaled

    def to_tensor(self, X: np.ndarray, dtype: torch.dtype | str) -> Tensor:
        """Return the scaled rows as the network sees them."""
        return torch.from_numpy(self.apply(X)).to(getattr(torch, dtype) if isinstance(dtype, str) else dtype)


def _warn_if_dominated(variance: np.ndarray) -> None:
    share = variance.max() / max(variance.sum(), np.finfo(float).tiny)
    if len(variance) > 2 and share > DOMINANCE:
        warn(
            f"Column {int(variance.argmax())} holds {share:.0%} of the total variance, so the network will reproduce little "
            f"else. If the columns have different units, use scaling='standard'.",
            ScaleWarning,
        )
