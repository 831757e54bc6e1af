"""The numbers of one query: its pullers and pushers, what removals would do, groups, twins."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clusterexplain.explanation import SIDES, Explanation
from clusterexplain.report.exhibit import Exhibit
from clusterexplain.twins import twins_of

FEWEST_STEPS, MOST_STEPS = 20, 150
MOST_GROUPS = 30
MOST_RETRAINED = 4000
"""Rows of a check that are drawn at most; more are sampled."""


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


def flip_point(frame: pd.DataFrame, flip: int | None) -> pd.DataFrame:
    """Return where the margin is predicted to change sides: removed, margin; no row if that is not among the steps."""
    found = frame[frame["removed"] == flip] if flip is not None else frame[:0]
    return pd.DataFrame({"removed": found["removed"], "margin": found["after"]}).reset_index(drop=True)


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
    """Return the changes of every query's margin in the check, a random sample if they are more than ``MOST_RETRAINED``.

    Columns query, kind, assignments, n_removed, predicted, retrained.
    """
    frame = pd.concat([retrained(explanation, query) for query in range(len(explanation))], ignore_index=True)
    frame = frame.rename(columns={"what": "kind", "removed": "n_removed"})
    known = frame["retrained"].notna() & frame["predicted"].notna()
    shown = frame.loc[known, ["query", "kind", "assignments", "n_removed", "predicted", "retrained"]]
    if len(shown) <= MOST_RETRAINED:
        return shown
    picked = np.sort(np.random.default_rng(0).permutation(len(shown))[:MOST_RETRAINED])
    return shown.iloc[picked]


def group_columns(exhibit: Exhibit) -> list[str]:
    """Return what influence can be summed by: clusters, and metadata of 2 to 30 values that occur twice on average."""
    metadata = exhibit.data.metadata
    known = [] if metadata is None else [str(one) for one in metadata.columns if one != exhibit.data.text]
    most = min(MOST_GROUPS, len(exhibit.data) // 2)
    return ["cluster", *(name for name in known if 2 <= _different(metadata, name) <= most)]


def groups(explanation: Explanation, column: str) -> list[pd.DataFrame]:
    """Return the influence summed over groups, see :meth:`Explanation.by`: one frame for each query, group as text."""
    frame = explanation.by(column).drop(columns="query")
    called = (
        [explanation.name_of(int(one)) for one in frame["group"]] if column == "cluster" else _texts(frame["group"])
    )
    whole = frame.assign(group=called)
    size = len(whole) // max(1, len(explanation))
    return [whole.iloc[query * size : (query + 1) * size].reset_index(drop=True) for query in range(len(explanation))]


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


def _texts(groups: pd.Series) -> pd.Series:
    """Return groups as text, with their type where two of them read alike."""
    texts = groups.astype(str)
    kinds = groups.map(lambda one: type(one).__name__)
    pairs = pd.DataFrame({"text": texts, "kind": kinds}).drop_duplicates()
    twice = set(pairs.loc[pairs["text"].duplicated(), "text"])
    return texts.where(~texts.isin(twice), texts + " (" + kinds + ")")


def _different(metadata: pd.DataFrame | None, name: str) -> int:
    """Return how many different values a column has; 0 if they cannot be told apart, as lists cannot."""
    assert metadata is not None
    try:
        return int(metadata[name].nunique())
    except TypeError:
        return 0
