r"""Weighted principal components as a differentiable function of the data weights.

With W the sum of the weights, mu the weighted mean and C the weighted covariance (divided by W), one unit of weight more on
example i, whose centred row is x, moves

.. math::
    \dot\mu = x / W, \qquad \dot\lambda_a = ((v_a^\top x)^2 - \lambda_a) / W, \qquad
    \dot v_a = \sum_{b \neq a} v_b \frac{(v_b^\top x)(v_a^\top x)}{W (\lambda_a - \lambda_b)},

the sum over all other eigenvectors, those without variance included (first-order perturbation of eigenvectors, Kato 1966).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

SMALLEST_GAP = 1e-7
"""Difference of two kept variances, relative to the largest, below which their components are not told apart."""
RANK = 1e-12
"""Variance relative to the largest one up to which a direction counts as one without variance."""
EXACT_UP_TO = 1500
"""Rows or columns, whichever are fewer, up to which :func:`leading_components` decomposes the whole covariance."""


class Components(NamedTuple):
    """Principal components, the largest variance first.

    Attributes
    ----------
    mean : Tensor of shape (n_features,)
        Weighted mean of the rows.
    directions : Tensor of shape (n_components, n_features)
        Unit vectors.
    variances : Tensor of shape (n_components,)
        Weighted variance of the rows along each.
    """

    mean: Tensor
    directions: Tensor
    variances: Tensor


class Spectrum(NamedTuple):
    """All eigenvectors of a weighted covariance that have variance, in ascending order of the variance.

    Attributes
    ----------
    variances : Tensor of shape (rank,)
        Eigenvalues.
    basis : Tensor of shape (rank, m)
        For tall rows (m = n_features) the eigenvectors themselves; for wide ones (m = n_samples) their coordinates in the
        weighted rows, which are shorter.
    rows : Tensor of shape (n_samples, n_features) or None
        The weighted centred rows, for wide ones alone.
    """

    variances: Tensor
    basis: Tensor
    rows: Tensor | None

    def coordinates(self, vectors: Tensor) -> Tensor:
        """Return the products of vectors of shape (k, n_features) with the eigenvectors: (k, rank)."""
        return (vectors if self.rows is None else vectors @ self.rows.T) @ self.basis.T

    def combine(self, coordinates: Tensor) -> Tensor:
        """Return the sums of the eigenvectors with factors of shape (k, rank): (k, n_features)."""
        sums = coordinates @ self.basis
        return sums if self.rows is None else sums @ self.rows


def principal_components(
    inputs: Tensor, weights: Tensor, n_components: int, reference: Tensor | None = None
) -> Components:
    """Return weighted principal components, differentiable once in the weights in every mode of ``torch.func``.

    Parameters
    ----------
    inputs : Tensor of shape (n_samples, n_features)
        Rows; constants.
    weights : Tensor of shape (n_samples,)
        Data weights; a row of weight 0 has no part in the result.
    n_components : int
        How many are kept.
    reference : Tensor of shape (n_components, n_features), optional
        Components of another fit: order and signs are matched to them. Without it the largest entry of each is positive.

    Returns
    -------
    Components
        Float64. The derivative includes the dropped components and the directions without variance. Two kept components whose
        variances coincide are not rotated into each other: no distance in the embedding depends on that.
    """
    rows, w = inputs.double(), weights.double()
    fixed = w.detach()
    total = fixed.sum()
    mean = fixed @ rows / total
    centred = rows - mean
    spectrum = _decompose(centred, fixed / total)
    kept = spectrum.combine(torch.eye(len(spectrum.variances), dtype=torch.float64)[-n_components:])
    directions, order = _matched(kept, reference)
    variances = spectrum.variances[-n_components:][order]

    # First-order terms: each is zero in value and has the derivative of the quantity, because `moved` is.
    moved = (w - fixed) / total  # (n_samples,)
    scores = centred @ directions.T  # (n_samples, k): v_a . x_i
    pushed = (scores * moved.unsqueeze(1)).T @ centred  # (k, n_features): dC v_a, up to a multiple of v_a
    return Components(
        mean + moved @ centred,
        directions + _perturbation(pushed, directions, variances, spectrum),
        variances + moved @ scores.square() - variances * moved.sum(),
    )


def _decompose(centred: Tensor, shares: Tensor) -> Spectrum:
    """Return the eigenvectors of the weighted covariance by the smaller of the two matrices of products."""
    weighted = centred * shares.sqrt().unsqueeze(1)
    n, p = centred.shape
    variances, vectors = torch.linalg.eigh(weighted.T @ weighted if p <= n else weighted @ weighted.T)
    there = variances > RANK * variances[-1]
    variances, vectors = variances[there], vectors.T[there]
    if p <= n:
        return Spectrum(variances, vectors, None)
    return Spectrum(variances, vectors / variances.sqrt().unsqueeze(1), weighted)


def _perturbation(pushed: Tensor, directions: Tensor, variances: Tensor, spectrum: Spectrum) -> Tensor:
    """Return how the kept components move, shape (k, n_features), where C v_a moves by the rows of `pushed`."""
    k = len(variances)
    # Within the kept ones: v_b (v_b . dC v_a) / (lambda_a - lambda_b); a pair without a gap stays.
    gaps = variances.unsqueeze(1) - variances  # (k, k): lambda_a - lambda_b
    apart = gaps.abs() > SMALLEST_GAP * variances.max()
    turned = torch.where(apart, pushed @ directions.T / torch.where(apart, gaps, 1.0), 0.0) @ directions
    # Among the dropped ones with variance, in their own coordinates.
    dropped = Spectrum(spectrum.variances[:-k], spectrum.basis[:-k], spectrum.rows)
    along = dropped.coordinates(pushed)  # (k, rank - k): v_b . dC v_a
    outside = dropped.combine(along / (variances.unsqueeze(1) - dropped.variances))
    # In all directions without variance together: what is left of dC v_a, over lambda_a.
    left = pushed - pushed @ directions.T @ directions - dropped.combine(along)
    return turned + outside + left / variances.unsqueeze(1)


def _matched(kept: Tensor, reference: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return components, ascending, in the order and with the signs of the reference, and where each was."""
    k = len(kept)
    if reference is None:
        order = torch.arange(k - 1, -1, -1)
        largest = kept.gather(1, kept.abs().argmax(dim=1, keepdim=True)).sign()
        return (kept * largest)[order], order
    overlap = reference.double() @ kept.T  # (k, k)
    free, place = overlap.abs(), torch.zeros(k, dtype=torch.int64)
    ranks = torch.arange(k)
    for _ in range(k):  # the clearest pair first; tensors all the way, so that it works inside of torch.func
        best = free.argmax()
        row, column = best // k, best % k
        place = torch.where(ranks == row, column, place)
        free = torch.where((ranks == row).unsqueeze(1) | (ranks == column), -1.0, free)
    signs = overlap.gather(1, place.unsqueeze(1)).sign()
    return kept[place] * torch.where(signs == 0, 1.0, signs), place


