"""The answer: how much every unit of text raises or lowers a score of the word vectors."""

from __future__ import annotations

import html
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from clusterexplain.exceptions import InvalidParameterError, UnknownSampleError
from clusterexplain.results.tables.influence_table import InfluenceTable
from clusterexplain.results.text.names import terminal_safe

CAUTION = "These are associations in a corpus, not statements about people."
SHOWN = 5
"""Units on each side of a printed answer."""
EXCERPT = 100
"""Characters of a unit's text in tables."""


@dataclass(frozen=True, eq=False, repr=False)
class UnitInfluence:
    """Influence of every unit of a corpus on one score.

    Attributes
    ----------
    name : str
        What was asked.
    value : float
        The score of the trained vectors.
    p_value : float
        Of the permutation test; NaN for a score that is no WEAT.
    table : InfluenceTable
        Derivative of the score in the weight of every unit, through the whole training, and what is known of the units. Its
        further columns are word_share, the largest share of the uses of one of the words that the unit holds (where it is
        large, removal is no small change, and the prediction, which is linear, is rough), and word, which word that is.
    gradient_dot : ndarray of shape (n_units,)
        A cheap baseline: the gradient of the unit's loss times that of the score, at the trained vectors.
    words : tuple of str
        Words that the score was made of.
    missing, concentrated : tuple of str
        Words of the score that were left out: too rare, or used by one document too much.
    fit_key : str
        Names the fit.
    """

    name: str
    value: float
    p_value: float
    table: InfluenceTable
    gradient_dot: np.ndarray
    words: tuple[str, ...]
    missing: tuple[str, ...]
    concentrated: tuple[str, ...]
    fit_key: str

    def __len__(self) -> int:
        """Return the number of units."""
        return len(self.table)

    @property
    def influence(self) -> np.ndarray:
        """Derivative of the score in the weight of every unit, shape (n_units,); see the table."""
        return self.table.influence

    @property
    def units(self) -> pd.DataFrame:
        """What is known of the units, one row for each."""
        return self.table.units

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each unit: influence, if_removed, word_share, word, and what is known of the unit."""
        frame = self.table.to_frame()
        return frame.assign(text=[_excerpt(text) for text in frame["text"]])

    def top(self, n: int = 10, direction: str = "raises") -> pd.DataFrame:
        """List the units that raise or lower the score most.

        Parameters
        ----------
        n : int, default=10
            Largest number of units.
        direction : {"raises", "lowers"}, default="raises"
            Which side.

        Returns
        -------
        DataFrame
            Rows of :meth:`to_frame`, strongest first.
        """
        if direction not in ("raises", "lowers"):
            raise InvalidParameterError(f"direction={direction!r} is unknown. Expected 'raises' or 'lowers'.")
        return self.to_frame().iloc[self.table.strongest(n, sign=1 if direction == "raises" else -1)]

    def by(self, column: str) -> pd.DataFrame:
        """Sum the influence over units that share a value.

        Parameters
        ----------
        column : str
            What is known of the units: "decade", "party", "document".

        Returns
        -------
        DataFrame
            One row for each group, as :func:`clusterexplain.statistics.groups.group_sums`: n, influence with low and high (how
            much the sum would vary if the group's units were drawn again), if_removed, and shares.
        """
        if column not in self.units:
            named = ", ".join(str(name) for name in self.units.columns if name not in ("text", "n_words"))
            raise InvalidParameterError(f"{column!r} is not known of the units. Expected one of {named}.")
        return self.table.by(self.units[column].to_numpy(dtype=object))

    def rows(self, units: list[str]) -> np.ndarray:
        """Return the row numbers of units by their ids.

        Raises
        ------
        UnknownSampleError
            If there is none of an id.
        """
        rows: np.ndarray = self.units.index.get_indexer(pd.Index(units))
        if (rows < 0).any():
            unknown = next(unit for unit, row in zip(units, rows, strict=True) if row < 0)
            raise UnknownSampleError(f"There is no unit {unknown}. Expected an id such as {self.units.index[0]!r}.")
        return rows

    def if_removed(self, units: list[str]) -> float:
        """Return the predicted change of the score if units are removed together: minus the sum of their influence."""
        return self.table.if_removed(self.rows(units))

    def strongest(self, n: int, weight: float, towards: str) -> np.ndarray:
        """Return the rows of the units whose re-weighting is predicted to move the score most.

        Parameters
        ----------
        n : int
            How many.
        weight : float
            Their new weight: 0 removes them, 2 counts them twice.
        towards : {"lower", "higher"}
            Where the score is to go.

        Returns
        -------
        ndarray of shape (n,)
            Row numbers, strongest first.
        """
        if towards not in ("lower", "higher"):
            raise InvalidParameterError(f"towards={towards!r} is unknown. Expected 'lower' or 'higher'.")
        if weight == 1:
            raise InvalidParameterError(f"weight={weight:g} changes nothing. Expected 0 to remove, or above 1 to add.")
        return strongest(self.influence, n, weight, towards)

    @property
    def sentence(self) -> str:
        """The score in a sentence."""
        text = f"{self.name}: {self.value:+.3f}"
        if np.isfinite(self.p_value):
            text += f" (permutation p = {self.p_value:.3f})"
        for words, reason in ((self.missing, "too rare"), (self.concentrated, "used mostly by one document")):
            text += f"; left out as {reason}: {', '.join(words)}" if words else ""
        return text

    def __repr__(self) -> str:
        """Return the score and the units on both ends."""
        lines = [terminal_safe(f"{self.sentence}. If removed, the score is predicted to change by:")]
        for direction in ("raises", "lowers"):
            for unit, row in self.top(SHOWN, direction).iterrows():
                lines.append(terminal_safe(f"  {row['if_removed']:+.4f}  {unit}: {row['text']}"))
        return "\n".join([*lines, CAUTION])

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as plain data, without the texts."""
        table = replace(self.table, units=self.units.drop(columns="text"))
        return {
            "sentence": self.sentence,
            "caution": CAUTION,
            "score": self.value,
            "p_value": self.p_value if np.isfinite(self.p_value) else None,
            "words": list(self.words),
            "units": table.to_dict(),
        }


def _excerpt(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT else line[: EXCERPT - 3] + "..."


def strongest(influence: np.ndarray, n: int, weight: float, towards: str) -> np.ndarray:
    """Return the rows whose re-weighting is predicted to move the score most."""
    gain = (weight - 1) * influence * (1 if towards == "higher" else -1)
    return np.argsort(-gain, kind="stable")[:n]


def largest_shares(uses: np.ndarray, words: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return for every unit the largest share of the uses of one of the words that it holds, and which word that is."""
    if not uses.shape[1]:
        return np.zeros(len(uses)), np.full(len(uses), "", dtype=object)
    shares = uses / np.maximum(uses.sum(axis=0), 1e-30)
    largest = shares.argmax(axis=1)
    names = np.array(list(dict.fromkeys(words)), dtype=object)[largest]
    held = shares[np.arange(len(shares)), largest]
    return held, np.where(held > 0, names, "")
