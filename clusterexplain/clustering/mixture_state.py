"""The state of a Gaussian mixture: its components, and the densities and distances that a score reads."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class MixtureState(NamedTuple):
    """The components of a Gaussian mixture.

    Attributes
    ----------
    means : Tensor of shape (n_clusters, dim)
        Means, in the units of the embedding.
    precisions_cholesky : Tensor of shape (n_clusters, dim, dim)
        Upper triangular P with ``P @ P.T`` the inverse of the covariance, so that ``(z - mean) @ P`` is white; the
        convention of scikit-learn, but always full matrices.
    log_weights : Tensor of shape (n_clusters,)
        Logarithms of the mixing weights.
    spread : Tensor of shape (n_clusters,)
        Mean squared Mahalanobis distance of a component's own samples, weighted by responsibility: about ``dim``.
    nonempty : Tensor of shape (n_clusters,), bool
        Whether the component has any weight.
    """

    means: Tensor
    precisions_cholesky: Tensor
    log_weights: Tensor
    spread: Tensor
    nonempty: Tensor

    @property
    def representatives(self) -> Tensor:
        """The means, shape (n_clusters, dim)."""
        return self.means


def squared_mahalanobis(rows: Tensor, state: MixtureState) -> Tensor:
    """Return squared Mahalanobis distances of rows (..., dim) to every component, shape (..., n_clusters)."""
    offsets = rows.unsqueeze(-2) - state.means
    return torch.einsum("...kd,kde->...ke", offsets, state.precisions_cholesky).square().sum(dim=-1)


def log_joint(rows: Tensor, state: MixtureState) -> Tensor:
    r"""Return :math:`\log \pi_k + \log N(z; \mu_k, S_k)` of rows (..., dim), shape (..., n_clusters)."""
    log_det = state.precisions_cholesky.diagonal(dim1=-2, dim2=-1).log().sum(dim=-1)
    constant = rows.shape[-1] / 2 * math.log(2 * math.pi)
    return state.log_weights + log_det - constant - squared_mahalanobis(rows, state) / 2
