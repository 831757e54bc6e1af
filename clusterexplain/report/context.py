"""What reports know of a fit beyond one explanation; what costs seconds is computed when it is first asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from clusterexplain.clustering import ClusterInputs
from clusterexplain.clustering.density.condensed_tree import CondensedTree
from clusterexplain.data import Dataset
from clusterexplain.data.display import Display
from clusterexplain.data.maps import given_map
from clusterexplain.explanation import cohesions_of, explain_combinations, label_conflicts, living_clusters
from clusterexplain.fitting.fit import Fit
from clusterexplain.report.facts import facts_of
from clusterexplain.report.projection import FEWEST_FOR_UMAP, principal_plane, umap_coordinates
from clusterexplain.report.samples.preview import Renderer
from clusterexplain.report.samples.previewer import SamplePreviewer
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.stability import Stability
from clusterexplain.results.text.names import cluster_name, replace_unprintable


@dataclass(frozen=True, eq=False)
class ReportContext:
    """A fit, for reports: nothing is drawn or asked before it is needed.

    Parameters
    ----------
    fit : Fit
        Embedding, clusters and margins.
    names : dict of int to str
        Names of clusters.
    render : Renderer or None
        The user's own way to show a row.
    quick : bool, default=False
        Draw principal components if there is no map yet, which UMAP may take half a minute for.
    given_map : Display or None
        A map to draw instead of that of the fit.
    """

    fit: Fit
    names: dict[int, str]
    render: Renderer | None = None
    quick: bool = False
    given_map: Display | None = None

    @classmethod
    def of(
        cls, explanation: Explanation, render: Renderer | None = None, *, quick: bool = False, map: object = None
    ) -> ReportContext:
        """Return what reports need of an explanation: its fit, the names that clusters had, and a map that was given."""
        data = explanation.fit.data
        given = None if map is None else given_map(map, data, has_index=True)
        return cls(explanation.fit, dict(explanation.cluster_names), render, quick, given)

    @property
    def data(self) -> Dataset:
        """Training data."""
        return self.fit.data

    @property
    def stability(self) -> Stability | None:
        """How stable the clusters are, if it was measured."""
        return self.fit.annotations.stability

    @cached_property
    def facts(self) -> dict[str, str]:
        """What is needed to make the run again: seeds, versions, parameters."""
        return facts_of(self.fit)

    @cached_property
    def drawn_by(self) -> str:
        """What makes the two-dimensional view: "UMAP" or "PCA", or "" where it was given."""
        if self.map_source:
            return ""
        plane = len(self.data) < FEWEST_FOR_UMAP or (self.quick and self.fit.annotations.map_coordinates is None)
        return "PCA" if plane else "UMAP"

    @property
    def map_source(self) -> str:
        """What the map is, if it was given; "" if it is drawn here."""
        return self.fit.annotations.map_source if self.given_map is None else replace_unprintable(self.given_map.source)

    @property
    def colours(self) -> dict[int, str]:
        """Colours that clusters brought along, by number."""
        return self.fit.annotations.cluster_colours

    @cached_property
    def coordinates(self) -> np.ndarray:
        """The two-dimensional view, shape (n_samples, 2)."""
        if self.given_map is not None and self.given_map.coordinates is not None:
            return self.given_map.coordinates
        return principal_plane(self.fit.embedding.numpy()) if self.drawn_by == "PCA" else umap_coordinates(self.fit)

    @cached_property
    def previews(self) -> SamplePreviewer:
        """How rows are shown."""
        return SamplePreviewer.of(self.data, self.render)

    @cached_property
    def label_conflicts(self) -> pd.DataFrame:
        """Near-duplicates with another label."""
        return label_conflicts(self.fit)

    @cached_property
    def cohesion(self) -> Explanation:
        """Influence on the mean margin of every living cluster's members."""
        return explain_combinations(self.fit, cohesions_of(self.fit))

    @cached_property
    def labels(self) -> np.ndarray:
        """Cluster of each training example, shape (n_samples,); -1 is noise."""
        return np.asarray(self.fit.clustering.labels.numpy())

    @cached_property
    def margins(self) -> np.ndarray:
        """Margin of each training example to its runner-up, shape (n_samples,)."""
        return np.asarray(self.fit.assignment.train_margins.numpy())

    @cached_property
    def position_of(self) -> dict[str, int]:
        """Row number by id, the id as text."""
        return {str(id_): position for position, id_ in enumerate(self.data.ids.tolist())}

    @cached_property
    def clusters(self) -> list[int]:
        """Clusters that have members of positive weight; a component of a mixture may have none."""
        return living_clusters(self.fit)

    @cached_property
    def present(self) -> np.ndarray:
        """Row numbers of the training examples of positive weight, ascending."""
        return np.flatnonzero(self.fit.weights.numpy() > 0)

    @cached_property
    def tree(self) -> tuple[CondensedTree, dict[int, int]]:
        """The condensed tree of an HDBSCAN, and the node of each cluster."""
        inputs = ClusterInputs(self.fit.assignment.embedding, self.fit.weights)
        tree = self.fit.clustering.condensed_tree(inputs)
        labels = self.labels[self.present]
        return tree, {cluster: tree.node_of(np.flatnonzero(labels == cluster)) for cluster in self.clusters}

    def name_of(self, cluster: int) -> str:
        """Return what a cluster is called."""
        return cluster_name(int(cluster), self.names)

    def ids_of(self, rows: np.ndarray) -> list[str]:
        """Return the ids of rows as text."""
        return [str(id_) for id_ in self.data.ids[rows]]

    def members(self, cluster: int) -> np.ndarray:
        """Return row numbers of a cluster's members (of the noise for -1), most typical first."""
        rows = np.flatnonzero((self.labels == cluster) & (self.fit.weights.numpy() > 0))
        return rows[np.argsort(-self.margins[rows], kind="stable")]

    def cluster_mean(self, cluster: int) -> np.ndarray:
        """Return the mean of a cluster's members as the user gave them, shape (n_features,)."""
        rows = self.members(cluster)
        mean: np.ndarray = self.data.X[rows].mean(axis=0) if len(rows) else self.data.X.mean(axis=0)
        return mean
