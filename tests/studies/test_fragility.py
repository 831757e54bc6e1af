"""The fragility study end to end: the paper's procedure by hand, tables, and going on after an interruption."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.studies.fragility import run, study
from clusterexplain.studies.fragility.agreement import Compared, interval
from clusterexplain.studies.fragility.cells import FURTHER, LAST, TOP, Cell, Truth, quick, standard
from clusterexplain.studies.fragility.experiment import Experiment
from clusterexplain.studies.fragility.problem import iris
from clusterexplain.studies.fragility.storage import Parts
from tests.studies.test_training import module

TINY = tuple(
    replace(
        cell,
        hidden=(5,),
        restarts=2,
        truths=tuple(replace(truth, restarts=2) for truth in cell.truths),
        unrolled=min(cell.unrolled, 2),
        unrolled_further=min(cell.unrolled_further, 2),
        n_steps=60,
        n_further=40,
    )
    for cell in quick()[1:3]
)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "quick_cells", lambda: TINY)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("mode", [FURTHER, LAST])
def test_the_papers_procedure_is_the_plain_loop_of_its_code(tmp_path: Path, mode: str) -> None:
    truth = Truth(mode, TOP, 1)
    cell = Cell("one", "selu", (5,), 0.005, 1, (truth,), n_steps=400, n_further=300)
    experiment = Experiment(cell, iris(), Parts(tmp_path, (cell,)))
    found = experiment.truth(truth)
    problem, theta = iris(), experiment.base["theta"][0]
    x, y = problem.x.T, problem.y.T.argmax(dim=1)
    model = module(experiment.net, theta)
    losses = nn.functional.cross_entropy(model(x), y, reduction="none").detach()
    expected_rows = np.argsort(losses[:149].numpy())[::-1][:25]
    assert found["removed"][0].tolist() == expected_rows.tolist()
    for position in (0, 24):
        model = module(experiment.net, theta)
        if mode == LAST:
            for part in list(model)[:-1]:
                part.requires_grad_(False)
        kept = np.delete(np.arange(149), expected_rows[position])
        trained = [part for part in model.parameters() if part.requires_grad]
        optimizer = torch.optim.Adam(trained, lr=1e-3, weight_decay=0.005)
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=100)
        for _ in range(300):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[kept]), y[kept])
            loss.backward()
            optimizer.step()
            schedule.step(loss.item())
        after = nn.functional.cross_entropy(model(x[149:]), y[149:]).item()
        assert found["change"][0, position, 0] == pytest.approx(after - float(losses[149]), abs=1e-10)


@pytest.mark.usefixtures("tiny")
def test_a_study_writes_tables_and_figures_and_the_same_bytes_after_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(tmp_path / "whole", quick=True, n_jobs=1)
    assert set(whole.tables) == {"main", "factors", "curvature", "steps", "fit"}
    assert "published" in str(whole)
    files = contents(tmp_path / "whole")
    assert {"tables/main.csv", "tables/main.parquet", "figures/procedures.vl.json", "study.json"} <= set(files)

    write, done = np.savez, []

    def savez(*args: object, **arrays: np.ndarray) -> None:
        done.append(1)
        if len(done) == 7:
            raise KeyboardInterrupt
        write(*args, **arrays)  # type: ignore[arg-type]

    monkeypatch.setattr(np, "savez", savez)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", quick=True, n_jobs=2)
    assert len(contents(tmp_path / "stopped")) == 7  # study.json and six parts
    run(tmp_path / "stopped", quick=True, n_jobs=2)
    assert contents(tmp_path / "stopped") == files


@pytest.mark.usefixtures("tiny")
def test_a_folder_of_another_study_is_refused(tmp_path: Path) -> None:
    Parts(tmp_path, standard())
    with pytest.raises(InvalidParameterError, match="other settings"):
        run(tmp_path, quick=True)


def test_subtracting_a_null_run_changes_no_correlation_but_signs() -> None:
    rng = np.random.default_rng(0)
    effect = rng.normal(size=(4, 25, 1))
    shifted = Compared(effect, effect + 5.0, np.full((4, 1), 5.0), subtract=False)
    plain = replace(shifted, subtract=True)
    assert shifted.row()["spearman"] == plain.row()["spearman"] == pytest.approx(1.0)
    assert plain.signs() == 1.0
    assert shifted.signs() < 0.7
    assert shifted.drift() > 3


def test_the_interval_of_a_mean_is_that_of_the_bootstrap() -> None:
    values = np.random.default_rng(1).normal(size=400)
    low, high = interval(values)
    assert low == pytest.approx(values.mean() - 1.96 * values.std() / 20, abs=0.02)
    assert high == pytest.approx(values.mean() + 1.96 * values.std() / 20, abs=0.02)
    assert np.isnan(interval(np.array([1.0]))[0])


@pytest.mark.slow
def test_the_quick_study_finds_that_the_full_hessian_agrees_better_than_the_coded_inverse(tmp_path: Path) -> None:
    table = run(tmp_path, quick=True).tables["main"].set_index(["cell", "procedure"])["spearman"]
    cell = "selu, depth 1, decay"
    assert table[cell, "paper, full Hessian damped"] > 0.8
    assert table[cell, "paper"] < table[cell, "paper, full Hessian damped"] - 0.2
