"""All clusters at a glance: how large they are, and which members to ask about."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clusterexplain.results.text.names import cluster_name
from clusterexplain.statistics.matching import NOISE

COLUMNS = ("cluster", "name", "n", "share", "median_margin", "typical", "marginal", "smallest_margin")


def overview(
    labels: np.ndarray, margins: np.ndarray, ids: np.ndarray, present: np.ndarray, names: dict[int, str]
) -> pd.DataFrame:
    """List the clusters with a typical member and the one of smallest margin: below 0 it is nearer to another cluster.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
        Clusters; -1 is noise.
    margins : ndarray of shape (n_samples,)
        Margin of each sample to its runner-up.
    ids : ndarray of shape (n_samples,)
        Sample ids.
    present : ndarray of shape (n_samples,), bool
        Samples of positive weight; the others are not counted.
    names : dict of int to str
        Names that clusters were given.

    Returns
    -------
    DataFrame
        One row for each cluster, noise last: cluster, name, n (members), share (of all), median_margin, typical (id of the
        member with the largest margin), marginal (id of the one with the smallest) and smallest_margin. Of noise, whose margin
        says how little it lacks to join a cluster, likewise.

    Examples
    --------
    >>> found = overview(np.array([0, 0, 1]), np.array([2.0, 0.1, 1.0]), np.arange(3), np.ones(3, dtype=bool), {})
    >>> found[["cluster", "n", "typical", "marginal"]].to_numpy().tolist()
    [[0, 2, 0, 1], [1, 1, 2, 2]]
    """
    rows = []
    clusters = sorted(set(labels[present].tolist()), key=lambda one: (one == NOISE, one))
    for cluster in clusters:
        members = np.flatnonzero((labels == cluster) & present)
        order = members[np.argsort(margins[members], kind="stable")]
        rows.append(
            {
                "cluster": cluster,
                "name": cluster_name(cluster, names),
                "n": len(members),
                "share": len(members) / int(present.sum()),
                "median_margin": float(np.median(margins[members])),
                "typical": ids[order[-1]],
                "marginal": ids[order[0]],
                "smallest_margin": float(margins[order[0]]),
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))
