"""Assignment scores against centroids: log-ratio margin, Student-t, softmax of squared distances, cosine."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from clusterexplain.clustering.centroids import Centroids, CentroidState, squared_distances
from clusterexplain.clustering.scores.base import FLOOR, Score


class CentroidScore(Score[Centroids]):
    """What scores against centroids share: the edge of a cluster is its root mean square radius."""

    reads: ClassVar[tuple[type, ...]] = (CentroidState,)
    rotation_invariant: ClassVar[bool] = True

    def boundary_margins(self, rows: Tensor, state: Centroids) -> Tensor:
        r"""Return :math:`\log(\sigma_k^2 + \epsilon) - \log(d_k^2 + \epsilon)`: 0 as far out as a typical member."""
        floor = FLOOR * state.within + _tiny(rows)
        return torch.log(state.spread + floor) - torch.log(squared_distances(rows, state.centers) + floor)

    def length_scale(self, state: Centroids) -> Tensor | None:
        """Return the root mean squared distance of a member to its centroid."""
        return state.within.sqrt()


class LogRatioMargin(CentroidScore):
    r"""How much closer a sample is to its own centroid than to its runner-up's: the default.

    .. math:: s = \log(d_{\text{runner-up}}^2 + \epsilon) - \log(d_{own}^2 + \epsilon)

    Positive: the own centroid is nearer. Zero: on the boundary. Adding log 4 doubles the ratio of the distances. The floor,
    1 % of the pooled within-cluster variance, keeps a sample that sits on its centroid (a singleton) finite; it moves with
    the clusters, so the score stays free of rotation and scale. Memberships are proportional to
    :math:`1 / (d_k^2 + \epsilon)`.
    """

    name: ClassVar[str] = "margin"
    words: ClassVar[str] = "log squared distance to the other cluster's centroid minus that to its own"

    def logits(self, rows: Tensor, state: Centroids) -> Tensor:
        r"""Return :math:`-\log(d_k^2 + \epsilon)`."""
        floor = FLOOR * state.within + _tiny(rows)
        return -torch.log(squared_distances(rows, state.centers) + floor)


class StudentT(CentroidScore):
    r"""Log-ratio of Student-t kernels with one degree of freedom, in units of the within-cluster variance per dimension.

    .. math:: s = \log(1 + d_{\text{runner-up}}^2 / \sigma^2) - \log(1 + d_{own}^2 / \sigma^2)

    References
    ----------
    J. Xie, R. Girshick, A. Farhadi. Unsupervised deep embedding for clustering analysis. ICML 2016.
    """

    name: ClassVar[str] = "student_t"
    words: ClassVar[str] = "the log-ratio of Student-t kernels around its own centroid and the other cluster's"

    def logits(self, rows: Tensor, state: Centroids) -> Tensor:
        r"""Return :math:`-\log(1 + d_k^2 / \sigma^2)`."""
        return -torch.log1p(squared_distances(rows, state.centers) / self._unit(rows, state))

    def _unit(self, rows: Tensor, state: Centroids) -> Tensor:
        return state.within / rows.shape[-1] + _tiny(rows)


class DecAssignment(StudentT):
    """The model's own soft assignment in DEC: Student-t kernels in the units of the latent space."""

    name: ClassVar[str] = "dec_assignment"
    words: ClassVar[str] = "the log-ratio of DEC's own soft assignments"

    def length_scale(self, state: Centroids) -> Tensor | None:
        """Return None: the units are those of the latent space."""
        return None

    def _unit(self, rows: Tensor, state: Centroids) -> Tensor:
        return torch.ones((), dtype=rows.dtype)


class Softmax(CentroidScore):
    r"""Contrast of squared distances, the logit of ``softmax(-d^2 / tau)``.

    .. math:: s = (d_{\text{runner-up}}^2 - d_{own}^2) / \tau, \qquad \tau = 2 \sigma^2 / dim

    :math:`\tau` is twice the pooled within-cluster variance per dimension, so that the memberships are the posterior of a
    mixture of equal spheres. It moves with the clusters, and its derivative is part of the score's.
    """

    name: ClassVar[str] = "softmax"
    words: ClassVar[str] = "the contrast of squared distances to the other cluster's centroid and its own"

    def logits(self, rows: Tensor, state: Centroids) -> Tensor:
        r"""Return :math:`-d_k^2 / \tau`."""
        temperature = 2 * state.within / rows.shape[-1] + _tiny(rows)
        return -squared_distances(rows, state.centers) / temperature


class Cosine(CentroidScore):
    r"""Contrast of cosines with the centroids' directions, for spherical k-means.

    .. math:: s = (\cos(z, \mu_{own}) - \cos(z, \mu_{\text{runner-up}})) / \sigma^2

    :math:`\sigma^2` is the mean squared chord from a member to its centroid. The radial direction of the latent space is
    flat by construction.
    """

    name: ClassVar[str] = "cosine"
    words: ClassVar[str] = "the contrast of cosines with the centroids' directions"

    def logits(self, rows: Tensor, state: Centroids) -> Tensor:
        r"""Return :math:`z \cdot \mu_k / \sigma^2` for rows and centroids of length 1."""
        return rows @ state.centers.T / (state.within + _tiny(rows))


def _tiny(rows: Tensor) -> float:
    """Return what is left of a floor where all members coincide; its reciprocal can still be squared and summed."""
    floor: float = torch.finfo(rows.dtype).tiny ** 0.5
    return floor
