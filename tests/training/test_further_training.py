"""A pretrained model: its weights are kept, further training is differentiated and checked."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from clusterexplain import ClusterExplainer, EmbeddingTask
from clusterexplain.exceptions import (
    DriftWarning,
    InvalidParameterError,
    ReproductionWarning,
    RunDamagedError,
    RunMismatchError,
)
from clusterexplain.fitting.build import _slower
from clusterexplain.fitting.config import Config
from clusterexplain.models import DEC
from clusterexplain.training import SGD, Adam, BatchPlan, Recipe, Trajectory
from clusterexplain.training import further_training as module
from clusterexplain.training.trajectory import train
from tests.conftest import SMALL

OPTIONS = {name: SMALL[name] for name in ("n_clusters", "batch_size", "random_state")} | {"scaling": "global"}


def _networks(width: int = 6) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(5, width), nn.ReLU(), nn.Linear(width, 2))
    return encoder, nn.Linear(2, 5)


def _task(rows: np.ndarray, width: int = 6) -> EmbeddingTask:
    """Train in an ordinary loop, outside of this package."""
    encoder, decoder = _networks(width)
    x = torch.from_numpy((rows - rows.mean(axis=0)) / rows.std(axis=0).mean()).float()
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-2)
    for _ in range(200):
        optimizer.zero_grad()
        (decoder(encoder(x)) - x).square().mean().backward()
        optimizer.step()
    return EmbeddingTask.from_module(encoder, decoder=decoder)


@pytest.fixture(scope="module")
def task(blobs: np.ndarray) -> EmbeddingTask:
    return _task(blobs)


@pytest.fixture(scope="module")
def pretrained(blobs: np.ndarray, task: EmbeddingTask) -> ClusterExplainer:
    return ClusterExplainer(model=task, **OPTIONS).fit(blobs, train=False)


def test_the_weights_and_what_is_shown_are_those_that_arrived(pretrained: ClusterExplainer, blobs: np.ndarray) -> None:
    task = pretrained.model
    rows = pretrained.fit_.scaling.to_tensor(blobs, torch.float32)
    params = task.initial_params(torch.Generator(), torch.float32)
    np.testing.assert_array_equal(pretrained.embedding_, task.embed(params, rows).double().numpy())
    np.testing.assert_array_equal(pretrained.transform(blobs), pretrained.embedding_)


def test_length_rate_and_drift_are_chosen_and_told(pretrained: ClusterExplainer) -> None:
    chosen = pretrained.further_
    assert chosen.n_steps == 20  # five passes of four batches
    assert 0 < chosen.drift <= 0.01
    explanation = pretrained.explain([0])
    assert explanation.method == "further"
    assert f"{chosen.n_steps} further steps at learning rate" in repr(explanation)
    assert explanation.to_dict()["method_note"] == explanation.method_note


def test_the_prediction_follows_further_training(pretrained: ClusterExplainer) -> None:
    explanation = pretrained.explain([0, 3, 7, 12])
    trainable = [one.requires_grad for one in pretrained.model.net.parameters()]
    check = pretrained.verify(explanation, n_single=24, n_within=0, n_groups=0, n_top=0, n_down=24)
    assert check.figure("down-weight", "kept") > 0.97
    assert check.figure("single", "kept") > 0.9
    assert [one.requires_grad for one in pretrained.model.net.parameters()] == trainable  # the module is left as it was


def test_a_refit_with_nothing_removed_is_the_null_run(pretrained: ClusterExplainer) -> None:
    explanation = pretrained.explain([0])
    same = pretrained.refit(np.ones(30))
    np.testing.assert_array_equal(explanation.evaluate(same), explanation.evaluate(pretrained))


def test_the_derivative_is_that_of_the_further_run_in_double(blobs: np.ndarray, task: EmbeddingTask) -> None:
    ce = ClusterExplainer(model=task, dtype="float64", further_steps=7, further_rate=1e-3, **OPTIONS)
    ce.fit(blobs, train=False)
    explanation, step = ce.explain([2]), 1e-4
    for row in (2, 11):
        ends = []
        for sign in (1, -1):
            weights = np.ones(30)
            weights[row] += sign * step
            ends.append(explanation.evaluate(ce.refit(weights), assignments="kept")[0])
        slope = (ends[0] - ends[1]) / (2 * step)
        assert explanation.influence[0, row] == pytest.approx(slope, rel=1e-5, abs=1e-9)


def test_unrolled_of_a_training_that_was_not_recorded_names_further(pretrained: ClusterExplainer) -> None:
    with pytest.raises(InvalidParameterError, match=r"its training was not recorded\. Use method='further'"):
        pretrained.explain([0], method="unrolled")
    assert pretrained.explain([0], method="further").influence.shape == (1, 30)


def test_further_of_a_recorded_training_names_unrolled(small: ClusterExplainer) -> None:
    with pytest.raises(InvalidParameterError, match=r"its training is recorded: use method='unrolled'"):
        small.explain([0], method="further")


def test_named_models_do_not_arrive_trained(blobs: np.ndarray) -> None:
    with pytest.raises(InvalidParameterError, match=r"train=False keeps the weights of a pretrained network"):
        ClusterExplainer(**SMALL).fit(blobs, train=False)


def test_tasks_without_weights_of_their_own_do_not_arrive_trained(blobs: np.ndarray) -> None:
    task = DEC(5, hidden=(6,), latent_dim=2, n_clusters=3)
    with pytest.raises(InvalidParameterError, match=r"model=DEC is built here and has none"):
        ClusterExplainer(model=task, **OPTIONS).fit(blobs, train=False)


def test_a_rate_that_leaves_the_model_is_warned_about(blobs: np.ndarray, task: EmbeddingTask) -> None:
    with pytest.warns(DriftWarning, match=r"Further training moves the embedding by \d+%"):
        ClusterExplainer(model=task, further_rate=0.3, **OPTIONS).fit(blobs, train=False)


def test_a_refit_shows_the_model_after_further_training(pretrained: ClusterExplainer) -> None:
    weights = np.ones(30)
    weights[:8] = 0
    other = pretrained.refit(weights)
    assert not np.array_equal(other.embedding_, pretrained.embedding_)
    np.testing.assert_array_equal(other.predict(pretrained.data_), other.labels_)


def test_saved_and_loaded_with_the_task(pretrained: ClusterExplainer, tmp_path: Path, blobs: np.ndarray) -> None:
    folder = pretrained.save(tmp_path / "run")
    loaded = ClusterExplainer.load(folder, model=pretrained.model)
    assert loaded.further_ == pretrained.further_
    assert loaded.explain([3]).influence.tobytes() == pretrained.explain([3]).influence.tobytes()
    np.testing.assert_array_equal(loaded.embedding_, pretrained.embedding_)


def test_a_run_of_ones_own_network_opens_only_with_it(pretrained: ClusterExplainer, tmp_path: Path) -> None:
    folder = pretrained.save(tmp_path / "run")
    with pytest.raises(InvalidParameterError, match=r"a run holds weights, never code\. Pass the task"):
        ClusterExplainer.load(folder)
    encoder, decoder = _networks(width=7)
    with pytest.raises(RunMismatchError, match=r"but the task has .* \(7, 5\)"):
        ClusterExplainer.load(folder, model=EmbeddingTask.from_module(encoder, decoder=decoder))


@pytest.mark.parametrize("changed", ["embed", "activation", "loss"])
def test_a_task_that_computes_something_else_is_refused(
    pretrained: ClusterExplainer, tmp_path: Path, task: EmbeddingTask, changed: str
) -> None:
    folder = pretrained.save(tmp_path / "run")
    encoder, decoder = task.net.encoder, task.net.decoder  # type: ignore[attr-defined]
    if changed == "activation":
        encoder = nn.Sequential(encoder[0], nn.Tanh(), encoder[2])
    other = EmbeddingTask.from_module(
        encoder,
        decoder=decoder,
        embed=(lambda net, x: net.encoder(10 * x)) if changed == "embed" else None,
        example_loss=(lambda net, x: (net.decoder(net.encoder(x)) - x).abs().mean(1)) if changed == "loss" else None,
    )
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ReproductionWarning
        )  # the last steps hardly move: the embedding and the loss tell
        with pytest.raises((RunMismatchError, RunDamagedError), match=r"the task that the run was made with|damaged"):
            ClusterExplainer.load(folder, model=other)


def test_a_named_model_opens_without_a_task(small: ClusterExplainer, tmp_path: Path, task: EmbeddingTask) -> None:
    folder = small.save(tmp_path / "run")
    with pytest.raises(InvalidParameterError, match=r"made with model='autoencoder', which is built here"):
        ClusterExplainer.load(folder, model=task)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"further_steps": 0}, r"further_steps=0 must be"), ({"further_rate": 0.0}, r"further_rate=0\.0 must be")],
)
def test_wrong_lengths_are_refused(blobs: np.ndarray, task: EmbeddingTask, options: dict, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        ClusterExplainer(model=task, **OPTIONS, **options).fit(blobs, train=False)


N = 30


def _recipe(rows: np.ndarray, task: EmbeddingTask, *, rate: float = 3e-3, n_steps: int = 80) -> Recipe:
    """Further steps on batches of eight rows, at the rate of a training from scratch."""
    inputs = torch.from_numpy((rows - rows.mean(axis=0)) / rows.std(axis=0).mean())
    initial = task.initial_params(torch.Generator(), torch.float64)
    plan = BatchPlan.draw(N, n_steps=n_steps, batch_size=8, seed=0)
    return Recipe(task, inputs, initial, plan, Adam(rate, n_steps))


@pytest.fixture
def spent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the lengths of the trainings that the search makes, filled in as it makes them."""
    lengths: list[int] = []

    def counted(recipe: Recipe, *arguments: Tensor, **options: Any) -> Trajectory:
        lengths.append(recipe.plan.n_steps)
        return train(recipe, *arguments, **options)

    monkeypatch.setattr(module, "train", counted)
    return lengths


