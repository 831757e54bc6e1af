"""What retraining changes through the parameters alone, so that no weight in a cluster predicts itself."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris

from clusterexplain import Check, ClusterExplainer
from clusterexplain.results.influence_rows import InfluenceRows
from tests.conftest import SMALL

FEW = {"n_single": 20, "n_within": 0, "n_groups": 6, "n_top": 0}
PARAMETERS = "Without the direct part, so that nothing predicts itself"


@pytest.fixture(scope="module")
def check(small: ClusterExplainer) -> Check:
    return small.verify(small.explain([0, 11]), **FEW)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"clusterer": "gmm"},
        {"clusterer": "spherical_kmeans"},
        {"membership_score": "student_t"},
        {"model": "pca", "n_steps": None, "hidden": None},
        {"model": "dec", "clusterer": "dec"},
    ],
    ids=lambda options: " ".join(str(value) for value in options.values() if value) or "kmeans",
)
def test_parameters_moved_alone_change_scores_by_encoder_and_cluster_part(
    blobs: np.ndarray, options: dict[str, Any]
) -> None:
    """Central differences: trained at other weights, evaluated at those of the fit, labels kept."""
    ce = ClusterExplainer(**{**SMALL, "min_agreement": 0, "dtype": "float64", **options}).fit(blobs)
    fit, e, step = ce.fit_, ce.explain([0, 11, 23]), 1e-4
    base = np.ones(len(blobs))
    through = e.encoder + e.cluster
    for example in (0, 7, 19):
        ends = []
        for sign in (1, -1):
            weights = base.copy()
            weights[example] += sign * step
            theta = fit.thetas(weights)[0]
            ends.append(fit.outcome(theta, base, e.margins, assignments="kept").scores)
        differences = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(through[:, example], differences, rtol=1e-6, atol=1e-6 * np.abs(through).max())


def test_a_check_compares_encoder_and_cluster_part_with_the_same(small: ClusterExplainer, check: Check) -> None:
    fit, e, base = small.fit_, small.explain([0, 11]), np.ones(30)
    parts = e.encoder + e.cluster
    unmoved = fit.outcome(fit.thetas(base)[0], base, e.margins, assignments="kept").scores
    for number, removal in enumerate(check.removals[:8]):
        theta = fit.thetas(removal.weights(base))[0]
        change = fit.outcome(theta, base, e.margins, assignments="kept").scores - unmoved
        found = check.headline.retrained["without_direct"][0, number]
        np.testing.assert_allclose(found, change, rtol=1e-7, atol=1e-10)
        predicted = check.headline.predicted["without_direct"][number]
        np.testing.assert_allclose(predicted, -parts[:, removal.members].sum(axis=1), rtol=1e-9)
    row = check.table[(check.table["query"] == 11) & (check.table["retraining"] == 3)].iloc[0]
    assert row["without_direct"] == check.headline.retrained["without_direct"][0, 3, 1]
    assert row["predicted_without_direct"] == check.headline.predicted["without_direct"][3, 1]


def test_the_agreement_without_the_direct_part_is_said(check: Check) -> None:
    value = check.figure("single", "kept", "without_direct")
    assert value > 0.9
    assert check.figure("single", "continued", "without_direct") == value
    low, high = (check.figure("single", "kept", f"without_direct_{end}") for end in ("low", "high"))
    assert low <= value <= high
    assert f"{PARAMETERS} (parameters retrained, weights in clusters and labels kept): single removals {value:.3f}" in (
        check.verdict
    )
    assert check.explanation.check is not None
    assert check.explanation.check.together.figures["single_without_direct"] == value
    assert check.explanation.to_dict()["checked"]["group_without_direct"] == check.figure(
        "group", "kept", "without_direct"
    )
    assert "without_direct" in repr(check)
    assert "without_direct" in check.to_dict()["summary"][0]


def test_a_right_direct_part_does_not_hide_that_the_rest_is_wrong(small: ClusterExplainer, check: Check) -> None:
    """Seen to matter: the strongest influences of a pretrained network were direct to 97 %, and the agreement said nothing."""
    e = small.explain([0, 11])
    order = np.random.default_rng(1).permutation(30)
    rows = InfluenceRows(e.encoder[:, order] / 100, e.cluster[:, order] / 100, e.direct)
    wrong = small.verify(dataclasses.replace(e, rows=rows), **FEW)
    assert wrong.figure("single", "kept") > 0.4
    assert abs(wrong.figure("single", "kept", "without_direct")) < 0.3
    assert check.figure("single", "kept", "without_direct") > 0.9


def test_of_an_embedding_that_is_given_there_is_nothing_but_the_direct_part() -> None:
    ce = ClusterExplainer("precomputed", n_clusters=3, random_state=0).fit(load_iris().data)
    check = ce.verify(ce.explain([60, 123]), **FEW)
    assert not check.headline.retrained["without_direct"].any()
    assert np.isnan(check.figure("single", "kept", "without_direct"))
    assert "The embedding is held fixed, so there is nothing but the direct part" in check.verdict
    assert PARAMETERS not in check.verdict
    assert check.to_dict()["summary"][0]["without_direct"] is None
