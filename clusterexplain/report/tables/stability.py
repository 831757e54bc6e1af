"""How often refits kept samples in their clusters, and clusters themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clusterexplain.report.context import ReportContext


def sample_stability(context: ReportContext, rows: np.ndarray) -> pd.DataFrame:
    """Return how often samples kept their cluster in refits: id, cluster, share (0 to 1), for the given rows."""
    if context.stability is None:
        return pd.DataFrame({name: [] for name in ("id", "cluster", "share")})
    return pd.DataFrame(
        {
            "id": context.data.ids[rows].astype(str),
            "cluster": [context.name_of(cluster) for cluster in context.labels[rows]],
            "share": context.stability.share[rows],
        }
    )


def cluster_stability(context: ReportContext) -> pd.DataFrame:
    """Return the Jaccard similarity of every cluster with its partners in refits, see :meth:`Stability.clusters`."""
    if context.stability is None:
        return pd.DataFrame({name: [] for name in ("cluster", "size", "jaccard", "low", "high", "verdict")})
    frame = context.stability.clusters()
    return frame.assign(cluster=[context.name_of(cluster) for cluster in frame["cluster"]])
