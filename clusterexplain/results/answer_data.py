"""The answer to one query of an explanation as plain data: what JSON, the page and ``why --json`` hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusterexplain.results.text.margins import SIDES
from clusterexplain.results.variability import SeedVariability

if TYPE_CHECKING:
    from clusterexplain.results.explanation import Explanation


def answer_data(explanation: Explanation, query: int, top: int) -> dict[str, Any]:
    """Return the answer to one query, numbers as they are.

    Parameters
    ----------
    explanation : Explanation
        Whose answer.
    query : int
        Position of the query.
    top : int
        Examples on each side.

    Returns
    -------
    dict
        The cluster that the margin compares with stands under "rival".
    """
    listed = explanation.top(top, query=query)
    sides = [listed[listed["side"] == side].drop(columns="side") for side in SIDES]
    reasons, stability, check = explanation.noise_reasons, explanation.stability, explanation.check
    variability = explanation.seed_variability
    return {
        "sample": explanation.query_ids[query],
        "cluster": int(explanation.labels[query]),
        "rival": int(explanation.runner_ups[query]),
        "margin": explanation.scores[query],
        "membership": explanation.probabilities[query],
        "share_with_larger_margin": explanation.share_with_larger_margin[query],
        "noise_reason": (reasons[query] or None) if reasons else None,
        "stability": None if stability is None else stability.badges[query].text,
        "seed_variability": None if variability is None else _over_seeds(variability, query),
        "check": None if check is None else check.each[query].status,
        "parts": {name: float(getattr(explanation, name)[query].sum()) for name in ("encoder", "cluster", "direct")},
        "part_shares": explanation.rows.shares(query),
        "pulled_in": sides[0],
        "pushed_away": sides[1],
    }


def _over_seeds(variability: SeedVariability, query: int) -> dict[str, Any]:
    return {
        "n_seeds": variability.n_seeds,
        "shared": variability.shared[query],
        "shared_within": variability.within[query],
        "expected_of_means": variability.of_mean(query),
        "n_stable": int(variability.stable[query].sum()),
        "margins": variability.margins[:, query].tolist(),
    }
