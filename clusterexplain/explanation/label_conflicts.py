"""Near-duplicate training rows with different labels."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clusterexplain.data.near_duplicates import find_label_conflicts
from clusterexplain.fitting.fit import Fit


def label_conflicts(fit: Fit, *, share: float = 0.01) -> pd.DataFrame:
    """List near-duplicate training rows with different labels; see :func:`find_label_conflicts` for the columns.

    Parameters
    ----------
    fit : Fit
        The fit; rows are compared in its scaling, rows of weight 0 are left out.
    share : float, default=0.01
        A pair is near-identical if its distance is among this share of the smallest nearest-neighbour distances.
    """
    present = np.flatnonzero(fit.weights.numpy() > 0)
    rows = fit.scaling.apply(fit.data.X)[present]
    labels = fit.clustering.labels.numpy()[present]
    return find_label_conflicts(rows, labels, fit.data.ids[present], share=share, execution=fit.execution)
