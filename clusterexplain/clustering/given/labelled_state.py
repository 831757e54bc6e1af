"""States of labels that were given: centroids, the labelled rows themselves, and what a graph's neighbours vote."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class LabelledState(NamedTuple):
    """Centroids of labelled rows, and the rows themselves: what neighbours vote with.

    Attributes
    ----------
    centers, within, spread, nonempty : Tensor
        As in :class:`~clusterexplain.clustering.CentroidState`.
    members : Tensor of shape (n_samples, dim)
        Embeddings of the training examples.
    weights : Tensor of shape (n_samples,)
        Their data weights.
    labels : Tensor of shape (n_samples,), int64
        Their clusters; -1 is noise.
    """

    centers: Tensor
    within: Tensor
    spread: Tensor
    nonempty: Tensor
    members: Tensor
    weights: Tensor
    labels: Tensor

    @property
    def representatives(self) -> Tensor:
        """The centroids, shape (n_clusters, dim)."""
        return self.centers


class GraphState(NamedTuple):
    """A :class:`LabelledState`, and the votes that the rows of a graph get from their neighbours.

    Attributes
    ----------
    centers, within, spread, nonempty, members, weights, labels : Tensor
        As in :class:`LabelledState`.
    votes : Tensor of shape (n_samples, n_clusters + 1)
        Weighted strength of the edges of each row to the members of each cluster; to noise in the last column.
    """

    centers: Tensor
    within: Tensor
    spread: Tensor
    nonempty: Tensor
    members: Tensor
    weights: Tensor
    labels: Tensor
    votes: Tensor

    @property
    def representatives(self) -> Tensor:
        """The centroids, shape (n_clusters, dim)."""
        return self.centers
