"""The positive control: near-duplicates of a query, planted in its runner-up cluster, must be found."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clusterexplain.explanation.gradients import influence_rows
from clusterexplain.fitting.fit import Fit
from clusterexplain.results.explanation import Explanation
from clusterexplain.verification.controls.refit_with_rows import eligible_queries, refit_with_rows, same_margins

SHARE = 0.02
"""Near-duplicates, as a share of the training examples."""
NOISE_SHARE = 0.1
"""Spread of the near-duplicates around the query, in standard deviations of each column."""
WIDE = 0.05
"""The wider list in which they are looked for, as a share of the training examples."""
COLUMNS = ("query", "position", "planted", "found", "found_wide", "chance", "chance_wide")


def planted_duplicates(fit: Fit, explanation: Explanation, n_queries: int, *, seed: int) -> pd.DataFrame:
    """Plant near-duplicates of some queries with the label of the runner-up cluster, train again, and look for them.

    They are what should push the query away from its cluster: almost the same rows, held by the other side. The labels
    of the fit are kept, so that nothing but the planted cause is new.

    Parameters
    ----------
    fit : Fit
        The fit.
    explanation : Explanation
        What is checked.
    n_queries : int
        How many of its queries are tried, at most: the first that are training examples, of which neither cluster is noise.
    seed : int
        Seed of the near-duplicates.

    Returns
    -------
    DataFrame
        One row for each query that was tried: query (its id), position, planted (their number), found (share of them among
        as many examples that push most), found_wide (among the 5 % that push most), and what chance would find. No rows where
        the clusters are learned by the network itself, so that labels cannot be kept.
    """
    chosen = eligible_queries(explanation)[:n_queries]
    rows = [
        _plant(fit, explanation, int(query), seed) for query in fit.execution.track(chosen, "planting near-duplicates")
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _plant(fit: Fit, explanation: Explanation, query: int, seed: int) -> dict[str, object]:
    n = len(explanation.train_ids)
    n_planted = max(2, round(SHARE * n))
    place, runner_up = int(explanation.positions[query]), int(explanation.runner_ups[query])
    X = fit.data.X
    rng = np.random.default_rng([seed, place])
    planted = X[place] + NOISE_SHARE * X.std(axis=0) * rng.normal(size=(n_planted, X.shape[1]))
    larger = refit_with_rows(
        fit, explanation, planted, np.full(n_planted, runner_up), np.ones(n_planted), np.full(n_planted, place)
    )
    margins = same_margins(larger, explanation, np.array([query]))
    jacobian = larger.jacobian(explanation.influence_method, explanation.method_options)
    influence = influence_rows(larger, margins, jacobian).row(0)
    order = np.argsort(influence, kind="stable")
    wide = max(n_planted, round(WIDE * n))
    return {
        "query": explanation.query_ids[query],
        "position": query,
        "planted": n_planted,
        "found": float((order[:n_planted] >= n).mean()),
        "found_wide": float((order[:wide] >= n).sum() / n_planted),
        "chance": n_planted / (n + n_planted),
        "chance_wide": wide / (n + n_planted),
    }
