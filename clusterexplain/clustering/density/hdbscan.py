"""HDBSCAN: tree, exemplars and neighbours are discrete choices, the distances between them are differentiable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from clusterexplain.clustering.base import Clustering, ClusterInputs, ClusterState
from clusterexplain.clustering.centroids import centroid_state
from clusterexplain.clustering.density.condensed_tree import CondensedTree, closest_pair, core_neighbours
from clusterexplain.clustering.density.hdbscan_estimator import (
    DEFAULTS,
    RARE,
    FittedHDBSCAN,
    check_fitted,
    core_neighbour_position,
    run,
)
from clusterexplain.clustering.density.hdbscan_state import HDBSCANState, reach_of
from clusterexplain.clustering.kmeans import canonical_order
from clusterexplain.clustering.pairwise_distances import Points
from clusterexplain.execution import budget
from clusterexplain.statistics.matching import match

FROZEN = ("exemplars", "exemplar_cluster", "neighbours", "births", "tree")
"""The fields of :class:`HDBSCANClustering` that are stored as arrays, beside `labels`."""

NO_ROWS = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class HDBSCANClustering(Clustering[HDBSCANState]):
    r"""HDBSCAN by the ``hdbscan`` package, with everything that it picked frozen as row numbers.

    A cluster is a set of exemplars and an edge. Its edge is the mutual reachability distance

    .. math:: m(a, b) = \max(core(a), core(b), \lVert z_a - z_b \rVert)

    of the pair of rows (a, b) that joins it to the rest; core(i) is the distance to the row's frozen core neighbour.
    All of them move with the embedding. HDBSCAN knows no weights: a row of weight 0 is left out of a fit, every other
    weight counts as presence. Beyond that weights act on exemplars only, in the scores that use them. Removing an
    exemplar, a core neighbour or an end of an edge is a jump that no derivative sees; :meth:`update_continued` does.

    Parameters
    ----------
    labels, n_clusters : object
        As in :class:`Clustering`.
    exemplars : Tensor of shape (n_exemplars,), int64
        Row numbers of the exemplars, those of cluster 0 first, ascending in each cluster.
    exemplar_cluster : Tensor of shape (n_exemplars,), int64
        Their clusters.
    neighbours : Tensor of shape (n_samples,), int64
        Core neighbour of each row.
    births : Tensor of shape (n_clusters, 2), int64
        Pair of rows whose mutual reachability distance is the edge. The root was never born, and of some nodes only the
        dense part is labelled: there the edge is the largest distance at which a member leaves.
    tree : Tensor of shape (n_samples, n_clusters)
        See :class:`HDBSCANState`. From ``all_points_membership_vectors``, exponents 1 and 1 (``membership_vector`` of
        the same package uses others, and gives other numbers for the same row).
    min_samples : int
        As used: at most the number of present rows less one.
    options : Mapping
        What HDBSCAN was run with.

    References
    ----------
    R. J. G. B. Campello, D. Moulavi, J. Sander. Density-based clustering based on hierarchical density estimates. PAKDD
    2013.

    L. McInnes, J. Healy. Accelerated hierarchical density based clustering. ICDM workshops 2017.
    """

    exemplars: Tensor
    exemplar_cluster: Tensor
    neighbours: Tensor
    births: Tensor
    tree: Tensor
    min_samples: int
    options: Mapping[str, Any] = field(default_factory=dict)

    name: ClassVar[str] = "hdbscan"
    scores: ClassVar[tuple[str, ...]] = ("exemplar", "hdbscan_membership")
    state_type: ClassVar[type[ClusterState]] = HDBSCANState
    has_tree: ClassVar[bool] = True
    frequency_weights: ClassVar[bool] = False

    @classmethod
    def fit(cls, embedding: Tensor, weights: Tensor, *, options: Mapping[str, Any]) -> HDBSCANClustering:
        """Cluster from scratch. That all is noise is a result, with no clusters.

        Parameters
        ----------
        embedding : Tensor of shape (n_samples, dim), float64
            Embeddings.
        weights : Tensor of shape (n_samples,), float64
            Data weights. Rows of weight 0 are left out, and labelled as new rows are.
        options : Mapping
            ``min_cluster_size``, ``min_samples``, ``cluster_selection_method``, ``cluster_selection_epsilon`` and
            ``allow_single_cluster`` of ``hdbscan.HDBSCAN``, which documents them; a missing one has its default there.

        Returns
        -------
        HDBSCANClustering
            Labels in canonical order.
        """
        rows = embedding.detach().numpy()
        present = np.flatnonzero(weights.detach().numpy() > 0)
        labels = np.full(len(rows), -1)
        tree = None
        if len(present) > 1:
            fitted = run(rows[present], options)
            labels[present] = canonical_order(fitted.labels_)
            tree = CondensedTree(fitted.condensed_tree_.to_numpy())
        frozen = cls._freeze(rows, present, labels, tree, options)
        absent = torch.from_numpy(np.setdiff1d(np.arange(len(rows)), present))
        if not len(absent) or not frozen.n_clusters:
            return frozen
        completed = frozen.labels.clone()
        completed[absent] = frozen.assign(embedding[absent], frozen.state(ClusterInputs(embedding, weights)))
        return replace(frozen, labels=completed)

    @classmethod
    def from_fitted_estimator(cls, fitted: FittedHDBSCAN, embedding: Tensor) -> HDBSCANClustering:
        """Take over an estimator that the user has fitted; its labels are kept as they are, and it is not modified.

        Parameters
        ----------
        fitted : hdbscan.HDBSCAN
            Fitted to `embedding`, with the Euclidean metric; prediction data are not needed.
        embedding : Tensor of shape (n_samples, dim), float64
            Embeddings that it was fitted to.

        Returns
        -------
        HDBSCANClustering
            With the estimator's labels and their numbers.

        Raises
        ------
        InvalidParameterError
            If the estimator is not fitted, was fitted to another number of rows, or measures distances differently.
        """
        check_fitted(fitted, len(embedding))
        rows = embedding.detach().numpy()
        options = {name: getattr(fitted, name) for name in DEFAULTS}
        kept = {name: getattr(fitted, name, default) for name, default in RARE.items()}
        options |= {name: value for name, value in kept.items() if value != RARE[name]}
        options["approx_min_span_tree"] = bool(fitted.approx_min_span_tree)
        tree = CondensedTree(fitted.condensed_tree_.to_numpy())
        labels = np.array(fitted.labels_, dtype=np.int64)
        return cls._freeze(rows, np.arange(len(rows)), labels, tree, options)

    def condensed_tree(self, inputs: ClusterInputs) -> CondensedTree:
        """Return the condensed tree of the present rows, numbered among themselves: for charts, by running HDBSCAN again.

        Parameters
        ----------
        inputs : ClusterInputs
            That the clustering was fitted to.

        Returns
        -------
        CondensedTree
            Of the rows of positive weight.
        """
        rows = inputs.embedding.detach().numpy()[inputs.weights.detach().numpy() > 0]
        return CondensedTree(run(rows, self.options).condensed_tree_.to_numpy())

    @classmethod
    def _freeze(
        cls,
        rows: np.ndarray,
        present: np.ndarray,
        labels: np.ndarray,
        tree: CondensedTree | None,
        options: Mapping[str, Any],
    ) -> HDBSCANClustering:
        """Turn a fit of the present rows into row numbers."""
        # core distances of all rows, absent ones too: new rows are assigned by them
        n_clusters = int(labels.max(initial=-1)) + 1
        min_samples = core_neighbour_position(options, len(present))
        neighbours = core_neighbours(rows, rows, present, min_samples) if len(present) else np.arange(len(rows))
        core = np.linalg.norm(rows - rows[neighbours], axis=1)
        members = [np.flatnonzero(labels[present] == k) for k in range(n_clusters)]
        exemplars, births, parts = (
            _anchors(tree, members, rows, core, present)
            if tree is not None
            else ([], np.zeros((0, 2), dtype=np.int64), np.zeros((len(rows), 0)))
        )
        return cls(
            labels=torch.from_numpy(labels.astype(np.int64)),
            n_clusters=n_clusters,
            exemplars=torch.from_numpy(np.concatenate([NO_ROWS, *exemplars])),
            exemplar_cluster=torch.from_numpy(np.repeat(np.arange(n_clusters), [len(own) for own in exemplars])),
            neighbours=torch.from_numpy(neighbours.astype(np.int64)),
            births=torch.from_numpy(births),
            tree=torch.from_numpy(parts),
            min_samples=min_samples,
            options=dict(options),
        )

    def state(self, inputs: ClusterInputs) -> HDBSCANState:
        """Return exemplars, core distances and edges at the frozen rows; see :meth:`Clustering.state`."""
        embedding, weights = inputs.embedding, inputs.weights
        core = (embedding - embedding[self.neighbours]).square().sum(dim=-1)  # core(i)^2, shape (n_samples,)
        first, second = self.births[:, 0], self.births[:, 1]  # the ends (a, b) of each cluster's edge
        apart = (embedding[first] - embedding[second]).square().sum(dim=-1)  # |z_a - z_b|^2, shape (n_clusters,)
        exemplar_weights = weights[self.exemplars]
        mine = self.exemplar_cluster.unsqueeze(-1) == torch.arange(self.n_clusters)
        exemplars = embedding[self.exemplars]
        edge = torch.maximum(torch.maximum(core[first], core[second]), apart)  # m(a, b)^2, shape (n_clusters,)
        representatives, within = self._pooled(embedding, weights)
        return HDBSCANState(
            exemplars=exemplars,
            exemplar_weights=exemplar_weights,
            exemplar_cluster=self.exemplar_cluster,
            members=embedding,
            core=core,
            present=weights > 0,
            labels=self.labels,
            edge=edge,
            representatives=representatives,
            within=within,
            tree=self.tree,
            nonempty=(mine & (exemplar_weights > 0).unsqueeze(-1)).any(dim=0),
            min_samples=self.min_samples,
        )

    def _pooled(self, embedding: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return the members' means, shape (n_clusters, dim), and their pooled variance; 0 where no cluster has weight."""
        members = (self.labels.unsqueeze(-1) == torch.arange(self.n_clusters)).to(embedding.dtype)
        totals = (members * weights.unsqueeze(-1)).sum(dim=0)
        mass = totals.sum()
        means = centroid_state(embedding, weights, self.labels, self.n_clusters)
        return means.centers, (means.spread * totals).sum() / torch.where(mass > 0, mass, torch.ones_like(mass))

    def update_continued(self, inputs: ClusterInputs) -> HDBSCANClustering:
        """Run HDBSCAN anew, and number its clusters by the old ones that they share most members with.

        The total weight that stays under its number is maximised. A new cluster without an old partner gets a new
        number after the old ones; an old cluster without a new partner has no exemplars, so it is empty.
        """
        fresh = type(self).fit(inputs.embedding, inputs.weights, options=self.options)
        partners = match(self.labels.numpy(), fresh.labels.numpy(), inputs.weights.detach().numpy())
        matched = np.flatnonzero(partners >= 0)
        numbers = np.full(fresh.n_clusters, -1)
        numbers[partners[matched]] = matched
        unmatched = np.flatnonzero(numbers < 0)
        numbers[unmatched] = self.n_clusters + np.arange(len(unmatched))
        return fresh._renumbered(numbers, self.n_clusters + len(unmatched))

    def _renumbered(self, numbers: np.ndarray, n_clusters: int) -> HDBSCANClustering:
        """Give cluster k the number ``numbers[k]``."""
        names = torch.from_numpy(np.append(numbers, -1).astype(np.int64))  # label -1 picks the last
        births = torch.zeros(n_clusters, 2, dtype=torch.int64)
        births[names[:-1]] = self.births
        tree = torch.zeros(len(self.tree), n_clusters, dtype=self.tree.dtype)
        tree[:, names[:-1]] = self.tree
        renamed = names[self.exemplar_cluster]
        order = torch.argsort(renamed, stable=True)
        return replace(
            self,
            labels=names[self.labels],
            n_clusters=n_clusters,
            exemplars=self.exemplars[order],
            exemplar_cluster=renamed[order],
            births=births,
            tree=tree,
        )

    def assign(self, rows: Tensor, state: HDBSCANState) -> Tensor:
        """Return the cluster of the nearest row in mutual reachability distance if that is within its edge, else -1.

        As ``hdbscan.approximate_predict``, but with the core distances of the tree throughout (the package's prediction
        data take those of the training rows one neighbour short).
        """
        if not self.n_clusters:
            return torch.full((len(rows),), -1, dtype=torch.int64)
        at = Points.of_many(rows, state.members)
        step = max(1, budget.DISTANCE_CHUNK // len(state.members))
        return (
            torch.cat([self._assign(some, state, at) for some in torch.split(rows, step)])
            if len(rows)
            else rows.new_zeros(0).long()
        )

    def _assign(self, rows: Tensor, state: HDBSCANState, at: Points | None) -> Tensor:
        distances, own = reach_of(rows, state, at)
        # squared mutual reachability distance to each training row, shape (n, n_samples)
        reach = torch.maximum(torch.maximum(distances, state.core), own.unsqueeze(-1))
        reach = reach.masked_fill(~state.present, torch.inf)
        smallest = reach.amin(dim=-1, keepdim=True)
        nearest = distances.masked_fill(reach > smallest, torch.inf).argmin(dim=-1)  # of equals, the nearest in space
        label = state.labels[nearest]
        return torch.where(smallest.squeeze(-1) <= state.edge[label.clamp(min=0)], label, -1)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the frozen row numbers and the tree table."""
        return {name: getattr(self, name).numpy() for name in FROZEN}

    @property
    def settings(self) -> dict[str, Any]:
        """Return what HDBSCAN was run with, and the number of neighbours that this came to."""
        return {"min_samples": self.min_samples, "options": dict(self.options)}

    @classmethod
    def restore(
        cls, labels: Tensor, n_clusters: int, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]
    ) -> HDBSCANClustering:
        """Rebuild."""
        frozen: dict[str, Any] = {name: torch.from_numpy(np.array(arrays[name])) for name in FROZEN}
        return cls(labels, n_clusters, **frozen, **settings)


def _anchors(
    tree: CondensedTree, members: list[np.ndarray], rows: np.ndarray, core: np.ndarray, present: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Exemplars of each cluster, pairs of rows of its edge, and tree parts of all rows; the tree numbers present rows.

    A number without members, which only a user's labels can have, has no exemplars, so it is empty.
    """
    exemplars = [NO_ROWS] * len(members)
    births = np.zeros((len(members), 2), dtype=np.int64)
    nodes = {k: tree.node_of(own) for k, own in enumerate(members) if len(own)}
    for k, node in nodes.items():
        exemplars[k] = present[tree.exemplars(node)]
        below = tree.rows_below(node)  # the cluster with what left it as noise
        if node == tree.root or len(below) > len(members[k]):
            # never born, or only the dense part is labelled: the edge is where the first member leaves
            smallest = tree.row_lambda[members[k]].min()
            births[k] = closest_pair(rows, core, present[members[k]], present, 1 / smallest)
        else:  # single linkage: the shortest link between the node and the one that was split off with it
            births[k] = closest_pair(rows, core, present[below], present[tree.rows_beside(node)])
    # tree parts of present rows; an absent row has those of the nearest present one
    parts = np.zeros((len(present), len(members)))
    parts[:, list(nodes)] = tree.tree_parts(list(nodes.values()))
    position = np.zeros(len(rows), dtype=np.int64)
    position[present] = np.arange(len(present))
    absent = np.setdiff1d(np.arange(len(rows)), present)
    if len(absent):
        position[absent] = position[core_neighbours(rows[absent], rows, present, 0)]
    return exemplars, births, parts[position]
