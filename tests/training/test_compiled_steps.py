"""Compiled steps: shared where the signature is equal, no part of a recipe, and the same as functions that are not traced."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

import clusterexplain
from clusterexplain.influence import Unrolled
from clusterexplain.training import BatchPlan, CompiledSteps, Recipe, retrain_many
from clusterexplain.training.tracing import SHARED, TraceStore
from clusterexplain.training.trajectory import train
from tests.influence.test_unrolled_stages import cotangents_of, recipe_of, weights_of
from tests.oracles.dense_training import error

WEIGHTS = weights_of("unequal")


def fresh(task: str) -> Recipe:
    """Return a recipe with an empty store."""
    return replace(recipe_of(task), traces=TraceStore())


def traced_after(recipe: Recipe) -> int:
    """Train once and return how many traces the recipe's store holds then."""
    train(recipe, WEIGHTS, spacing=1)
    return len(recipe.traces)


def test_recipes_that_differ_in_seed_start_or_rate_share_their_steps() -> None:
    recipe = fresh("autoencoder")
    assert traced_after(recipe) == 1
    plan = BatchPlan.draw(recipe.n_samples, n_steps=4, batch_size=recipe.plan.batch_size, seed=8)
    start = {name: value + 0.1 for name, value in recipe.initial.items()}
    schedule = replace(recipe.optimizer, learning_rate=0.01, n_steps=4, shape="linear", warmup=0.0)
    assert traced_after(replace(recipe, plan=plan, initial=start, optimizer=schedule)) == 1


def test_what_a_trace_depends_on_is_part_of_its_signature() -> None:
    recipe = fresh("autoencoder")
    traced_after(recipe)
    other_rule = replace(recipe, optimizer=replace(recipe.optimizer, betas=(0.8, 0.9)))
    assert traced_after(other_rule) == 2
    smaller = BatchPlan.draw(recipe.n_samples, n_steps=3, batch_size=3, seed=0)
    assert traced_after(replace(recipe, plan=smaller)) == 3
    for one in (other_rule, replace(recipe, plan=smaller)):
        alone = train(replace(one, traces=TraceStore()), WEIGHTS, spacing=1).final
        assert torch.equal(train(one, WEIGHTS, spacing=1).final, alone)


def test_models_of_this_package_are_told_apart_by_value_and_others_by_identity() -> None:
    recipe = fresh("autoencoder")
    traced_after(recipe)
    equal = type(recipe.task)(5, hidden=(), latent_dim=2)
    assert traced_after(replace(recipe, task=equal)) == 1
    wider = type(recipe.task)(5, hidden=(), latent_dim=2, activation="tanh")
    assert traced_after(replace(recipe, task=wider)) == 2

    class Own(type(recipe.task)):  # type: ignore[misc]
        """A model of a user's: its code may depend on anything."""

    for traces in (3, 4):
        assert traced_after(replace(recipe, task=Own(5, hidden=(), latent_dim=2))) == traces


def test_another_choice_of_a_stage_is_another_trace() -> None:
    recipe = fresh("dec from scratch")
    before = traced_after(recipe)
    assert (
        traced_after(replace(recipe, choices=tuple(part.clone() for part in recipe.choices if part is not None)))
        == before
    )
    moved = replace(recipe, choices=tuple((part + 1) % 3 for part in recipe.choices if part is not None))
    assert traced_after(moved) == before + 1
    alone = train(replace(moved, traces=TraceStore()), WEIGHTS, spacing=1).final
    assert torch.equal(train(moved, WEIGHTS, spacing=1).final, alone)


def test_a_recipe_is_plain_data() -> None:
    recipe = recipe_of("autoencoder")
    trained = train(recipe, WEIGHTS, spacing=1).final
    again = pickle.loads(pickle.dumps(recipe))  # in memory: the package itself never unpickles
    assert len(again.traces) == 0
    assert torch.equal(train(again, WEIGHTS, spacing=1).final, trained)


@pytest.mark.parametrize("task", ["autoencoder", "dec from scratch"])
def test_traced_and_untraced_functions_agree(task: str) -> None:
    recipe = recipe_of(task)
    plain = replace(recipe, traces=TraceStore(trace=False))
    many = torch.stack([WEIGHTS, weights_of("equal")])
    assert error(retrain_many(plain, many), retrain_many(recipe, many)) <= 1e-12
    traced, untraced = train(recipe, WEIGHTS, spacing=1), train(plain, WEIGHTS, spacing=4)
    assert error(untraced.final, traced.final) <= 1e-12
    assert error(Unrolled(untraced).vjp(cotangents_of(recipe)), Unrolled(traced).vjp(cotangents_of(recipe))) <= 1e-10
    tangents: Tensor = torch.eye(recipe.n_samples, dtype=torch.float64)[:2]
    assert error(Unrolled(untraced).jvp(tangents), Unrolled(traced).jvp(tangents)) <= 1e-10


def test_steps_are_compiled_once_for_a_stage() -> None:
    recipe = fresh("autoencoder")
    compiled = CompiledSteps(recipe)
    assert compiled.step(0) is compiled.step(3) is CompiledSteps(recipe).step(1)


def test_private_names_of_torch_stand_in_one_file() -> None:
    private = ("torch._", "torch.fx.experimental", "torch.utils._", "nn.modules.")
    for path in Path(clusterexplain.__file__).parent.rglob("*.py"):
        if path.name != "torch_compat.py":
            text = path.read_text(encoding="utf-8").replace("torch.__version__", "")
            assert not [name for name in private if name in text], path


def usual() -> Recipe:
    """Return a recipe with the store that every recipe has unless it is told otherwise."""
    recipe = recipe_of("autoencoder")
    return Recipe(recipe.task, recipe.inputs, recipe.initial, recipe.plan, recipe.optimizer)


class TestShared:
    """By default a second recipe of the same model and sizes uses the traces of the first; a user's network is not kept."""

    def test_equal_recipes_of_a_model_of_ours_have_the_same_functions(self) -> None:
        first, second = CompiledSteps(usual()), CompiledSteps(usual())
        assert first.step(0) is second.step(0)
        assert not len(first.recipe.traces)

    def test_a_store_of_ones_own_shares_nothing(self) -> None:
        own = CompiledSteps(replace(usual(), traces=TraceStore()))
        assert own.step(0) is not CompiledSteps(usual()).step(0)

    def test_a_network_of_the_users_is_not_kept(self) -> None:
        recipe = replace(
            usual(), task=type("Theirs", (type(usual().task),), {"__module__": "theirs"})(5, hidden=(), latent_dim=2)
        )
        CompiledSteps(recipe).step(0)
        assert len(recipe.traces) == 1

    def test_a_store_that_travels_takes_that_of_its_new_process(self) -> None:
        assert pickle.loads(pickle.dumps(usual().traces)).shared is SHARED

    def test_the_oldest_goes_first(self) -> None:
        store = TraceStore(most=2)
        for name in ("a", "b", "a", "c"):
            store.get(name, lambda name=name: name)  # type: ignore[misc]
        assert len(store) == 2
        assert store.get("a", lambda: "built again") == "a"
        assert store.get("b", lambda: "built again") == "built again"
