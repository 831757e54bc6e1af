"""The condensed tree of HDBSCAN: which rows are exemplars, where clusters were born and merge."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd
import torch
from scipy.spatial.distance import cdist
from sklearn.neighbors import KDTree

from clusterexplain.clustering.pairwise_distances import (
    MANY_COLUMNS,
    MANY_POINTS,
    Points,
    distances_by_products,
    neighbour_at,
)
from clusterexplain.execution import budget

SAME_REACH = 1e-10
"""Relative difference of distances below which rounding may have changed their order."""


class CondensedTree:
    r"""Rows leave nodes, nodes are born from nodes.

    The tree is read from the top, where the distance is large and all rows are one node, the root. A lambda is the
    reciprocal of the mutual reachability distance at which something happens: a row leaves the node that it was in, or
    a node splits in two. Rows are numbered 0 to n - 1, nodes from n (the root) on, parents before children.

    Parameters
    ----------
    edges : ndarray with fields parent, child, lambda_val, child_size
        As ``HDBSCAN.condensed_tree_.to_numpy()`` returns them.

    References
    ----------
    R. J. G. B. Campello, D. Moulavi, J. Sander. Density-based clustering based on hierarchical density estimates. PAKDD
    2013.

    L. McInnes, J. Healy. Accelerated hierarchical density based clustering. ICDM workshops 2017.
    """

    def __init__(self, edges: np.ndarray) -> None:
        self.root = int(edges["parent"].min())  # nodes are numbered from the number of rows on
        last = int(max(edges["parent"].max(), edges["child"].max()))
        leaving = edges["child"] < self.root  # a row leaves its node; the other edges are births of nodes
        rows, splits = edges[leaving], edges[~leaving]
        self.row_node = np.full(self.root, self.root)
        self.row_node[rows["child"]] = rows["parent"]
        """Node that each row leaves, shape (n,)."""
        self.row_lambda = np.zeros(self.root)
        self.row_lambda[rows["child"]] = rows["lambda_val"]
        """Lambda at which it leaves, shape (n,)."""
        self._parent = np.full(last + 1, -1)
        self._parent[splits["child"]] = splits["parent"]
        self._birth = np.zeros(last + 1)
        self._birth[splits["child"]] = splits["lambda_val"]
        self._largest = np.zeros(last + 1)
        np.maximum.at(self._largest, edges["parent"], edges["lambda_val"])

    def node_of(self, rows: np.ndarray) -> int:
        """Return the deepest node that holds all `rows` (a non-empty array of row numbers).

        For the members of a selected cluster that is the selected node. The package's prediction data and exemplars_
        take the smallest node that a member leaves directly instead. Where no row leaves the selected node itself, that
        is one of its children, and the exemplars of the other are lost; they are kept here.
        """
        nodes = set(self.row_node[rows].tolist())
        while len(nodes) > 1:  # replace the deepest node (children have larger numbers) by its parent until one is left
            deepest = max(nodes)
            nodes.remove(deepest)
            nodes.add(int(self._parent[deepest]))
        return int(nodes.pop())

    def rows_below(self, node: int) -> np.ndarray:
        """Return the row numbers in a node, ascending."""
        return np.flatnonzero(self._is_below(node)[self.row_node])

    def exemplars(self, node: int) -> np.ndarray:
        """Return the rows of largest lambda in each leaf below a node, ascending: its densest rows."""
        leaf = self._is_below(node) & self._is_leaf
        densest = self.row_lambda == self._largest[self.row_node]
        return np.flatnonzero(leaf[self.row_node] & densest)

    def rows_beside(self, node: int) -> np.ndarray:
        """Return the rows of the node that was split off together with `node`, ascending; all others without one."""
        siblings = np.flatnonzero((self._parent == self._parent[node]) & (np.arange(len(self._parent)) != node))
        beside = [self.rows_below(int(sibling)) for sibling in siblings if sibling > self.root]
        return np.concatenate(beside) if beside else np.setdiff1d(np.arange(self.root), self.rows_below(node))

    def tree_parts(self, clusters: list[int]) -> np.ndarray:
        r"""Return the log of the tree part of ``hdbscan.all_points_membership_vectors``, up to a constant per row.

        .. math:: \log t_{ik} = \exp(-\lambda^{max}_i / h_{ik}) + const_i

        h is the lambda at which the row's node joins cluster k, or at which the row leaves if one holds the other;
        :math:`\lambda^{max}` the largest lambda in the row's node.

        Parameters
        ----------
        clusters : list of int, length n_clusters
            Their nodes.

        Returns
        -------
        ndarray of shape (n, n_clusters)
            Between 0 and 1. The package gets NaN for a duplicate, whose lambdas are infinite; here their ratio is 1.
        """
        # h_ik depends on the row's node alone, so it is computed once for each node: shape (n_nodes, n_clusters)
        nodes, which = np.unique(self.row_node, return_inverse=True)
        joins = np.array([[self._joins(int(node), cluster) for cluster in clusters] for node in nodes])
        heights = joins.reshape(len(nodes), len(clusters))[which]
        # where one node holds the other, the row itself leaves at its own lambda
        heights = np.where(np.isnan(heights), self.row_lambda[:, None], heights)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = (self._largest[self.row_node][:, None] + 1e-8) / heights  # the package's guard, kept for parity
        return np.exp(-np.where(np.isnan(ratio), 1.0, ratio))

    def rectangles(self) -> pd.DataFrame:
        """Return the tree as an icicle: each node a rectangle, its children below it side by side.

        Returns
        -------
        DataFrame
            Columns node, parent (-1 for the root), left and right (width is the number of rows below), birth and death
            (lambda at which the node is split off, and at which its last row leaves or it splits; what is infinite, for
            duplicates, is drawn as the largest finite lambda), size.
        """
        nodes = np.arange(self.root, len(self._parent))
        sizes = np.zeros(len(self._parent))
        np.add.at(sizes, self.row_node, 1.0)
        for node in nodes[::-1]:
            if node > self.root:
                sizes[self._parent[node]] += sizes[node]
        left, taken = np.zeros(len(sizes)), np.zeros(len(sizes))  # children stand side by side below their parent
        for node in nodes[1:]:
            parent = self._parent[node]
            left[node] = left[parent] + taken[parent]
            taken[parent] += sizes[node]
        highest = max([lambda_ for lambda_ in self._largest[nodes] if np.isfinite(lambda_)], default=1.0)
        return pd.DataFrame(
            {
                "node": nodes,
                "parent": self._parent[nodes],
                "left": left[nodes],
                "right": (left + sizes)[nodes],
                "birth": np.minimum(self._birth[nodes], highest),
                "death": np.minimum(self._largest[nodes], highest),
                "size": sizes[nodes].astype(int),
            }
        )

    @cached_property
    def _is_leaf(self) -> np.ndarray:
        leaf = np.ones(len(self._parent), dtype=bool)
        leaf[self._parent[self.root + 1 :]] = False
        return leaf

    def _is_below(self, node: int) -> np.ndarray:
        below = np.zeros(len(self._parent), dtype=bool)
        below[node] = True
        for other in range(node + 1, len(below)):  # parents come before children
            below[other] = below[self._parent[other]]
        return below

    def _joins(self, node: int, cluster: int) -> float:
        """Lambda at which two nodes become one; NaN if one holds the other."""
        moved = {"node": False, "cluster": False}
        left, right, last = node, cluster, node
        while left != right:  # climb from the deeper of the two until both are the node where they part
            if left > right:
                moved["node"], last, left = True, left, int(self._parent[left])
            else:
                moved["cluster"], last, right = True, right, int(self._parent[right])
        return float(self._birth[last]) if all(moved.values()) else np.nan


def core_neighbours(at: np.ndarray, rows: np.ndarray, present: np.ndarray, min_samples: int) -> np.ndarray:
    """Return, for each place, the present row that its core distance reaches to, shape (n,).

    The package's tree takes the neighbour at position `min_samples` when the row itself is at position 0.

    Parameters
    ----------
    at : ndarray of shape (n, dim)
        Places: the rows themselves, or some of them.
    rows : ndarray of shape (n_samples, dim)
        Embeddings.
    present : ndarray of shape (n_present,), int
        Rows that count.
    min_samples : int
        Below n_present.
    """
    if rows.shape[1] >= MANY_COLUMNS and len(present) >= MANY_POINTS:  # where a tree compares nearly all rows with all
        return np.asarray(present[neighbour_at(at, rows[present], min_samples)])
    return np.asarray(present[KDTree(rows[present]).query(at, k=min_samples + 1)[1][:, -1]])


def closest_pair(
    rows: np.ndarray, core: np.ndarray, first: np.ndarray, second: np.ndarray, target: float = 0.0
) -> tuple[int, int]:
    """Return the pair of rows, one of each group, whose mutual reachability distance is nearest to a target.

    Parameters
    ----------
    rows : ndarray of shape (n, dim)
        Embeddings.
    core : ndarray of shape (n,)
        Core distances.
    first, second : ndarray of int
        Row numbers, not empty.
    target : float, default=0
        0 finds the smallest distance.

    Returns
    -------
    tuple of int
        Row numbers.
    """
    best, pair, others = np.inf, (int(first[0]), int(second[0])), rows[second]
    with torch.no_grad():
        at = Points.of_many(torch.from_numpy(rows[first]), torch.from_numpy(others))
    step = max(1, budget.DISTANCE_CHUNK // len(second))
    for start in range(0, len(first), step):
        some = first[start : start + step]
        miss = _miss(_distances(rows[some], others, at), core[some][:, None], core[second], target)
        miss[np.equal.outer(some, second)] = np.inf  # no row is its own partner
        i, j = np.nonzero(miss <= miss.min() + SAME_REACH * (target + miss.min()))
        exact = _miss(np.linalg.norm(rows[some[i]] - rows[second[j]], axis=1), core[some[i]], core[second[j]], target)
        least = int(exact.argmin())
        if exact[least] < best:
            best, pair = float(exact[least]), (int(some[i[least]]), int(second[j[least]]))
    return pair


def _miss(apart: np.ndarray, core: np.ndarray, cores: np.ndarray, target: float) -> np.ndarray:
    """Return how far m(a, b) = max(core(a), core(b), |z_a - z_b|) is from a target."""
    return np.asarray(np.abs(np.maximum(np.maximum(apart, core), cores) - target))


def _distances(rows: np.ndarray, others: np.ndarray, at: Points | None) -> np.ndarray:
    """Return the distances of rows to others, shape (n, n_others)."""
    if at is None:
        return np.asarray(cdist(rows, others))
    with torch.no_grad():
        return np.asarray(distances_by_products(torch.from_numpy(rows), torch.from_numpy(others), at).sqrt().numpy())
