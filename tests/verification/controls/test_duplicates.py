"""The placebo of duplicates: equal examples do the same, and a leak of the row number is found."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from clusterexplain import ClusterExplainer
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.models import EmbeddingTask
from clusterexplain.verification import verify
from clusterexplain.verification.controls.refit_with_rows import refit_with_rows, same_margins
from tests.conftest import SMALL

FEW = {"n_single": 4, "n_within": 0, "n_groups": 4, "n_top": 0}


def test_with_full_batches_a_copy_is_the_example(blobs: np.ndarray) -> None:
    full = ClusterExplainer(**SMALL | {"batch_size": 30, "n_steps": 60}, dtype="float64").fit(blobs)
    found = verify(full.explain([0, 11]), n_duplicates=6, **FEW).duplicates
    assert found["n"].tolist() == [6, 6]
    np.testing.assert_allclose(found[["spearman", "spearman_predicted"]], 1.0)
    assert (found["difference"] < 1e-6).all()
    assert (found["null"] < 1e-9).all()


def test_small_batches_tell_duplicates_apart(small: ClusterExplainer) -> None:
    check = verify(small.explain([0, 11]), n_duplicates=8, **FEW)
    assert (check.duplicates["difference"] > 0.01).all()
    assert (check.duplicates["spearman"] < 1).any()
    assert check.to_dict()["duplicates"] == check.duplicates.to_dict("records")


def test_a_leak_is_found(blobs: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    from clusterexplain.training import BatchPlan

    full = ClusterExplainer(**SMALL | {"batch_size": 30, "n_steps": 60}, dtype="float64").fit(blobs)
    asked = full.explain([0, 11])
    usual = BatchPlan.draw.__func__  # type: ignore[attr-defined]

    def without_the_last(cls: type, n_samples: int, **options: object) -> object:
        return usual(cls, n_samples, **options) if n_samples == 30 else usual(cls, n_samples - 6, **options)

    monkeypatch.setattr(BatchPlan, "draw", classmethod(without_the_last))
    found = verify(asked, n_duplicates=6, **FEW).duplicates
    assert (found["difference"] > 0.1).all()


def test_new_rows_and_no_duplicates_give_no_rows(small: ClusterExplainer) -> None:
    assert verify(small.explain(np.zeros((1, 5)) + 0.1), n_duplicates=4, **FEW).duplicates.empty
    assert verify(small.explain([0]), **FEW).duplicates.empty


def test_the_count_is_checked(small: ClusterExplainer) -> None:
    with pytest.raises(InvalidParameterError, match="n_duplicates=-1 must be a whole number of at least 0"):
        verify(small.explain([3]), n_duplicates=-1)


def test_examples_of_other_weights_are_copied_with_them(blobs: np.ndarray) -> None:
    weights = np.where(np.arange(30) < 20, 2.0, 0.0)
    full = ClusterExplainer(**SMALL | {"batch_size": 30, "n_steps": 60}, dtype="float64")
    full.fit(blobs, sample_weight=weights)
    found = verify(full.explain([0, 11]), n_duplicates=6, **FEW).duplicates
    assert found["n"].tolist() == [6, 6]
    assert (found["difference"] < 1e-6).all()


def test_the_method_and_the_pair_are_those_of_the_explanation(small: ClusterExplainer) -> None:
    none = np.empty((0, 5)), np.empty(0, dtype=int), np.empty(0)
    first = small.explain([0])
    third = next(k for k in range(3) if k not in (first.labels[0], first.runner_ups[0]))
    larger = refit_with_rows(small.fit_, small.explain([0], against=third), *none, np.empty(0, dtype=int))
    asked = same_margins(larger, small.explain([0], against=third), np.array([0]))
    assert (int(asked.own[0]), int(asked.runner_up[0])) == (first.labels[0], third)
    two = [verify(one, n_duplicates=8, **FEW).duplicates for one in (first, small.explain([0], against=third))]
    assert two[0]["difference"].iloc[0] != two[1]["difference"].iloc[0]


def test_a_model_that_arrived_trained_drifts_and_still_repeats(blobs: np.ndarray) -> None:
    torch.manual_seed(0)
    task = EmbeddingTask.from_module(torch.nn.Linear(5, 2), decoder=torch.nn.Linear(2, 5))
    pretrained = ClusterExplainer(task, n_clusters=3, batch_size=30, random_state=0).fit(blobs, train=False)
    found = verify(pretrained.explain([0, 11]), n_duplicates=5, **FEW).duplicates
    assert (found["null"] < 1e-5).all()
