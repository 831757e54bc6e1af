"""What reports know of a fit beyond one explanation; what costs seconds is computed when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from torch import Tensor

from clusterexplain.clustering import HDBSCANClustering
from clusterexplain.clustering.condensed_tree import CondensedTree
from clusterexplain.data import Dataset
from clusterexplain.explanation import living_clusters
from clusterexplain.fitting.fit import Pipeline
from clusterexplain.report.samples import Renderer, Rows
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.stability import Stability
from clusterexplain.results.text.names import cluster_name


@dataclass(frozen=True, eq=False)
class ReportContext:
    """A fit, for reports.

    Parameters
    ----------
    pipeline : Pipeline
        Embedding, clusters and margins.
    data : Dataset
        Training data.
    names : dict of int to str
        Names of clusters.
    facts : dict of str to str
        What is needed to make the run again: seeds, versions, parameters.
    read : callable
        From rows as the user gave them, shape (n, n_features), to the network's inputs.
    draw : callable
        Returns the two-dimensional view, shape (n_samples, 2).
    find_label_conflicts : callable
        Returns near-identical rows with other labels, see :func:`clusterexplain.data.near_duplicates.find_label_conflicts`.
    ask_clusters : callable
        Returns the explanation of every cluster's cohesion, one row for each living cluster.
    stability : Stability or None
        If it was measured.
    render : Renderer or None
        The user's own way to show a row.
    drawn_by : str
        What made the view: "UMAP" or "PCA".
    """

    pipeline: Pipeline
    data: Dataset
    names: dict[int, str]
    facts: dict[str, str]
    read: Callable[[np.ndarray], Tensor]
    draw: Callable[[], np.ndarray]
    find_label_conflicts: Callable[[], pd.DataFrame]
    ask_clusters: Callable[[], Explanation]
    stability: Stability | None = None
    render: Renderer | None = None
    drawn_by: str = "UMAP"

    @cached_property
    def rows(self) -> Rows:
        """How rows are shown."""
        return Rows.of(self.data, self.render)

    @cached_property
    def coordinates(self) -> np.ndarray:
        """The two-dimensional view, shape (n_samples, 2)."""
        return self.draw()

    @cached_property
    def twins(self) -> pd.DataFrame:
        """Near-identical rows with other labels."""
        return self.find_label_conflicts()

    @cached_property
    def cohesion(self) -> Explanation:
        """Influence on the mean margin of every living cluster's members."""
        return self.ask_clusters()

    @cached_property
    def labels(self) -> np.ndarray:
        """Cluster of each training example, shape (n_samples,); -1 is noise."""
        return self.pipeline.labels.numpy()

    @cached_property
    def margins(self) -> np.ndarray:
        """Margin of each training example to its runner-up, shape (n_samples,)."""
        return self.pipeline.train_margins.numpy()

    @cached_property
    def position_of(self) -> dict[str, int]:
        """Row number by id, the id as text."""
        return {str(one): position for position, one in enumerate(self.data.ids.tolist())}

    @cached_property
    def clusters(self) -> list[int]:
        """Clusters that have members of positive weight; a component of a mixture may have none."""
        return living_clusters(self.pipeline)

    @cached_property
    def present(self) -> np.ndarray:
        """Row numbers of the training examples of positive weight, ascending."""
        return np.flatnonzero(self.pipeline.weights.numpy() > 0)

    @cached_property
    def tree(self) -> tuple[CondensedTree, dict[int, int]]:
        """The condensed tree of an HDBSCAN, and the node of each cluster."""
        clustering = self.pipeline.clustering
        assert isinstance(clustering, HDBSCANClustering)
        found = clustering.condensed(self.pipeline.normalized_embedding, self.pipeline.weights)
        labels = self.labels[self.present]
        return found, {one: found.node_of(np.flatnonzero(labels == one)) for one in self.clusters}

    def name_of(self, cluster: int) -> str:
        """Return what a cluster is called."""
        return cluster_name(int(cluster), self.names)

    def members(self, cluster: int) -> np.ndarray:
        """Return row numbers of a cluster's members (of the noise for -1), most typical first."""
        rows = np.flatnonzero((self.labels == cluster) & (self.pipeline.weights.numpy() > 0))
        return rows[np.argsort(-self.margins[rows], kind="stable")]

    def cluster_mean(self, cluster: int) -> np.ndarray:
        """Return the mean of a cluster's members as the user gave them, shape (n_features,)."""
        rows = self.members(cluster)
        return self.data.X[rows].mean(axis=0) if len(rows) else self.data.X.mean(axis=0)
