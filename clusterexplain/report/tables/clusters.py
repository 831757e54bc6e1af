"""The numbers of the clusters: who holds whom, how a sample stands to them, how they come back in refits."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clusterexplain.report.context import ReportContext
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.text.names import NOISE

MOST_CLUSTERS = 40
"""Clusters whose distance is drawn at most, nearest first, and clusters of the heat map, largest first."""


def cluster_pulls(context: ReportContext) -> pd.DataFrame:
    """Return which cluster's examples hold or loosen which cluster's members.

    Parameters
    ----------
    exhibit : ReportContext
        The fit.

    Returns
    -------
    DataFrame
        Columns target (whose members), source (whose examples), target_rank, source_rank (order), n (examples in source),
        influence (their sum on the mean margin of the target's members, each to its own runner-up; positive holds), low, high
        (95 %), if_removed (NaN on the diagonal: without all its members there is no cluster to have a margin). Of more than
        ``MOST_CLUSTERS`` clusters the largest.

    Notes
    -----
    The diagonal is the derivative in a common factor of the weights of all members. Such a factor cancels in a centroid, a
    weighted mean, so the direct parts of a cluster's members sum to 0 (but for the floor of the score, 1 % of the pooled
    variance); one member alone does pull the centroid towards itself. What is left goes through training, and its sign is
    that of training: negative where more weight on the cluster widens it against the distance to its rivals.
    """
    summed = context.cohesion.by("cluster")
    size, parts = len(summed) // len(context.clusters), []
    largest = sorted(context.clusters, key=lambda one: -len(context.members(one)))[:MOST_CLUSTERS]
    drawn = [one for one in context.clusters if one in largest]
    for rank, target in enumerate(context.clusters):
        if target not in drawn:
            continue
        frame = summed.iloc[rank * size : (rank + 1) * size]
        frame = frame[frame["group"].isin([NOISE, *drawn])].reset_index(drop=True)
        parts.append(
            pd.DataFrame(
                {
                    "target": context.name_of(target),
                    "source": [context.name_of(one) for one in frame["group"]],
                    "target_rank": rank,
                    "source_rank": [len(context.clusters) if one == NOISE else int(one) for one in frame["group"]],
                    **{name: frame[name] for name in ("n", "influence", "low", "high")},
                    "if_removed": frame["if_removed"].where(frame["group"] != target),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def standing(context: ReportContext, explanation: Explanation, query: int) -> pd.DataFrame:
    """Return how the sample stands to every cluster.

    Parameters
    ----------
    exhibit : ReportContext
        The fit.
    explanation : Explanation
        Whose.
    query : int
        Position of the query.

    Returns
    -------
    DataFrame
        Columns cluster, role ("own", "rival", "other"), distance (to the centroid, in embedding units), membership; nearest
        first, of more than ``MOST_CLUSTERS`` the nearest, own and rival.
    """
    fit = context.fit
    row = fit.embed_normalized(fit.inputs_of(explanation.queries[query : query + 1]))
    distance = np.linalg.norm(fit.assignment.centers - row.numpy(), axis=1)
    membership = fit.assignment.membership(row).numpy()[0]
    own, rival = int(explanation.labels[query]), int(explanation.rivals[query])
    near = [int(one) for one in np.argsort(distance, kind="stable") if int(one) in context.clusters]
    order = [one for place, one in enumerate(near) if place < MOST_CLUSTERS or one in (own, rival)]
    return pd.DataFrame(
        {
            "cluster": [context.name_of(one) for one in order],
            "role": ["own" if one == own else "rival" if one == rival else "other" for one in order],
            "distance": distance[order],
            "membership": membership[order],
        }
    )


def tree(context: ReportContext) -> pd.DataFrame:
    """Return the condensed tree of an HDBSCAN as rectangles, see :meth:`CondensedTree.rectangles`; cluster as text."""
    found, nodes = context.tree
    frame = found.rectangles()
    named = {node: context.name_of(cluster) for cluster, node in nodes.items()}
    return frame.assign(cluster=[named.get(int(node), "") for node in frame["node"]])


def on_tree(context: ReportContext, explanation: Explanation, query: int) -> pd.DataFrame:
    """Return where a sample leaves the condensed tree: id, x, lambda; no row if it was not trained on."""
    position = int(explanation.positions[query])
    present = np.flatnonzero(context.fit.weights.numpy() > 0)
    row = int(np.searchsorted(present, position))
    if position < 0 or context.fit.weights[position] == 0:
        return pd.DataFrame({name: [] for name in ("id", "x", "lambda")})
    found, _ = context.tree
    frame = found.rectangles()
    left, right, death = frame.loc[frame["node"] == found.row_node[row], ["left", "right", "death"]].to_numpy()[0]
    lambda_ = min(float(found.row_lambda[row]), float(death))
    middle = (left + right) / 2
    return pd.DataFrame({"id": [str(explanation.query_ids[query])], "x": [middle], "lambda": [lambda_]})


def stability(context: ReportContext, rows: np.ndarray) -> pd.DataFrame:
    """Return how often samples kept their cluster in refits: id, cluster, share (0 to 1), for the given rows."""
    if context.stability is None:
        return pd.DataFrame({name: [] for name in ("id", "cluster", "share")})
    return pd.DataFrame(
        {
            "id": context.data.ids[rows].astype(str),
            "cluster": [context.name_of(one) for one in context.labels[rows]],
            "share": context.stability.share[rows],
        }
    )


def cluster_stability(context: ReportContext) -> pd.DataFrame:
    """Return the Jaccard similarity of every cluster with its partners in refits, see :meth:`Stability.clusters`."""
    if context.stability is None:
        return pd.DataFrame({name: [] for name in ("cluster", "size", "jaccard", "low", "high", "verdict")})
    frame = context.stability.clusters()
    return frame.assign(cluster=[context.name_of(one) for one in frame["cluster"]])
