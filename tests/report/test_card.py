"""The card in a notebook, charts as files, and the live chart."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from clusterexplain import ClusterExplainer, Dataset, load_dataset
from clusterexplain.exceptions import InvalidParameterError, MissingExtraError
from clusterexplain.report.card import LARGEST
from clusterexplain.report.export import save_chart
from clusterexplain.results.text.names import format_change
from tests.conftest import SMALL

EVIL = "</td><script>alert('x')</script><img src=x onerror=alert(1)>\u202e\"&"


def html_of(shown: object) -> str:
    return str(shown._repr_mimebundle_()["text/html"])  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def digits() -> ClusterExplainer:
    return ClusterExplainer(n_clusters=10, n_steps=60, random_state=0).fit(load_dataset("digits"))


def test_the_card_shows_the_numbers_of_top(small: ClusterExplainer) -> None:
    e = small.explain([3, 11])
    card = html_of(e)
    for query in range(2):
        assert f"{e.scores[query]:.3f}" in card
        for row in e.top(6, query=query).to_dict("records"):
            assert format_change(row["if_removed"], row["if_removed_percent"]) in card
    assert "not checked" in card
    assert "if removed" in card
    assert "Pulled it in" in card
    assert "Pushed it away" in card


def test_the_card_is_inert(blobs: np.ndarray) -> None:
    data = Dataset(
        blobs,
        ids=[f"{EVIL}{i}" for i in range(30)],
        metadata=pd.DataFrame({"t": [EVIL * 200] * 30}),
        text="t",
    )
    ce = ClusterExplainer(**SMALL).fit(data).name_clusters({0: EVIL.replace("\u202e", "")})
    card = html_of(ce.explain([f"{EVIL}4"])) + html_of(ce.explain_cluster(0))
    assert "<script" not in card
    assert "onerror=alert" in card  # as text
    assert not re.search(r"<img(?! alt=\"\" src=\"data:image/png;base64,)", card)
    assert not re.search(r"(src|href)\s*=\s*[\"'](?!data:image/)", card)


def test_texts_stand_apart_and_changes_have_one_name(blobs: np.ndarray) -> None:
    data = Dataset(blobs, metadata=pd.DataFrame({"t": ["rich & plain thing"] * 30}), text="t")
    e = ClusterExplainer(**SMALL).fit(data).explain([4])
    card = html_of(e)
    assert f"<p><bdi>rich &amp; plain thing</bdi></p><p><bdi>{e.headline(0)[:9]}" in card
    assert "if removed, change of margin (predicted)" in card
    assert "if removed, margin" not in card


def test_the_card_shows_the_columns_that_were_asked_for_and_the_text_once(blobs: np.ndarray) -> None:
    known = pd.DataFrame({"t": [f"letter {i}" for i in range(30)], "batch": [f"<b{i}>" for i in range(30)]})
    known["cluster"] = [None, *[f"c{i}" for i in range(1, 30)]]
    ce = ClusterExplainer(**SMALL).fit(Dataset(blobs, metadata=known, text="t"))
    e = ce.explain([4], show="text,batch,cluster")
    card = html_of(e)
    assert "<th><bdi>batch</bdi></th><th><bdi>cluster (metadata)</bdi></th><th>if removed" in card
    assert card.count("<td><bdi>&lt;b") == 12
    for id_ in e.top(6)["id"]:
        where = "" if id_ == 0 else f"<bdi>c{id_}</bdi>"
        assert f"<td><bdi>&lt;b{id_}&gt;</bdi></td><td>{where}</td>" in card
        assert card.count(f"<bdi>letter {id_}</bdi>") == (2 if id_ == 4 else 1)
    assert "<th><bdi>" not in html_of(ce.explain([4]))


def test_the_card_of_images_is_small_and_says_which_map_it_shows(digits: ClusterExplainer) -> None:
    e = digits.explain([3, 100, 500, 7])
    card = html_of(e)
    assert len(card) < LARGEST
    assert card.count("<img") >= 20
    assert "drawn by PCA" in card
    assert "1 more queries" in card
    digits.fit_.annotations.map_coordinates = digits.embedding_[:, :2]
    assert "drawn by UMAP" in html_of(e)
    digits.fit_.annotations.map_coordinates = None


def test_a_card_that_would_be_too_large_leaves_pictures_out(
    digits: ClusterExplainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clusterexplain.report.card.LARGEST", 40_000)
    card = html_of(digits.explain([3, 100, 500]))
    assert "<img" not in card


def test_same_explanation_same_card(small: ClusterExplainer) -> None:
    assert html_of(small.explain([3])) == html_of(small.explain([3]))


def test_the_card_of_a_check_has_its_verdict_and_a_dot_for_each_retraining(small: ClusterExplainer) -> None:
    check = small.verify(small.explain([3]), n_single=6, n_within=4, n_groups=3)
    card = html_of(check)
    assert check.verdict[:40] in card
    assert card.count("h0") >= check.table["continued"].notna().sum()
    assert "NaN" not in card
    assert check.null < 1e-9
    assert "checked without a result: " in html_of(check.explanation)


def test_notebooks_get_a_picture_with_the_extra(small: ClusterExplainer, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("vl_convert")
    assert small.explain([3])._repr_mimebundle_()["image/png"].startswith(b"\x89PNG")
    hide(monkeypatch, "vl_convert")
    assert set(small.explain([3])._repr_mimebundle_()) == {"text/plain", "text/html"}


def test_a_card_stays_when_the_estimator_is_fitted_to_other_data(blobs: np.ndarray) -> None:
    ce = ClusterExplainer(**SMALL).fit(blobs)
    e = ce.explain([3])
    before = e._repr_mimebundle_()["text/html"]
    ce.fit(blobs[:25])
    assert e._repr_mimebundle_()["text/html"] == before


@pytest.mark.parametrize(("kind", "start"), [(".png", b"\x89PNG"), (".svg", b"<svg"), (".pdf", b"%PDF")])
def test_charts_are_saved_without_a_browser(small: ClusterExplainer, tmp_path: Path, kind: str, start: bytes) -> None:
    pytest.importorskip("vl_convert")
    path = save_chart(small.explain([3]).plot.waterfall(), tmp_path / "deep" / f"x{kind}")
    assert path.read_bytes().startswith(start)
    with pytest.raises(InvalidParameterError, match=r"Expected a name ending in \.png, \.svg, \.pdf"):
        save_chart(None, tmp_path / "x.gif")


def test_missing_extras_name_themselves(
    small: ClusterExplainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide(monkeypatch, "vl_convert", "anywidget")
    with pytest.raises(MissingExtraError, match=r"pip install 'clusterexplain\[export\]'"):
        save_chart(None, tmp_path / "x.png")
    with pytest.raises(MissingExtraError, match=r"anywidget and vl-convert-python.*clusterexplain\[widget\]"):
        small.explain([3]).plot.widget()


def test_selections_come_back_as_ids(blobs: np.ndarray) -> None:
    ce = ClusterExplainer(**SMALL).fit(Dataset(blobs, ids=[f"r{i}" for i in range(30)]))
    ce.fit_.annotations.map_coordinates = ce.embedding_
    plot, place = ce.explain(["r3"]).plot, ce.embedding_

    def live(window: dict[str, list[float]], picked: list[dict[str, str]]) -> SimpleNamespace:
        parts = {"window": SimpleNamespace(value=window), "picked": SimpleNamespace(value=picked)}
        return SimpleNamespace(selections=SimpleNamespace(**parts))

    x, y = place[3]
    around = live({"x": [x + 1e-6, x - 1e-6], "y": [y - 1e-6, y + 1e-6]}, [{"id": "r7"}])
    assert plot.selected(around) == ["r3"]
    assert plot.selected(live({}, [{"id": "r7"}, {"id": "no such"}])) == ["r7"]
    assert plot.selected(live({}, [])) == []


def test_a_live_chart_has_the_selections(small: ClusterExplainer) -> None:
    pytest.importorskip("anywidget")
    pytest.importorskip("vl_convert")
    small.fit_.annotations.map_coordinates = small.embedding_
    widget = small.explain([3]).widget()
    assert {"picked", "window", "cluster"} <= set(widget.selections.trait_names())
    assert small.explain([3]).plot.selected(widget) == []
    small.fit_.annotations.map_coordinates = None


def test_charts_refuse_what_is_not_there(small: ClusterExplainer) -> None:
    e = small.explain([3])
    with pytest.raises(InvalidParameterError, match="is not checked"):
        e.plot.check()
    with pytest.raises(InvalidParameterError, match="Stability was not measured"):
        e.plot.stability()
    with pytest.raises(InvalidParameterError, match="query=1 is no position of the 1 queries"):
        e.plot.influence(1)
    with pytest.raises(InvalidParameterError, match="about whole clusters"):
        small.cohesion().plot.distances()
    with pytest.raises(InvalidParameterError, match="no metadata column 'batch'"):
        e.plot.groups("batch")


def hide(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """Let it look as if modules were not installed."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in modules else find(name))
