"""The positive control finds what was planted, and nothing where nothing can be planted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from clusterexplain import ClusterExplainer
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.fitting.fit import Fit
from clusterexplain.influence import TrainingJacobian
from clusterexplain.results.influence_rows import InfluenceRows
from clusterexplain.results.margins import Margins
from clusterexplain.verification import verify
from clusterexplain.verification.controls import planted_duplicates
from clusterexplain.verification.controls.refit_with_rows import refit_with_rows
from clusterexplain.verification.verdicts import planted_clause
from tests.conftest import SMALL

FEW = {"n_single": 4, "n_within": 0, "n_groups": 4, "n_top": 0}


@pytest.fixture(scope="module")
def several() -> ClusterExplainer:
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(centre, 1.0, (40, 5)) for centre in (0.0, 3.0, 6.0)])
    return ClusterExplainer(**SMALL | {"n_steps": 80}).fit(X)


def test_planted_near_duplicates_are_found(several: ClusterExplainer) -> None:
    check = verify(several.explain([3, 30, 62, 85, 111]), n_planted=4, **FEW)
    found = check.planted_duplicates
    assert found["position"].tolist() == [0, 1, 2, 3]
    assert found["planted"].tolist() == [2] * 4
    assert found["found_wide"].mean() > 5 * found["chance_wide"].mean()
    assert check.to_dict()["planted_duplicates"] == found.to_dict("records")


def test_the_control_can_fail(several: ClusterExplainer, monkeypatch: pytest.MonkeyPatch) -> None:
    e = several.explain([3, 30])
    usual = planted_duplicates.influence_rows

    def reversed_sign(fit: Fit, margins: Margins, jacobian: TrainingJacobian) -> InfluenceRows:
        rows = usual(fit, margins, jacobian)
        return InfluenceRows(-rows.encoder, -rows.cluster, -rows.direct)

    monkeypatch.setattr(planted_duplicates, "influence_rows", reversed_sign)
    assert (planted_duplicates.planted_duplicates(several.fit_, e, 2, seed=0)["found_wide"] == 0).all()


def test_new_rows_have_no_planted_near_duplicates(several: ClusterExplainer) -> None:
    e = several.explain(np.zeros((1, 5)) + 0.1)
    assert verify(e, n_planted=1, **FEW).planted_duplicates.empty


def test_the_count_is_checked(several: ClusterExplainer) -> None:
    with pytest.raises(InvalidParameterError, match="n_planted=-1 must be a whole number of at least 0"):
        verify(several.explain([3]), n_planted=-1)


def test_the_sentences_name_what_was_found(several: ClusterExplainer) -> None:
    check = verify(several.explain([3, 30]), n_planted=1, **FEW)
    stored = check.explanation.check
    assert stored is not None
    found = check.planted_duplicates["found_wide"].iloc[0]
    assert (
        f"Of near-duplicates that were planted in the other cluster of the pair, {found:.0%} are among the 5%"
        in check.verdict
    )
    assert "near-duplicates" in stored.each[0].sentence
    assert "near-duplicates" not in stored.each[1].sentence
    short = planted_clause(check.planted_duplicates.assign(found_wide=0.5))
    assert "50% are among the 5% that push most (by chance 5%): fewer than the 90%" in short


def test_nothing_but_the_new_rows_is_new(several: ClusterExplainer) -> None:
    e = several.explain([3])
    before = several.fit_.recipe
    none = (np.empty(0, dtype=int),)
    again = refit_with_rows(several.fit_, e, several.data_.X[:0], *none, np.empty(0), none[0]).trajectory
    assert torch.equal(again.recipe.layout.join(again.recipe.initial), before.layout.join(before.initial))
    assert torch.equal(again.recipe.inputs, before.inputs)
    assert torch.equal(again.recipe.plan.indices, before.plan.indices)
    assert torch.equal(again.recipe.layout.join(again.params), before.layout.join(several.fit_.trajectory.params))
