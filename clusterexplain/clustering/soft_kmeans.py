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

from clusterexplain.clustering.base import Clustering, ClusterInputs, ClusterState
from clusterexplain.clustering.centroids import (
    CentroidState,
    around,
    squared_distances,
    squared_distances_of_all,
    weighted_means,
)
from clusterexplain.clustering.fixed_point import implicit, inverse_of, solve
from clusterexplain.clustering.kmeans import KMeansClustering, canonical_order

TEMPERATURE = 0.2
"""Default temperature, as a share of the pooled within-cluster variance."""


@dataclass(frozen=True, eq=False)
class SoftKMeansClustering(Clustering[CentroidState]):
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
    reference : ClusterInputs, optional
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
    reference: ClusterInputs | None = None
    converged: bool = True

    name: ClassVar[str] = "soft_kmeans"
    scores: ClassVar[tuple[str, ...]] = ("margin", "student_t", "softmax")
    is_fixed_point: ClassVar[bool] = True
    state_type: ClassVar[type[ClusterState]] = CentroidState
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
        soft = cls.soften(hard, embedding, weights, temperature)
        present = (weights > 0).nonzero().squeeze(-1)
        counted = soft.labels[present]
        order = torch.from_numpy(canonical_order(counted.numpy()))
        _, first = np.unique(order.numpy(), return_index=True)
        kept = counted[torch.from_numpy(first)]
        centers = soft.solution[:-1].reshape(soft.n_clusters, -1)[kept]
        solution = torch.cat([centers.reshape(-1), soft.solution[-1:]])
        labels = squared_distances(embedding, centers).argmin(dim=-1)  # of rows that are not there
        labels[present] = order
        # a centroid that is the nearest of no sample was left out, which moves the others
        return cls(labels, len(kept), solution, temperature).update_kept(ClusterInputs(embedding, weights))

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
        inputs = ClusterInputs(embedding, weights)
        state = hard.state(inputs)
        log_temperature = (temperature * state.within).clamp(min=torch.finfo(embedding.dtype).tiny).log()
        start = torch.cat([state.centers.reshape(-1), log_temperature.reshape(1)])
        return cls(hard.labels, hard.n_clusters, start, temperature).update_continued(inputs)

    @property
    def identified(self) -> bool:
        """Whether the fixed point was reached to rounding."""
        return self.converged

    def state(self, inputs: ClusterInputs) -> CentroidState:
        """Return centroids and variances; the derivative is that of the fixed point."""
        moved = self._step(self.solution, inputs)
        return self._around(implicit(moved, self.solution, self._inverse), inputs)

    def values(self, inputs: ClusterInputs) -> CentroidState:
        """Return the state without its derivative, which would need the inverse."""
        return self._around(self.solution, inputs)

    def update_kept(self, inputs: ClusterInputs) -> SoftKMeansClustering:
        """Solve the fixed point at other embeddings and weights."""
        step = partial(self._step, inputs=inputs)
        inverse = None if self.reference is None else self._inverse
        solution, converged = solve(step, self.solution, inverse=inverse)
        return replace(self, solution=solution, reference=inputs, converged=converged)

    def update_continued(self, inputs: ClusterInputs) -> SoftKMeansClustering:
        """Solve the fixed point and label every sample by its largest assignment."""
        solved = self.update_kept(inputs)
        centers, _ = solved._split(solved.solution)
        return replace(solved, labels=squared_distances(inputs.embedding, centers).argmin(dim=-1))

    def from_scratch(self, inputs: ClusterInputs, *, seed: int) -> SoftKMeansClustering:
        """Cluster from scratch with other initialisations."""
        return type(self).fit(
            inputs.embedding, inputs.weights, self.n_clusters, seed=seed, temperature=self.temperature
        )

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

    def with_reference(self, inputs: ClusterInputs) -> SoftKMeansClustering:
        """Take the inputs over that the solution belongs to."""
        return replace(self, reference=inputs)

    @classmethod
    def restore(
        cls, labels: Tensor, n_clusters: int, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]
    ) -> SoftKMeansClustering:
        """Rebuild; :meth:`with_reference` gives the inputs back."""
        return cls(labels, n_clusters, torch.from_numpy(arrays["solution"].copy()), **settings)

    @cached_property
    def _inverse(self) -> Tensor:
        assert self.reference is not None, "a restored clustering must be told its inputs by `with_reference`"
        step = partial(self._step, inputs=self.reference)
        return inverse_of(step, self.solution)

    def _step(self, x: Tensor, inputs: ClusterInputs) -> Tensor:
        """Return F(x): one iteration of the map whose fixed point the clusters are."""
        embedding, weights = inputs.embedding, inputs.weights
        centers, temperature = self._split(x)
        # w_i r_ik, shape (n_samples, n_clusters)
        mass = weights.unsqueeze(-1) * self._assignments(embedding, centers, temperature)
        means = weighted_means(embedding, mass)  # mu_k
        # T / tau, the pooled variance around the new means; its logarithm keeps T positive
        within = (squared_distances_of_all(embedding, means) * mass).sum() / weights.sum()
        tiny = torch.finfo(embedding.dtype).tiny
        return torch.cat([means.reshape(-1), (within + tiny).log().reshape(1) + math.log(self.temperature)])

    def _around(self, x: Tensor, inputs: ClusterInputs) -> CentroidState:
        centers, temperature = self._split(x)
        assignments = self._assignments(inputs.embedding, centers, temperature)
        return around(centers, inputs.embedding, inputs.weights.unsqueeze(-1) * assignments)

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        # centroids of shape (n_clusters, dim), and T of shape ()
        return x[:-1].reshape(self.n_clusters, -1), x[-1].exp()

    @staticmethod
    def _assignments(embedding: Tensor, centers: Tensor, temperature: Tensor) -> Tensor:
        # r_ik, shape (n_samples, n_clusters)
        return torch.softmax(-squared_distances_of_all(embedding, centers) / temperature, dim=-1)
