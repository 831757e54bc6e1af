"""Data weights of a refit relative to those of the fit: what an influence is multiplied with."""

from __future__ import annotations

import numpy as np

from clusterexplain.exceptions import InvalidParameterError


def relative_weights(weights: np.ndarray, of_fit: np.ndarray) -> np.ndarray:
    """Return the relative change of every data weight, -1 for an example that is removed.

    Parameters
    ----------
    weights : ndarray of shape (..., n_train)
        Data weights of the refit.
    of_fit : ndarray of shape (n_train,)
        Data weights of the fit.

    Returns
    -------
    ndarray of shape (..., n_train)
        ``weights / of_fit - 1``; 0 for an example that had weight 0 in the fit.

    Raises
    ------
    InvalidParameterError
        If shapes differ, a weight is missing or infinite, or an example comes back that had weight 0.

    Examples
    --------
    >>> relative_weights(np.array([1.0, 0.0, 3.0, 0.0]), np.array([1.0, 1.0, 2.0, 0.0])).tolist()
    [0.0, -1.0, 0.5, 0.0]
    """
    if weights.shape[-1:] != of_fit.shape:
        raise InvalidParameterError(
            f"sample_weight has shape {weights.shape}, expected (..., {len(of_fit)}): one weight for each training example."
        )
    if not np.isfinite(weights).all():
        raise InvalidParameterError(
            "sample_weight holds a value that is missing or infinite. Expected a finite weight for each training example; "
            "1 keeps it as it is and 0 removes it."
        )
    if (weights[..., of_fit == 0] > 0).any():
        raise InvalidParameterError(
            "sample_weight brings back an example that had weight 0 in the fit, which a relative influence cannot predict. "
            "Expected 0 where the fit had 0; use refit to see what happens."
        )
    relative: np.ndarray = np.divide(weights, of_fit, out=np.ones_like(weights), where=of_fit > 0) - 1
    return relative
