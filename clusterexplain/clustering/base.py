"""The contract of a clustering: discrete choices, made once, and a differentiable state given them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Clustering(ABC):
    """A fitted clustering of an embedding.

    Everything is float64 and a function of embeddings Z and data weights w. Three methods divide the work:

    * :meth:`state` is the differentiable part: phi(Z, w) with every discrete choice (labels, exemplars, neighbours)
      frozen. It is exact at, and near, the (Z, w) that the clustering was fitted or settled at.
    * :meth:`update_kept` keeps the discrete choices and solves for what is continuous but implicit (fixed points) at other
      (Z, w). Evaluating a score after it is the "kept" truth of a check.
    * :meth:`update_continued` makes the discrete choices anew at other (Z, w), starting from this clustering so that cluster k
      stays cluster k. Evaluating a score after it is the "re-clustered" truth.

    A fourth, :meth:`from_scratch`, forgets this clustering: other initialisations, other numbers. It is a control of checks.

    Parameters
    ----------
    labels : Tensor of shape (n_samples,), int64
        Cluster of each training example; -1 is noise.
    n_clusters : int
        Number of clusters, empty ones included.
    """

    labels: Tensor
    n_clusters: int

    name: ClassVar[str]
    scores: ClassVar[tuple[str, ...]]
    """Names of the assignment scores that read this state, the default first."""
    reassigns: ClassVar[bool] = True
    """Whether :meth:`update_continued` makes choices that :meth:`update_kept` does not; False where the two are the same."""
    has_random_init: ClassVar[bool] = False
    """Whether :meth:`from_scratch` depends on a start, so that it can end in other clusters than :meth:`update_continued`."""

    @property
    def identified(self) -> bool:
        """Whether the state is a function of embeddings and weights; False for a fixed point that is not isolated."""
        return True

    def normalize(self, embedding: Tensor) -> Tensor:
        """Return embeddings of shape (..., dim) in the geometry of the clustering; the identity but for spheres."""
        return embedding

    @abstractmethod
    def state(self, embedding: Tensor, weights: Tensor, learned: Tensor | None = None) -> Any:
        """Return the clusters as a differentiable function of embeddings, weights and learned centroids.

        Parameters
        ----------
        embedding : Tensor of shape (n_samples, dim)
            Embeddings of the training examples, after :meth:`normalize`.
        weights : Tensor of shape (n_samples,)
            Data weights.
        learned : Tensor of shape (n_clusters, dim) or None
            Centroids that are parameters of the model.

        Returns
        -------
        NamedTuple of Tensor
            With ``nonempty`` of shape (n_clusters,), bool; finite even for clusters without weight.
        """

    def values(self, embedding: Tensor, weights: Tensor, learned: Tensor | None = None) -> Any:
        """Return the state at the (Z, w) that the clustering was settled at, derivative not needed; arguments as `state`."""
        return self.state(embedding, weights, learned)

    def update_kept(self, embedding: Tensor, weights: Tensor, learned: Tensor | None = None) -> Clustering:
        """Solve for what is implicit at other embeddings and weights, discrete choices kept; arguments as `state`."""
        return self

    @abstractmethod
    def update_continued(self, embedding: Tensor, weights: Tensor, learned: Tensor | None = None) -> Clustering:
        """Cluster anew at other embeddings and weights, continuing from here; arguments as `state`."""

    def from_scratch(self, embedding: Tensor, weights: Tensor, *, seed: int) -> Clustering:
        """Cluster from scratch at other embeddings and weights, in numbers of its own; for those that :attr:`has_random_init`.

        Parameters
        ----------
        embedding : Tensor of shape (n_samples, dim)
            Embeddings, after :meth:`normalize`.
        weights : Tensor of shape (n_samples,)
            Data weights.
        seed : int
            Seed of the initialisations.
        """
        raise NotImplementedError(f"{self.name} has no start that could be another one")

    @abstractmethod
    def assign(self, rows: Tensor, state: Any) -> Tensor:
        """Return the cluster of each row of shape (n, dim), after :meth:`normalize`, that was not trained on; -1 is noise."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what must be stored beside the labels to restore this clustering."""
        return {}

    def with_reference(self, embedding: Tensor, weights: Tensor) -> Clustering:
        """Return the clustering told which viewed embeddings and weights it is settled at: what `restore` cannot know."""
        return self

    @classmethod
    def restore(cls, labels: Tensor, n_clusters: int, arrays: Mapping[str, np.ndarray], settings: Any) -> Clustering:
        """Rebuild the clustering from labels, :meth:`arrays` and :attr:`settings`."""
        return cls(labels, n_clusters)

    @property
    def settings(self) -> dict[str, Any]:
        """JSON-compatible constants of the clustering, stored beside the arrays."""
        return {}
