"""The batch plan: full batches, no repeats, keys that depend on the (step, example) pair alone."""

import torch

from clusterexplain.training import BatchPlan


def test_batches_are_full_and_without_repeats() -> None:
    plan = BatchPlan.draw(10, n_steps=7, batch_size=4, seed=3)
    assert plan.indices.shape == (7, 4)
    assert all(len(set(batch.tolist())) == 4 for batch in plan.indices)
    first_epoch = plan.indices[:2].flatten().tolist()
    assert len(set(first_epoch)) == 8


def test_batch_size_above_n_means_full_batches() -> None:
    plan = BatchPlan.draw(5, n_steps=2, batch_size=64, seed=0)
    assert plan.indices.sort().values.tolist() == [[0, 1, 2, 3, 4]] * 2


def test_same_seed_same_plan_other_seed_other_plan() -> None:
    one, same, other = (BatchPlan.draw(20, n_steps=5, batch_size=4, seed=seed).indices for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_key_belongs_to_the_step_and_the_example_not_to_its_neighbours() -> None:
    plan = BatchPlan(torch.tensor([[0, 1, 2], [2, 3, 0]]), seed=5)
    other = BatchPlan(torch.tensor([[2, 7, 9], [4, 5, 6]]), seed=5)
    assert plan.keys(0)[2] == other.keys(0)[0]
    assert plan.keys(0)[0] != plan.keys(1)[2]
    assert len(set(plan.keys(0).tolist() + plan.keys(1).tolist())) == 6
