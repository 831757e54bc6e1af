"""The condensed tree of an HDBSCAN as rectangles, and where a sample leaves it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clusterexplain.report.context import ReportContext
from clusterexplain.results.explanation import Explanation


def tree_nodes(context: ReportContext) -> pd.DataFrame:
    """Return the condensed tree of an HDBSCAN as rectangles, see :meth:`CondensedTree.rectangles`; cluster as text."""
    tree, nodes = context.tree
    frame = tree.rectangles()
    named = {node: context.name_of(cluster) for cluster, node in nodes.items()}
    return frame.assign(cluster=[named.get(int(node), "") for node in frame["node"]])


def tree_position(context: ReportContext, explanation: Explanation, query: int) -> pd.DataFrame:
    """Return where a sample leaves the condensed tree: id, x, lambda; no row if it was not trained on."""
    position = int(explanation.positions[query])
    present = np.flatnonzero(context.fit.weights.numpy() > 0)
    row = int(np.searchsorted(present, position))
    if position < 0 or context.fit.weights[position] == 0:
        return pd.DataFrame({name: [] for name in ("id", "x", "lambda")})
    tree, _ = context.tree
    frame = tree.rectangles()
    left, right, death = frame.loc[frame["node"] == tree.row_node[row], ["left", "right", "death"]].to_numpy()[0]
    lambda_ = min(float(tree.row_lambda[row]), float(death))
    middle = (left + right) / 2
    return pd.DataFrame({"id": [str(explanation.query_ids[query])], "x": [middle], "lambda": [lambda_]})
