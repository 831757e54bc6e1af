"""The numbers behind every chart, as tables: charts draw them, pages list them, nothing is computed twice.

Ids and clusters are text here, as they are shown.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from clusterexplain.clustering import DensityClustering
from clusterexplain.clustering.condensed_tree import CondensedTree
from clusterexplain.explanation import SIDES, Explanation
from clusterexplain.report.exhibit import Exhibit
from clusterexplain.twins import twins_of
from clusterexplain.wording import NOISE

MAX_DOTS = 4000
"""Dots that are drawn at most; more are sampled, and the chart says so."""
NEIGHBOURS = 8
FEWEST_STEPS, MOST_STEPS = 20, 150
MOST_GROUPS = 30
MOST_CLUSTERS = 40
"""Clusters whose distance is drawn at most, nearest first."""


def shown_rows(n: int, wanted: list[int], *, most: int = MAX_DOTS) -> np.ndarray:
    """Return the row numbers of the dots that are drawn: all, or a random sample with the wanted ones in it.

    Parameters
    ----------
    n : int
        Training examples.
    wanted : list of int
        Row numbers that must be drawn.
    most : int, default=4000
        Dots that are drawn at most.

    Returns
    -------
    ndarray of int
        Ascending.
    """
    if n <= most:
        return np.arange(n)
    some = np.random.default_rng(0).choice(n, most, replace=False)
    return np.union1d(some[: max(0, most - len(set(wanted)))], np.asarray(wanted, dtype=np.intp))


def dots(exhibit: Exhibit, rows: np.ndarray, *, with_rows: bool = True) -> pd.DataFrame:
    """Return the dots of the map.

    Parameters
    ----------
    exhibit : Exhibit
        The fit.
    rows : ndarray of int
        Row numbers to draw.
    with_rows : bool, default=True
        Add what each row is: columns image and row (text), where there is any.

    Returns
    -------
    DataFrame
        Columns id, cluster, x, y, margin (to the runner-up).
    """
    frame = pd.DataFrame(
        {
            "id": exhibit.data.ids[rows].astype(str),
            "cluster": [exhibit.name_of(label) for label in exhibit.labels[rows]],
            "x": exhibit.coordinates[rows, 0],
            "y": exhibit.coordinates[rows, 1],
            "margin": exhibit.margins[rows],
        }
    )
    return _with_rows(frame, exhibit, rows) if with_rows else frame


def middles(exhibit: Exhibit) -> pd.DataFrame:
    """Return where each cluster's number is written on the map: the median of its members."""
    clusters = exhibit.clusters
    places = [np.median(exhibit.coordinates[exhibit.members(one)], axis=0) for one in clusters]
    return pd.DataFrame(
        {
            "cluster": [exhibit.name_of(one) for one in clusters],
            "label": [str(one) for one in clusters],
            "x": [place[0] for place in places],
            "y": [place[1] for place in places],
        }
    )


def listed(explanation: Explanation, query: int, top: int) -> pd.DataFrame:
    """Return the strongest pullers and pushers.

    Parameters
    ----------
    explanation : Explanation
        Whose.
    query : int
        Position of the query.
    top : int
        Examples on each side.

    Returns
    -------
    DataFrame
        The rows of :meth:`Explanation.top` with rank (from 1, pullers first), pulls (bool) and side in the words of the query;
        id and cluster as text.
    """
    frame = explanation.top(top, query=query)
    pulls = frame["side"] == SIDES[0]
    words = explanation.sides(query)
    return frame.assign(
        id=frame["id"].astype(str),
        cluster=[explanation.name_of(one) for one in frame["cluster"]],
        rank=np.arange(1, len(frame) + 1),
        pulls=pulls,
        side=np.where(pulls, words[0], words[1]),
    )


def rings(exhibit: Exhibit, frame: pd.DataFrame, *, with_rows: bool = True) -> pd.DataFrame:
    """Return the rings around listed examples on the map: `frame` of :func:`listed` with x, y and size."""
    rows = np.array([exhibit.position_of[one] for one in frame["id"]], dtype=np.intp)
    placed = frame.assign(x=exhibit.coordinates[rows, 0], y=exhibit.coordinates[rows, 1], size=frame["influence"].abs())
    columns = ["id", "cluster", "x", "y", "pulls", "side", "size", "if_removed", "if_removed_percent"]
    return _with_rows(placed[columns], exhibit, rows) if with_rows else placed[columns]


