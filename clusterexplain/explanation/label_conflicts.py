"""Label conflicts: near-duplicates among the training rows with different labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from clusterexplain.data.near_duplicates import COLUMNS, find_label_conflicts
from clusterexplain.fitting.fit import Fit
from clusterexplain.results.tables.shown_columns import parse_show, shown_columns


def label_conflicts(fit: Fit, *, share: float = 0.01, show: str | Sequence[str] | None = None) -> pd.DataFrame:
    """List near-duplicates among the training rows with different labels; see :func:`find_label_conflicts` for the columns.

    Parameters
    ----------
    fit : Fit
        The fit; rows are compared in its scaling, rows of weight 0 are left out.
    share : float, default=0.01
        Two rows are near-duplicates if their distance is among this share of the smallest nearest-neighbour distances.
    show : str or sequence of str, optional
        Columns of the metadata (and "text") that are added for both of a pair, the second behind ``near_duplicate_``.
    """
    data = fit.data
    wanted = parse_show(show, data.metadata, data.text)
    present = np.flatnonzero(fit.weights.numpy() > 0)
    rows = fit.scaling.apply(fit.data.X)[present]
    labels = fit.clustering.labels.numpy()[present]
    pairs = find_label_conflicts(rows, labels, data.ids[present], share=share, execution=fit.execution)
    taken = (*COLUMNS, *(f"near_duplicate_{name}" for name in wanted))
    for prefix, ids in (("", pairs["id"]), ("near_duplicate_", pairs["near_duplicate"])):
        beside = shown_columns(wanted, data.metadata, data.text, data.positions(ids), taken=taken)
        for name, column in beside.items():
            pairs[f"{prefix}{name}"] = column
    return pairs