def _moved(recipe: Recipe, rate: float, n_steps: int) -> float:
    """Train in full and measure the drift, without the search."""
    optimizer = replace(recipe.optimizer, learning_rate=rate, n_steps=n_steps)
    plan = replace(recipe.plan, indices=recipe.plan.indices[:n_steps])
    trained = train(replace(recipe, optimizer=optimizer, plan=plan), torch.ones(N).double(), spacing=n_steps).params
    before, after = (recipe.task.embed(params, recipe.inputs).detach().numpy() for params in (recipe.initial, trained))
    return float(np.linalg.norm(after - before) / np.linalg.norm(before - before.mean(axis=0)))


@pytest.mark.parametrize("usual", [3e-3, 0.3, 1.0])
def test_the_rate_is_the_fastest_that_stays_near_or_the_next_slower(
    blobs: np.ndarray, task: EmbeddingTask, spent: list[int], usual: float
) -> None:
    """The search tries a few steps at each rate; all candidates trained in full say what it should have found."""
    recipe = _recipe(blobs, task, rate=usual)
    trajectory, chosen = module.train_further(recipe, torch.ones(N).double())
    assert chosen.n_steps == 80
    assert spent[-1] == 80
    assert sum(spent) <= 3 * module.TRIAL_STEPS + 3 * 80  # never seven trainings
    assert spent.count(80) <= 3
    assert chosen.drift == pytest.approx(_moved(recipe, chosen.learning_rate, 80), rel=1e-9)
    rates = [usual * factor for factor in module.RATES]
    near = [place for place, rate in enumerate(rates) if _moved(recipe, rate, 80) <= module.LARGEST_DRIFT]
    assert rates.index(chosen.learning_rate) - near[0] in (0, 1)
    np.testing.assert_array_equal(trajectory.final, train(trajectory.recipe, torch.ones(N).double(), spacing=1).final)


