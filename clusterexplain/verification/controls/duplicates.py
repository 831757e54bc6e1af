"""The placebo of duplicates: an example and its exact duplicate are equal, so removing either should do the same.

What differs is their place: row number, batches, keys of the noise. So the control finds leaks of the row number into
training or scoring, and says how far a single example's effect belongs to it, rather than to the batches that it was in.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from clusterexplain.execution.executors import one_thread
from clusterexplain.explanation.gradients import influence_rows
from clusterexplain.fitting.fit import Fit
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.margins import Margins
from clusterexplain.statistics import metrics
from clusterexplain.verification.controls.refit_with_rows import eligible_queries, refit_with_rows, same_margins
from clusterexplain.verification.retraining_cache import RetrainingCache

COLUMNS = ("query", "position", "n", "spearman", "spearman_predicted", "difference", "null")


def duplicates(
    fit: Fit,
    explanation: Explanation,
    n_duplicates: int,
    *,
    seed: int,
    cache: RetrainingCache,
) -> pd.DataFrame:
    """Duplicate some training examples, train again, and remove each original and each duplicate in turn.

    Parameters
    ----------
    fit : Fit
        The fit.
    explanation : Explanation
        What is checked.
    n_duplicates : int
        How many random examples are duplicated; 0 for none.
    seed : int
        Seed of the choice.
    cache : RetrainingCache
        What was retrained before.

    Returns
    -------
    DataFrame
        One row for each query that is a training example in one cluster with another as runner-up: query (its id), position, n
        (duplicates), spearman (of the changes by removing originals with those by removing duplicates), spearman_predicted (the
        same of the predictions), difference (median size of the difference of the two changes over the median size of a
        change), null (difference of two equal trainings). With full batches and a model without noise: 1, 1, 0 and 0.
    """
    chosen = eligible_queries(explanation) if n_duplicates else np.empty(0, dtype=np.intp)
    if not len(chosen):
        return pd.DataFrame(columns=list(COLUMNS))
    n, weights = len(explanation.train_ids), explanation.sample_weight
    originals = np.random.default_rng([seed, n_duplicates]).permutation(np.flatnonzero(weights > 0))[:n_duplicates]
    rows, labels, held = (part[originals] for part in (fit.data.X, explanation.train_labels, weights))
    larger = refit_with_rows(fit, explanation, rows, labels, held, originals)
    margins = same_margins(larger, explanation, chosen)
    both = np.concatenate([originals, n + np.arange(len(originals))])
    of_originals, of_duplicates, null = _changes(larger, margins, both, cache)
    jacobian = larger.jacobian(explanation.influence_method, explanation.method_options)
    predicted = np.split(-influence_rows(larger, margins, jacobian).total[:, both].T, 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = np.median(np.abs(of_duplicates - of_originals), axis=0) / np.median(np.abs(of_originals), axis=0)
    return pd.DataFrame(
        {
            "query": explanation.query_ids[chosen],
            "position": chosen,
            "n": len(originals),
            "spearman": metrics.spearman(of_originals, of_duplicates),
            "spearman_predicted": metrics.spearman(*predicted),
            "difference": difference,
            "null": null,
        }
    )


def _changes(
    larger: Fit, margins: Margins, rows: np.ndarray, cache: RetrainingCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the changes by removing each of the rows, halves of shape (n_rows / 2, n_queries), and of two equal trainings."""
    base = larger.weights.numpy()
    weights = np.tile(base, (len(rows) + 1, 1))
    weights[np.arange(1, len(rows) + 1), rows] = 0.0
    trained = cache.trained(larger, larger.recipe, larger.key, weights)

    def scored(theta: torch.Tensor, row: np.ndarray) -> np.ndarray:
        return larger.outcome(theta, row, margins, assignments="kept").scores

    with one_thread():
        scores = np.stack([scored(theta, row) for theta, row in zip(trained, weights, strict=True)])
        null = np.abs(scores[0] - scored(larger.trajectory.final, base))
    of_originals, of_duplicates = np.split(scores[1:] - scores[0], 2)
    return of_originals, of_duplicates, null
