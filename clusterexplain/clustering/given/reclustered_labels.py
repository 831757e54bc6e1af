"""Given labels that can be found anew: kept in derivatives, found by the user's own function at other weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.metrics import adjusted_rand_score

from clusterexplain.clustering.base import Clustering, ClusterInputs
from clusterexplain.clustering.given.given_labels import GivenLabels
from clusterexplain.clustering.given.graph import NeighbourGraph
from clusterexplain.clustering.given.graph_labels import GraphLabels
from clusterexplain.clustering.given.reclusterer import Reclusterer, ReclusteringEstimator, ReclusteringFunction
from clusterexplain.clustering.registry import ClusteringSpec
from clusterexplain.exceptions import AdoptedClustersWarning, InvalidParameterError, warn
from clusterexplain.statistics.matching import NOISE, renumbered


@dataclass(frozen=True, eq=False)
class ReclusteredLabels(GivenLabels):
    """A user's labels with a way to find them anew, matched to the old clusters by the weight that they share.

    Rows of weight 0 are absent: the reclusterer gets the other rows alone, and gives an absent row no cluster (-1); a fit puts
    it in the cluster of highest score, as a new row. A cluster that is not found again is empty; a new one gets a new number.

    Parameters
    ----------
    labels, n_clusters : object
        As in :class:`Clustering`.
    reclusterer : Reclusterer
        Finds clusters of the rows of positive weight.
    repeats : bool, default=True
        Whether it gives these labels at the inputs of the fit.
    """

    reclusterer: Reclusterer
    repeats: bool = True

    reassigns: ClassVar[bool] = True
    labels_given: ClassVar[bool] = False

    def update_continued(self, inputs: ClusterInputs) -> ReclusteredLabels:
        """Cluster the present rows anew, and number the clusters by the old ones that they share most weight with."""
        found, weights = self.reclusterer.labels(inputs), inputs.weights.detach().numpy()
        numbers = renumbered(self.labels.numpy(), found, weights, first_new=self.n_clusters)
        n_clusters = max(self.n_clusters, int(numbers.max(initial=NOISE)) + 1)
        return replace(self, labels=torch.from_numpy(numbers), n_clusters=n_clusters, repeats=True)

    @property
    def assigns_by_score(self) -> bool:
        """Return True: the reclusterer says nothing of rows that it did not get."""
        return True

    @property
    def settings(self) -> dict[str, Any]:
        """Return the reclusterer's name: a run holds no function."""
        return {"reclusterer": self.reclusterer.name}


@dataclass(frozen=True, eq=False)
class ReclusteredGraphLabels(ReclusteredLabels, GraphLabels):
    """Labels with their graph and a way to find them anew: the labels are found anew, the edges of the graph stay."""


def with_reclusterer(
    given: Clustering[Any], reclusterer: ReclusteringFunction | ReclusteringEstimator, inputs: ClusterInputs
) -> ReclusteredLabels:
    """Return given labels that a function finds anew, once it was seen to repeat itself.

    Parameters
    ----------
    given : Clustering
        Labels that were given.
    reclusterer : callable or estimator
        See :meth:`Reclusterer.of`; it is called twice.
    inputs : ClusterInputs
        Embeddings and weights of the fit.

    Returns
    -------
    ReclusteredLabels
        With the given labels, whatever the function finds; where that is something else, a warning says how much.

    Raises
    ------
    InvalidParameterError
        If there are no given labels, or the function gives other labels each time.
    """
    if not given.labels_given:
        raise InvalidParameterError(
            f"reclusterer says how given labels are found anew, but these clusters are those of {given.name!r}, which is run "
            f"again by itself. Expected labels=, or reclusterer=None."
        )
    found = Reclusterer.of(reclusterer)
    present = (inputs.weights > 0).numpy()
    first, second = (found.labels(inputs)[present] for _ in range(2))
    if not _same_partition(first, second):
        raise InvalidParameterError(
            f"reclusterer={found.name} gives other labels each time for the same rows and weights (adjusted Rand index of two "
            f"calls {adjusted_rand_score(first, second):.2f}), so retrained changes could not be told from chance. Expected "
            f"the same labels; set its seed, for example random_state=0."
        )
    labels = given.labels.numpy()[present]
    repeats = _same_partition(labels, first)
    if not repeats:
        moved = int((renumbered(labels, first, np.ones(len(first))) != labels).sum())
        warn(
            f"reclusterer={found.name} finds other clusters than the given labels with nothing removed: adjusted Rand index "
            f"{adjusted_rand_score(labels, first):.2f}, another cluster for {moved} of {len(labels)} rows. Changes "
            f"after retraining are counted from what it finds with nothing removed. Expected the function, settings and "
            f"embedding that the labels come from.",
            AdoptedClustersWarning,
        )
    if isinstance(given, GraphLabels):
        return ReclusteredGraphLabels(given.labels, given.n_clusters, given.graph, found, repeats)
    return ReclusteredLabels(given.labels, given.n_clusters, found, repeats)


def refuse_unequal_weights(clustering: Clustering[Any], what: str) -> None:
    """Refuse weights that differ, where the clustering is an estimator that takes none; `what` says where they differ."""
    if isinstance(clustering, ReclusteredLabels) and not clustering.reclusterer.takes_weights:
        raise InvalidParameterError(clustering.reclusterer.unequal(what))


@dataclass(frozen=True, eq=False)
class FoundFromScratch:
    """A :data:`ClusteringFactory` that clusters with the reclusterer of given labels, in numbers of its own.

    Parameters
    ----------
    reclusterer : Reclusterer
        Finds clusters of the rows of positive weight.
    graph : NeighbourGraph, optional
        Of the given labels; it stays.
    """

    reclusterer: Reclusterer
    graph: NeighbourGraph | None = None

    @classmethod
    def of(cls, clustering: ReclusteredLabels) -> FoundFromScratch:
        """Return what finds some labels anew, with their graph if they have one."""
        graph = clustering.graph if isinstance(clustering, ReclusteredGraphLabels) else None
        return cls(clustering.reclusterer, graph)

    def __call__(self, inputs: ClusterInputs, spec: ClusteringSpec) -> GivenLabels:
        """Return what the reclusterer finds; it has no start that a seed could change."""
        found = self.reclusterer.labels(inputs)
        labels, n_clusters = torch.from_numpy(found), int(found.max(initial=NOISE)) + 1
        return GivenLabels(labels, n_clusters) if self.graph is None else GraphLabels(labels, n_clusters, self.graph)


def _same_partition(labels: np.ndarray, others: np.ndarray) -> bool:
    """Return whether two labellings are the same but for the numbers of their clusters; noise is noise in both."""
    pairs = len(np.unique(np.stack([labels, others]), axis=1).T)
    same = pairs == len(np.unique(labels)) == len(np.unique(others))
    return same and np.array_equal(labels == NOISE, others == NOISE)
