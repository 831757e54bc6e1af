"""The fit of a check made again with more rows: what controls that plant or copy examples are trained on."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from sklearn.base import clone

from clusterexplain.answering import Answers
from clusterexplain.data import Dataset
from clusterexplain.explanation import Explanation
from clusterexplain.wording import NOISE


def usable(explainer: Any, explanation: Explanation) -> np.ndarray:
    """Return which queries such a fit can be asked about: training examples in one cluster with another one as rival.

    Parameters
    ----------
    explainer : ClusterExplainer
        Fitted.
    explanation : Explanation
        What is checked.

    Returns
    -------
    ndarray of shape (n_queries,), bool
        None where the clusters are learned by the network itself, so that labels cannot be kept, or scores are combined.
    """
    able = (explanation.positions >= 0) & (explanation.labels != NOISE) & (explanation.rivals != NOISE)
    if explanation.mixed is not None or (isinstance(explainer.clusterer, str) and explainer.clusterer == "dec"):
        able[:] = False
    return np.asarray(able)


def extended_fit(explainer: Any, explanation: Explanation, rows: np.ndarray, labels: np.ndarray) -> Any:
    """Train again with more rows; the labels of the fit are kept, so that nothing but the new rows is new.

    Parameters
    ----------
    explainer : ClusterExplainer
        Fitted.
    explanation : Explanation
        What is checked.
    rows : ndarray of shape (n_new, n_features)
        Appended to the training data, each of weight 1.
    labels : ndarray of shape (n_new,)
        Their clusters.

    Returns
    -------
    ClusterExplainer
        Fitted; the old rows keep their places.
    """
    again = clone(explainer).set_params(
        clusterer=np.concatenate([explanation.train_labels, labels]),
        clusterer_options=None,
        membership_score="auto",
        min_agreement=0.0,  # new rows may stand on the wrong side on purpose
        random_state=explainer.seed_,
        verbose=False,
    )
    data = Dataset(np.vstack([explainer.data_.X, rows]), image_shape=explainer.data_.image_shape)
    weights = np.concatenate([explanation.sample_weight, np.ones(len(rows))])
    arrived = cast(Answers, explanation.basis).pipeline.arrived
    return again.fit(data, sample_weight=weights, train=not arrived)
