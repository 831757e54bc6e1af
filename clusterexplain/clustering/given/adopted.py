"""Estimators that a user has fitted: whether their algorithm leaves their labels as they are in this embedding."""

from __future__ import annotations

from typing import Any

from clusterexplain.clustering.base import Clustering, ClusterInputs
from clusterexplain.clustering.given.given_labels import GivenLabels
from clusterexplain.exceptions import AdoptedClustersWarning, warn


def repeatable(adopted: Clustering[Any], inputs: ClusterInputs) -> Clustering[Any]:
    """Return what was adopted if its algorithm leaves the labels as they are, so that it can find them at other weights.

    Otherwise a refit at the same weights would be another fit, and the labels are kept instead, which is warned about.

    Parameters
    ----------
    adopted : Clustering
        With the labels of the fitted estimator.
    inputs : ClusterInputs
        Embeddings and weights of the fit.

    Returns
    -------
    Clustering
        The same, or :class:`GivenLabels`.
    """
    present = inputs.weights > 0
    moved = int((adopted.update_continued(inputs).labels != adopted.labels)[present].sum())
    if not moved:
        return adopted
    warn(
        f"{adopted.name!r} run again in this embedding gives {moved} of {len(present)} rows another label than the fitted "
        f"estimator, so the labels are kept in every retraining. Expected an estimator that was fitted to this embedding with "
        f"these sample weights, to convergence: fit it to transform(X), or pass clusterer={adopted.name!r}.",
        AdoptedClustersWarning,
    )
    return GivenLabels(adopted.labels, adopted.n_clusters)
