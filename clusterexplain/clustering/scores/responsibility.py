"""Responsibilities of a Gaussian mixture as a score."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from clusterexplain.clustering.mixture_state import MixtureState, log_joint, squared_mahalanobis
from clusterexplain.clustering.scores.base import FLOOR, Score


class Responsibility(Score[MixtureState]):
    r"""The log-ratio of two responsibilities of a Gaussian mixture.

    .. math::
        e_k(z) = \log \pi_k + \log N(z; \mu_k, S_k), \qquad
        \text{inside}_k(z) = \log \frac{s_k + \epsilon}{(z - \mu_k)^\top S_k^{-1} (z - \mu_k) + \epsilon}

    Both are numbers without unit that no affine change of the latent space alters (differences of :math:`e_k`, that is).
    The edge of a component is where a typical member lies: :math:`s_k` is the mean squared Mahalanobis distance of its
    members, and :math:`\epsilon` a hundredth of the dimension, which keeps the centre finite.

    Log-odds of a mixture are not log-odds of a classifier: they grow with the dimension and with the square of the
    distance, so that hundreds are common far from the boundary.
    """

    name: ClassVar[str] = "responsibility"
    words: ClassVar[str] = "the log-ratio of the mixture's responsibilities"
    reads: ClassVar[tuple[type, ...]] = (MixtureState,)
    rotation_invariant: ClassVar[bool] = True

    def logits(self, rows: Tensor, state: MixtureState) -> Tensor:
        """Return log joint densities of a row and each component, shape (..., n_clusters)."""
        return log_joint(rows, state)

    def boundary_margins(self, rows: Tensor, state: MixtureState) -> Tensor:
        """Return how far inside each component rows lie: 0 as far out as a typical member, positive nearer."""
        floor = FLOOR * rows.shape[-1]
        return torch.log(state.spread + floor) - torch.log(squared_mahalanobis(rows, state) + floor)

    def length_scale(self, state: MixtureState) -> Tensor | None:
        """Return the smallest standard deviation of any component in any direction."""
        roots = state.precisions_cholesky[state.nonempty]
        shortest: Tensor = 1 / torch.linalg.matrix_norm(roots, ord=2).max()
        return shortest