def sample(exhibit: Exhibit, explanation: Explanation, query: int) -> pd.DataFrame:
    """Return where the sample is on the map: id, x, y; no row if it was not trained on."""
    position = int(explanation.positions[query])
    picked = [] if position < 0 else [position]
    return pd.DataFrame(
        {
            "id": exhibit.data.ids[picked].astype(str),
            "x": exhibit.coordinates[picked, 0],
            "y": exhibit.coordinates[picked, 1],
        }
    )


def links(exhibit: Exhibit, explanation: Explanation, query: int) -> pd.DataFrame:
    """Return lines on the map from the sample to its nearest neighbours in the embedding: id, distance, x, y, x2, y2."""
    position = int(explanation.positions[query])
    if position < 0:
        return pd.DataFrame({name: [] for name in ("id", "distance", "x", "y", "x2", "y2")})
    rows = exhibit.pipeline.viewed.numpy()
    distances = np.linalg.norm(rows - rows[position], axis=1)
    distances[position] = np.inf
    distances[exhibit.pipeline.weights.numpy() == 0] = np.inf
    near = np.argsort(distances, kind="stable")[: min(NEIGHBOURS, len(rows) - 1)]
    here, there = exhibit.coordinates[position], exhibit.coordinates[near]
    return pd.DataFrame(
        {
            "id": exhibit.data.ids[near].astype(str),
            "cluster": [exhibit.name_of(one) for one in exhibit.labels[near]],
            "distance": distances[near],
            "x": here[0],
            "y": here[1],
            "x2": there[:, 0],
            "y2": there[:, 1],
        }
    )


def steps(explanation: Explanation, query: int) -> tuple[pd.DataFrame, int | None]:
    """Return the predicted margin as the strongest pullers are removed one after the other.

    Parameters
    ----------
    explanation : Explanation
        Whose.
    query : int
        Position of the query.

    Returns
    -------
    frame : DataFrame
        Columns removed (from 1), id, cluster, before, after (predicted margins).
    flip : int or None
        After how many removals the margin is predicted to be negative; None if never, or if it is negative already.
    """
    influence = explanation.influence[query]
    order = np.argsort(-influence, kind="stable")
    order = order[influence[order] > 0]
    margin = explanation.scores[query]
    after = margin - np.cumsum(influence[order])
    outside = np.flatnonzero(after < 0)
    flip = int(outside[0]) + 1 if len(outside) and margin > 0 else None
    shown = min(len(order), MOST_STEPS, max(FEWEST_STEPS, 0 if flip is None else flip + 5))
    picked = order[:shown]
    return pd.DataFrame(
        {
            "removed": np.arange(1, shown + 1),
            "id": explanation.train_ids[picked].astype(str),
            "cluster": [explanation.name_of(one) for one in explanation.train_labels[picked]],
            "before": np.concatenate([[margin], after[: max(shown - 1, 0)]])[:shown],
            "after": after[:shown],
        }
    ), flip


def retrained(explanation: Explanation, query: int) -> pd.DataFrame:
    """Return margins after retraining, from the check: for the waterfall (same sets) and the scatter.

    Parameters
    ----------
    explanation : Explanation
        Whose.
    query : int
        Position of the query.

    Returns
    -------
    DataFrame
        Columns query, what (which examples were removed), removed (how many), assignments, predicted and retrained (changes
        of the margin), margin_predicted and margin; no rows without a check.
    """
    check = explanation.check
    if check is None or check.retrained is None:
        columns = ("query", "what", "removed", "assignments", "predicted", "retrained", "margin_predicted", "margin")
        return pd.DataFrame({name: [] for name in columns})
    rows = check.retrained[check.retrained["position"] == query]
    margin = explanation.scores[query]
    parts = [
        pd.DataFrame(
            {
                "query": str(explanation.query_ids[query]),
                "what": rows["kind"].to_numpy(),
                "removed": rows["n_removed"].to_numpy(dtype=int),
                "assignments": words,
                "predicted": rows[predicted].to_numpy(dtype=float),
                "retrained": rows[truth].to_numpy(dtype=float),
                "margin_predicted": margin + rows[predicted].to_numpy(dtype=float),
                "margin": margin + rows[truth].to_numpy(dtype=float),
            }
        )
        for words, predicted, truth in (
            ("members frozen", "predicted", "frozen"),
            ("re-clustered", "predicted_reclustered", "reclustered"),
        )
    ]
    return pd.concat(parts, ignore_index=True)


