"""What an explanation says about one query: pullers and pushers, predicted removals, groups, near-duplicates."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clusterexplain.data.near_duplicates import label_conflicts_of
from clusterexplain.report.context import ReportContext
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.text.margins import SIDES

FEWEST_STEPS, MOST_STEPS = 20, 150
MOST_GROUPS = 30
CONFLICT_COLUMNS = ("id", "cluster", "distance", "relative")


def strongest(explanation: Explanation, query: int, top: int) -> pd.DataFrame:
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
    frame = explanation.top(top, query=query, show=())
    pulls = frame["side"] == SIDES[0]
    words = explanation.sides(query)
    return frame.assign(
        id=frame["id"].astype(str),
        cluster=[explanation.name_of(cluster) for cluster in frame["cluster"]],
        rank=np.arange(1, len(frame) + 1),
        pulls=pulls,
        side=np.where(pulls, words[0], words[1]),
    )


def removal_steps(explanation: Explanation, query: int) -> tuple[pd.DataFrame, int | None]:
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
        Columns removed (from 1), id, called (the id, followed by "(itself)" if it is the sample's own), cluster, before,
        after (predicted margins). The sample itself is among them as it is among the top pullers of a check.
    flip : int or None
        After how many removals the margin is predicted to be negative; None if never, or if it is negative already.
    """
    influence, order = explanation.influence[query], _pullers(explanation, query)
    margin = explanation.scores[query]
    after = margin - np.cumsum(influence[order])
    flip = _crossing(margin, after)
    shown = min(len(order), MOST_STEPS, max(FEWEST_STEPS, 0 if flip is None else flip + 5))
    picked = order[:shown]
    ids = explanation.train_ids[picked].astype(str).astype(object)
    return pd.DataFrame(
        {
            "removed": np.arange(1, shown + 1),
            "id": ids,
            "called": np.where(picked == explanation.positions[query], ids + " (itself)", ids),
            "cluster": [explanation.name_of(cluster) for cluster in explanation.train_labels[picked]],
            "before": np.concatenate([[margin], after[: max(shown - 1, 0)]])[:shown],
            "after": after[:shown],
        }
    ), flip


def predicted_flips(explanation: Explanation, query: int) -> tuple[int | None, int | None, bool]:
    """Return after how many removals of the strongest pullers a sample is predicted to change sides.

    Parameters
    ----------
    explanation : Explanation
        Whose.
    query : int
        Position of the query.

    Returns
    -------
    flip : int or None
        Of all pullers, the sample itself among them, see :func:`removal_steps`.
    without_itself : int or None
        Of the others alone, as :meth:`ClusterExplainer.flip` removes them.
    itself : bool
        Whether the sample itself is among the first `flip`.
    """
    influence, order = explanation.influence[query], _pullers(explanation, query)
    position, margin = int(explanation.positions[query]), explanation.scores[query]
    others = order[order != position]
    flip, alone = (_crossing(margin, margin - np.cumsum(influence[rows])) for rows in (order, others))
    return flip, alone, flip is not None and position >= 0 and position in order[:flip]


def flip_point(frame: pd.DataFrame, flip: int | None) -> pd.DataFrame:
    """Return where the margin is predicted to change sides: removed, margin; no row if that is not among the steps."""
    crossing = frame[frame["removed"] == flip] if flip is not None else frame[:0]
    return pd.DataFrame({"removed": crossing["removed"], "margin": crossing["after"]}).reset_index(drop=True)


def group_columns(context: ReportContext) -> list[str]:
    """Return what influence can be summed by: clusters, and metadata of 2 to 30 values that occur twice on average."""
    metadata = context.data.metadata
    known = [] if metadata is None else [str(column) for column in metadata.columns if column != context.data.text]
    most = min(MOST_GROUPS, len(context.data) // 2)
    return ["cluster", *(name for name in known if 2 <= _different(metadata, name) <= most)]


def groups(explanation: Explanation, column: str) -> list[pd.DataFrame]:
    """Return the influence summed over groups, see :meth:`Explanation.by`: one frame for each query, group as text."""
    frame = explanation.by(column).drop(columns="query")
    called = (
        [explanation.name_of(int(cluster)) for cluster in frame["group"]]
        if column == "cluster"
        else _texts(frame["group"])
    )
    whole = frame.assign(group=called)
    size = len(whole) // max(1, len(explanation))
    return [whole.iloc[query * size : (query + 1) * size].reset_index(drop=True) for query in range(len(explanation))]


def label_conflicts(context: ReportContext, explanation: Explanation, query: int) -> pd.DataFrame:
    """Return near-duplicates of the sample with another label: id, cluster, distance, relative; no row for new rows."""
    if explanation.positions[query] < 0:
        return pd.DataFrame({name: [] for name in CONFLICT_COLUMNS})
    conflicts = label_conflicts_of(context.label_conflicts, explanation.query_ids[query])
    if not len(conflicts):
        return pd.DataFrame({name: [] for name in CONFLICT_COLUMNS})
    clusters = [context.name_of(cluster) for cluster in conflicts["cluster"]]
    return conflicts.assign(id=conflicts["id"].astype(str), cluster=clusters)


def _pullers(explanation: Explanation, query: int) -> np.ndarray:
    """Return the row numbers of the examples that pull, strongest first."""
    influence = explanation.influence[query]
    order = np.argsort(-influence, kind="stable")
    return np.asarray(order[(influence > 0)[order] & (explanation.sample_weight > 0)[order]])


def _crossing(margin: float, after: np.ndarray) -> int | None:
    """Return the number of the first step that leaves a margin below 0, None if there is none or it is not above 0 now."""
    outside = np.flatnonzero(after < 0)
    return int(outside[0]) + 1 if len(outside) and margin > 0 else None


def _texts(groups: pd.Series) -> pd.Series:
    """Return groups as text, whole numbers without a fraction, with their type where two of them read alike."""
    texts = groups.map(_text)
    kinds = groups.map(lambda group: type(group).__name__)
    pairs = pd.DataFrame({"text": texts, "kind": kinds}).drop_duplicates()
    twice = set(pairs.loc[pairs["text"].duplicated(), "text"])
    return texts.where(~texts.isin(twice), texts + " (" + kinds + ")")


def _text(group: object) -> str:
    whole = isinstance(group, (float, np.floating)) and float(group).is_integer()
    return f"{group:.0f}" if whole else str(group)


def _different(metadata: pd.DataFrame | None, name: str) -> int:
    """Return how many different values a column has; 0 if they cannot be told apart, as lists cannot."""
    assert metadata is not None
    try:
        return int(metadata[name].nunique())
    except TypeError:
        return 0
