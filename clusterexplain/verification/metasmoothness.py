"""Metasmoothness: does the derivative predict a small change of one weight?"""

from __future__ import annotations

import numpy as np

from clusterexplain.data.selection import select_samples
from clusterexplain.explanation.explain import explain
from clusterexplain.fitting.fit import Fit
from clusterexplain.results.removals import DOWN_WEIGHT
from clusterexplain.results.smoothness import Smoothness
from clusterexplain.verification.verify import verify

N_QUERIES, N_WEIGHTS = 8, 24
"""Random samples whose margins are differentiated, and random examples whose weight is lowered."""


def measure_smoothness(fit: Fit) -> Smoothness:
    """Measure the smoothness of a fitted recipe on random queries and examples.

    Parameters
    ----------
    fit : Fit
        The fit.

    Returns
    -------
    Smoothness
        The measurement.

    References
    ----------
    L. Engstrom, A. Ilyas, B. Chen, A. Feldmann, W. Moses, A. Madry. Optimizing ML training with metagradient descent. 2025.
    """
    n = len(fit.data)
    mask = np.zeros(n, dtype=bool)
    mask[np.random.default_rng(0).permutation(n)[:N_QUERIES]] = True
    explanation = explain(fit, select_samples(mask, fit.data))
    check = verify(explanation, n_single=0, n_within=0, n_groups=0, n_top=0, n_down=N_WEIGHTS)
    spearman, low, high, slope = (
        check.figure(DOWN_WEIGHT, "kept", name) for name in ("spearman", "low", "high", "slope")
    )
    return Smoothness(spearman, low, high, slope, int(mask.sum()), check.table["retraining"].nunique())
