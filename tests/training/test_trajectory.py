"""Recorded trainings and retrainings: the same bytes again, weight 0 is absence, memory within its budget."""

import numpy as np
import pytest
import torch

from clusterexplain import ClusterExplainer
from clusterexplain.exceptions import MemoryBudgetError, TrainingDivergedError
from clusterexplain.execution import Execution
from clusterexplain.training import retrain_many
from clusterexplain.training.trajectory import checkpoint_spacing, subsample, train
from tests.conftest import SMALL


def _recipe(explainer: ClusterExplainer):
    return explainer.fit_.recipe


def test_same_recipe_same_bytes(small: ClusterExplainer) -> None:
    weights = torch.ones(30, dtype=torch.float64)
    once, again = (train(_recipe(small), weights, spacing=1).final for _ in range(2))
    assert torch.equal(once, again)
    assert torch.equal(once, small.fit_.trajectory.final)


def test_replicas_equal_separate_trainings(small: ClusterExplainer) -> None:
    weights = torch.rand(7, 30, generator=torch.Generator().manual_seed(0), dtype=torch.float64).round(decimals=1)
    together = retrain_many(_recipe(small), weights)
    alone = torch.stack([train(_recipe(small), row, spacing=1).final for row in weights])
    torch.testing.assert_close(together, alone, rtol=1e-10, atol=1e-12)


def test_replicas_do_not_depend_on_workers(small: ClusterExplainer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clusterexplain.training.retraining.retraining_chunk", lambda recipe, n: 2)
    weights = torch.ones(5, 30, dtype=torch.float64).tril(25)
    assert torch.equal(*(retrain_many(_recipe(small), weights, execution=Execution(n_jobs=jobs)) for jobs in (1, 2)))


def test_weight_zero_is_absence_whatever_the_row_holds(blobs: np.ndarray) -> None:
    changed = blobs.copy()
    changed[4] += 50.0
    weights = np.ones(30)
    weights[4] = 0
    finals = [
        ClusterExplainer(**SMALL, dtype="float64", scaling=None).fit(X, sample_weight=weights).fit_.trajectory.final
        for X in (blobs / 5, changed / 5)
    ]
    assert torch.equal(*finals)


def test_a_tight_budget_spaces_checkpoints_and_keeps_the_rows(small: ClusterExplainer, blobs: np.ndarray) -> None:
    recipe = _recipe(small)
    full = recipe.plan.n_steps * 3 * recipe.layout.size * 8
    assert checkpoint_spacing(recipe, Execution(max_memory=full)) == 1
    tight = ClusterExplainer(**SMALL, dtype="float64", max_memory=0.5 * full).fit(blobs)
    assert tight.fit_.trajectory.spacing > 1
    np.testing.assert_array_equal(tight.explain([3]).influence, small.explain([3]).influence)


def test_an_impossible_budget_is_refused(blobs: np.ndarray) -> None:
    with pytest.raises(MemoryBudgetError, match=r"needs at least .* MB, but max_memory.*Raise max_memory"):
        ClusterExplainer(**SMALL, max_memory=1000).fit(blobs)


def test_thinned_run_gives_the_same_rows(small: ClusterExplainer) -> None:
    trajectory = small.fit_.trajectory
    thin = subsample(trajectory)
    assert len(thin.checkpoints) < len(trajectory.checkpoints) / 4
    assert thin.replay_error() == 0
    steps = [
        step for start, states in thin.segments_reversed() for step in range(start + len(states) - 1, start - 1, -1)
    ]
    assert steps == list(reversed(range(trajectory.recipe.plan.n_steps)))


def test_divergence_is_an_error_that_names_the_learning_rate(blobs: np.ndarray) -> None:
    with pytest.raises(TrainingDivergedError, match=r"diverged.*learning rate.*Lower learning_rate"):
        ClusterExplainer(**SMALL, scaling=None, weight_decay=1e30, learning_rate=1e30).fit(blobs)
