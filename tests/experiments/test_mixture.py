"""The mixture-of-Gaussians experiment: each piece against a plain loop, then the whole, small and interrupted."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from clusterexplain.execution import Execution
from clusterexplain.experiments.mixture import corrected, published
from clusterexplain.experiments.mixture.estimates import METHODS
from clusterexplain.experiments.mixture.network import MixtureNetwork
from clusterexplain.experiments.mixture.one_pass import one_pass
from clusterexplain.experiments.mixture.points import draw_mixture
from clusterexplain.experiments.mixture.predicted_and_retrained import Comparison
from clusterexplain.experiments.mixture.removal import leave_one_out, scores_of, without_each
from clusterexplain.experiments.mixture.tables import agreement, by_component
from clusterexplain.influence import Unrolled
from clusterexplain.training import Recipe, Trajectory, retrain_many
from clusterexplain.training.trajectory import train

SMALL = partial(draw_mixture, per_component=4)
N = 12
REMOVED = torch.tensor([0, 7])
ARMS = ("matched", "cross-loss")
PUBLISHED_TRUTHS = [published.AS_PUBLISHED, published.FRESH, corrected.OWN_LOSS]


class Plain(nn.Module):
    """The network written with torch.nn, in float64."""

    def __init__(self, params: dict[str, Tensor]) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 12), nn.ReLU(), nn.Linear(12, 12)).double()
        self.centers = nn.Parameter(params["centroids"].clone())
        names = {"0.weight": "encoder.0.weight", "0.bias": "encoder.0.bias"}
        names |= {"2.weight": "encoder.1.weight", "2.bias": "encoder.1.bias"}
        self.layers.load_state_dict({name: params[own].clone() for name, own in names.items()})

    def forward(self, points: Tensor) -> Tensor:
        kernel = 1 / (1 + torch.cdist(self.layers(points), self.centers).square())
        return kernel / kernel.sum(dim=1, keepdim=True)


def plain_loss(model: Plain, points: Tensor, labels: Tensor | None) -> Tensor:
    """Return torch's own losses; DEC's targets are constants made from the very batch."""
    q = model(points)
    if labels is not None:
        return nn.NLLLoss()(q.log(), labels)
    sharpened = q.detach() ** 2 / q.detach().sum(dim=0)
    return nn.KLDivLoss(reduction="batchmean")(q.log(), sharpened / sharpened.sum(dim=1, keepdim=True))


def plain_steps(model: Plain, optimizer: torch.optim.Optimizer, points: Tensor, labels: Tensor | None) -> None:
    for _ in range(published.N_STEPS):
        optimizer.zero_grad()
        plain_loss(model, points, labels).backward()
        optimizer.step()


def plain_scores(model: Plain, points: Tensor, own: Tensor) -> Tensor:
    with torch.no_grad():
        return model(points).log().gather(1, own[:, None])[:, 0]


@cache
def published_recipe(arm: str) -> tuple[Recipe, Tensor | None]:
    points, components = SMALL(0)
    labels = components if arm == "matched" else None
    return published.recipe_of(points, published.initial_network(points, 0), labels), labels


@pytest.mark.parametrize("arm", ARMS)
def test_published_retraining_equals_torch_without_the_row(arm: str) -> None:
    """A row of weight 0 equals a row that is deleted.

    torch divides by 11 instead of 12, which Adam does not see but for its epsilon, and its epsilon is outside of the root.
    """
    recipe, labels = published_recipe(arm)
    own, queries = torch.arange(N) % 3, torch.arange(N)
    expected = []
    for left_out in [None, *range(N)]:
        keep = torch.tensor([row for row in range(N) if row != left_out])
        model = Plain(recipe.initial)
        plain_steps(
            model, torch.optim.Adam(model.parameters()), recipe.inputs[keep], None if labels is None else labels[keep]
        )
        expected.append(plain_scores(model, recipe.inputs, own))
    changes = torch.stack(expected[1:]) - expected[0]
    found = leave_one_out(recipe, queries, queries, own)
    np.testing.assert_allclose(found, changes.numpy(), atol=1e-3 * float(changes.abs().max()))


def test_the_published_chain_equals_one_optimizer_of_torch_for_all_retrainings() -> None:
    recipe, labels = published_recipe("matched")
    own, queries, removed = torch.arange(N) % 3, torch.tensor([2, 9]), torch.arange(N)
    model = Plain(recipe.initial)
    optimizer, start = torch.optim.Adam(model.parameters()), {k: v.clone() for k, v in model.state_dict().items()}
    columns = []
    for query in queries:
        column = []
        for left_out in removed:
            model.load_state_dict(start)
            keep = removed[removed != left_out]
            plain_steps(model, optimizer, recipe.inputs[keep], labels[keep])
            column.append(plain_scores(model, recipe.inputs[query : query + 1], own[query : query + 1]))
        columns.append(torch.cat(column))
    expected = torch.stack(columns, dim=1).numpy()
    found = published.chain(recipe, removed, queries, own[queries])
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.ptp(expected, axis=0).min())


@pytest.mark.parametrize("arm", ARMS)
def test_one_pass_equals_the_published_recursion(arm: str) -> None:
    """Written out with dense Hessians of single examples, targets constant, from h = v."""
    recipe, labels = published_recipe(arm)
    trajectory = train(recipe, torch.ones(N).double(), spacing=1)
    task, layout, own = recipe.task, recipe.layout, torch.arange(N) % 3
    cotangents = task.cotangents(layout, trajectory.final, recipe.inputs, own)
    q = task.assignments(trajectory.params, recipe.inputs)
    sharpened = q**2 / q.sum(dim=0)
    targets = sharpened / sharpened.sum(dim=1, keepdim=True)

    def loss(flat: Tensor, row: int) -> Tensor:
        logarithms = task.assignments(layout.split(flat), recipe.inputs[row : row + 1]).log()
        if labels is not None:
            return nn.NLLLoss()(logarithms, labels[row : row + 1])
        return nn.KLDivLoss(reduction="batchmean")(logarithms.view(-1), targets[row])

    h = cotangents.clone()
    for row in range(N):
        hessian = torch.autograd.functional.hessian(partial(loss, row=row), trajectory.final)
        h = cotangents + (1 - 0.01) * h - h @ hessian / 25.0
    slopes = torch.stack([torch.func.grad(partial(loss, row=row))(trajectory.final) for row in range(N)])
    expected = -h @ slopes.T
    found, solution = one_pass(trajectory, cotangents)
    scale = float(expected.abs().max() / found.abs().max())  # a constant factor, which no correlation sees
    assert torch.allclose(found * scale, expected, atol=1e-9 * float(expected.abs().max()))
    assert int(solution.iterations.max()) == N + 1


@cache
def small_arm(arm: str) -> Trajectory:
    """Train the corrected variant on 12 points for 25 steps."""
    points, components = SMALL(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corrected, "N_STEPS", 25)
        return corrected.train_arm(points, components if arm == "matched" else None, 1)


@cache
def retrained(arm: str) -> Tensor:
    """Retrain it at both sides of every weight, and without each of two points; one call, as a trace holds for a number."""
    recipe, step = small_arm(arm).recipe, 1e-5 * torch.eye(N).double()
    return retrain_many(recipe, torch.cat([1 + step, 1 - step, without_each(recipe, REMOVED)]), chunk=2 * N + 2)


@pytest.mark.parametrize("arm", ARMS)
def test_exact_rows_equal_central_differences_of_retrained_scores(arm: str) -> None:
    """In float64, through recomputed targets and the place where the centroids start."""
    trajectory = small_arm(arm)
    recipe, queries, own = trajectory.recipe, torch.arange(0, N, 4), torch.tensor([0, 1, 2])
    rows = Unrolled(trajectory, Execution(n_jobs=1)).vjp(
        recipe.task.cotangents(recipe.layout, trajectory.final, recipe.inputs[queries], own)
    )
    up, down, _ = np.split(scores_of(recipe, retrained(arm), queries, own), [N, 2 * N])
    expected = (up - down).T / 2e-5
    np.testing.assert_allclose(rows.numpy(), expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("arm", ARMS)
def test_corrected_retraining_equals_training_on_the_rows_that_are_left(arm: str) -> None:
    """Another number of rows divides the gradient by 11 instead of 12, which an epsilon larger by (12/11)^2 makes up for."""
    recipe = small_arm(arm).recipe
    for left_out, theta in zip(REMOVED, retrained(arm)[2 * N :], strict=True):
        keep = torch.tensor([row for row in range(N) if row != left_out])
        labels = None if recipe.task.labels is None else recipe.task.labels[keep]
        alone = Recipe(
            MixtureNetwork("gelu", labels=labels, placed=True),
            recipe.inputs[keep],
            recipe.initial,
            replace(recipe.plan, indices=torch.arange(N - 1).repeat(recipe.plan.n_steps, 1)),
            replace(recipe.optimizer, eps=recipe.optimizer.eps * (N / (N - 1)) ** 2),
            (recipe.choices[0][keep],),
        )
        found = train(alone, torch.ones(N - 1).double(), spacing=1).final
        assert torch.allclose(found, theta, atol=1e-11)


def comparison(retrained: np.ndarray, predicted: np.ndarray, member: np.ndarray) -> Comparison:
    queries = np.arange(retrained.shape[1])
    return Comparison(
        "corrected",
        "matched",
        "truth",
        retrained,
        {"method": predicted},
        member,
        queries,
        queries % 3,
        queries,
        {"purity": 1.0},
    )


def test_agreement_is_counted_for_each_query_and_within_its_cluster() -> None:
    rng = np.random.default_rng(0)
    member = np.arange(12)[:, None] % 3 == np.arange(12) % 3
    member = member | np.roll(member, 1, axis=0)
    retrained = rng.normal(size=(12, 12)) + 5 * member
    good = comparison(retrained, 2 * retrained, member).agreement()
    np.testing.assert_allclose(good[["pearson", "spearman", "pearson_within", "spearman_within"]], 1.0)
    indicator = comparison(retrained, member.astype(float), member).agreement()
    assert (indicator["pearson"] > 0.5).all()
    assert indicator[["pearson_within", "spearman_within"]].isna().all(axis=None)
    rows = pd.concat([good.assign(seed=0), good.assign(seed=1)])
    (row,) = agreement(rows, "_within").to_dict("records")
    assert (row["seeds"], row["pearson"], row["spearman_least"]) == (2, pytest.approx(1), pytest.approx(1))
    assert by_component(rows)["from_0.8"].tolist() == [1.0, 1.0, 1.0]


def made_up(variant: str, seed: int, **settings: Any) -> list[Comparison]:
    """Return comparisons of random numbers, with the arms and truths of a variant."""
    rng, rows = np.random.default_rng(seed), np.arange(18)
    member = rows[:, None] // 6 == rows // 6
    facts: dict[str, float | str] = {"settled": 1.0, "purity": 1.0, "LiSSA": "not converged", "residual": 0.5}
    truths = {
        "published": {"matched": PUBLISHED_TRUTHS[:2], "cross-loss": PUBLISHED_TRUTHS},
        "corrected": {"matched": [corrected.OWN_LOSS], "cross-loss": [corrected.OWN_LOSS, corrected.LIKELIHOOD]},
    }
    found = []
    for arm, names in truths[variant].items():
        for name in names:
            retrained = rng.normal(size=(18, 18)) + member
            predicted = {method: retrained + rng.normal(size=(18, 18)) for method in METHODS[:-1]}
            predicted[METHODS[-1]] = -member.astype(float)
            found.append(Comparison(variant, arm, name, retrained, predicted, member, rows, rows // 6, rows, facts))
    return found


def test_an_interrupted_run_goes_on_and_gives_the_same_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trainings are made up: what is tested is that each part is computed once and kept."""
    module, calls = import_module("clusterexplain.experiments.mixture.run"), []

    def counted(variant: str, seed: int, **settings: Any) -> list[Comparison]:
        calls.append((variant, seed))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return made_up(variant, seed)

    monkeypatch.setattr(module, "corrected", partial(counted, "corrected"))
    monkeypatch.setattr(published, "published", partial(counted, "published"))
    monkeypatch.setattr(module, "SHOWN", (0, 6, 12))
    run = partial(module.run, quick=True)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path)
    assert len(list((tmp_path / "cache").iterdir())) == 3
    resumed = run(tmp_path)
    assert calls == [(variant, seed) for seed in (0, 1) for variant in ("published", "corrected")] + [
        ("corrected", 1), ("corrected", 0),
    ]  # fmt: skip
    again, whole = run(tmp_path), run(None)
    assert str(resumed) == str(again) == str(whole)
    for name, table in whole.tables.items():
        pd.testing.assert_frame_equal(resumed.tables[name], table, check_exact=True)
    panels = whole.charts["agreement"]().to_dict()
    assert "data" in panels
    assert not any("data" in layer for layer in panels["spec"]["layer"])  # or every panel would show all rows
    assert len(calls) == 6 + 4  # nothing is computed again, and a whole run computes seed 0 once for table and picture


def test_the_command_runs_a_small_experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On 18 points, 20 steps and one seed."""
    from typer.testing import CliRunner

    from clusterexplain.cli.app import app

    module, few = import_module("clusterexplain.experiments.mixture.run"), partial(draw_mixture, per_component=6)
    for variant in (corrected, published):
        monkeypatch.setattr(variant, "draw_mixture", few)
    monkeypatch.setattr(corrected, "N_STEPS", 20)
    for name, value in {"QUICK_SEEDS": 1, "QUICK_REMOVED_EVERY": 1, "SHOWN": (0, 6, 12)}.items():
        monkeypatch.setattr(module, name, value)
    result = CliRunner().invoke(app, ["reproduce", "mog", "--quick", "--quiet", "--jobs", "1", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "as published" in result.output
    for file in ("all_removals.csv", "own_cluster_removals.parquet", "agreement.svg", "changes.png"):
        assert (tmp_path / file).is_file()
    table = pd.read_parquet(tmp_path / "all_removals.parquet")
    exact = table[
        (table["variant"] == "corrected") & (table["method"] == "exact") & (table["truth"] == corrected.OWN_LOSS)
    ]
    assert (exact["pearson"] > 0.9).all()
