"""Soft k-means: every sample belongs to every cluster a little, so that re-clustering has a derivative."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from clusterexplain.clustering.base import Clustering
from clusterexplain.clustering.centroids import CentroidState, around, squared_distances, weighted_means
from clusterexplain.clustering.fixed_point import implicit, inverse_of, solve
from clusterexplain.clustering.kmeans import KMeansClustering, canonical_order

TEMPERATURE = 0.2
"""Default temperature, as a share of the pooled within-cluster variance."""


@dataclass(frozen=True, eq=False)
class SoftKMeansClustering(Clustering):
    r"""Soft k-means: the fixed point of weighted means under soft assignments.

    .. math::
        r_{ik} = \frac{e^{-\lVert z_i - \mu_k \rVert^2 / T}}{\sum_l e^{-\lVert z_i - \mu_l \rVert^2 / T}}, \qquad
        \mu_k = \frac{\sum_i w_i r_{ik} z_i}{\sum_i w_i r_{ik}}, \qquad
        T = \tau \, \frac{\sum_{ik} w_i r_{ik} \lVert z_i - \mu_k \rVert^2}{\sum_i w_i}

    The temperature is a share of the within-cluster variance and part of the fixed point, so the clusters turn and scale with
    the embedding. No choice is discrete: the fixed point at other weights is a smooth function of them, and its derivative
    is exact by the implicit function theorem.

    Parameters
    ----------
    labels, n_clusters : object
        As in :class:`Clustering`; the label is the cluster of largest assignment.
    solution : Tensor of shape (n_clusters * dim + 1,)
        Centroids and the logarithm of T, flat.
    temperature : float
        :math:`\tau`.
    basis : tuple of Tensor, optional
        Embeddings and weights that `solution` belongs to.
    converged : bool, default=True
        Whether it is a fixed point to rounding.

    References
    ----------
    K. Rose. Deterministic annealing for clustering, compression, classification, regression, and related optimization
    problems. Proceedings of the IEEE 86, 1998.
    """

    solution: Tensor
    temperature: float = TEMPERATURE
    basis: tuple[Tensor, Tensor] | None = None
    converged: bool = True

    name: ClassVar[str] = "soft_kmeans"
    scores: ClassVar[tuple[str, ...]] = ("margin", "student_t", "softmax")
    reassigns: ClassVar[bool] = False
    has_random_init: ClassVar[bool] = True

    @classmethod
    def fit(
        cls, embedding: Tensor, weights: Tensor, n_clusters: int, *, seed: int, temperature: float = TEMPERATURE
    ) -> SoftKMeansClustering:
        """Cluster from scratch: from the best of ten hard k-means to the fixed point.

        Parameters
        ----------
        embedding : Tensor of shape (n_samples, dim), float64
            Embeddings.
        weights : Tensor of shape (n_samples,), float64
            Data weights.
        n_clusters : int
            Number of clusters.
        seed : int
            Seed of the hard k-means.
        temperature : float
            Share of the within-cluster variance. Above a critical value, about twice the largest eigenvalue of a cluster's
            covariance, clusters merge.

        Returns
        -------
        SoftKMeansClustering
            Labels in canonical order of the largest assignments.
        """
        hard = KMeansClustering.fit(embedding, weights, n_clusters, seed=seed)
        found = cls.soften(hard, embedding, weights, temperature)
        order = canonical_order(found.labels.numpy())
        _, first = np.unique(order, return_index=True)
        kept = found.labels[torch.from_numpy(first)]
        centers = found.solution[:-1].reshape(found.n_clusters, -1)[kept]
        solution = torch.cat([centers.reshape(-1), found.solution[-1:]])
        renumbered = cls(torch.from_numpy(order), len(kept), solution, temperature)
        return renumbered.update_kept(embedding, weights)  # a centroid that is nobody's nearest was left out

    @classmethod
    def soften(
        cls, hard: KMeansClustering, embedding: Tensor, weights: Tensor, temperature: float
    ) -> SoftKMeansClustering:
        """Return the soft clustering nearest to a hard one, cluster k staying cluster k.

        Parameters
        ----------
        hard : KMeansClustering
            Where to start.
        embedding : Tensor of shape (n_samples, dim)
            Embeddings.
        weights : Tensor of shape (n_samples,)
            Data weights.
        temperature : float
            Share of the within-cluster variance.

        Returns
        -------
        SoftKMeansClustering
            Labels are those of the largest assignment.
        """
        state = hard.state(embedding, weights)
        log_temperature = (temperature * state.within).clamp(min=torch.finfo(embedding.dtype).tiny).log()
        start = torch.cat([state.centers.reshape(-1), log_temperature.reshape(1)])
        return cls(hard.labels, hard.n_clusters, start, temperature).update_continued(embedding, weights)

    @property
    def identified(self) -> bool:
        """Whether the fixed point was reached to rounding."""
        return self.converged

    def state(self, embedding: Tensor, weights: Tensor, learned: Tensor | None = None) -> CentroidState:
        """Return centroids and variances; the derivative is that of the fixed point."""
        moved = self._step(self.solution, embedding, weights)
        return self._around(implicit(moved, self.solution, self._inverse), embedding, weights)

    def values(self, embedding: Tensor, weights: Tensor, learned: Tensor | None = None) -> CentroidState:
        """Return the state without its derivative, which would need the inverse."""
        return self._around(self.solution, embedding, weights)

    def update_kept(self, embedding: Tensor, weights: Tensor, learned: Tensor | None = None) -> SoftKMeansClustering:
        """Solve the fixed point at other embeddings and weights."""
        step = partial(self._step, embedding=embedding, weights=weights)
        inverse = None if self.basis is None else self._inverse
        solution, converged = solve(step, self.solution, inverse=inverse)
        return replace(self, solution=solution, basis=(embedding, weights), converged=converged)

    def update_continued(
        self, embedding: Tensor, weights: Tensor, learned: Tensor | None = None
    ) -> SoftKMeansClustering:
        """Solve the fixed point and label every sample by its largest assignment."""
        settled = self.update_kept(embedding, weights)
        centers, _ = settled._split(settled.solution)
        return replace(settled, labels=squared_distances(embedding, centers).argmin(dim=-1))

    def from_scratch(self, embedding: Tensor, weights: Tensor, *, seed: int) -> SoftKMeansClustering:
        """Cluster from scratch with other initialisations."""
        return type(self).fit(embedding, weights, self.n_clusters, seed=seed, temperature=self.temperature)

    def assign(self, rows: Tensor, state: CentroidState) -> Tensor:
        """Return the cluster of largest assignment, which is the nearest centroid."""
        return squared_distances(rows, state.centers).argmin(dim=-1)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the solution."""
        return {"solution": self.solution.numpy()}

    @property
    def settings(self) -> dict[str, Any]:
        """Return the temperature and whether the fixed point was reached."""
        return {"temperature": self.temperature, "converged": self.converged}

    def with_reference(self, embedding: Tensor, weights: Tensor) -> SoftKMeansClustering:
        """Take the basis over."""
        return replace(self, basis=(embedding, weights))

    @classmethod
    def restore(
        cls, labels: Tensor, n_clusters: int, arrays: Mapping[str, np.ndarray], settings: Any
    ) -> SoftKMeansClustering:
        """Rebuild; `with_reference` gives the basis back."""
        return cls(labels, n_clusters, torch.from_numpy(arrays["solution"].copy()), **settings)

    @cached_property
    def _inverse(self) -> Tensor:
        assert self.basis is not None, "settle first"
        step = partial(self._step, embedding=self.basis[0], weights=self.basis[1])
        return inverse_of(step, self.solution)

    def _step(self, x: Tensor, embedding: Tensor, weights: Tensor) -> Tensor:
        """One iteration of the map whose fixed point the clusters are."""
        centers, temperature = self._split(x)
        mass = weights.unsqueeze(-1) * self._assignments(embedding, centers, temperature)
        means = weighted_means(embedding, mass)
        within = (squared_distances(embedding, means) * mass).sum() / weights.sum()
        tiny = torch.finfo(embedding.dtype).tiny
        return torch.cat([means.reshape(-1), (within + tiny).log().reshape(1) + math.log(self.temperature)])

    def _around(self, x: Tensor, embedding: Tensor, weights: Tensor) -> CentroidState:
        centers, temperature = self._split(x)
        return around(centers, embedding, weights.unsqueeze(-1) * self._assignments(embedding, centers, temperature))

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x[:-1].reshape(self.n_clusters, -1), x[-1].exp()

    @staticmethod
    def _assignments(embedding: Tensor, centers: Tensor, temperature: Tensor) -> Tensor:
        return torch.softmax(-squared_distances(embedding, centers) / temperature, dim=-1)
