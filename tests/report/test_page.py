"""The page as a file, read without a browser: inert, complete, the same twice, small; the map's view."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs

from clusterexplain import ClusterExplainer, Dataset, load_dataset
from clusterexplain.report import tables, umap_view
from clusterexplain.report.page import safe_json
from clusterexplain.results.text.names import terminal_safe
from tests.conftest import SMALL

EVIL = "</script><script>alert('x')</script><!--<script>\"&`${title}$text\u202e\u2028"
CHARTS = ("map", "influence", "waterfall", "distances")


class Read(HTMLParser):
    """The elements of a page, and the text of its scripts and of its title."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.texts: dict[str, str] = {}
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        self.texts[self._inside] = self.texts.get(self._inside, "") + data

    @property
    def data(self) -> dict[str, Any]:
        kinds = [attributes for tag, attributes in self.elements if tag == "script"]
        (place,) = [number for number, one in enumerate(kinds) if one.get("id") == "page"]
        assert kinds[place]["type"] == "application/json"
        return dict(json.loads(self.scripts[place], parse_constant=lambda word: pytest.fail(word)))

    @property
    def policy(self) -> str:
        (found,) = [
            one["content"]
            for tag, one in self.elements
            if tag == "meta" and (one.get("http-equiv") or "").lower() == "content-security-policy"
        ]
        return str(found)


def drawn(ce: ClusterExplainer) -> ClusterExplainer:
    ce.fit_.annotations.map_coordinates = np.ascontiguousarray(ce.embedding_[:, :2])  # UMAP has its own slow test
    return ce


@pytest.fixture(scope="module")
def plain(blobs: np.ndarray) -> ClusterExplainer:
    metadata = pd.DataFrame({"lab": [f"lab {i % 3}" for i in range(30)], "note": [f"note {i}" for i in range(30)]})
    return drawn(ClusterExplainer(**SMALL).fit(Dataset(blobs, metadata=metadata)))


@pytest.fixture(scope="module")
def hostile(blobs: np.ndarray) -> ClusterExplainer:
    ids = np.array([f"{EVIL}{i}" for i in range(30)])
    metadata = pd.DataFrame(
        {EVIL: [EVIL, "\ud800 half"] * 15, "text": [f"{EVIL} {i}" for i in range(30)]}, dtype=object
    )
    names = [f"{EVIL}\ud800{i}" for i in range(5)]
    ce = drawn(ClusterExplainer(**SMALL).fit(Dataset(blobs, ids=ids, feature_names=names, metadata=metadata)))
    return ce.name_clusters({0: "</script><script>alert(2)</script>"})


def read(path: Path) -> Read:
    return Read(path.read_bytes().decode("utf-8"))


def test_text_from_data_is_inert(hostile: ClusterExplainer, tmp_path: Path) -> None:
    e = hostile.explain([f"{EVIL}4", f"{EVIL}5"])
    path = e.report(tmp_path / "deep" / "why.html", render=lambda row, position: f"{EVIL} \ud83d {position}", run=EVIL)
    text = path.read_bytes().decode("utf-8")
    page = read(path)
    assert "<script>alert" not in text
    assert [tag for tag, _ in page.elements].count("script") == 5
    assert text.count("</script>") == 5
    assert page.data["answers"] == e.to_dict(50)
    assert page.data["words"]["run"] == EVIL
    assert EVIL in page.texts["title"]
    assert terminal_safe(EVIL) in page.texts["pre"]
    embedded = next(one for one in page.scripts if one.startswith("{"))
    assert not re.search(r"[<>&\u2028\u2029\x00-\x1f]|[^\x00-\x7f]", embedded)
    assert not [one for _, attributes in page.elements for one in attributes if one.startswith("on")]


def test_the_page_refers_to_nothing_outside(hostile: ClusterExplainer, tmp_path: Path) -> None:
    page = read(hostile.explain(slice(0, 2)).report(tmp_path / "why.html"))
    for tag, attributes in page.elements:
        assert tag not in ("link", "base", "iframe", "object", "embed", "form-action")
        assert not {"src", "href", "action", "srcset", "data"} & set(attributes)
    assert "url(" not in page.texts["style"]
    assert "@import" not in page.texts["style"]
    assert not any("sourceMappingURL" in script for script in page.scripts)


