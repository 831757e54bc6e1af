"""The placebo of copies: equal examples do the same, and a leak of the row number is found."""

from __future__ import annotations

import numpy as np
import pytest

from clusterexplain import ClusterExplainer
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.verification import verify
from tests.conftest import SMALL

FEW = {"n_single": 4, "n_within": 0, "n_groups": 4, "n_top": 0}


def test_with_full_batches_a_copy_is_the_example(blobs: np.ndarray) -> None:
    full = ClusterExplainer(**SMALL | {"batch_size": 40, "n_steps": 60}, dtype="float64").fit(blobs)
    found = verify(full, full.explain([0, 11]), n_duplicated=6, **FEW).duplicated
    assert found["n"].tolist() == [6, 6]
    np.testing.assert_allclose(found[["spearman", "predicted"]], 1.0)
    assert (found["difference"] < 1e-6).all()
    assert (found["null"] < 1e-9).all()


def test_small_batches_tell_copies_apart(small: ClusterExplainer) -> None:
    check = verify(small, small.explain([0, 11]), n_duplicated=8, **FEW)
    assert (check.duplicated["difference"] > 0.01).all()
    assert (check.duplicated["spearman"] < 1).any()
    assert check.to_dict()["duplicated"] == check.duplicated.to_dict("records")


def test_a_leak_is_found(blobs: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    from clusterexplain.training import BatchPlan

    full = ClusterExplainer(**SMALL | {"batch_size": 40, "n_steps": 60}, dtype="float64").fit(blobs)
    asked = full.explain([0, 11])
    usual = BatchPlan.draw.__func__  # type: ignore[attr-defined]

    def without_the_last(cls: type, n_samples: int, **options: object) -> object:
        return usual(cls, n_samples, **options) if n_samples == 30 else usual(cls, n_samples - 6, **options)

    monkeypatch.setattr(BatchPlan, "draw", classmethod(without_the_last))
    found = verify(full, asked, n_duplicated=6, **FEW).duplicated
    assert (found["difference"] > 0.1).all()


def test_new_rows_and_no_copies_give_no_rows(small: ClusterExplainer) -> None:
    assert verify(small, small.explain(np.zeros((1, 5)) + 0.1), n_duplicated=4, **FEW).duplicated.empty
    assert verify(small, small.explain([0]), **FEW).duplicated.empty


def test_the_count_is_checked(small: ClusterExplainer) -> None:
    with pytest.raises(InvalidParameterError, match="n_duplicated=-1 must be a whole number of at least 0"):
        verify(small, small.explain([3]), n_duplicated=-1)
