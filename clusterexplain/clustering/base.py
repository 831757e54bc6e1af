"""The contract of a clustering: discrete choices, made once, and a differentiable state given them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, Protocol

import numpy as np
from torch import Tensor
from typing_extensions import TypeVar

if TYPE_CHECKING:
    from clusterexplain.clustering.density.condensed_tree import CondensedTree


class ClusterInputs(NamedTuple):
    """What a clustering is a function of.

    Attributes
    ----------
    embedding : Tensor of shape (n_samples, dim), float64
        Embeddings of the training examples, after :meth:`Clustering.normalize`.
    weights : Tensor of shape (n_samples,), float64
        Data weights.
    model_centroids : Tensor of shape (n_clusters, dim), float64, or None
        Centroids that are parameters of the model (a DEC has them).
    """

    embedding: Tensor
    weights: Tensor
    model_centroids: Tensor | None = None


class ClusterState(Protocol):
    """What every state of clusters has; a state is a NamedTuple of tensors, and each kind has more."""

    @property
    def nonempty(self) -> Tensor:
        """Whether each cluster has any weight, shape (n_clusters,), bool."""

    @property
    def representatives(self) -> Tensor:
        """One point for each cluster, shape (n_clusters, dim); finite even for a cluster without weight."""


StateT = TypeVar("StateT", bound=ClusterState, default=Any)


@dataclass(frozen=True, eq=False)
class Clustering(ABC, Generic[StateT]):
    """A fitted clustering of an embedding.

    Everything is float64 and a function of :class:`ClusterInputs`: the embeddings Z and the data weights w. Three methods
    divide the work:

    * :meth:`state` is the differentiable part: phi(Z, w) with every discrete choice (labels, exemplars, neighbours)
      kept. It is exact at, and near, the (Z, w) that the clustering was solved at.
    * :meth:`update_kept` keeps the discrete choices and solves for what is continuous but implicit (fixed points) at other
      (Z, w). A score after it is the one with labels kept.
    * :meth:`update_continued` makes the discrete choices again at other (Z, w), starting from this clustering so that
      cluster k stays cluster k. A score after it is the one with the clustering continued.

    A fourth, :meth:`from_scratch`, forgets this clustering: other initialisations, other numbers. It is a control of checks.

    A clustering of your own is a subclass: a frozen dataclass with :attr:`name`, :attr:`scores`, :attr:`state_type`,
    :meth:`state`, :meth:`update_continued` and :meth:`assign`, and the other methods where the defaults do not fit.
    :func:`clusterexplain.clustering.check_clustering` probes whether it keeps this contract.

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
    """The name in messages and in a saved run."""
    scores: ClassVar[tuple[str, ...]]
    """Names of the assignment scores that read this state, the default first; empty where only your own score does."""
    state_type: ClassVar[type[ClusterState]]
    """The type of :meth:`state`, by which a score of your own knows whether it reads this clustering."""
    reassigns: ClassVar[bool] = True
    """Whether :meth:`update_continued` makes choices that :meth:`update_kept` does not; False where the two are the same."""
    has_random_init: ClassVar[bool] = False
    """Whether :meth:`from_scratch` depends on a start, so that it can end in other clusters than :meth:`update_continued`."""
    hard_centroids: ClassVar[bool] = False
    """Whether the state is a function of the labelled members alone and a sample belongs where its margins are positive, so
    that the jump of the centroids when a sample changes its cluster can be predicted."""
    labels_given: ClassVar[bool] = False
    """Whether the labels are a user's and stay as they are: no re-clustering ever moves a sample."""
    has_tree: ClassVar[bool] = False
    """Whether there is a condensed tree to draw, see :meth:`condensed_tree`."""
    has_responsibilities: ClassVar[bool] = False
    """Whether memberships are responsibilities of a density, so that they say more than distances to centroids."""
    is_fixed_point: ClassVar[bool] = False
    """Whether :meth:`update_kept` iterates to a fixed point: solved again where it was solved, it moves by rounding."""
    frequency_weights: ClassVar[bool] = True
    """Whether weight 2 is the same as the row twice; False where any positive weight counts as presence."""

    @property
    def identified(self) -> bool:
        """Whether the state is a function of embeddings and weights; False for a fixed point that is not isolated."""
        return True

    @property
    def assigns_by_score(self) -> bool:
        """Whether no rule says where a row that was not trained on belongs, so that it goes to the cluster of highest score."""
        return self.labels_given

    @property
    def repeats(self) -> bool:
        """Whether :meth:`update_continued` leaves the labels as they are where they were found."""
        return True

    def normalize(self, embedding: Tensor) -> Tensor:
        """Return embeddings of shape (..., dim) in the geometry of the clustering; the identity but for spheres."""
        return embedding

    @abstractmethod
    def state(self, inputs: ClusterInputs) -> StateT:
        """Return the clusters as a differentiable function of embeddings, weights and the model's centroids.

        Parameters
        ----------
        inputs : ClusterInputs
            Where; the embedding after :meth:`normalize`.

        Returns
        -------
        NamedTuple of Tensor
            A :class:`ClusterState`; finite even for clusters without weight.
        """

    def values(self, inputs: ClusterInputs) -> StateT:
        """Return the state at the inputs that the clustering was solved at, derivative not needed."""
        return self.state(inputs)

    def update_kept(self, inputs: ClusterInputs) -> Clustering[StateT]:
        """Solve for what is implicit at other inputs, discrete choices kept."""
        return self

    @abstractmethod
    def update_continued(self, inputs: ClusterInputs) -> Clustering[StateT]:
        """Make the discrete choices again at other inputs, continuing from here, so that cluster k stays cluster k."""

    def from_scratch(self, inputs: ClusterInputs, *, seed: int) -> Clustering[StateT]:
        """Cluster from scratch at other inputs, in numbers of its own; for those that :attr:`has_random_init`.

        Parameters
        ----------
        inputs : ClusterInputs
            Where.
        seed : int
            Seed of the initialisations.
        """
        raise NotImplementedError(
            f"{self.name} has no random start, so clustering from scratch is not another clustering"
        )

    def condensed_tree(self, inputs: ClusterInputs) -> CondensedTree:
        """Return the tree of the rows of positive weight, for charts; for clusterings that have one (:attr:`has_tree`)."""
        raise NotImplementedError(f"{self.name} has no condensed tree")

    @abstractmethod
    def assign(self, rows: Tensor, state: StateT) -> Tensor:
        """Return the cluster of each row of shape (n, dim), after :meth:`normalize`, that was not trained on; -1 is noise."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what must be stored next to the labels to restore this clustering."""
        return {}

    @property
    def settings(self) -> dict[str, Any]:
        """JSON-compatible constants of the clustering, stored next to the arrays."""
        return {}

    @classmethod
    def restore(
        cls, labels: Tensor, n_clusters: int, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]
    ) -> Clustering[StateT]:
        """Rebuild the clustering from labels, :meth:`arrays` and :attr:`settings`."""
        return cls(labels, n_clusters)

    def with_reference(self, inputs: ClusterInputs) -> Clustering[StateT]:
        """Return the clustering told at which inputs it was solved: what :meth:`restore` cannot know."""
        return self