def test_the_policy_allows_the_scripts_of_the_page_and_no_others(plain: ClusterExplainer, tmp_path: Path) -> None:
    path = plain.explain([3]).report(tmp_path / "why.html")
    page = read(path)
    rules = {rule.split()[0]: rule.split()[1:] for rule in page.policy.split(";") if rule.strip()}
    assert rules["default-src"] == ["'none'"]
    assert rules["img-src"] == ["data:"]
    assert rules["base-uri"] == ["'none'"]
    assert "unsafe-eval" not in page.policy
    run = [script for script in page.scripts if not script.startswith("{")]
    expected = {f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in run}
    assert len(run) == 4
    assert set(rules["script-src"]) == expected
    kinds = [one.get("type") for tag, one in page.elements if tag == "script"]
    assert kinds.count(None) == 4


def test_json_cannot_leave_its_element() -> None:
    text = safe_json({"</script>": ["<!--", "&lt;", "\u2028", "\ud800", EVIL]})
    assert text.isascii()
    assert not set("<>&") & set(text)
    assert json.loads(text) == {"</script>": ["<!--", "&lt;", "\u2028", "\ud800", EVIL]}
    with pytest.raises(ValueError, match="JSON"):
        safe_json(float("nan"))


def test_a_page_holds_all_it_refers_to(plain: ClusterExplainer, tmp_path: Path) -> None:
    e = plain.explain(slice(0, 12))
    page = read(e.report(tmp_path / "why.html", run="runs/it")).data
    assert page["answers"] == json.loads(json.dumps(e.to_dict(50)))
    assert [one["id"] for one in page["queries"]] == [str(one) for one in e.query_ids]
    assert [one["headline"] for one in page["queries"]] == [e.headline(query) for query in range(len(e))]
    known = set(page["rows"]["id"])
    for query, answer in zip(page["queries"], page["answers"]["answers"], strict=True):
        panels = [*(query["charts"][name] for name in CHARTS), *query["groups"].values(), page["clusters"]["heat"]]
        for panel in panels:
            assert 0 <= panel["spec"] < len(page["specs"])
            assert {*panel["data"], panel["table"]} <= set(page["datasets"])
            fields = {field for field, _, _ in panel["columns"]}
            assert all(fields <= set(row) for row in page["datasets"][panel["table"]])
        assert {str(row["id"]) for row in answer["pulled_in"] + answer["pushed_away"]} <= known
        assert set(query["groups"]) == {"cluster", "lab"}
        asked = " ".join(f"--sample {one}" for one in e.query_ids)
        assert query["verify"] == f"clusterexplain verify {asked} --run runs/it"
    assert len(page["specs"]) < 12 * len(CHARTS)
    lengths = {len(column) for column in page["rows"].values() if column}
    assert lengths == {30}


def test_same_explanation_same_bytes(plain: ClusterExplainer, blobs: np.ndarray, tmp_path: Path) -> None:
    first = plain.explain([3, 11]).report(tmp_path / "a.html", run="runs/it").read_bytes()
    assert plain.explain([3, 11]).report(tmp_path / "b.html", run="runs/it").read_bytes() == first
    metadata = plain.data_.metadata
    again = drawn(ClusterExplainer(**SMALL).fit(Dataset(blobs, metadata=metadata)))
    assert again.explain([3, 11]).report(tmp_path / "c.html", run="runs/it").read_bytes() == first


def test_digits_take_less_than_three_megabytes(tmp_path: Path) -> None:
    ce = drawn(ClusterExplainer(n_clusters=10, n_steps=100, random_state=0).fit(load_dataset("digits")))
    path = ce.explain([3, 100, 500]).report(tmp_path / "digits.html")
    assert path.stat().st_size < 3_000_000
    page = read(path).data
    assert len(page["rows"]["image"]) == 1797
    assert all(one.startswith("data:image/png;base64,") for one in page["rows"]["image"])


def test_long_column_names_do_not_make_a_page_long(blobs: np.ndarray, tmp_path: Path) -> None:
    names = [f"{'x' * 10_000}{i}" for i in range(5)]
    ce = drawn(ClusterExplainer(**SMALL).fit(Dataset(blobs, feature_names=names)))
    assert ce.explain(slice(0, 10)).report(tmp_path / "long.html").stat().st_size < 3_000_000


