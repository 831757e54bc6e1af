"""Whole clusters: whose examples hold or loosen whose members, and how far a sample is from each."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clusterexplain.report.context import ReportContext
from clusterexplain.results.explanation import Explanation
from clusterexplain.statistics.matching import NOISE

MOST_CLUSTERS = 40
"""Clusters whose distance is drawn at most, nearest first, and clusters of the heat map, largest first."""


def cluster_pulls(context: ReportContext) -> pd.DataFrame:
    """Return which cluster's examples hold or loosen which cluster's members.

    Parameters
    ----------
    context : ReportContext
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
    that of training: negative where more weight on the cluster widens it against the distance to its runner-ups.
    """
    summed = context.cohesion.by("cluster")
    size, parts = len(summed) // len(context.clusters), []
    largest = sorted(context.clusters, key=lambda cluster: -len(context.members(cluster)))[:MOST_CLUSTERS]
    drawn = [cluster for cluster in context.clusters if cluster in largest]
    for rank, target in enumerate(context.clusters):
        if target not in drawn:
            continue
        frame = summed.iloc[rank * size : (rank + 1) * size]
        frame = frame[frame["group"].isin([NOISE, *drawn])].reset_index(drop=True)
        parts.append(
            pd.DataFrame(
                {
                    "target": context.name_of(target),
                    "source": [context.name_of(source) for source in frame["group"]],
                    "target_rank": rank,
                    "source_rank": [
                        len(context.clusters) if source == NOISE else int(source) for source in frame["group"]
                    ],
                    **{name: frame[name] for name in ("n", "influence", "low", "high")},
                    "if_removed": frame["if_removed"].where(frame["group"] != target),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def distances(context: ReportContext, explanation: Explanation, query: int) -> pd.DataFrame:
    """Return how far the sample is from every cluster, and its membership there.

    Parameters
    ----------
    context : ReportContext
        The fit.
    explanation : Explanation
        Whose.
    query : int
        Position of the query.

    Returns
    -------
    DataFrame
        Columns cluster, role ("own", "compared with", "other"), distance (to the centroid, in embedding units),
        membership; nearest first, of more than ``MOST_CLUSTERS`` the nearest, own and runner-up.
    """
    fit = context.fit
    row = fit.embed_normalized(fit.inputs_of(explanation.queries[query : query + 1]))
    distance = np.linalg.norm(fit.assignment.centers - row.numpy(), axis=1)
    membership = fit.assignment.membership(row).numpy()[0]
    own, runner_up = int(explanation.labels[query]), int(explanation.runner_ups[query])
    near = [int(cluster) for cluster in np.argsort(distance, kind="stable") if int(cluster) in context.clusters]
    order = [cluster for place, cluster in enumerate(near) if place < MOST_CLUSTERS or cluster in (own, runner_up)]
    return pd.DataFrame(
        {
            "cluster": [context.name_of(cluster) for cluster in order],
            "role": [
                "own" if cluster == own else "compared with" if cluster == runner_up else "other" for cluster in order
            ],
            "distance": distance[order],
            "membership": membership[order],
        }
    )
