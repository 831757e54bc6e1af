"""The placebo of copies: an example and its copy are equal, so removing either should do the same.

What differs is their place: row number, batches, keys of the noise. So the control finds leaks of the row number into
training or scoring, and says how far a single example's effect belongs to it, rather than to the batches that it was in.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd
import torch

from clusterexplain.answering import Answers
from clusterexplain.explanation import Explanation
from clusterexplain.verification import metrics
from clusterexplain.verification.extended import extended_fit, usable
from clusterexplain.verification.kept import Kept

COLUMNS = ("query", "position", "n", "spearman", "predicted", "difference", "null")


def duplicated(
    explainer: Any,
    explanation: Explanation,
    n_copies: int,
    *,
    seed: int,
    kept: Kept,
    n_jobs: int | None = None,
    show_progress: bool = False,
) -> pd.DataFrame:
    """Copy some training examples, train again, and remove each original and each copy in turn.

    Parameters
    ----------
    explainer : ClusterExplainer
        Fitted.
    explanation : Explanation
        What is checked.
    n_copies : int
        How many random examples are copied; 0 for none.
    seed : int
        Seed of the choice.
    kept : Kept
        What was retrained before.
    n_jobs : int or None
        Retrainings that run side by side.
    show_progress : bool, default=False
        Show a bar on a terminal.

    Returns
    -------
    DataFrame
        One row for each query that is a training example in one cluster with another as rival: query (its id), position, n
        (copies), spearman (of the changes by removing originals with those by removing copies), predicted (the same of the
        predictions), difference (median size of the difference of the two changes over the median size of a change), null
        (largest difference of two equal trainings). With full batches and no noise, 1, 1 and 0.
    """
    chosen = np.flatnonzero(usable(explainer, explanation)) if n_copies else np.empty(0, dtype=np.intp)
    if not len(chosen):
        return pd.DataFrame(columns=list(COLUMNS))
    present = np.flatnonzero(explanation.sample_weight == 1)
    originals = np.random.default_rng([seed, n_copies]).permutation(present)[:n_copies]
    n = len(explanation.train_ids)
    again = extended_fit(explainer, explanation, explainer.data_.X[originals], explanation.train_labels[originals])
    asked = again.explain(explanation.positions[chosen])
    both = np.concatenate([originals, n + np.arange(len(originals))])
    changes, null = _changes(asked, both, kept, n_jobs, show_progress)
    of_originals, of_copies = np.split(changes, 2)
    predicted = np.split(-asked.influence[:, both].T, 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = np.median(np.abs(of_copies - of_originals), axis=0) / np.median(np.abs(of_originals), axis=0)
    return pd.DataFrame(
        {
            "query": explanation.query_ids[chosen],
            "position": chosen,
            "n": len(originals),
            "spearman": metrics.spearman(of_originals, of_copies),
            "predicted": metrics.spearman(*predicted),
            "difference": difference,
            "null": null,
        }
    )


def _changes(
    asked: Explanation, rows: np.ndarray, kept: Kept, n_jobs: int | None, show_progress: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the changes by removing each of the rows, shape (n_rows, n_queries), and that of two equal trainings."""
    answers = cast(Answers, asked.basis)
    pipeline, question = answers.pipeline, answers.question_of(asked)
    recipe = pipeline.run.recipe
    weights = np.tile(asked.sample_weight, (len(rows) + 1, 1))
    weights[np.arange(1, len(rows) + 1), rows] = 0.0
    trained = kept.trained(recipe, f"{asked.fit_key} copies", weights, n_jobs=n_jobs, show_progress=show_progress)
    given = torch.from_numpy(weights).to(recipe.dtype)
    scores = np.stack(
        [
            pipeline.rescored(question, recipe.layout.split(end), row)[0]["frozen"]
            for end, row in zip(trained, given, strict=True)
        ]
    )
    return scores[1:] - scores[0], np.abs(scores[0] - asked.scores)
