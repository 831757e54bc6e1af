"""ClusterExplainer keeps scikit-learn's contract; every exception is listed with its reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from clusterexplain import ClusterExplainer
from tests.conftest import SMALL

EXPECTED_FAILURES = {
    f"check_sample_weight_equivalence_on_{kind}_data": (
        "weight 0 keeps the example's slot in the batch plan, by design: deleting rows would re-batch all others"
    )
    for kind in ("dense", "sparse")
}


def _expected(estimator: Any) -> dict[str, str]:
    return EXPECTED_FAILURES


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [ClusterExplainer(n_clusters=2, latent_dim=2, hidden=(4,), n_steps=10, batch_size=8, n_jobs=1)],
    expected_failed_checks=_expected,
)
def test_check_estimator(estimator: Any, check: Any) -> None:
    check(estimator)


def test_fit_returns_self_and_sets_the_attributes(blobs: np.ndarray) -> None:
    ce = ClusterExplainer(**SMALL)
    assert ce.fit(blobs) is ce
    assert ce.labels_.shape == (30,)
    assert ce.embedding_.shape == (30, 2)
    assert ce.cluster_centers_.shape == (3, 2)
    assert ce.n_features_in_ == 5
    assert np.bincount(ce.labels_).tolist() == sorted(np.bincount(ce.labels_), reverse=True)
    np.testing.assert_array_equal(ce.predict(blobs), ce.labels_)
    np.testing.assert_allclose(ce.membership(blobs).sum(axis=1), 1)
    np.testing.assert_array_equal(ce.membership(blobs).argmax(axis=1), ce.labels_)


def test_names_pandas_output_and_pipeline(blobs: np.ndarray) -> None:
    frame = pd.DataFrame(blobs, columns=list("abcde"))
    ce = ClusterExplainer(**SMALL).set_output(transform="pandas").fit(frame)
    assert list(ce.transform(frame).columns) == ["clusterexplainer0", "clusterexplainer1"]
    assert list(ce.get_feature_names_out()) == ["clusterexplainer0", "clusterexplainer1"]
    labels = make_pipeline(StandardScaler(), clone(ce)).fit_predict(frame)
    assert labels.shape == (30,)


def test_same_seed_same_bytes(blobs: np.ndarray, small: ClusterExplainer) -> None:
    again = clone(small).fit(blobs)
    assert again.embedding_.tobytes() == small.embedding_.tobytes()
    assert again.explain([0, 7]).influence.tobytes() == small.explain([0, 7]).influence.tobytes()


def test_looking_at_an_estimator_and_an_answer_computes_no_map(blobs: np.ndarray) -> None:
    ce = ClusterExplainer("precomputed", n_clusters=3).fit(blobs)
    e = ce.explain([0])
    for looked_at in (ce, e, e.plot):
        for name in dir(looked_at):
            getattr(looked_at, name, None)
    ce._repr_html_()
    repr(ce)
    e._repr_mimebundle_()
    assert ce.fit_.annotations.map_coordinates is None
    assert ce.map().shape == (len(blobs), 2)
    assert ce.fit_.annotations.map_coordinates is not None
