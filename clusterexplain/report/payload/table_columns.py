"""Which columns the tables beside the charts have, what they are called, and how their numbers are written."""

from __future__ import annotations

Columns = list[tuple[str, str, str]]
"""Fields of a table with their titles and formats: "" text, ".4f" or "+.4f" numbers, "%" shares, "d" whole numbers."""

MAP_TABLE: Columns = [("id", "id", ""), ("cluster", "cluster", ""), ("margin", "margin to its runner-up", ".4f")]
BARS_TABLE: Columns = [
    ("side", "side", ""),
    ("id", "id", ""),
    ("cluster", "cluster", ""),
    ("if_removed", "if removed, change of margin (predicted)", "+.4f"),
    ("encoder", "influence: its embedding moved", "+.4f"),
    ("cluster_part", "influence: clusters moved", "+.4f"),
    ("direct", "influence: own weight", "+.4f"),
]
STEPS_TABLE: Columns = [
    ("removed", "pullers removed", "d"),
    ("called", "the last of them", ""),
    ("cluster", "its cluster", ""),
    ("after", "margin then (predicted)", "+.4f"),
]
GROUPS_TABLE: Columns = [
    ("group", "group", ""),
    ("n", "examples", "d"),
    ("if_removed", "if all are removed, change of margin (predicted)", "+.4f"),
    ("influence", "influence, sum", "+.4f"),
    ("low", "95 % from", "+.4f"),
    ("high", "to", "+.4f"),
    ("pull_share", "share of the pull", "%"),
    ("push_share", "share of the push", "%"),
]
DISTANCES_TABLE: Columns = [
    ("cluster", "cluster", ""),
    ("role", "role", ""),
    ("distance", "distance to the centroid", ".4f"),
    ("membership", "membership", ".4f"),
]
TREE_TABLE: Columns = [
    ("node", "node", "d"),
    ("cluster", "cluster", ""),
    ("size", "rows", "d"),
    ("birth", "born at lambda", ".4f"),
    ("death", "gone at lambda", ".4f"),
]
CHECK_TABLE: Columns = [
    ("query", "sample", ""),
    ("kind", "removed", ""),
    ("n_removed", "examples", "d"),
    ("assignments", "clusters", ""),
    ("predicted", "change, predicted", "+.4f"),
    ("retrained", "change, retrained", "+.4f"),
]
HEAT_TABLE: Columns = [
    ("target", "members of", ""),
    ("source", "examples of", ""),
    ("n", "examples", "d"),
    ("influence", "influence on the mean margin, sum", "+.4f"),
    ("if_removed", "if removed, change of the mean margin (predicted)", "+.4f"),
]
STRIP_TABLE: Columns = [("id", "id", ""), ("cluster", "cluster", ""), ("share", "share of refits that keep it", "%")]
JACCARD_TABLE: Columns = [
    ("cluster", "cluster", ""),
    ("size", "members", "d"),
    ("jaccard", "mean Jaccard similarity", ".4f"),
    ("low", "95 % from", ".4f"),
    ("high", "to", ".4f"),
    ("verdict", "verdict", ""),
]
