"""One step of expectation maximisation for a weighted Gaussian mixture, as a map of a flat parameter vector."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

VANISHED = 1e-10
"""A component with less than this share of the total weight has no members; one sample in a billion has more."""
SMALLEST_VARIANCE = 1e-24
"""Variance of a component on a single point when nothing else is added, in units of the variance of the embedding."""


@dataclass(frozen=True)
class Covariances:
    """How covariance matrices of one kind are written as numbers.

    Parameters
    ----------
    kind : {"full", "tied", "diag", "spherical"}
        Lower triangles (one for all components if "tied"), diagonals, or the mean of the diagonal. All are linear in the
        matrix, so that a weighted mean of numbers is the number of the weighted mean.
    dim : int
        Dimension of the space.
    """

    kind: str
    dim: int

    TYPES: ClassVar[tuple[str, ...]] = ("full", "tied", "diag", "spherical")

    @cached_property
    def entries(self) -> Tensor:
        """Rows and columns of the entries that are read, shape (2, n_entries)."""
        if self.kind in ("full", "tied"):
            return torch.tril_indices(self.dim, self.dim)
        return torch.arange(self.dim).expand(2, -1)

    @property
    def size(self) -> int:
        """Numbers for each matrix."""
        return 1 if self.kind == "spherical" else self.entries.shape[1]

    @property
    def slope(self) -> Tensor:
        """Factors of :meth:`products` in the derivative of a log density, shape (size,)."""
        if self.kind == "spherical":
            return torch.tensor([self.dim / 2], dtype=torch.float64)
        return torch.where(self.entries[0] == self.entries[1], 0.5, 1.0).double()

    def pack(self, matrices: Tensor) -> Tensor:
        """Return the numbers, shape (..., size), of symmetric matrices of shape (..., dim, dim)."""
        return self._reduce(matrices[..., self.entries[0], self.entries[1]])

    def products(self, offsets: Tensor) -> Tensor:
        """Return :meth:`pack` of the outer product of each offset of shape (..., dim) with itself."""
        return self._reduce(offsets[..., self.entries[0]] * offsets[..., self.entries[1]])

    def matrices(self, numbers: Tensor) -> Tensor:
        """Return the symmetric matrices, shape (..., dim, dim), of numbers of shape (..., size)."""
        if self.kind in ("full", "tied"):
            place = torch.zeros(self.dim, self.dim, dtype=torch.int64)
            place[self.entries[0], self.entries[1]] = torch.arange(self.size)
            return numbers[..., torch.maximum(place, place.T)]
        return torch.diag_embed(numbers.expand(*numbers.shape[:-1], self.dim))

    def _reduce(self, numbers: Tensor) -> Tensor:
        return numbers.mean(dim=-1, keepdim=True) if self.kind == "spherical" else numbers


@dataclass(frozen=True, eq=False)
class ExpectationMaximization:
    r"""The EM map F(x; Z, w) of a Gaussian mixture.

    .. math::
        m_{ik} = w_i \frac{\pi_k N(z_i; \mu_k, S_k)}{\sum_j \pi_j N(z_i; \mu_j, S_j)}, \quad
        \pi_k' = \frac{\sum_i m_{ik}}{\sum_i w_i}, \quad
        \mu_k' = \frac{\sum_i m_{ik} z_i}{\sum_i m_{ik}}, \quad
        S_k' = \frac{\sum_i m_{ik} (z_i - \mu_k')(z_i - \mu_k')^\top}{\sum_i m_{ik}} + \rho v I

    with v the weighted variance per dimension of all rows. The vector x holds :math:`\log \pi` (n_components), the means
    (n_components x dim) and the numbers of the covariances, see :class:`Covariances`.

    Parameters
    ----------
    rows : Tensor of shape (n_samples, dim)
        Embeddings Z, of about unit variance.
    weights : Tensor of shape (n_samples,)
        Data weights w.
    nonempty : Tensor of shape (n_components,), bool
        Components that take part; F gives the others fixed parameters.
    covariances : Covariances
        Their kind.
    reg_covar : float
        The share :math:`\rho`.

    References
    ----------
    .. [1] Dempster, A. P., Laird, N. M. and Rubin, D. B. (1977). "Maximum likelihood from incomplete data via the EM
       algorithm". Journal of the Royal Statistical Society B 39(1), 1-38.
    """

    rows: Tensor
    weights: Tensor
    nonempty: Tensor
    covariances: Covariances
    reg_covar: float

    def __call__(self, x: Tensor) -> Tensor:
        """Return F(x): one E step and one M step."""
        return self.maximise(self.responsibilities(x))

    def parameters(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Split x into log weights (n_components,), means (n_components, dim) and covariance matrices.

        The matrices have shape (n_components, dim, dim), or (1, dim, dim) if tied.
        """
        log_weights, means, numbers = self._split(x)
        return log_weights, means, self.covariances.matrices(numbers)

    def responsibilities(self, x: Tensor) -> Tensor:
        """Return the E step, shape (n_samples, n_components): rows sum to 1, an empty component gets 0."""
        log_weights, means, matrices = self.parameters(x)
        roots = precisions_cholesky(matrices)  # P_k with P_k P_k' = S_k^-1, shape (n_components or 1, dim, dim)
        white = (self.rows - means.unsqueeze(1)) @ roots  # P_k' (z_i - mu_k), shape (n_components, n_samples, dim)
        log_det = roots.diagonal(dim1=-2, dim2=-1).log().sum(dim=-1)  # -log det(S_k) / 2
        # log pi_k + log N(z_i; mu_k, S_k), without the constant that cancels in r_ik; shape (n_components, n_samples)
        joint = (log_weights + log_det).unsqueeze(1) - white.square().sum(dim=-1) / 2
        return torch.softmax(joint.masked_fill(~self.nonempty.unsqueeze(1), -torch.inf), dim=0).T

    def mass(self, responsibilities: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weight with which samples belong to components, and its sums: 1 for a component without any."""
        mass = responsibilities * self.weights.unsqueeze(-1)
        totals = mass.sum(dim=0)
        return mass, torch.where(self.nonempty & (totals > 0), totals, torch.ones_like(totals))

    def maximise(self, responsibilities: Tensor) -> Tensor:
        """Return the M step as a vector x, from responsibilities of shape (n_samples, n_components)."""
        mass, totals = self.mass(responsibilities)  # m_ik and sum_i m_ik
        means = mass.T @ self.rows / totals.unsqueeze(-1)  # mu_k'
        offsets = self.rows - means.unsqueeze(1)  # z_i - mu_k', shape (n_components, n_samples, dim)
        scatter = (offsets * mass.T.unsqueeze(-1)).mT @ offsets  # sum_i m_ik (z_i - mu_k')(z_i - mu_k')'
        if self.covariances.kind == "tied":
            # one matrix for all: S' = sum_k scatter_k / sum_i w_i
            spread, least = (scatter.sum(dim=0) / self.weights.sum()).unsqueeze(0), torch.tensor([SMALLEST_VARIANCE])
        else:
            # an empty component gets the unit matrix, so that its root exists
            spread, least = scatter / totals[:, None, None], torch.where(self.nonempty, SMALLEST_VARIANCE, 1.0)
        added = self.reg_covar * self._variance() + least.to(spread)  # rho v
        numbers = self.covariances.pack(spread + added[:, None, None] * torch.eye(self.rows.shape[-1]).to(spread))
        log_weights = torch.where(self.nonempty, torch.log(totals / self.weights.sum()), 0.0)  # log pi_k'
        return torch.cat([log_weights, means.ravel(), numbers.ravel()])

    def carries_weight(self, x: Tensor) -> Tensor:
        """Return which components have more than a vanishing share of the weight at x, shape (n_components,), bool."""
        with torch.no_grad():
            mass = self.weights @ self.responsibilities(x)
        return mass > VANISHED * self.weights.sum()

    def renumber(self, x: Tensor, order: Tensor) -> Tensor:
        """Return x with component ``order[k]`` as component k."""
        log_weights, means, numbers = self._split(x)
        numbers = numbers if self.covariances.kind == "tied" else numbers[order]
        return torch.cat([log_weights[order], means[order].ravel(), numbers.ravel()])

    def inverse(self, x: Tensor) -> Tensor:
        """Return the inverse of I - dF/dx at x, shape (n_parameters, n_parameters); NaN where there is none."""
        inverse, failed = torch.linalg.inv_ex(torch.eye(len(x), dtype=x.dtype) - self.jacobian(x))
        return torch.where(failed > 0, torch.nan, inverse)

    def jacobian(self, x: Tensor) -> Tensor:
        r"""Return dF/dx at any x, shape (n_parameters, n_parameters), in closed form.

        With :math:`g_{ij} = \log \pi_j N(z_i; \mu_j, S_j)`, masses move by
        :math:`dm_{ik} = m_{ik} (dg_{ik} - \sum_j r_{ij} dg_{ij})` and each output of the M step is
        :math:`\sum_i a_{ik} dm_{ik}` to first order. So the Jacobian is a product of two matrices with one row for each
        sample, and needs no differentiation at all: 0.1 s where reverse mode takes 10.
        """
        with torch.no_grad():
            responsibilities = self.responsibilities(x)  # r_ij
            mass, _ = self.mass(responsibilities)  # m_ik
            outputs = self._outputs(responsibilities) * mass.unsqueeze(-1)  # a_ik m_ik, (n_samples, n_components, p)
            inputs = self._inputs(x)  # dg_ij / dx, of the same shape; p = 1 + dim + size numbers for each component
            place = self._places()
            # the second term, -sum_i (sum_k a_ik m_ik) (sum_j r_ij dg_ij)': one product over samples, all pairs (k, j)
            jacobian = -self._flat(outputs, place, len(x)).T @ self._flat(
                inputs * responsibilities.unsqueeze(-1), place, len(x)
            )
            # the first, sum_i a_ik m_ik dg_ik': within each component alone
            own = torch.bmm(outputs.permute(1, 2, 0), inputs.permute(1, 0, 2))
            return jacobian.index_put_((place.unsqueeze(2), place.unsqueeze(1)), own, accumulate=True)

    def _outputs(self, responsibilities: Tensor) -> Tensor:
        # Derivatives of log pi_k', mu_k' and the numbers of S_k' in m_ik. That S_k' is taken around mu_k' adds nothing,
        # because offsets from a mean sum to zero.
        mass, totals = self.mass(responsibilities)
        offsets = self.rows.unsqueeze(1) - (mass.T @ self.rows / totals.unsqueeze(-1))
        products = self.covariances.products(offsets)
        if self.covariances.kind == "tied":
            products = products / self.weights.sum()
        else:
            mean = (products * mass.unsqueeze(-1)).sum(dim=0) / totals.unsqueeze(-1)
            products = (products - mean) / totals.unsqueeze(-1)
        ones = torch.ones_like(offsets[..., :1])
        return torch.cat([ones / totals.unsqueeze(-1), offsets / totals.unsqueeze(-1), products], dim=-1)

    def _inputs(self, x: Tensor) -> Tensor:
        # Derivatives of g_ij in log pi_j, mu_j and the numbers of S_j.
        _, means, matrices = self.parameters(x)
        roots = precisions_cholesky(matrices)
        precisions = roots @ roots.mT
        pulls = ((self.rows - means.unsqueeze(1)) @ precisions).transpose(0, 1)  # S_j^-1 (z_i - mu_j) = dg_ij / dmu_j
        # dg_ij / dS_j = (pull pull' - S_j^-1) / 2, an entry off the diagonal counted for both of its places
        shape = self.covariances.slope * (self.covariances.products(pulls) - self.covariances.pack(precisions))
        return torch.cat([torch.ones_like(pulls[..., :1]), pulls, shape], dim=-1)

    def _places(self) -> Tensor:
        # Where the numbers of each component stand in x, shape (n_components, 1 + dim + size).
        k, dim, size = len(self.nonempty), self.rows.shape[-1], self.covariances.size
        own = torch.arange(k).unsqueeze(1)
        block = torch.zeros_like(own) if self.covariances.kind == "tied" else own
        return torch.cat(
            [own, k + dim * own + torch.arange(dim), k + k * dim + size * block + torch.arange(size)], dim=1
        )

    @staticmethod
    def _flat(features: Tensor, place: Tensor, size: int) -> Tensor:
        flat = torch.zeros(len(features), size, dtype=features.dtype)
        return flat.index_add_(1, place.ravel(), features.flatten(1))

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        k, dim = len(self.nonempty), self.rows.shape[-1]
        return (
            x[:k],
            torch.unflatten(x[k : k + k * dim], 0, (k, dim)),
            torch.unflatten(x[k + k * dim :], 0, (-1, self.covariances.size)),
        )

    def _variance(self) -> Tensor:
        # v: the weighted variance of all rows, averaged over dimensions
        offsets = self.rows - self.weights @ self.rows / self.weights.sum()
        return (self.weights @ offsets.square()).mean() / self.weights.sum()


def precisions_cholesky(matrices: Tensor) -> Tensor:
    """Return upper triangular P with ``P @ P.T = inv(S)`` for covariances S (..., dim, dim); NaN if S is not positive."""
    factor, failed = torch.linalg.cholesky_ex(matrices)
    identity = torch.eye(matrices.shape[-1], dtype=matrices.dtype)
    inverse = torch.linalg.solve_triangular(factor, identity.expand_as(factor), upper=False)
    return torch.where((failed > 0)[..., None, None], math.nan, inverse.mT)
