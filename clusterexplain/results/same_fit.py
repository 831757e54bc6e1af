"""Does an explanation belong to a fit? Refused in words where it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clusterexplain.exceptions import InvalidParameterError

if TYPE_CHECKING:
    from clusterexplain.fitting.fit import Fit
    from clusterexplain.results.explanation import Explanation


def check_same_fit(explanation: Explanation, fit: Fit) -> None:
    """Refuse a fit to other data, or by another recipe; a refit at other weights is the same."""
    if explanation.fit.key != fit.key:
        raise InvalidParameterError(
            "The explanation belongs to other training data or to another recipe. Expected the estimator that made it, or "
            "a refit of it."
        )


def check_same_weights(explanation: Explanation, fit: Fit) -> None:
    """Refuse a fit at other data weights."""
    if not np.array_equal(explanation.sample_weight, fit.weights.numpy()):
        raise InvalidParameterError(
            "The explanation was made at other sample weights. Expected the estimator that made it, fitted as it was then, "
            "and not a refit of it; explain again to ask this fit."
        )
