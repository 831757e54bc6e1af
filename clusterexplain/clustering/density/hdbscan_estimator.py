"""The estimator of the ``hdbscan`` package: its options, how it is run, and which fitted ones can be taken over."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from clusterexplain.exceptions import InvalidParameterError

DEFAULTS: dict[str, Any] = {
    "min_cluster_size": 5,
    "min_samples": None,
    "cluster_selection_method": "eom",
    "cluster_selection_epsilon": 0.0,
    "allow_single_cluster": False,
}
RARE: dict[str, Any] = {
    "cluster_selection_persistence": 0.0,
    "cluster_selection_epsilon_max": float("inf"),
    "max_cluster_size": 0,
    "match_reference_implementation": False,
    "algorithm": "best",
    "leaf_size": 40,
}
"""Options that are kept of an estimator that the user has fitted, where they are not the package's defaults."""


class FittedHDBSCAN(Protocol):
    """What is read of a fitted ``hdbscan.HDBSCAN``, besides its options."""

    @property
    def labels_(self) -> np.ndarray:
        """Cluster of each row, -1 for noise."""

    @property
    def condensed_tree_(self) -> FittedTree:
        """The condensed tree."""

    @property
    def metric(self) -> str:
        """How distances were measured."""

    @property
    def alpha(self) -> float:
        """What distances were divided by."""

    @property
    def approx_min_span_tree(self) -> bool:
        """Whether the spanning tree may be approximate."""


class FittedTree(Protocol):
    """What is read of ``hdbscan``'s condensed tree."""

    def to_numpy(self) -> np.ndarray:
        """Return the tree as a structured array."""


def run(rows: np.ndarray, options: Mapping[str, Any]) -> FittedHDBSCAN:
    """Fit the package's estimator, exactly unless told otherwise; warnings about its own code are not the user's."""
    chosen = {"approx_min_span_tree": False, **DEFAULTS, **options}
    for name in ("min_cluster_size", "min_samples"):
        chosen[name] = None if chosen[name] is None else int(chosen[name])
    chosen["cluster_selection_epsilon"] = float(chosen["cluster_selection_epsilon"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import hdbscan  # type: ignore[import-untyped]

        model = hdbscan.HDBSCAN(metric="euclidean", core_dist_n_jobs=1, **chosen)
        fitted: FittedHDBSCAN = model.fit(np.ascontiguousarray(rows, dtype=np.float64))
        return fitted


def core_neighbour_position(options: Mapping[str, Any], n_present: int) -> int:
    """Return the position of the core neighbour, as the package decides it."""
    chosen = {**DEFAULTS, **options}
    wanted = chosen["min_cluster_size"] if chosen["min_samples"] is None else chosen["min_samples"]
    wanted = int(wanted) - bool(chosen.get("match_reference_implementation", False))
    return max(min(wanted, n_present - 1), min(1, n_present - 1), 0)


def check_fitted(fitted: FittedHDBSCAN, n_rows: int) -> None:
    """Refuse what the differentiable state would not describe."""
    what = type(fitted).__name__
    try:
        labels, _ = fitted.labels_, fitted.condensed_tree_
    except AttributeError:
        raise InvalidParameterError(
            f"clusterer is a {what} without labels_ and condensed_tree_; expected a fitted hdbscan.HDBSCAN: "
            "call its fit on the embeddings first, or pass its labels instead"
        ) from None
    if len(labels) != n_rows:
        raise InvalidParameterError(
            f"clusterer was fitted to {len(labels)} rows, but there are {n_rows} embeddings; expected one label for "
            "each: fit it on the same rows in the same order"
        )
    metric, power = fitted.metric, getattr(fitted, "p", None)
    if metric not in ("euclidean", "l2") and not (metric == "minkowski" and power == 2):
        raise InvalidParameterError(
            f"clusterer measures distances by metric={metric!r}; expected 'euclidean', the only one whose derivative "
            "is taken: fit it anew with metric='euclidean', or pass its labels instead"
        )
    if fitted.alpha != 1.0:
        raise InvalidParameterError(
            f"clusterer scales distances by alpha={fitted.alpha!r}; expected 1.0: fit it anew with alpha=1.0, or pass "
            "its labels instead"
        )
