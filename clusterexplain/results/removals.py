"""What a check removes: kinds of removals, as data, and single removals, with the data weights that they give."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class RemovalName(StrEnum):
    """How the examples of a removal are drawn."""

    SINGLE = "single"
    """A random example."""
    WITHIN = "within"
    """A random example of the queries' own clusters."""
    GROUP = "group"
    """A random group."""
    SUBSET = "subset"
    """Everything but a random subset: the share is what stays, as alpha in the linear datamodeling score."""
    DOWN_WEIGHT = "down_weight"
    """A random example that loses a share of its weight."""
    STRONGEST = "strongest"
    """For one query: an example of large predicted influence."""
    NEIGHBOUR = "neighbour"
    """For one query: one of its nearest neighbours in the embedding."""
    PLACEBO = "placebo"
    """For one query: a random group from clusters that are not of its pair."""
    TOP_PULLERS = "top_pullers"
    """For one query: the examples that pull it in most, together."""
    RANDOM = "random"
    """For one query: as many random examples as its top pullers are."""


_WORDS = {RemovalName.DOWN_WEIGHT: "down-weight", RemovalName.TOP_PULLERS: "top pullers"}


@dataclass(frozen=True)
class RemovalKind:
    """A kind of removal.

    Attributes
    ----------
    name : RemovalName
        How the examples are drawn.
    share : float or None
        Of the examples in a group, of those that stay in a subset, or of the weight that is lost; from 0 to 1. None for the
        share that a check has by default, and for kinds that have none.

    Examples
    --------
    >>> RemovalKind(RemovalName.SUBSET, 0.5).label
    'subset 50 %'
    >>> DOWN_WEIGHT.label
    'down-weight'
    """

    name: RemovalName
    share: float | None = None

    @property
    def label(self) -> str:
        """The kind as tables name it: to be shown and compared, never taken apart."""
        words = _WORDS.get(self.name, self.name.value)
        return words if self.share is None else f"{words} {100 * self.share:g} %"

    def __str__(self) -> str:
        """Return the label."""
        return self.label


SINGLE = RemovalKind(RemovalName.SINGLE)
WITHIN = RemovalKind(RemovalName.WITHIN)
GROUP = RemovalKind(RemovalName.GROUP)
DOWN_WEIGHT = RemovalKind(RemovalName.DOWN_WEIGHT)
STRONGEST = RemovalKind(RemovalName.STRONGEST)
NEIGHBOUR = RemovalKind(RemovalName.NEIGHBOUR)
PLACEBO = RemovalKind(RemovalName.PLACEBO)
TOP_PULLERS = RemovalKind(RemovalName.TOP_PULLERS)
RANDOM = RemovalKind(RemovalName.RANDOM)


@dataclass(frozen=True, eq=False)
class Removal:
    """One retraining of a check.

    Attributes
    ----------
    kind : RemovalKind
        How its examples were drawn.
    members : ndarray of int
        Row numbers that lose weight.
    factor : float
        What their weight is multiplied by; 0 removes.
    query : int or None
        Position of the query that it belongs to; None concerns all queries.
    rest : float
        What the weight of all others is multiplied by.
    """

    kind: RemovalKind
    members: np.ndarray
    factor: float = 0.0
    query: int | None = None
    rest: float = 1.0

    def weights(self, base: np.ndarray) -> np.ndarray:
        """Return the data weights of this retraining, shape (n_samples,), from those of the fit."""
        weights = base * self.rest
        weights[self.members] = base[self.members] * self.factor
        return weights