def all_retrained(explanation: Explanation) -> pd.DataFrame:
    """Return the changes of every query's margin in the check: query, kind, assignments, n_removed, predicted, retrained."""
    frame = pd.concat([retrained(explanation, query) for query in range(len(explanation))], ignore_index=True)
    frame = frame.rename(columns={"what": "kind", "removed": "n_removed"})
    known = frame["retrained"].notna() & frame["predicted"].notna()
    return frame.loc[known, ["query", "kind", "assignments", "n_removed", "predicted", "retrained"]]


def flip_point(frame: pd.DataFrame, flip: int | None) -> pd.DataFrame:
    """Return where the margin is predicted to change sides: removed, margin; no row if that is not among the steps."""
    found = frame[frame["removed"] == flip] if flip is not None else frame[:0]
    return pd.DataFrame({"removed": found["removed"], "margin": found["after"]}).reset_index(drop=True)


def group_columns(exhibit: Exhibit) -> list[str]:
    """Return what the influence can be summed by: clusters, and metadata of 2 to 30 different values."""
    metadata = exhibit.data.metadata
    known = [] if metadata is None else [str(one) for one in metadata.columns if one != exhibit.data.text]
    return ["cluster", *(name for name in known if 2 <= _different(metadata, name) <= MOST_GROUPS)]


def groups(explanation: Explanation, column: str) -> list[pd.DataFrame]:
    """Return the influence summed over groups, see :meth:`Explanation.by`: one frame for each query, group as text."""
    frame = explanation.by(column).drop(columns="query")
    called = (
        [explanation.name_of(int(one)) for one in frame["group"]] if column == "cluster" else frame["group"].astype(str)
    )
    whole = frame.assign(group=called)
    size = len(whole) // max(1, len(explanation))
    return [whole.iloc[query * size : (query + 1) * size].reset_index(drop=True) for query in range(len(explanation))]


