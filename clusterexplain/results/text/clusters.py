"""Whole clusters in words."""

from __future__ import annotations

from collections.abc import Sequence

PULLS_NOTE = (
    "Row: whose members, each with the margin to its own runner-up. Column: whose examples. More weight on examples moves the "
    "members deeper inside (blue) or nearer to a boundary (orange).\n"
    "A cluster's own examples together leave its centroid in place, so an orange diagonal only says that a network trained "
    "more on the cluster spreads it out.\n"
    "The pull in ce.explain_cluster(k).towards is another number: on the margin against one named cluster."
)
"""What the heat map of clusters shows; the reasons are in :func:`clusterexplain.report.tables.cluster_pulls`."""


def profile(columns: Sequence[tuple[str, float]]) -> str:
    """Say in which columns a cluster differs from all rows.

    Parameters
    ----------
    columns : sequence of (str, float)
        Names, and differences in standard deviations.

    Returns
    -------
    str
        Empty if there is nothing to say.

    Examples
    --------
    >>> profile([("kcal", 1.8), ("sugar", -1.1)])
    'higher kcal (+1.8 sd), lower sugar (-1.1 sd)'
    """
    return ", ".join(f"{'higher' if size > 0 else 'lower'} {name} ({size:+.1f} sd)" for name, size in columns)


def unexplained(error: object) -> str:
    """Say why whole clusters cannot be explained."""
    return f"Whole clusters cannot be explained here: {error}"
