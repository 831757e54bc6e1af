"""Influence on one number as a table: who raises it most, who lowers it most, and sums over groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from clusterexplain.statistics.groups import group_sums


@dataclass(frozen=True, eq=False)
class InfluenceTable:
    """Influence of every training unit on one number, beside what is known of the units.

    Parameters
    ----------
    influence : ndarray of shape (n_units,)
        Derivative of the number in the weight of every unit, in its unit per unit of weight. Positive: more of the unit raises
        the number. The predicted change if units are removed is minus the sum.
    units : DataFrame
        What is known of the units, one row for each, indexed by their ids.
    columns : mapping of str to ndarray of shape (n_units,), default={}
        Further columns, shown between the influence and what is known.

    Examples
    --------
    >>> units = pd.DataFrame({"party": ["A", "B", "A"]}, index=["x", "y", "z"])
    >>> table = InfluenceTable(np.array([0.5, -1.0, 2.0]), units)
    >>> table.top(1)
       influence  if_removed party
    z        2.0        -2.0     A
    >>> table.if_removed(np.array([0, 2]))
    -2.5
    """

    influence: np.ndarray
    units: pd.DataFrame
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of units."""
        return len(self.units)

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each unit: influence, if_removed, the further columns, and what is known of the unit."""
        numbers = {"influence": self.influence, "if_removed": -self.influence, **self.columns}
        return pd.concat([pd.DataFrame(numbers, index=self.units.index), self.units], axis=1)

    def strongest(self, n: int, *, sign: int = 1) -> np.ndarray:
        """Return the row numbers of the units that raise the number most, or with sign -1 lower it most.

        Parameters
        ----------
        n : int
            At most so many; units whose influence is zero or of the other sign are never among them.
        sign : {1, -1}, default=1
            Which side.

        Returns
        -------
        ndarray of int
            Strongest first; ties in the order of the units.
        """
        order = np.argsort(-sign * self.influence, kind="stable")[:n]
        strongest: np.ndarray = order[sign * self.influence[order] > 0]
        return strongest

    def top(self, n: int = 10, *, sign: int = 1) -> pd.DataFrame:
        """Return the rows of :meth:`to_frame` that :meth:`strongest` names."""
        return self.to_frame().iloc[self.strongest(n, sign=sign)]

    def by(self, groups: np.ndarray) -> pd.DataFrame:
        """Sum the influence over groups of units.

        Parameters
        ----------
        groups : ndarray of shape (n_units,)
            Group of every unit.

        Returns
        -------
        DataFrame
            One row for each group, as :func:`clusterexplain.statistics.groups.group_sums`: n, influence with low and high (95 %
            interval: how much the sum would vary if the group's units were drawn anew), if_removed, and shares.
        """
        return group_sums(self.influence[None], groups, np.array([""])).drop(columns="query")

    def if_removed(self, rows: np.ndarray) -> float:
        """Return the predicted change of the number if these rows are removed together: minus the sum of their influence."""
        return float(-self.influence[rows].sum())

    def to_dict(self) -> list[dict[str, Any]]:
        """Return the rows of :meth:`to_frame` as plain data, the id under "unit"; missing values are None."""
        frame = self.to_frame()
        known = frame.astype(object).where(frame.notna(), None)
        records = known.rename_axis("unit").reset_index().to_dict("records")
        return [{str(name): value for name, value in record.items()} for record in records]
