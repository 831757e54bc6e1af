"""Reports say what is so: about whose verdict it is, about noise and whole clusters, at other weights, at large sizes."""

from __future__ import annotations

import dataclasses
import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from clusterexplain import ClusterExplainer, EmbeddingTask
from clusterexplain.data import Dataset
from clusterexplain.exceptions import DriftWarning, InvalidParameterError
from clusterexplain.explanation import explain_cluster
from clusterexplain.influence import GradientDot, MethodReport
from clusterexplain.report import ReportContext, tables
from clusterexplain.report.text import misplaced, page_question, predicted_flip
from clusterexplain.report.vega_lite import as_dict
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.influence_rows import InfluenceRows
from clusterexplain.results.verdict import CheckSummary, Verdict
from clusterexplain.statistics.groups import group_sums
from clusterexplain.storage.check_schema import RETRAINED

SMALL: dict[str, Any] = {"batch_size": 8, "hidden": (6,), "latent_dim": 2, "n_steps": 40, "random_state": 0}


def blobs(n: int = 48, centers: int = 3, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    middles = rng.normal(scale=4, size=(centers, 4))
    return middles[np.arange(n) % centers] + rng.normal(size=(n, 4))


@pytest.fixture(scope="module")
def fitted() -> ClusterExplainer:
    return ClusterExplainer(n_clusters=3, **SMALL).fit(blobs())


@pytest.fixture(scope="module")
def checked(fitted: ClusterExplainer) -> Explanation:
    counts = {"n_single": 6, "n_within": 0, "n_groups": 5, "n_top": 2}
    return fitted.verify(fitted.explain([0, 7, 20]), **counts).explanation


class MethodOfYourOwn(GradientDot):
    """The gradient product under another name."""

    @property
    def report(self) -> MethodReport:
        return MethodReport("mine", "as an example")


def data_of(path: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="page">(.*?)</script>', path.read_text(), re.DOTALL)
    assert found
    return dict(json.loads(found.group(1)))


def context(explanation: Explanation) -> ReportContext:
    return ReportContext.of(explanation)


def drawn_at(coordinates: np.ndarray, explanation: Explanation) -> ReportContext:
    made = context(explanation)
    vars(made)["coordinates"] = coordinates
    return made


def test_a_users_altair_settings_change_no_byte(checked: Explanation, tmp_path: Path) -> None:
    import altair as alt

    plain = checked.report(tmp_path / "plain.html").read_bytes()
    before = sorted(tmp_path.iterdir())
    chart = checked.plot.map()
    for name in ("json", "csv", "vegafusion"):
        with alt.data_transformers.enable(name), alt.theme.enable("dark"):
            assert checked.report(tmp_path / "plain.html").read_bytes() == plain
            assert as_dict(chart)["datasets"]
            assert alt.data_transformers.active == name
    alt.data_transformers.consolidate_datasets = False
    try:
        assert checked.report(tmp_path / "plain.html").read_bytes() == plain
        assert not alt.data_transformers.consolidate_datasets
    finally:
        alt.data_transformers.consolidate_datasets = True
    assert sorted(tmp_path.iterdir()) == before


def test_many_clusters_are_cut_to_the_largest(tmp_path: Path) -> None:
    X = np.vstack([blobs(150, centers=75), blobs(150, centers=75)])
    ce = ClusterExplainer(n_clusters=75, **SMALL).fit(X)
    e = ce.explain([0])
    table = tables.cluster_pulls(context(e))
    assert table["target"].nunique() == tables.clusters.MOST_CLUSTERS == table["source"].nunique()
    sizes = np.bincount(ce.labels_)
    kept = [int(one.split()[-1]) for one in table["target"].unique()]
    assert min(sizes[kept]) >= max(np.delete(sizes, kept))
    e.plot.clusters().to_dict()
    assert data_of(e.report(tmp_path / "why.html"))["clusters"]["heat"]["table"]


def test_the_diagonal_of_the_heat_map_is_training_alone(fitted: ClusterExplainer, tmp_path: Path) -> None:
    whole = fitted.cohesion()
    table = tables.cluster_pulls(context(whole))
    own = table["target"] == table["source"]
    assert own.sum() == 3
    assert table.loc[own, "if_removed"].isna().all()
    np.testing.assert_allclose(table.loc[~own, "if_removed"], -table.loc[~own, "influence"])
    for cluster in range(3):
        members = fitted.labels_ == cluster
        direct = whole.direct[cluster, members]
        assert abs(direct.sum()) < 0.05 * np.abs(direct).sum()  # 0 but for the floor of the score, which moves
        assert table[own]["influence"].iloc[cluster] == pytest.approx(whole.influence[cluster, members].sum())
    weights = 1.0 + 0.02 * (fitted.labels_ == 0)
    change = fitted.refit(weights).margins_[fitted.labels_ == 0].mean() - whole.scores[0]
    assert change == pytest.approx(0.02 * table[own]["influence"].iloc[0], rel=0.1)
    words = data_of(fitted.explain([0]).report(tmp_path / "why.html"))["words"]["heat"]
    assert "centroid in place" in words
    assert "towards is another number" in words


def test_a_far_cluster_that_is_compared_with_stands_beside_the_nearest(fitted: ClusterExplainer) -> None:
    ce = ClusterExplainer(n_clusters=50, **SMALL).fit(blobs(200, centers=50))
    e = ce.explain([0])
    distance = np.linalg.norm(ce.cluster_centers_ - ce.embedding_[0], axis=1)
    far = int(distance.argmax())
    table = tables.distances(context(e), ce.explain([0], against=far), 0)
    assert len(table) == tables.clusters.MOST_CLUSTERS + 1
    assert table["role"].iloc[-1] == "compared with"
    assert table["distance"].is_monotonic_increasing


def test_large_checks_are_drawn_as_a_sample(checked: Explanation) -> None:
    assert checked.check is not None
    n = 6000
    table = pd.DataFrame({name: np.linspace(0, 1, n) for name in RETRAINED})
    table = table.assign(position=np.arange(n) % 3, kind="single", n_removed=1)
    verdict = checked.check.together
    large = dataclasses.replace(checked, check=CheckSummary(verdict, checked.check.each, 3, table))
    shown = tables.all_retrained(large)
    assert len(shown) == tables.check.MOST_RETRAINED
    assert set(shown["query"]) == {"0", "7", "20"}
    large.plot.check().to_dict()
    assert "text/html" in large._repr_mimebundle_()


def test_each_sample_has_its_own_verdict(checked: Explanation, tmp_path: Path) -> None:
    assert checked.check is not None
    good, bad = (
        Verdict("supported", "supported by 9", {"single_kept": 0.9}, 0.0),
        Verdict("not supported", "NOT supported by 9", {"single_kept": 0.1}, 0.5),
    )
    mixed = dataclasses.replace(checked, check=CheckSummary(good, (good, bad, good), 3, checked.check.retrained))
    assert mixed.status == "supported"
    assert mixed.checked == "checked: 3 samples together: supported by 9"
    alone = mixed[1]
    assert alone.status == "not supported"
    assert alone.checked == "checked: NOT supported by 9"
    assert alone.check is not None
    assert alone.check.null == 0.5
    assert alone.to_dict()["checked"] == {
        "sentence": "NOT supported by 9", "status": "not supported", "grade": "U", "single_kept": 0.1
    }  # fmt: skip
    assert [one["check"] for one in mixed.to_dict()["answers"]] == ["supported", "not supported", "supported"]
    assert mixed[[1, 2]].checked.startswith("checked: 3 samples together, of which 2 are here: supported")
    page = data_of(mixed.report(tmp_path / "why.html"))
    badges = [next(one for one in query["badges"] if one["name"] == "check")["text"] for query in page["queries"]]
    assert badges == [f"checked by retraining: {one}" for one in ("supported", "not supported", "supported")]
    card = mixed._repr_mimebundle_()["text/html"]
    assert '<b class="cx-badge">supported</b>' in card
    assert "Its own check: not supported." in card
    assert '<b class="cx-badge">not supported</b>' in alone._repr_mimebundle_()["text/html"]
    assert "Its own check: not supported." in repr(mixed)


def test_verdicts_of_single_samples_are_those_of_their_retrainings(checked: Explanation) -> None:
    assert checked.check is not None
    assert checked.check.retrained is not None
    for position, verdict in enumerate(checked.check.each):
        own = checked.check.retrained[checked.check.retrained["position"] == position]
        single = own[own["kind"] == "single"]
        assert verdict.figures["single_kept"] == pytest.approx(
            single["predicted_kept"].corr(single["kept"], method="spearman")
        )


def test_repeated_queries_keep_their_retrainings(checked: Explanation) -> None:
    twice = checked[[1, 1, 0]]
    assert twice.check is not None
    table = twice.check.retrained
    assert table is not None
    parts = [table[table["position"] == one].drop(columns="position").reset_index(drop=True) for one in range(3)]
    assert len(parts[0])
    pd.testing.assert_frame_equal(parts[0], parts[1])
    assert twice.check.each == tuple(checked.check.each[one] for one in (1, 1, 0))  # type: ignore[union-attr]


def test_checks_belong_to_weights_and_method(fitted: ClusterExplainer, checked: Explanation) -> None:
    stored = json.loads(json.dumps(checked.stored_check()))
    assert fitted.explain([7]).with_check(stored).status == checked[1].status
    weights = np.ones(48)
    weights[5] = 0
    assert fitted.refit(weights).explain([7]).with_check(stored).status == "not checked"
    assert fitted.explain([7]).with_check({**stored, "method": "implicit"}).status == "not checked"
    with pytest.raises(InvalidParameterError, match="not checked"):
        fitted.explain([7]).stored_check()


def test_an_explanation_is_shown_with_its_own_fit(tmp_path: Path) -> None:
    ce = ClusterExplainer(n_clusters=3, **SMALL).fit(blobs())
    e = ce.explain([0])
    before = e.report(tmp_path / "why.html").read_bytes()
    weights = np.ones(48)
    weights[:6] = 0
    ce.fit(blobs(), sample_weight=weights)
    assert e.report(tmp_path / "why.html").read_bytes() == before


def test_examples_of_weight_0_are_not_counted(tmp_path: Path) -> None:
    weights = np.ones(48)
    weights[:30] = 0
    data = Dataset(blobs(), metadata=pd.DataFrame({"lab": ["a"] * 30 + ["b", "c"] * 9}))
    ce = ClusterExplainer(n_clusters=3, **SMALL).fit(data, sample_weight=weights)
    e = ce.explain([40])
    own = int(((ce.labels_ == ce.labels_[40]) & (weights > 0)).sum())
    assert f"({own} members)" in e.headline()
    assert e.by("lab")["group"].tolist() == ["b", "c"]
    assert e.by("cluster")["n"].sum() == 18
    margins = ce.margins_
    like = (ce.labels_ == ce.labels_[40]) & (weights > 0)
    assert e.share_with_larger_margin[0] == pytest.approx((margins[like] > margins[40]).mean())
    page = data_of(e.report(tmp_path / "why.html"))
    assert "of 18 training examples" in page["queries"][0]["pull"]
    assert "18 training examples" in page["words"]["map"]
    assert set(page["rows"]["id"]) == {str(one) for one in range(30, 48)}
    few = ce.refit(np.r_[np.zeros(43), np.ones(5)])
    links = tables.links(context(few.explain([45])), few.explain([45]), 0)
    assert len(links) == 4
    assert np.isfinite(links["distance"]).all()


def test_groups_that_read_alike_stay_apart() -> None:
    mixed = np.array([1, "1", None, "missing", "x", "x"], dtype=object)
    frame = group_sums(np.ones((1, 6)), mixed, np.array([0]))
    assert frame["n"].tolist() == [1, 1, 1, 1, 2]
    assert frame["group"].astype(str).tolist().count("1") == 2
    assert {"missing", "(missing)"} <= set(frame["group"])
    ce = ClusterExplainer(n_clusters=2, **SMALL).fit(
        Dataset(blobs(24), metadata=pd.DataFrame({"g": pd.Series([1, "1", "x"] * 8, dtype=object)}))
    )
    shown = tables.groups(ce.explain([0]), "g")[0]
    assert sorted(shown["group"]) == ["1 (int)", "1 (str)", "x"]


def test_whole_numbers_have_no_fraction() -> None:
    metadata = pd.DataFrame({"target": [1.0, 2.0, np.nan] * 8, "share": [0.5, 1.0] * 12})
    ce = ClusterExplainer(n_clusters=2, **SMALL).fit(Dataset(blobs(24), metadata=metadata))
    e = ce.explain([0])
    assert tables.groups(e, "target")[0]["group"].tolist() == ["1", "2", "missing"]
    assert tables.groups(e, "share")[0]["group"].tolist() == ["0.5", "1"]


def test_texts_and_columns_of_groups_of_one_are_no_groups() -> None:
    metadata = pd.DataFrame(
        {"body": ["a", "b"] * 12, "each": [f"n{i}" for i in range(24)], "lab": ["x", "y"] * 12, "all": ["z"] * 24}
    )
    ce = ClusterExplainer(n_clusters=2, **SMALL).fit(Dataset(blobs(24), metadata=metadata, text="body"))
    assert tables.group_columns(context(ce.explain([0]))) == ["cluster", "lab"]


def test_facts_say_what_auto_became(fitted: ClusterExplainer) -> None:
    facts = context(fitted.explain([0])).facts
    assert (facts["scaling"], facts["membership_score"]) == ("global (auto)", "margin (auto)")
    chosen = ClusterExplainer(n_clusters=2, scaling="standard", membership_score="softmax", **SMALL).fit(blobs(24))
    facts = context(chosen.explain([0])).facts
    assert (facts["scaling"], facts["membership_score"]) == ("standard", "softmax")


def test_numbers_of_clusters_stand_on_their_own_members() -> None:
    rng = np.random.default_rng(0)
    large, small = rng.normal(scale=0.1, size=(60, 2)), rng.normal([10.0, 0.0], scale=0.1, size=(40, 2))
    between = np.array([[5.0, 0.0]])
    place = tables.densest(np.vstack([small, between, large]))
    assert np.linalg.norm(place) < 0.15
    three = np.vstack([large, large + [10.0, 0.0], large + [5.0, 8.0], [[5.0, 3.0]]])
    assert np.linalg.norm(tables.densest(three) - [5.0, 3.0]) > 2
    many = rng.normal(size=(3000, 2))
    np.testing.assert_array_equal(tables.densest(many), tables.densest(many))
    assert np.linalg.norm(tables.densest(many)) < 0.5
    np.testing.assert_array_equal(tables.densest(between), [5.0, 0.0])


def test_a_map_says_when_it_shows_a_sample_among_others(fitted: ClusterExplainer) -> None:
    e = fitted.explain([0])
    other = np.flatnonzero(fitted.labels_ != fitted.labels_[0])[:12]
    misled = np.array(fitted.embedding_[:, :2])
    misled[0] = 100.0
    misled[other] = 100.0 + np.arange(12)[:, None] / 100
    shown = drawn_at(misled, e)
    z = fitted.embedding_
    near = np.argsort(np.linalg.norm(z - z[0], axis=1), kind="stable")[1:11]
    strangers = int((fitted.labels_[near] != fitted.labels_[0]).sum())
    assert tables.foreign_neighbours(shown, e, 0) == (10, strangers, 10)
    assert misplaced(shown, e, 0) == (
        f"10 of its 10 nearest on this map are of other clusters, {strangers} of 10 in the embedding"
    )
    honest = drawn_at(z, e)
    assert misplaced(honest, e, 0) == ""
    assert misplaced(shown, fitted.explain(blobs()[:1] + 0.1), 0) == ""


def test_pictures_name_the_sample_and_its_clusters(checked: Explanation) -> None:
    own, runner_up = (checked.name_of(one[1]) for one in (checked.labels, checked.runner_ups))
    draw = checked.plot
    for chart in (draw.map(1), draw.influence(1), draw.waterfall(1), draw.groups(query=1), draw.distances(1)):
        title = chart.to_dict()["title"]
        assert title["text"]
        assert title["subtitle"][0] == f"Sample 7: {own}, compared with {runner_up}"
    assert draw.check().to_dict()["title"]["subtitle"] == ["Samples 0, 7, 20"]
    assert draw.clusters().to_dict()["title"]["text"]
    whole = explain_cluster(checked.fit, 0).cohesion.plot.waterfall().to_dict()["title"]
    assert whole["subtitle"] == ["All members of cluster 0"]


def test_a_page_uses_the_names_of_its_answer(tmp_path: Path) -> None:
    ce = ClusterExplainer(n_clusters=3, **SMALL).fit(blobs())
    ce.name_clusters({0: "old"})
    e = ce.explain([0])
    ce.name_clusters({0: "new"})
    page = data_of(e.report(tmp_path / "why.html"))
    assert "new" not in json.dumps(page["names"]) + json.dumps(page["queries"])
    assert "old" in page["names"]["0"]


def test_clusters_without_an_answer_leave_the_page_whole(tmp_path: Path) -> None:
    ce = ClusterExplainer(n_clusters=3, min_agreement=0.0, **SMALL).fit(blobs())
    e = ce.explain([0])
    strict = dataclasses.replace(ce.fit_, config=dataclasses.replace(ce.fit_.config, min_agreement=1.1))
    e = dataclasses.replace(e, fit=strict)
    page = data_of(e.report(tmp_path / "why.html"))
    assert page["clusters"] is None
    assert page["words"]["clusters"].startswith("Whole clusters cannot be explained here: ")
    assert page["queries"][0]["charts"]["map"]


def test_a_model_that_arrived_has_no_band() -> None:
    torch.manual_seed(0)
    encoder, decoder = (
        nn.Sequential(nn.Linear(a, b), nn.Tanh(), nn.Linear(b, c)) for a, b, c in ((4, 6, 2), (2, 6, 4))
    )
    task = EmbeddingTask.from_module(encoder, decoder=decoder)
    ce = ClusterExplainer(task, n_clusters=3, further_steps=8, further_rate=1e-3, random_state=0, batch_size=16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DriftWarning)
        ce.fit(blobs(), train=False)
    found = ce.verify(ce.explain([0, 7]), n_single=6, n_within=0, n_groups=0, n_top=2)
    assert np.isnan(found.null)
    assert "Further training itself moves the margins by up to" in found.verdict
    assert found.explanation.check is not None
    assert np.isnan(found.explanation.check.null)
    assert "no clear change" not in json.dumps(as_dict(found.explanation.plot.check()))


def test_flip_sentences(fitted: ClusterExplainer) -> None:
    e = fitted.explain([0])
    assert predicted_flip(_pulled(e, [0.5, 0.1, 0.1, 0.1], own=3), 0) == (
        "About 2 removals of its strongest pullers are predicted to move it to the other side."
    )
    assert predicted_flip(_pulled(e, [0.7], own=1), 0) == (
        "About 1 removal of its strongest pullers is predicted to move it to the other side."
    )
    assert predicted_flip(_pulled(e, [0.1] * 5, own=9), 0).startswith("No number of removals")
    assert predicted_flip(_pulled(e, [0.5, 0.05, 0.1], own=0), 0) == (
        "About 2 removals of its strongest pullers, the sample itself among them, are predicted to move it to the other "
        "side. Without removing the sample itself, no number of removals is predicted to do so."
    )
    assert predicted_flip(_pulled(e, [0.7, 0.4, 0.4], own=0), 0) == (
        "Removing the sample itself is predicted to move it to the other side. Without removing the sample itself, about 2 "
        "removals are needed."
    )
    assert predicted_flip(_pulled(e, [0.7, 0.65], own=0), 0).endswith(
        "Without removing the sample itself, about 1 removal is needed."
    )
    named = fitted.explain(blobs()[:1], against=int(e.labels[0] == 0))
    outside = dataclasses.replace(named, scores=-np.abs(named.scores))
    assert predicted_flip(outside, 0) == "Its margin is not above 0: it is already on the other side of this boundary."
    whole = fitted.explain_cluster(0).cohesion
    assert "it to the other side" not in predicted_flip(whole, 0)
    assert "mean margin" in predicted_flip(whole, 0)


def _pulled(e: Explanation, influence: list[float], own: int) -> Explanation:
    """Give the first training examples these influences on a margin of 0.55, the others none."""
    row = np.zeros((1, len(e.train_ids)))
    row[0, : len(influence)] = influence
    margins = dataclasses.replace(e.margins, positions=np.array([own]))
    return dataclasses.replace(e, margins=margins, rows=InfluenceRows(row, 0 * row, 0 * row), scores=np.array([0.55]))


def test_steps_name_the_sample_itself_and_leave_out_what_was_not_there(fitted: ClusterExplainer) -> None:
    e = _pulled(fitted.explain([0]), [0.3, 0.2, 0.4], own=2)
    weights = np.ones(48)
    weights[1] = 0
    table, flip = tables.removal_steps(dataclasses.replace(e, sample_weight=weights), 0)
    assert table["id"].tolist() == ["2", "0"]
    assert table["called"].tolist() == ["2 (itself)", "0"]
    assert flip == 2
    assert tables.predicted_flips(e, 0) == (2, None, True)


def test_noise_and_whole_clusters_have_words_of_their_own(fitted: ClusterExplainer, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    X = np.vstack([blobs(90), rng.uniform(-12, 12, size=(12, 4))])
    ce = ClusterExplainer(clusterer="hdbscan", clusterer_options={"min_cluster_size": 8}, **SMALL).fit(X)
    noise = int(np.flatnonzero(ce.labels_ == -1)[0])
    e = ce.explain([noise])
    assert page_question(e) == "Why is it noise?"
    drawn = json.dumps([as_dict(e.plot.waterfall()), as_dict(e.plot.map())])
    for wrong in ("in its cluster", "into its cluster", "pulled in"):
        assert wrong not in drawn
    assert "stays noise" in drawn
    assert "kept out" in drawn
    text = e.report(tmp_path / "noise.html").read_text()
    assert "<title>Why is it noise?" in text
    for whole in (fitted.explain_cluster(0).cohesion, fitted.separation(0, 1)):
        drawn = json.dumps([as_dict(whole.plot.waterfall()), as_dict(whole.plot.map())])
        assert "in its cluster" not in drawn
        assert whole.sides()[0] in drawn
        assert page_question(whole) == "What {} and what {}".format(*whole.sides())


def test_claims_that_are_not_made(fitted: ClusterExplainer, checked: Explanation, tmp_path: Path) -> None:
    new, asked = fitted.explain(blobs()[:1] + 0.1), fitted.explain([0])
    whole = fitted.explain_cluster(0).cohesion
    told = [data_of(one.report(tmp_path / "why.html"))["queries"][0]["conflicts_note"] for one in (new, whole, asked)]
    assert told[0] == told[1] != told[2]
    assert "command next to" in data_of(asked.report(tmp_path / "why.html"))["trust"]["meaning"]
    assert "as predicted" not in data_of(checked.report(tmp_path / "why.html"))["trust"]["meaning"]


def test_commands_name_all_samples_and_the_task(checked: Explanation, fitted: ClusterExplainer, tmp_path: Path) -> None:
    page = data_of(fitted.explain([0, 7]).report(tmp_path / "why.html", run="runs/a b", task="net.py:make"))
    commands = {query["verify"] for query in page["queries"]}
    assert commands == {"clusterexplain verify --sample 0 --sample 7 --run 'runs/a b' --task net.py:make"}
    new = data_of(fitted.explain(blobs()[:2] + 0.1).report(tmp_path / "new.html"))
    assert {query["verify"] for query in new["queries"]} == {None}
    assert new["trust"]["meaning"].endswith("ce.verify(e) checks it.")


def test_commands_ask_for_the_same_method(fitted: ClusterExplainer, tmp_path: Path) -> None:
    asked = fitted.explain([3], method="implicit", method_options={"damping": 0.1})
    page = data_of(asked.report(tmp_path / "why.html"))
    how = page["words"]["flags"]
    assert how == " --method implicit --method-option damping=0.1"
    assert page["queries"][0]["verify"] == f"clusterexplain verify --sample 3{how}"


def test_no_command_asks_for_a_method_of_your_own(fitted: ClusterExplainer, tmp_path: Path) -> None:
    asked = fitted.explain([3], method=MethodOfYourOwn.of_trajectory)
    page = data_of(asked.report(tmp_path / "why.html"))
    assert page["words"]["flags"] == ""
    assert page["queries"][0]["verify"] is None
    assert "mine, a method of your own (as an example)" in page["words"]["method"]
    assert page["trust"]["meaning"].endswith("ce.verify(e) checks it.")


def test_listed_examples_of_cluster_cards_are_in_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ce = ClusterExplainer(n_clusters=3, **SMALL).fit(blobs(300))
    full = tables.map.shown_rows
    monkeypatch.setattr(tables, "shown_rows", lambda present, wanted, most=20: full(present, wanted, most=20))
    page = data_of(ce.explain([0]).report(tmp_path / "why.html"))
    rows = set(page["rows"]["id"])
    assert len(rows) < 300
    for card in page["clusters"]["cards"]:
        assert {str(one["id"]) for one in card["holds"] + card["loosens"]} <= rows
