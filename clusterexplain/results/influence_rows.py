"""Influence of every training example on some scores, in three components that sum to the total."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

ROUNDING = 1e-13
"""Largest influence that is what rounding leaves of zero; margins are logarithms of ratios, so their unit is 1."""


@dataclass(frozen=True, eq=False)
class InfluenceRows:
    r"""Rows of influence: :math:`w_i \, \partial s_q / \partial w_i` for scores q and training examples i.

    Relative to the weights of the fit: ``-total[q, i]`` predicts the change of score q if example i is removed, whatever its
    weight was. Positive: the example pulled the sample into its cluster.

    Attributes
    ----------
    encoder : ndarray of shape (n_scores, n_train)
        Through the network: the query's own embedding moved.
    cluster : ndarray of shape (n_scores, n_train)
        Through the network: the clusters moved because their members' embeddings (or learned centroids) moved.
    direct : ndarray of shape (n_scores, n_train)
        The example's own weight in its cluster.
    """

    encoder: np.ndarray
    cluster: np.ndarray
    direct: np.ndarray

    COMPONENTS = ("encoder", "cluster", "direct")

    @cached_property
    def total(self) -> np.ndarray:
        """The sum of the three components, shape (n_scores, n_train); computed once."""
        total: np.ndarray = self.encoder + self.cluster + self.direct
        return total

    def __len__(self) -> int:
        """Return the number of scores."""
        return len(self.encoder)

    def __getitem__(self, picked: np.ndarray) -> InfluenceRows:
        """Select scores by position."""
        return InfluenceRows(self.encoder[picked], self.cluster[picked], self.direct[picked])

    def without_rounding(self) -> InfluenceRows:
        """Return the rows with those set to zero that are zero up to rounding, so that nothing ranks them."""
        zero = zero_up_to_rounding(self.total)
        if not zero.any():
            return self
        kept = ~zero[:, None]
        return InfluenceRows(self.encoder * kept, self.cluster * kept, self.direct * kept)

    def row(self, score: int) -> np.ndarray:
        """Return the total influence on one score, shape (n_train,)."""
        return np.asarray(self.total[score])

    def components(self, score: int) -> dict[str, np.ndarray]:
        """Return the three components of one score by name, each of shape (n_train,)."""
        return {name: getattr(self, name)[score] for name in self.COMPONENTS}

    def shares(self, score: int) -> dict[str, float]:
        """Return the share of each component in the sum of their absolute values over all examples; 0 where all are 0.

        Examples
        --------
        >>> rows = InfluenceRows(np.array([[1.0, -1.0]]), np.zeros((1, 2)), np.array([[3.0, -3.0]]))
        >>> rows.shares(0)
        {'encoder': 0.25, 'cluster': 0.0, 'direct': 0.75}
        """
        sizes = {name: float(np.abs(part).sum()) for name, part in self.components(score).items()}
        whole = sum(sizes.values())
        return {name: size / whole if whole > 0 else 0.0 for name, size in sizes.items()}

    def top(self, score: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the row numbers of the strongest examples on one score.

        Parameters
        ----------
        score : int
            Position of the score.
        n : int
            How many on each side.

        Returns
        -------
        tuple of ndarray of int
            At most `n` of positive influence, strongest first, and at most `n` of negative influence.
        """
        row = self.row(score)
        order = np.argsort(-row, kind="stable")
        strongest, weakest = order[:n], order[::-1][:n]
        return strongest[row[strongest] > 0], weakest[row[weakest] < 0]

    def sum_by(self, groups: np.ndarray, n_groups: int) -> np.ndarray:
        """Return the influence summed over groups of examples.

        Parameters
        ----------
        groups : ndarray of shape (n_train,), int
            Number of each example's group, from 0.
        n_groups : int
            How many groups there are.

        Returns
        -------
        ndarray of shape (n_scores, n_groups)
            Sums of the total.
        """
        return np.stack([np.bincount(groups, weights=row, minlength=n_groups) for row in self.total])


def zero_up_to_rounding(total: np.ndarray) -> np.ndarray:
    """Return which rows of influence, shape (n_scores, n_train), are nothing but rounding."""
    return np.asarray(np.abs(total).max(axis=1, initial=0.0) <= ROUNDING)
