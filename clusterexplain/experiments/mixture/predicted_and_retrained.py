"""Predicted against retrained changes, and how well they agree for each query."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterexplain.statistics import pearson, spearman

MEASURES = ("pearson", "spearman", "pearson_within", "spearman_within")
MATCHED, CROSS = "matched", "cross-loss"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Removals against queries, for one arm of one variant and one way of retraining.

    Attributes
    ----------
    variant : str
        "published" or "corrected".
    arm : str
        "matched" (trained on the loss that is the query score) or "cross-loss".
    truth : str
        How the truth was made.
    retrained : ndarray of shape (n_removed, n_queries)
        Changes of the scores after retraining without an example.
    predicted : dict of str to ndarray of shape (n_removed, n_queries)
        Changes predicted by each method.
    member : ndarray of shape (n_removed, n_queries), bool
        Whether the removed example is in the query's cluster.
    queries, components : ndarray of shape (n_queries,), int
        Row numbers of the queries, and the Gaussians they were drawn from.
    removed : ndarray of shape (n_removed,), int
        Row numbers of the examples that are removed.
    facts : dict of str to float or str
        About the trained network and the solver; the same for all queries.
    """

    variant: str
    arm: str
    truth: str
    retrained: np.ndarray
    predicted: dict[str, np.ndarray]
    member: np.ndarray
    queries: np.ndarray
    components: np.ndarray
    removed: np.ndarray
    facts: dict[str, float | str]

    def agreement(self) -> pd.DataFrame:
        """Return correlations of predicted and retrained changes, one row for each method and query.

        Returns
        -------
        DataFrame
            Columns variant, arm, truth, method, query, component, pearson, spearman, and the two within the query's cluster,
            where only removals of its members count (NaN for a prediction that is the same for all of them), then the facts.
        """
        frames = []
        for method, predicted in self.predicted.items():
            within = np.where(self.member, predicted, np.nan)
            frames.append(
                pd.DataFrame(
                    {
                        "variant": self.variant,
                        "arm": self.arm,
                        "truth": self.truth,
                        "method": method,
                        "query": self.queries,
                        "component": self.components,
                        "pearson": pearson(predicted, self.retrained),
                        "spearman": spearman(predicted, self.retrained),
                        "pearson_within": pearson(within, self.retrained),
                        "spearman_within": spearman(within, self.retrained),
                        **self.facts,
                    }
                )
            )
        return pd.concat(frames, ignore_index=True)

    def changes(self, methods: tuple[str, ...], queries: list[int]) -> pd.DataFrame:
        """Return predicted and retrained changes of some queries, one row for each method, query and removal."""
        rows = []
        for method in methods:
            for query in queries:
                column = int(np.flatnonzero(self.queries == query)[0])
                rows.append(
                    pd.DataFrame(
                        {
                            "variant": self.variant,
                            "arm": self.arm,
                            "method": method,
                            "query": query,
                            "removed": self.removed,
                            "member": self.member[:, column],
                            "predicted": self.predicted[method][:, column],
                            "retrained": self.retrained[:, column],
                        }
                    )
                )
        return pd.concat(rows, ignore_index=True)