def test_far_from_a_minimum_the_training_is_shortened_before_the_rate_is_lowered(
    blobs: np.ndarray, spent: list[int]
) -> None:
    """Weights that nobody trained, and rates of which the slowest leaves them within a few steps."""
    encoder, decoder = _networks()
    recipe = _recipe(blobs, EmbeddingTask.from_module(encoder, decoder=decoder), rate=3.0)
    slowest = 3.0 * module.RATES[-1]
    assert _moved(recipe, slowest, 4) > module.LARGEST_DRIFT
    _, chosen = module.train_further(recipe, torch.ones(N).double(), fewest_steps=4)
    assert chosen.n_steps == 4  # one pass: everybody is seen
    assert chosen.learning_rate < slowest
    assert 0.1 * module.LARGEST_DRIFT < chosen.drift <= module.LARGEST_DRIFT
    assert sum(spent) <= 4 * module.TRIAL_STEPS + 3 * 4
    _, kept = module.train_further(recipe, torch.ones(N).double())
    assert kept.n_steps == 80  # a length that was given stays
    assert 0.1 * module.LARGEST_DRIFT < kept.drift <= module.LARGEST_DRIFT


def test_the_training_is_only_as_short_as_it_must_be(blobs: np.ndarray) -> None:
    """A slowest rate that is too fast for all steps and slow enough for some."""
    encoder, decoder = _networks()
    recipe = _recipe(blobs, EmbeddingTask.from_module(encoder, decoder=decoder), rate=0.1)
    slowest = 0.1 * module.RATES[-1]
    assert _moved(recipe, slowest, 4) < module.LARGEST_DRIFT < _moved(recipe, slowest, 80)
    _, chosen = module.train_further(recipe, torch.ones(N).double(), fewest_steps=4)
    assert 4 < chosen.n_steps < 80
    assert chosen.drift <= module.LARGEST_DRIFT


