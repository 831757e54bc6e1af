"""The check of an answer about words: retrain without units and compare with what was predicted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterexplain.statistics import metrics
from clusterexplain.statistics.intervals import spearman_interval
from clusterexplain.word_embeddings.unit_influence import UnitInfluence


@dataclass(frozen=True, eq=False, repr=False)
class BiasCheck:
    """Predicted and retrained changes of a score.

    Attributes
    ----------
    name : str
        The score.
    retrained : DataFrame
        One row for each removal: kind ("single", "5%"), units (ids), n_removed, predicted, gradient_dot (the prediction of the
        gradient product, a baseline), retrained (what happened), word_share (the largest share of a word's uses that was
        removed).
    """

    name: str
    retrained: pd.DataFrame

    @classmethod
    def compare(
        cls, answer: UnitInfluence, removals: list[tuple[str, np.ndarray]], scores: list[float], uses: np.ndarray
    ) -> BiasCheck:
        """Compare predicted changes with the scores after retraining.

        Parameters
        ----------
        answer : UnitInfluence
            The predictions.
        removals : list of (str, ndarray of int)
            From :func:`draw_removals`.
        scores : list of float
            Retrained without each.
        uses : ndarray of shape (n_units, n_score_words)
            Uses of the words of the score.

        Returns
        -------
        BiasCheck
            One row for each removal.
        """
        totals = uses.sum(axis=0)
        rows = []
        for (kind, removed), score in zip(removals, scores, strict=True):
            shares = uses[removed].sum(axis=0) / np.maximum(totals, 1e-30)
            rows.append(
                {
                    "kind": kind,
                    "units": ", ".join(answer.units.index[removed]),
                    "n_removed": len(removed),
                    "predicted": -answer.influence[removed].sum(),
                    "gradient_dot": -answer.gradient_dot[removed].sum(),
                    "retrained": score - answer.value,
                    "word_share": float(shares.max()) if len(shares) else 0.0,
                }
            )
        return cls(answer.name, pd.DataFrame(rows))

    def summary(self, most: float = 1.0) -> pd.DataFrame:
        """Summarize the agreement for every kind of removal.

        Parameters
        ----------
        most : float, default=1.0
            Leave out removals that hold more than this share of the uses of a word. Below 1 it answers another question: how
            well small changes are predicted.

        Returns
        -------
        DataFrame
            kind; n; spearman with low and high (95 % interval); pearson; slope (of retrained on predicted through zero);
            gradient_dot (rank correlation of that baseline); largest (of the changes that happened, without sign).
        """
        rows = []
        kept = self.retrained[self.retrained["word_share"] <= most]
        for kind, part in kept.groupby("kind", sort=False):
            x, y, other = (part[[name]].to_numpy(float) for name in ("predicted", "retrained", "gradient_dot"))
            interval = spearman_interval(x, y)
            squares = float((x * x).sum())
            rows.append(
                {
                    "kind": kind,
                    "n": len(part),
                    "spearman": interval.mean,
                    "low": interval.low,
                    "high": interval.high,
                    "pearson": float(metrics.pearson(x, y)[0]),
                    "slope": float((x * y).sum()) / squares if squares else float("nan"),
                    "gradient_dot": float(metrics.spearman(other, y)[0]),
                    "largest": float(np.abs(y).max()),
                }
            )
        return pd.DataFrame(rows)

    def __repr__(self) -> str:
        """Return the summary."""
        return f"{self.name}: predicted against retrained\n{self.summary().to_string(index=False, float_format='%.3f')}"


def draw_removals(
    n_units: int, *, n_single: int, n_groups: int, share: float, seed: int
) -> list[tuple[str, np.ndarray]]:
    """Draw single units without repeats, and groups that hold a share of all units.

    Parameters
    ----------
    n_units : int
        Number of units.
    n_single, n_groups : int
        How many of each; at most one single for each unit.
    share : float
        Size of a group.
    seed : int
        Of the draw.

    Returns
    -------
    list of (str, ndarray of int)
        Kind and rows.
    """
    rng = np.random.default_rng(seed)
    singles = rng.choice(n_units, min(n_single, n_units), replace=False)
    size = max(1, round(share * n_units))
    groups = [rng.choice(n_units, size, replace=False) for _ in range(n_groups)]
    return [("single", np.array([single])) for single in singles] + [(f"{share:.0%}", group) for group in groups]