def cluster_pulls(exhibit: Exhibit) -> pd.DataFrame:
    """Return which cluster's examples hold or loosen which cluster's members.

    Parameters
    ----------
    exhibit : Exhibit
        The fit.

    Returns
    -------
    DataFrame
        Columns target (whose members), source (whose examples), target_rank, source_rank (order), n (examples in source),
        influence (their sum on the mean margin of the target's members; positive holds), low, high (95 %), if_removed.
    """
    summed = exhibit.cohesion.by("cluster")
    size, parts = len(summed) // len(exhibit.clusters), []
    for rank, target in enumerate(exhibit.clusters):
        frame = summed.iloc[rank * size : (rank + 1) * size].reset_index(drop=True)
        parts.append(
            pd.DataFrame(
                {
                    "target": exhibit.name_of(target),
                    "source": [exhibit.name_of(one) for one in frame["group"]],
                    "target_rank": rank,
                    "source_rank": [len(exhibit.clusters) if one == NOISE else int(one) for one in frame["group"]],
                    **{name: frame[name] for name in ("n", "influence", "low", "high", "if_removed")},
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def standing(exhibit: Exhibit, explanation: Explanation, query: int) -> pd.DataFrame:
    """Return how the sample stands to every cluster.

    Parameters
    ----------
    exhibit : Exhibit
        The fit.
    explanation : Explanation
        Whose.
    query : int
        Position of the query.

    Returns
    -------
    DataFrame
        Columns cluster, role ("own", "rival", "other"), distance (to the centroid, in embedding units), membership; nearest
        first.
    """
    pipeline = exhibit.pipeline
    row = pipeline.look(exhibit.read(explanation.queries[query : query + 1]))
    distance = np.linalg.norm(pipeline.centers - row.numpy(), axis=1)
    membership = pipeline.score.membership(row, pipeline.state).numpy()[0]
    own, rival = int(explanation.labels[query]), int(explanation.rivals[query])
    order = [int(one) for one in np.argsort(distance, kind="stable") if int(one) in exhibit.clusters][:MOST_CLUSTERS]
    return pd.DataFrame(
        {
            "cluster": [exhibit.name_of(one) for one in order],
            "role": ["own" if one == own else "rival" if one == rival else "other" for one in order],
            "distance": distance[order],
            "membership": membership[order],
        }
    )


def tree(exhibit: Exhibit) -> pd.DataFrame:
    """Return the condensed tree of an HDBSCAN as rectangles, see :meth:`CondensedTree.rectangles`; cluster as text."""
    found, nodes = _tree(exhibit)
    frame = found.rectangles()
    named = {node: exhibit.name_of(cluster) for cluster, node in nodes.items()}
    return frame.assign(cluster=[named.get(int(node), "") for node in frame["node"]])


def on_tree(exhibit: Exhibit, explanation: Explanation, query: int) -> pd.DataFrame:
    """Return where a sample leaves the condensed tree: id, x, lambda; no row if it was not trained on."""
    position = int(explanation.positions[query])
    present = np.flatnonzero(exhibit.pipeline.weights.numpy() > 0)
    row = int(np.searchsorted(present, position))
    if position < 0 or exhibit.pipeline.weights[position] == 0:
        return pd.DataFrame({name: [] for name in ("id", "x", "lambda")})
    found, _ = _tree(exhibit)
    frame = found.rectangles()
    left, right, death = frame.loc[frame["node"] == found.row_node[row], ["left", "right", "death"]].to_numpy()[0]
    lambda_ = min(float(found.row_lambda[row]), float(death))
    middle = (left + right) / 2
    return pd.DataFrame({"id": [str(explanation.query_ids[query])], "x": [middle], "lambda": [lambda_]})


def stability(exhibit: Exhibit, rows: np.ndarray) -> pd.DataFrame:
    """Return how often samples kept their cluster in refits: id, cluster, share (0 to 1), for the given rows."""
    if exhibit.stability is None:
        return pd.DataFrame({name: [] for name in ("id", "cluster", "share")})
    return pd.DataFrame(
        {
            "id": exhibit.data.ids[rows].astype(str),
            "cluster": [exhibit.name_of(one) for one in exhibit.labels[rows]],
            "share": exhibit.stability.share[rows],
        }
    )


def cluster_stability(exhibit: Exhibit) -> pd.DataFrame:
    """Return the Jaccard similarity of every cluster with its partners in refits, see :meth:`Stability.clusters`."""
    if exhibit.stability is None:
        return pd.DataFrame({name: [] for name in ("cluster", "size", "jaccard", "low", "high", "verdict")})
    frame = exhibit.stability.clusters()
    return frame.assign(cluster=[exhibit.name_of(one) for one in frame["cluster"]])


def twins(exhibit: Exhibit, explanation: Explanation, query: int) -> pd.DataFrame:
    """Return near-identical rows of the sample with other labels: id, cluster, distance, relative."""
    found = (
        twins_of(exhibit.twins, explanation.query_ids[query])
        if explanation.positions[query] >= 0
        else exhibit.twins[:0]
    )
    if not len(found):
        return pd.DataFrame({name: [] for name in ("id", "cluster", "distance", "relative")})
    return found.assign(id=found["id"].astype(str), cluster=[exhibit.name_of(one) for one in found["cluster"]])


def _different(metadata: pd.DataFrame | None, name: str) -> int:
    """Return how many different values a column has; 0 if they cannot be told apart, as lists cannot."""
    assert metadata is not None
    try:
        return int(metadata[name].nunique())
    except TypeError:
        return 0


def _tree(exhibit: Exhibit) -> tuple[CondensedTree, dict[int, int]]:
    """Return the condensed tree, and the node of each cluster."""
    pipeline, clustering = exhibit.pipeline, exhibit.pipeline.clustering
    assert isinstance(clustering, DensityClustering)
    found = clustering.condensed(pipeline.viewed, pipeline.weights)
    present = np.flatnonzero(pipeline.weights.numpy() > 0)
    labels = exhibit.labels[present]
    return found, {one: found.node_of(np.flatnonzero(labels == one)) for one in exhibit.clusters}


def _with_rows(frame: pd.DataFrame, exhibit: Exhibit, rows: np.ndarray) -> pd.DataFrame:
    shown = [exhibit.rows.show(exhibit.data.X[row], int(row)) for row in rows]
    added: dict[str, Any] = {}
    if any(one.image for one in shown):
        added["image"] = [one.image for one in shown]
    if any(one.text for one in shown):
        added["row"] = [one.text for one in shown]
    return frame.assign(**added)
