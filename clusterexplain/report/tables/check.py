"""What a check retrained: margins of one query, and changes of all."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clusterexplain.results.explanation import Explanation
from clusterexplain.results.text.check import ASSIGNMENTS

MOST_RETRAINED = 4000
"""Rows of a check that are drawn at most; more are sampled."""


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
            (ASSIGNMENTS["kept"], "predicted_kept", "kept"),
            (ASSIGNMENTS["continued"], "predicted_continued", "continued"),
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