@pytest.mark.filterwarnings("ignore:The clusters of 'gmm' are not identified")
def test_a_component_without_members_does_not_stop_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X = make_blobs(120, n_features=5, centers=4, cluster_std=1.5, random_state=0)[0]
    X[-8:] *= np.linspace(2, 4, 8)[:, None]
    ce = drawn(ClusterExplainer(**{**SMALL, "clusterer": "gmm"}).fit(X))
    assert set(ce.labels_.tolist()) < set(range(3))
    # Whether this fit counts as identified depends on the last bits of the machine's arithmetic; its page must not.
    monkeypatch.setattr(type(ce.fit_.clustering), "identified", True)
    page = read(ce.explain([3]).report(tmp_path / "gmm.html")).data
    assert page["answers"]["answers"][0]["sample"] == 3


@pytest.mark.parametrize("wanted", [[], [0, 5, 19_999], list(range(0, 20_000, 100))])
def test_a_sample_of_the_rows_is_drawn_with_the_wanted_ones(wanted: list[int]) -> None:
    rows = tables.shown_rows(np.arange(20_000), wanted)
    assert len(rows) == len(set(rows.tolist())) == tables.MAX_POINTS == 4000
    assert set(wanted) <= set(rows.tolist())
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(rows, tables.shown_rows(np.arange(20_000), wanted))
    np.testing.assert_array_equal(tables.shown_rows(np.arange(4000), wanted[:1]), np.arange(4000))


def test_few_rows_are_laid_out_without_umap() -> None:
    view = umap_view(np.eye(4, 3), seed=0)
    assert view.shape == (4, 2)
    assert np.isfinite(view).all()
    assert umap_view(np.arange(3.0)[:, None], seed=0).shape == (3, 2)


@pytest.mark.slow
def test_umap_gives_the_same_view_again() -> None:
    z = np.random.default_rng(0).normal(size=(60, 4))
    np.testing.assert_array_equal(umap_view(z, seed=3), umap_view(z, seed=3))


def test_a_table_with_texts_shows_texts_and_columns(blobs: np.ndarray, tmp_path: Path) -> None:
    metadata = pd.DataFrame({"body": [f"words {i}" for i in range(30)], "target": [float(i % 3) for i in range(30)]})
    names = ["kcal", "sugar", "fat", "salt", "fibre"]
    ce = drawn(ClusterExplainer(**SMALL).fit(Dataset(blobs, feature_names=names, metadata=metadata, text="body")))
    page = read(ce.explain([3]).report(tmp_path / "why.html")).data
    (query,) = page["queries"]
    assert query["text"] == "words 3"
    assert [name for name, _, _ in query["values"]]
    assert set(query["details"]) >= {*query["own"], *query["rival"]}
    assert all(len(differs) == 3 for differs in query["details"].values())
    text = dict(zip(page["rows"]["id"], page["rows"]["text"], strict=True))
    assert all(text[one] == f"words {one}" for one in [*query["own"], *query["rival"]])
    assert set(query["groups"]) == {"cluster", "target"}
    for card, cluster in zip(page["clusters"]["cards"], sorted(set(ce.labels_.tolist())), strict=True):
        size = (blobs[ce.labels_ == cluster].mean(axis=0) - blobs.mean(axis=0)) / blobs.std(axis=0)
        first = int(np.abs(size).argmax())
        side = "higher" if size[first] > 0 else "lower"
        assert card["profile"].startswith(f"{side} {names[first]} ({size[first]:+.1f} sd)")


def test_pictures_have_no_profile_in_words(tmp_path: Path) -> None:
    digits = load_dataset("digits")
    ce = drawn(ClusterExplainer(**SMALL).fit(Dataset(digits.X[:40], image_shape=(8, 8))))
    page = read(ce.explain([3]).report(tmp_path / "why.html")).data
    assert {card["profile"] for card in page["clusters"]["cards"]} == {""}


def test_the_command_that_checks_names_a_cluster_that_is_not_the_runner_up(
    plain: ClusterExplainer, tmp_path: Path
) -> None:
    own, usual = int(plain.labels_[3]), int(plain.explain([3]).runner_ups[0])
    other = next(one for one in range(3) if one not in (own, usual))
    page = read(plain.explain([3], against=other).report(tmp_path / "why.html", run="runs/it")).data
    assert page["queries"][0]["verify"] == f"clusterexplain verify --sample 3 --against {other} --run runs/it"
