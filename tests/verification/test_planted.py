"""The positive control finds what was planted, and nothing where nothing can be planted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from clusterexplain import ClusterExplainer
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.verification import verify
from clusterexplain.verification.planted import planted
from tests.conftest import SMALL

FEW = {"n_single": 4, "n_within": 0, "n_groups": 4, "n_top": 0}


@pytest.fixture(scope="module")
def several() -> ClusterExplainer:
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(centre, 1.0, (40, 5)) for centre in (0.0, 3.0, 6.0)])
    return ClusterExplainer(**SMALL | {"n_steps": 80}).fit(X)


def test_planted_copies_are_found(several: ClusterExplainer) -> None:
    check = verify(several, several.explain([3, 30, 62, 85, 111]), n_planted=4, **FEW)
    found = check.planted
    assert found["position"].tolist() == [0, 1, 2, 3]
    assert found["planted"].tolist() == [2] * 4
    assert found["found_wide"].mean() > 5 * found["chance_wide"].mean()
    assert check.to_dict()["planted"] == found.to_dict("records")


def test_the_control_can_fail(several: ClusterExplainer, monkeypatch: pytest.MonkeyPatch) -> None:
    e = several.explain([3, 30])
    usual = ClusterExplainer.explain

    def reversed_sign(self: ClusterExplainer, *arguments: object, **options: object) -> object:
        answer = usual(self, *arguments, **options)
        parts = {name: -getattr(answer, name) for name in ("encoder", "cluster", "direct")}
        return dataclasses.replace(answer, **parts)

    monkeypatch.setattr(ClusterExplainer, "explain", reversed_sign)
    assert (planted(several, e, 2, seed=0)["found_wide"] == 0).all()


def test_new_rows_have_no_copies(several: ClusterExplainer) -> None:
    e = several.explain(np.zeros((1, 5)) + 0.1)
    assert verify(several, e, n_planted=1, **FEW).planted.empty


def test_the_count_is_checked(several: ClusterExplainer) -> None:
    with pytest.raises(InvalidParameterError, match="n_planted=-1 must be a whole number of at least 0"):
        verify(several, several.explain([3]), n_planted=-1)