def leading_components(inputs: Tensor, weights: Tensor, n_components: int) -> Components:
    """Return the leading weighted principal components as constants; at most as many as the data have.

    Parameters
    ----------
    inputs : Tensor of shape (n_samples, n_features)
        Rows.
    weights : Tensor of shape (n_samples,)
        Data weights; a row of weight 0 has no part in the result.
    n_components : int
        How many are wanted.

    Returns
    -------
    Components
        Float64, the largest entry of each direction positive. Beyond ``EXACT_UP_TO`` rows and columns by the randomised
        algorithm of Halko, Martinsson and Tropp (2011), with the same random numbers in every call.
    """
    rows, shares = inputs.detach().double(), weights.detach().double()
    shares = shares / shares.sum()
    mean = shares @ rows
    weighted = (rows - mean) * shares.sqrt().unsqueeze(1)
    if min(weighted.shape) > EXACT_UP_TO:
        from sklearn.utils.extmath import randomized_svd

        _, singular, found = randomized_svd(weighted.numpy(), n_components, n_iter=7, random_state=0)
        variances, directions = torch.from_numpy(singular.copy()).square(), torch.from_numpy(found.copy())
    else:
        spectrum = _decompose(rows - mean, shares)
        n_components = min(n_components, len(spectrum.variances))
        variances = spectrum.variances.flip(0)[:n_components]
        directions = spectrum.combine(torch.eye(len(spectrum.variances), dtype=torch.float64).flip(0)[:n_components])
    there = variances > RANK * variances[0]
    variances, directions = variances[there], directions[there]
    signs = directions.gather(1, directions.abs().argmax(dim=1, keepdim=True)).sign()
    return Components(mean, directions * signs, variances)


def principal_subspace(
    inputs: Tensor, weights: Tensor, reference: Tensor, origin: Tensor, n_iterations: int
) -> tuple[Tensor, Tensor]:
    r"""Return the weighted mean and an orthonormal frame of the leading principal subspace, by subspace iteration.

    From the reference :math:`Y_0 = V_0^\top` each iteration multiplies by the weighted covariance and returns to the
    frame that the reference sees as the identity, :math:`Y \leftarrow C Y (V_0 C Y)^{-1}`; the last one is made
    orthonormal. After m iterations the derivative along a pair of a kept component a and a dropped one b is

    .. math:: \frac{1 - (\lambda_b / \lambda_a)^m}{\lambda_a - \lambda_b}

    times that of the covariance: the exact one where there is a gap, bounded by :math:`m / \lambda_a` where there is none.

    Parameters
    ----------
    inputs : Tensor of shape (n_samples, n_features)
        Rows; constants.
    weights : Tensor of shape (n_samples,)
        Data weights.
    reference : Tensor of shape (n_components, n_features)
        Principal components of the fit, orthonormal.
    origin : Tensor of shape (n_features,)
        Any point near the mean; it keeps digits.
    n_iterations : int
        m.

    Returns
    -------
    mean : Tensor of shape (n_features,)
        Float64.
    frame : Tensor of shape (n_components, n_features)
        Float64, orthonormal rows; a differentiable function of the weights in every mode of ``torch.func``.
    """
    w, basis = weights.double(), reference.double().T  # (n_samples,), (n_features, k)
    first, rows, total = basis.T, inputs.double() - origin, w.sum()
    offset = w @ rows / total  # of the mean from the origin
    floor = RANK * (rows.square().sum() / len(rows))
    for _ in range(n_iterations):
        around = rows.T @ ((rows @ basis) * (w / total).unsqueeze(1))
        moved = around - offset.unsqueeze(1) * (offset @ basis) + floor * basis  # (n_features, k): C Y
        basis = torch.linalg.solve((first @ moved).T, moved.T).T
    lower = torch.linalg.cholesky(basis.T @ basis)
    return origin + offset, torch.linalg.solve_triangular(lower, basis.T, upper=False)
