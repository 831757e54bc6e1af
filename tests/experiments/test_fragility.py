"""The fragility study as a whole, at a size whose figures mean nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from clusterexplain.cli.app import app
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.execution import Execution
from clusterexplain.experiments.fragility import factors, protocol
from clusterexplain.experiments.fragility.factors import Steps, controlled, criticised
from clusterexplain.experiments.fragility.own_models import Models
from clusterexplain.experiments.fragility.protocol import outcomes
from clusterexplain.experiments.fragility.published_figures import BY_DEPTH, BY_WIDTH
from clusterexplain.experiments.fragility.published_protocol import Cell, measure
from clusterexplain.experiments.fragility.run import QUICK, Size, run
from clusterexplain.experiments.fragility.splits import WORST, split_of, stratified
from clusterexplain.experiments.result_cache import ResultCache
from clusterexplain.statistics import metrics

TINY = Size(
    patterns=("SELU, weight decay", "SELU, no weight decay"),
    depths=(1,),
    widths=(8,),
    cell=Cell(1, 5, "selu", 0.0, n_restarts=3, n_steps=40, n_further=10),
    factor_depths=(1,),
    n_restarts=3,
    steps=Steps(30, 8, 4, 12, 10, 14),
    digits=((1, 2),),
    n_digits=2,
    digits_steps=Steps(6, 4, 2, 6, 4, 6),
    models=Models(("autoencoder",), 80, 4, 2, 20, n_seeds=2, n_removed=6, n_queries=3),
)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, object]:
    out = tmp_path_factory.mktemp("fragility")
    return out, run(out, size=TINY, execution=Execution(n_jobs=1))


def test_it_gives_tables_findings_and_charts(study) -> None:
    _, found = study
    assert list(found.tables) == ["replication", "from_criticised", "from_controlled", "digits", "models"]
    for table in found.tables.values():
        assert np.isfinite(table["spearman"]).all()
        assert (table["low"].isna() | (table["low"] <= table["spearman"])).all()
    assert any("published means lie in the 95 % interval" in one for one in found.findings)
    assert any(one.startswith("Clusters, autoencoder model: the criticised procedure finds") for one in found.findings)
    for draw in found.charts.values():
        assert draw().to_dict()


def test_a_killed_run_goes_on_to_the_same_tables(study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, uninterrupted = study
    for calls in (1, 5, 40):
        with monkeypatch.context() as patched:
            patched.setattr(ResultCache, "frame", _killed_after(calls))
            with pytest.raises(KeyboardInterrupt):
                run(tmp_path, size=TINY, execution=Execution(n_jobs=1))
        protocol._trained.cache_clear()
    resumed = run(tmp_path, size=TINY, execution=Execution(n_jobs=1))
    for name, table in uninterrupted.tables.items():
        pd.testing.assert_frame_equal(resumed.tables[name], table, check_exact=True)
    assert resumed.findings == uninterrupted.findings


def _killed_after(calls: int):
    left, frame = [calls], ResultCache.frame

    def killed(self, name, settings, compute):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return frame(self, name, settings, compute)

    return killed


def test_the_command_writes_the_study(study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import clusterexplain.experiments.fragility.run as module

    _, found = study
    asked: dict[str, object] = {}

    def fake(folder: Path, **options: object) -> object:
        asked.update(options, folder=folder)
        return found

    monkeypatch.setattr(module, "run", fake)
    out = tmp_path / "out"
    shown = CliRunner().invoke(app, ["reproduce", "fragility", "--quick", "--quiet", "--jobs", "1", "--out", str(out)])
    assert shown.exit_code == 0, shown.output
    assert asked == {"quick": True, "execution": Execution(n_jobs=1), "folder": out}
    assert "The fragility of influence functions" in shown.output
    assert (out / "replication.csv").exists()
    assert (out / "README.txt").exists()


def test_the_quick_version_runs_every_part() -> None:
    assert QUICK.depths
    assert QUICK.factor_depths
    assert QUICK.digits
    assert QUICK.models.names


def test_the_published_figures_have_their_cells() -> None:
    assert BY_DEPTH["SELU, weight decay"][1] == 0.66
    assert BY_DEPTH["SELU, no weight decay"][8] == 0.18
    assert BY_WIDTH["SELU, weight decay"][50] == -0.03


def test_the_criticised_procedure_removes_the_largest_losses() -> None:
    found = measure(Cell(1, 5, "selu", 0.005, n_restarts=2, n_steps=200, n_further=20))
    assert len(found) == 50
    assert WORST not in set(found["row"])
    assert found.groupby("restart")["row"].nunique().eq(25).all()
    assert found.groupby("restart")["null"].nunique().eq(1).all()


def test_restarts_do_not_depend_on_each_other() -> None:
    cell = Cell(1, 5, "selu", 0.005, n_restarts=3, n_steps=30, n_further=5)
    together, alone = measure(cell), measure(replace(cell, first=2, n_restarts=1))
    last = together[together["restart"] == 2].reset_index(drop=True)
    np.testing.assert_array_equal(last["row"], alone["row"])
    np.testing.assert_allclose(last["truth"], alone["truth"], atol=1e-6)


def test_the_queries_are_held_out_and_stratified() -> None:
    split = split_of("iris")
    assert split.asked[0] == WORST
    assert len(np.unique(split.asked)) == 10
    assert not set(split.asked) & set(split.rows)
    classes = np.bincount(split.queries.targets.argmax(0).numpy())
    assert classes.tolist() == [3, 4, 3]
    np.testing.assert_array_equal(stratified(3), split.asked)
    with pytest.raises(InvalidParameterError, match=r"data='wine' is unknown. Expected one of 'iris', 'digits'"):
        split_of("wine")


def test_the_controlled_check_finds_the_exact_derivative_right() -> None:
    steps = Steps(ours=200)
    found = outcomes(controlled("iris", 1, 5, 2, steps), ResultCache(None, version="test"))
    by_query = [
        metrics.spearman(one["predicted"].to_numpy()[:, None], one["truth"].to_numpy()[:, None])[0]
        for _, one in found.groupby(["restart", "query"])
    ]
    assert np.mean(by_query) > 0.97
    slopes = [np.polyfit(one["predicted"], one["truth"], 1)[0] for _, one in found.groupby(["restart", "query"])]
    assert abs(np.median(slopes) - 1) < 0.2


def test_a_null_changes_signs_but_no_ranks() -> None:
    base = criticised("iris", 1, 5, 2, Steps(50, 20))
    cache = ResultCache(None, version="test")
    without, with_null = (factors.figures(one, cache) for one in (base, replace(base, null=True)))
    np.testing.assert_allclose(without["spearman"], with_null["spearman"], atol=1e-12)
    assert not np.allclose(without["signs"], with_null["signs"])


def test_factors_change_one_thing_at_a_time() -> None:
    steps = Steps()
    base = criticised("iris", 1, 5, 2, steps)
    for switch in factors.switches_from_criticised(base, steps):
        assert switch.protocol != base
        assert switch.before != switch.after
    assert torch.equal(base.subject.start.theta, replace(base.subject, activation="tanh").start.theta)
