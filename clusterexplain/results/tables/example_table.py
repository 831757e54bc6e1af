"""Tables of training examples: their influence on one query, what is known beside it, and the groups that they are in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.results.tables.shown_columns import parse_show, shown_columns

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from pandas.api.extensions import ExtensionArray

    from clusterexplain.results.explanation import Explanation

COLUMNS = (
    "query", "side", "id", "cluster", "influence", "if_removed", "if_removed_percent", "encoder", "cluster_part", "direct",
    "standard_error", "seed_stable",
)  # fmt: skip
"""What tables of influences hold."""
LEAST_MARGIN = 0.1
"""Least size of a margin, as a share of the largest influence on it, of which changes are given as percentages."""


def example_table(
    explanation: Explanation, query: int, picked: ArrayLike, side: str, show: str | Sequence[str] | None
) -> pd.DataFrame:
    """Return the influence of some training examples on one query, one row for each.

    Parameters
    ----------
    explanation : Explanation
        Whose numbers.
    query : int
        Position of the query.
    picked : array-like of shape (n_rows,), int
        Row numbers of the training examples.
    side : str
        Written into the column side.
    show : str, sequence of str or None
        Columns of the metadata to show beside every example; None for those that the explanation was asked to show.

    Returns
    -------
    DataFrame
        See :meth:`Explanation.top`. ``if_removed`` is minus the influence, the predicted change of the margin.
    """
    picked = np.asarray(picked, dtype=np.intp)
    influence, variability = explanation.influence[query, picked], explanation.seed_variability
    size = abs(explanation.scores[query])
    whole = size > LEAST_MARGIN * np.abs(explanation.influence[query]).max(
        initial=0.0
    )  # something to be a percentage of
    sure = {}
    if variability is not None:
        names = {"standard_error": variability.standard_error, "seed_stable": variability.stable}
        sure = {name: values[query, picked] for name, values in names.items()}
    return pd.DataFrame(
        {
            "side": side,
            "id": explanation.train_ids[picked],
            "cluster": explanation.train_labels[picked],
            "influence": influence,
            "if_removed": -influence,
            "if_removed_percent": -100 * influence / size if whole else np.full(len(picked), np.nan),
            "encoder": explanation.encoder[query, picked],
            "cluster_part": explanation.cluster[query, picked],
            "direct": explanation.direct[query, picked],
            **sure,
            **columns_beside(explanation, picked, show),
        }
    )


def columns_beside(
    explanation: Explanation, picked: np.ndarray, show: str | Sequence[str] | None
) -> dict[str, ExtensionArray]:
    """Return what is shown beside training examples of row numbers `picked`, by the name of its column."""
    text = explanation.fit.data.text
    wanted = explanation.show if show is None else parse_show(show, explanation.metadata, text)
    return shown_columns(wanted, explanation.metadata, text, picked, taken=COLUMNS)


def groups_of(explanation: Explanation, group: str | np.ndarray | pd.Series) -> np.ndarray:
    """Return the group of every training example, shape (n_train,): a column by name, the clusters, or one name for each."""
    if isinstance(group, str):
        if group == "cluster":
            return explanation.train_labels
        columns = [] if explanation.metadata is None else [str(name) for name in explanation.metadata.columns]
        if group not in columns:
            known = ", ".join(["cluster", *columns])
            raise InvalidParameterError(
                f"There is no metadata column {group!r}. Expected one of: {known}. Pass Dataset(metadata=...) to fit, or "
                f"one group name for each training example."
            )
        assert explanation.metadata is not None
        return explanation.metadata[group].to_numpy()
    names = np.asarray(explanation.fit.data.in_order(group, "group"))
    if names.shape != explanation.train_ids.shape:
        raise InvalidParameterError(
            f"group has shape {names.shape}, expected ({len(explanation.train_ids)},): one name for each training example."
        )
    return names