def test_a_rate_that_diverges_is_not_the_end_of_the_search(blobs: np.ndarray, task: EmbeddingTask) -> None:
    recipe = replace(_recipe(blobs, task), optimizer=SGD(1e12, 80))
    _, chosen = module.train_further(recipe, torch.ones(N).double(), fewest_steps=4)
    assert 0 < chosen.drift <= module.LARGEST_DRIFT


def test_a_rate_that_is_given_is_not_searched_for(blobs: np.ndarray, task: EmbeddingTask, spent: list[int]) -> None:
    _, chosen = module.train_further(_recipe(blobs, task), torch.ones(N).double(), rate=0.02, fewest_steps=4)
    assert (chosen.learning_rate, spent) == (0.02, [80])
    assert chosen.drift > module.LARGEST_DRIFT


def test_a_fit_keeps_the_training_that_the_search_has_made(
    blobs: np.ndarray, task: EmbeddingTask, spent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail: the chosen training was repeated to be recorded."""
    monkeypatch.setattr("clusterexplain.fitting.build.train", module.train)
    ce = ClusterExplainer(model=task, further_rate=1e-3, **OPTIONS).fit(blobs, train=False)
    assert spent == [20]
    again = train(ce.fit_.recipe, ce.fit_.trajectory.weights, spacing=ce.fit_.trajectory.spacing)
    assert torch.equal(again.final, ce.fit_.trajectory.final)
    assert len(again.checkpoints) == len(ce.fit_.trajectory.checkpoints)


def test_a_warning_about_drift_advises_what_was_not_done() -> None:
    free, rate = (Config.of(ClusterExplainer(further_rate=given).get_params(deep=False)) for given in (None, 0.1))
    assert _slower(rate) == "Lower further_rate, or leave it to be chosen."
    assert "further_rate" not in _slower(free)
    assert "train=True" in _slower(free)
