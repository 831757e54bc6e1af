"""The page in a browser that reaches no network: what it asks for, what it shows, what its controls do.

These tests are skipped only where no Chromium is installed. The browser is opened once, for this file alone: Playwright keeps
an event loop running in the thread for as long as it is open, which other tests must not find there.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import shutil
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs
from typer.testing import CliRunner

from clusterexplain import ClusterExplainer, Dataset, load_dataset
from clusterexplain.cli.app import app
from clusterexplain.explanation import SIDES, Explanation
from clusterexplain.report import frames
from tests.conftest import SMALL

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra dev)")

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip
WIDE, PHONE = 1280, 390
TOP = 50
RUN = "runs/my run"
SCRIPTS = 5
"""Script elements of a page: three libraries, ours, and the data."""
EVIL = [
    "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\"quotes' and \\ and `ticks` ${1} $title {{x}}",
    "\u202eright to left\u200f\u2067", "x" * 10_000, "\U0001f600\U0001f468\u200d\U0001f469", "nul\0inside", "<!--<script>",
    "line\u2028end", "=1+1", "+1", "-1", "@A1", "%", "#sample=1", "&lt;b&gt;", "datum.id", " spaces ",
]  # fmt: skip
PROTOTYPE = ["__proto__", "constructor", "toString", "hasOwnProperty"]
DRAWN = """() => [...document.querySelectorAll('figure')].every((one) => one.hidden || one.querySelector('svg .mark-group'))
    && document.querySelectorAll('figure svg').length > 0"""


@dataclass
class Opened:
    """A page with all that it asked for and complained about."""

    page: Any
    log: list[str] = field(default_factory=list)

    def settle(self) -> None:
        """Wait until every chart is drawn."""
        try:
            self.page.wait_for_function(DRAWN, timeout=10_000)
        except sync_api.TimeoutError:
            raise AssertionError(f"not every chart is drawn; the page says: {self.log}") from None
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def clean(self) -> None:
        assert self.log == []

    def choose(self, id_: Any) -> None:
        self.page.evaluate("(id) => { location.hash = 'sample=' + encodeURIComponent(id); }", str(id_))
        self.page.wait_for_function("(id) => document.getElementById('pick').value === id", arg=str(id_))
        self.settle()

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).inner_text())

    def ids(self, side: str) -> list[str]:
        """Return the ids in a list, all of it."""
        more = self.page.locator(f"#{side} .more button")
        if more.count() and more.inner_text().startswith("Show all"):
            more.click()
        return list(self.page.locator(f"#{side} tbody tr").evaluate_all("rows => rows.map((row) => row.dataset.id)"))

    def star(self) -> list[str]:
        return list(self.items("#map", "sample"))

    def items(self, figure: str, layer: str) -> list[str]:
        """Return the ids of the marks of a layer."""
        script = "nodes => nodes.map((node) => String(node.__data__.datum.id))"
        return list(self.page.locator(f"{figure} svg g.{layer}_marks > *").evaluate_all(script))

    def places(self, layer: str = "dots") -> dict[str, tuple[float, float]]:
        """Return where dots are in the window, by id."""
        script = """nodes => nodes.map((node) => { const box = node.getBoundingClientRect();
            return [String(node.__data__.datum.id), [box.x + box.width / 2, box.y + box.height / 2]]; })"""
        return {id_: tuple(at) for id_, at in self.page.locator(f"#map svg g.{layer}_marks > *").evaluate_all(script)}

    def open_tables(self) -> None:
        """Open all tables and all cards of clusters."""
        for toggle in self.page.get_by_role("button", name=re.compile("^Table")).all():
            if toggle.get_attribute("aria-expanded") == "false":
                toggle.click()
        self.page.evaluate("() => document.querySelectorAll('details').forEach((one) => { one.open = true; })")

    def open_table(self, figure: str) -> list[list[str]]:
        """Open the table of a figure, all of it, and return its cells."""
        place = self.page.locator(figure)
        toggle = place.get_by_role("button", name=re.compile("^Table"))
        if toggle.get_attribute("aria-expanded") == "false":
            toggle.click()
        more = place.locator(".more button")
        if more.count() and more.inner_text().startswith("Show all"):
            more.click()
        return cells(place.locator(".beside"))

    def overflow(self) -> list[str]:
        """Return what makes the document wider than the window, nothing if it is not."""
        script = """() => { const wide = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= wide) return [];
            return [`${document.documentElement.scrollWidth} > ${wide}`, ...[...document.querySelectorAll('body *')]
              .filter((one) => one.getBoundingClientRect().right > wide + 1 && !one.closest('.table, .plot, svg'))
              .slice(0, 5).map((one) => one.tagName + '#' + one.id + '.' + one.className)]; }"""
        return list(self.page.evaluate(script))

    def download(self, act: Callable[[], Any]) -> bytes:
        with self.page.expect_download(timeout=10_000) as waiting:
            act()
        return Path(waiting.value.path()).read_bytes()


def cells(table: Any) -> list[list[str]]:
    script = "rows => rows.map((row) => [...row.cells].map((cell) => cell.innerText.trim()))"
    return list(table.locator("tbody tr").evaluate_all(script))


def numbers(column: list[str]) -> np.ndarray:
    """Read numbers as a page shows them."""
    read = []
    for text in column:
        plain = text.replace("\N{MINUS SIGN}", "-")
        share = plain.endswith("%")
        read.append(np.nan if plain == "\N{EN DASH}" else float(plain.removesuffix("%")) / (100 if share else 1))
    return np.array(read)


def assert_shows(found: list[list[str]], frame: pd.DataFrame, columns: list[str]) -> None:
    """Assert that a table has the rows and the numbers of a frame, as far as its digits go."""
    assert len(found) == len(frame) > 0
    for place, name in enumerate(columns):
        shown = [row[place] for row in found]
        if pd.api.types.is_numeric_dtype(frame[name]):
            digits = 0.00501 if any(one.endswith("%") for one in shown) else 5.01e-5
            np.testing.assert_allclose(numbers(shown), frame[name].to_numpy(dtype=float), rtol=0, atol=digits)
        else:
            assert shown == [str(one) or "" for one in frame[name]]


def pixels(page: Any, png: bytes) -> dict[str, float]:
    """Let the browser decode a picture: its size, and shares of white and of dark pixels."""
    import base64

    script = """async (url) => { const image = new Image(); image.src = url; await image.decode();
        const canvas = document.createElement('canvas'); canvas.width = image.width; canvas.height = image.height;
        const pen = canvas.getContext('2d'); pen.drawImage(image, 0, 0);
        const { data } = pen.getImageData(0, 0, image.width, image.height); let white = 0, dark = 0, clear = 0;
        for (let i = 0; i < data.length; i += 4) {
          if (data[i + 3] < 255) clear += 1;
          else if (data[i] > 250 && data[i + 1] > 250 && data[i + 2] > 250) white += 1;
          else if (data[i] < 60 && data[i + 1] < 60 && data[i + 2] < 60) dark += 1; }
        const all = data.length / 4; return { width: image.width, height: image.height, white: white / all, dark: dark / all,
          clear: clear / all }; }"""
    return dict(page.evaluate(script, "data:image/png;base64," + base64.b64encode(png).decode()))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None:
        pytest.skip(f"no Chromium is installed (none of {', '.join(names)} is on the path)")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield opened
        opened.close()


Opener = Callable[..., Opened]


@pytest.fixture
def opens(browser: Any) -> Iterator[Opener]:
    """Open pages with the network blocked; what is not the file itself, errors, warnings and dialogs are logged."""
    contexts = []

    def opened(path: Path, *, hash_: str = "", width: int = WIDE, settle: bool = True, **options: Any) -> Opened:
        context = browser.new_context(viewport={"width": width, "height": 900}, accept_downloads=True, **options)
        contexts.append(context)
        address = Path(path).resolve().as_uri()

        def pass_(route: Any) -> None:
            route.continue_() if route.request.url.split("#")[0] == address else route.abort()

        context.route("**/*", pass_)
        context.set_offline(True)
        page = context.new_page()
        seen = Opened(page)
        asked: list[str] = []

        def note_request(request: Any) -> None:
            if request.url.startswith("data:"):
                return
            asked.append(request.url)
            if len(asked) > 1 or request.url.split("#")[0] != address:
                seen.log.append(f"request: {request.url[:200]}")

        def note_dialog(dialog: Any) -> None:
            seen.log.append(f"dialog: {dialog.message}")
            dialog.dismiss()

        def note_words(message: Any) -> None:
            if message.type in ("error", "warning"):
                seen.log.append(f"{message.type}: {message.text[:300]}")

        page.on("request", note_request)
        page.on("dialog", note_dialog)
        page.on("console", note_words)
        page.on("pageerror", lambda error: seen.log.append(f"page error: {str(error)[:300]}"))
        page.goto(address + hash_)
        if settle:
            seen.settle()
        return seen

    yield opened
    for context in contexts:
        context.close()


@dataclass
class Made:
    """A fit, an explanation of it, and its page."""

    ce: ClusterExplainer
    e: Explanation
    path: Path

    @property
    def ids(self) -> list[str]:
        return [str(one) for one in self.e.query_ids]

    @property
    def exhibit(self) -> Any:
        return self.ce._exhibit(self.e, None)


def fitted(data: Any, **changes: Any) -> ClusterExplainer:
    ce = ClusterExplainer(**{**SMALL, **changes}).fit(data)
    ce._map = np.ascontiguousarray(ce.embedding_[:, :2])  # UMAP has its own slow test
    return ce


def rows(n: int = 60, seed: int = 0) -> np.ndarray:
    return make_blobs(n, n_features=5, centers=4, cluster_std=1.5, random_state=seed)[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def sheet(folder: Path) -> Made:
    """Write the page of a table with metadata, checked, with its stability measured: it has every panel."""
    metadata = pd.DataFrame({"lab": [f"lab {i % 3}" for i in range(60)], "day": [i % 2 for i in range(60)]})
    data = Dataset(
        rows(), ids=[f"r{i}" for i in range(60)], feature_names=["mass", "length", "age", "temp", "load"],
        metadata=metadata,
    )  # fmt: skip
    ce = fitted(data)
    ce.name_clusters({0: "heavy ones"})
    ce.stability(n_seeds=2, n_bootstrap=2)
    ce.save(folder / "run")
    e = ce.verify(ce.explain(["r3", "r10", "r25", "r40"]), n_single=12, n_within=6, n_groups=12).explanation
    return Made(ce, e, e.report(folder / "sheet.html", run=RUN))


@pytest.fixture(scope="module")
def digits(folder: Path) -> Made:
    ce = ClusterExplainer(n_clusters=10, n_steps=100, random_state=0).fit(load_dataset("digits"))
    ce._map = np.ascontiguousarray(ce.embedding_[:, :2])
    ce.stability(n_seeds=2, n_bootstrap=2)
    e = ce.verify(ce.explain([3, 100, 500]), n_single=6, n_within=6, n_groups=4).explanation
    return Made(ce, e, e.report(folder / "digits.html", run="runs/digits"))


@pytest.fixture(scope="module")
def hostile(folder: Path) -> Made:
    n = 3 * len(EVIL)
    metadata = pd.DataFrame(
        {
            **{name: [f"{EVIL[(i + k) % 8]}" for i in range(n)] for k, name in enumerate((EVIL[0], EVIL[1], EVIL[4]))},
            "words": [f"{EVIL[i % len(EVIL)]} number {i}" for i in range(n)],
        },
        dtype=object,
    )
    ids = [*EVIL, *(f"{one}"[:200] + str(i) for i in range(2) for one in EVIL)]
    ce = fitted(Dataset(rows(n), ids=ids, feature_names=EVIL[:5], metadata=metadata))
    ce.name_clusters({0: EVIL[0] + EVIL[1], 1: EVIL[2]})
    e = ce.explain(EVIL)
    return Made(ce, e, e.report(folder / "hostile.html", run="runs/`$(touch x)` 'it'"))


@pytest.fixture(scope="module")
def gallery(folder: Path) -> dict[str, Made]:
    """One page of every other kind, none with metadata."""
    X = make_blobs(120, n_features=5, centers=4, cluster_std=1.0, random_state=0)[0]
    X[-6:] *= np.linspace(2, 4, 6)[:, None]
    means, mixture, two = fitted(X), fitted(X, clusterer="gmm"), fitted(X, n_clusters=2)
    density = fitted(X, clusterer="hdbscan", clusterer_options={"min_cluster_size": 8})
    noise = [int(one) for one in np.flatnonzero(density.labels_ == -1)[:1]]
    texts = pd.DataFrame({"text": [f"document {i} about things" for i in range(120)]})
    written = fitted(Dataset(X, metadata=texts, text="text"))
    asked = {
        "k-means": (means, means.explain([3, 50])),
        "gmm": (mixture, mixture.explain([3, 50])),
        "hdbscan": (density, density.explain([3])),
        "noise": (density, density.explain(noise)),
        "whole cluster of hdbscan": (density, density.cluster(0).cohesion),
        "cohesion": (means, means.cluster(0).cohesion),
        "cohesions": (means, means.cohesion()),
        "between": (means, means.between(0, 1)),
        "new rows": (means, means.explain(X[:2] + 0.5)),
        "two clusters": (two, two.explain([0, 5])),
        "texts": (written, written.explain([7, 8])),
        "spherical": (one := fitted(X, clusterer="spherical_kmeans"), one.explain([1])),
        "six rows": (one := fitted(X[:6]), one.explain([0])),
    }
    assert noise
    return {name: Made(ce, e, e.report(folder / f"{name.replace(' ', '-')}.html")) for name, (ce, e) in asked.items()}


KINDS = (
    "k-means", "gmm", "hdbscan", "noise", "whole cluster of hdbscan", "cohesion", "cohesions", "between", "new rows",
    "two clusters", "texts", "spherical", "six rows",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_page_shows_its_panels(gallery: dict[str, Made], opens: Opener, kind: str) -> None:
    made = gallery[kind]
    seen = opens(made.path)
    whole = made.e.mixed is not None
    for query, id_ in enumerate(made.ids):
        seen.choose(id_)
        assert seen.text("#answer .headline") == made.e.headline(query)
        for name in ("map", "bars", "waterfall", "groups", "heat"):
            box = seen.page.locator(f"#{name} svg").bounding_box()
            assert box is not None
            assert box["width"] > 300
            assert box["height"] > 80
        assert seen.page.locator("#standing").is_hidden() == whole
        assert seen.ids("pulled") == [str(one) for one in made.e.top(TOP, query=query, side=SIDES[0])["id"]]
        assert seen.ids("pushed") == [str(one) for one in made.e.top(TOP, query=query, side=SIDES[1])["id"]]
    assert seen.page.locator("#by option").all_inner_texts() == ["cluster"]
    assert seen.page.locator("#cards details").count() == len(made.exhibit.clusters)
    seen.page.locator("#cards summary").first.click()
    assert "Most typical" in seen.text("#cards")
    assert seen.page.locator("#checkchart").is_hidden()
    assert seen.page.locator("#strip").is_hidden()
    assert "not checked" in seen.text("#verdict").lower()
    assert bool(seen.star()) == (made.e.positions[-1] >= 0)
    seen.page.set_viewport_size({"width": PHONE, "height": 800})
    seen.open_tables()
    seen.page.wait_for_function(f"() => document.querySelector('#heat svg').getBoundingClientRect().width < {PHONE}")
    assert seen.overflow() == []
    seen.clean()


def test_panels_of_clusterers(gallery: dict[str, Made], opens: Opener) -> None:
    for kind, reads, columns in (
        ("k-means", frames.standing, ["cluster", "role", "distance", "membership"]),
        ("gmm", frames.standing, ["cluster", "role", "distance", "membership"]),
    ):
        made = gallery[kind]
        seen = opens(made.path)
        assert_shows(seen.open_table("#standing"), reads(made.exhibit, made.e, 0), columns)
        assert ("memberships sum to 1" in seen.page.locator("#standing svg").text_content()) == (kind == "gmm")
    for kind in ("hdbscan", "noise"):
        made = gallery[kind]
        seen = opens(made.path)
        frame = frames.tree(made.exhibit)
        found = seen.open_table("#standing")
        assert_shows(found, frame, ["node"])
        finite = np.isfinite(frame["death"].to_numpy(dtype=float))
        shown = numbers([row[4] for row in found])
        np.testing.assert_allclose(shown[finite], frame["death"][finite], atol=5.01e-5)
        assert seen.items("#standing", "sample") == made.ids
        seen.clean()
    assert "lacks" in seen.text("#answer .headline")
    assert "Each" in opens(gallery["between"].path).text("#pulled h3")


def test_the_page_asks_for_nothing_and_complains_about_nothing(sheet: Made, digits: Made, opens: Opener) -> None:
    for made in (sheet, digits):
        seen = opens(made.path)
        assert seen.page.locator("figure:visible").count() == 9
        for _ in made.ids:
            seen.page.locator("#next").click()
            seen.settle()
        seen.page.hover("#map svg g.dots_marks > *:nth-child(5)", force=True)
        seen.page.locator("#theme").click()
        seen.clean()


def test_the_policy_is_strict(sheet: Made, opens: Opener) -> None:
    seen = opens(sheet.path)
    content = seen.page.locator("meta[http-equiv='Content-Security-Policy' i]").get_attribute("content")
    rules = {rule.split()[0]: rule.split()[1:] for rule in content.split(";") if rule.strip()}
    assert rules["default-src"] == ["'none'"]
    assert rules["script-src"]
    assert all(re.fullmatch(r"'sha256-[A-Za-z0-9+/=]+'", one) for one in rules["script-src"])
    assert "unsafe-eval" not in content
    assert rules["img-src"] == ["data:"]
    assert not {"connect-src", "font-src", "frame-src", "worker-src", "object-src"} & set(rules)
    seen.page.evaluate(
        "() => { const one = document.createElement('script'); one.textContent = 'window.ran = 1'; document.body.append(one); }"
    )
    assert seen.page.evaluate("() => window.ran") is None
    assert any("Content Security Policy" in line for line in seen.log)


def follows(seen: Opened, made: Made, query: int) -> None:
    """Assert that every panel is about a query, and the address too."""
    id_ = made.ids[query]
    seen.settle()
    seen.page.wait_for_function(
        "(id) => document.querySelector('#map svg g.sample_marks > *')?.__data__.datum.id === id", arg=id_
    )
    assert id_ in seen.text("#title")
    assert seen.text("#answer .headline") == made.e.headline(query)
    assert seen.page.locator("#pick").input_value() == id_
    assert id_ in seen.page.title()
    top = made.e.top(10, query=query)
    pulled, pushed = (top[top["side"] == side]["id"].astype(str).tolist() for side in SIDES)
    assert seen.ids("pulled")[:10] == pulled
    assert seen.ids("pushed")[:10] == pushed
    assert sorted(seen.items("#map", "rings")) == sorted(pulled + pushed)
    assert set(seen.items("#bars", "totals") or pulled + pushed) == {*pulled, *pushed}
    steps, _ = frames.steps(made.e, query)
    assert seen.items("#waterfall", "steps") == steps["id"].tolist()
    assert [row[1] for row in seen.open_table("#bars")] == pulled + pushed
    assert_shows(
        seen.open_table("#groups"), frames.groups(made.e, "cluster")[query], ["group", "n", "if_removed", "influence"]
    )
    assert_shows(
        seen.open_table("#standing"), frames.standing(made.exhibit, made.e, query), ["cluster", "role", "distance"]
    )


def address(seen: Opened) -> str:
    return str(seen.page.evaluate("() => decodeURIComponent(location.hash)"))


def test_choosing_a_sample(sheet: Made, opens: Opener) -> None:
    seen = opens(sheet.path, hash_="#sample=r25")
    follows(seen, sheet, 2)
    seen.choose("r40")
    follows(seen, sheet, 3)
    options = seen.page.locator("#known option").evaluate_all("all => all.map((one) => one.value)")
    assert options == sheet.ids
    seen.page.fill("#pick", "r10")
    seen.page.get_by_role("button", name="Show", exact=True).click()
    follows(seen, sheet, 1)
    assert address(seen) == "#sample=r10"
    seen.page.get_by_role("button", name="Next sample").click()
    follows(seen, sheet, 2)
    assert address(seen) == "#sample=r25"
    seen.page.get_by_role("button", name="Previous sample").click()
    seen.page.get_by_role("button", name="Previous sample").click()
    follows(seen, sheet, 0)
    seen.page.locator("#title").click()
    seen.page.keyboard.press("ArrowLeft")
    follows(seen, sheet, 3)
    seen.page.keyboard.press("ArrowRight")
    follows(seen, sheet, 0)
    assert address(seen) == "#sample=r3"
    seen.clean()


def test_nearest_to_a_boundary_first(sheet: Made, opens: Opener) -> None:
    seen = opens(sheet.path)
    seen.page.select_option("#order", label="nearest to a boundary first")
    expected = [sheet.ids[one] for one in np.argsort(np.abs(sheet.e.scores), kind="stable")]
    shown = []
    for _ in expected:
        shown.append(seen.page.locator("#pick").input_value())
        seen.page.locator("#next").click()
    assert shown == expected
    seen.page.select_option("#order", label="as asked")
    assert seen.page.locator("#pick").input_value() == sheet.ids[0]
    seen.clean()


def test_quick_steps_and_a_new_width_leave_no_errors(sheet: Made, opens: Opener) -> None:
    seen = opens(sheet.path)
    for _ in range(14):
        seen.page.keyboard.press("ArrowRight")
    seen.settle()
    seen.page.set_viewport_size({"width": PHONE, "height": 800})
    seen.page.wait_for_function(f"() => document.querySelector('#map svg').getBoundingClientRect().width < {PHONE}")
    follows(seen, sheet, 14 % len(sheet.ids))
    assert seen.overflow() == []
    seen.clean()


def offered(seen: Opened) -> list[str]:
    assert seen.page.locator("#offer").is_visible()
    return shlex.split(seen.text("#offer code"))


def test_samples_that_are_not_in_the_file_are_offered(sheet: Made, opens: Opener) -> None:
    seen = opens(sheet.path, hash_="#sample=r7")
    expected = ["clusterexplain", "report", "--sample", "r7", "--run", RUN]
    assert offered(seen) == expected
    seen.page.get_by_role("button", name="Copy command").first.click()
    seen.page.wait_for_function("() => document.getElementById('said').textContent.includes('Copied')")
    seen.page.locator("#search").focus()
    seen.page.keyboard.press("Control+V")
    assert shlex.split(seen.page.locator("#search").input_value()) == expected
    seen.page.fill("#search", "")
    seen.page.fill("#pick", "it's new; rm")
    seen.page.get_by_role("button", name="Show", exact=True).click()
    assert offered(seen)[3] == "it's new; rm"
    assert "no sample" in seen.text("#offer")
    seen.page.locator("#pulled button.example").last.click()
    last = seen.page.locator("#pulled tbody tr").last.get_attribute("data-id")
    assert (seen.page.locator("#pick").input_value() == last) if last in sheet.ids else offered(seen)[3] == last
    seen.clean()


def test_the_offer_goes_when_a_sample_is_chosen(sheet: Made, opens: Opener) -> None:
    seen = opens(sheet.path, hash_="#sample=r3")
    for again in ("r10", "r10", "r3"):
        seen.page.fill("#pick", "r7")
        seen.page.keyboard.press("Enter")
        assert seen.page.locator("#offer").is_visible()
        seen.page.fill("#pick", again)
        seen.page.keyboard.press("Enter")
        assert seen.page.locator("#offer").is_hidden()
        assert address(seen) == f"#sample={again}"


def uncovered(seen: Opened, wanted: Callable[[str], bool]) -> tuple[str, tuple[float, float]]:
    """Return a dot that nothing covers."""
    seen.page.locator("#map").scroll_into_view_if_needed()
    script = "([x, y]) => String(document.elementFromPoint(x, y)?.__data__?.datum?.id)"
    for id_, at in seen.places().items():
        if wanted(id_) and seen.page.evaluate(script, list(at)) == id_:
            return id_, at
    raise AssertionError("no such dot is free")


def test_clicking_dots(sheet: Made, opens: Opener) -> None:
    seen = opens(sheet.path)
    id_, at = uncovered(seen, lambda one: one in sheet.ids[1:])
    seen.page.mouse.click(*at)
    follows(seen, sheet, sheet.ids.index(id_))
    assert address(seen) == f"#sample={id_}"
    other, at = uncovered(seen, lambda one: one not in sheet.ids)
    seen.page.mouse.click(*at)
    assert offered(seen)[3] == other
    assert address(seen) == f"#sample={id_}"
    seen.clean()


def test_a_window_on_the_map_filters_the_lists(sheet: Made, opens: Opener) -> None:
    seen = opens(sheet.path)
    before = {side: seen.ids(side) for side in ("pulled", "pushed")}
    seen.page.locator("#map").scroll_into_view_if_needed()
    places = seen.places()
    across = sorted(places[one][0] for one in {*before["pulled"], *before["pushed"]})
    gaps = np.diff(across)
    middle = len(across) // 4 + int(np.argmax(gaps[len(across) // 4 : 3 * len(across) // 4]))
    edge = (across[middle] + across[middle + 1]) / 2
    box = seen.page.locator("#map svg").bounding_box()
    top = min(y for _, y in places.values()) - 12
    bottom = max(y for _, y in places.values()) + 12
    seen.page.mouse.move(edge, top)
    seen.page.mouse.down()
    seen.page.mouse.move(edge - 40, bottom - 40, steps=4)
    seen.page.mouse.move(box["x"] + 2, bottom, steps=4)
    seen.page.mouse.up()
    seen.page.wait_for_function("() => !document.getElementById('clear').hidden")
    inside = {one for one, (x, y) in places.items() if x < edge}
    for side, ids in before.items():
        assert seen.ids(side) == [one for one in ids if one in inside]
    assert 0 < len(inside & {*before["pulled"], *before["pushed"]}) < len(before["pulled"]) + len(before["pushed"])
    assert seen.page.locator("#offer").is_hidden()
    seen.page.get_by_role("button", name="Clear the window").click()
    seen.settle()
    assert {side: seen.ids(side) for side in before} == before
    assert seen.page.locator("#clear").is_hidden()
    seen.clean()


def test_search_and_cluster_filter_the_lists(sheet: Made, opens: Opener) -> None:
    seen = opens(sheet.path)
    before = {side: seen.ids(side) for side in ("pulled", "pushed")}
    seen.page.fill("#search", "R1")
    for side, ids in before.items():
        assert seen.ids(side) == [one for one in ids if "r1" in one]
    seen.page.fill("#search", "")
    labels = dict(zip(sheet.e.train_ids.tolist(), sheet.e.train_labels.tolist(), strict=True))
    for cluster in sorted(set(labels.values())):
        seen.page.select_option("#only", value=str(cluster))
        for side, ids in before.items():
            assert seen.ids(side) == [one for one in ids if labels[one] == cluster]
    seen.page.select_option("#only", label="all")
    seen.page.fill("#search", "no such example")
    assert seen.ids("pulled") == []
    assert "None fits" in seen.text("#pulled")
    seen.page.fill("#search", "heavy")
    assert seen.ids("pulled") == [one for one in before["pulled"] if labels[one] == 0]
    seen.clean()


def test_every_column_of_every_table_sorts(sheet: Made, opens: Opener) -> None:
    seen = opens(sheet.path)
    figures = ("map", "bars", "waterfall", "groups", "standing", "heat", "checkchart", "jaccard", "strip")
    for name in figures:
        seen.open_table(f"#{name}")
    for side in ("pulled", "pushed"):
        seen.ids(side)
    for place in [*(f"#{name} .beside" for name in figures), "#pulled", "#pushed"]:
        heads = seen.page.locator(f"{place} th")
        assert heads.count() >= 3
        for index in range(heads.count()):
            ways = []
            for _ in range(2):
                heads.nth(index).get_by_role("button").click()
                ways.append(heads.nth(index).get_attribute("aria-sort"))
                assert seen.page.locator(f"{place} th:not([aria-sort='none'])").count() == 1
                shown = [row[index] for row in cells(seen.page.locator(place))]
                assert_sorted(shown, ways[-1])
            assert sorted(ways) == ["ascending", "descending"]
    seen.clean()


def assert_sorted(shown: list[str], way: str) -> None:
    first = [one.split(" ")[0].split("\n")[0].replace("\N{MINUS SIGN}", "-") for one in shown]
    if all(re.fullmatch(r"[+-]?[0-9.]+%?|\N{EN DASH}", one) for one in first):
        values = [float(one.removesuffix("%")) for one in first if one != "\N{EN DASH}"]
        assert values == sorted(values, reverse=way == "descending")
    elif all(re.fullmatch(r"r[0-9]+", one) for one in first):
        counted = [int(one[1:]) for one in first]
        assert counted == sorted(counted, reverse=way == "descending")
    else:
        assert [*dict.fromkeys(shown)] == sorted(set(shown), reverse=way == "descending")


def test_the_slider_reads_the_margin_off_the_steps(sheet: Made, opens: Opener) -> None:
    seen = opens(sheet.path)
    found = seen.open_table("#waterfall")
    slider = seen.page.locator("#waterfall input[type=range]")
    assert int(slider.get_attribute("max")) == len(found)
    for k in (1, len(found) // 2, len(found)):
        slider.evaluate(
            "(one, k) => { one.value = k; one.dispatchEvent(new Event('input', { bubbles: true })); }", str(k)
        )
        seen.page.wait_for_function(
            "(k) => document.querySelector('#waterfall svg').textContent.includes(`predicted margin after ${k}:`)",
            arg=k,
        )
        words = seen.page.locator("#waterfall svg").text_content().replace("\N{MINUS SIGN}", "-")
        reading = re.search(rf"predicted margin after {k}: ([+-][0-9.]+[0-9])", words)
        assert reading
        assert float(reading[1]) == numbers([found[k - 1][3]])[0]
    chosen = seen.page.locator("#pick").input_value()
    slider.focus()
    seen.page.keyboard.press("ArrowLeft")
    assert seen.page.locator("#pick").input_value() == chosen
    assert slider.input_value() == str(len(found) - 1)
    seen.clean()


def test_the_checkbox_shows_the_neighbours(sheet: Made, opens: Opener) -> None:
    seen = opens(sheet.path)
    lines = "#map svg g.neighbours_marks > *"
    visible = "all => all.map((one) => Number(one.getAttribute('opacity') ?? getComputedStyle(one).opacity))"
    assert set(seen.page.locator(lines).evaluate_all(visible)) == {0}
    seen.page.locator("#map input[type=checkbox]").check()
    seen.page.wait_for_function(f"() => Number(document.querySelector('{lines}').getAttribute('opacity') ?? 1) > 0.3")
    assert min(seen.page.locator(lines).evaluate_all(visible)) > 0.3
    assert seen.items("#map", "neighbours") == frames.links(sheet.exhibit, sheet.e, 0)["id"].tolist()
    seen.page.locator("#map input[type=checkbox]").uncheck()
    seen.page.wait_for_function(f"() => Number(document.querySelector('{lines}').getAttribute('opacity') ?? 1) === 0")
    seen.clean()


def test_hidden_lines_cannot_be_clicked(sheet: Made, opens: Opener) -> None:
    seen = opens(sheet.path)
    seen.page.locator("#map").scroll_into_view_if_needed()
    script = """() => [...document.querySelectorAll('#map svg g.neighbours_marks > *')].some((line) => {
        const box = line.getBoundingClientRect();
        return [0.3, 0.5, 0.7].some((part) => [part, 1 - part].some((other) =>
          document.elementFromPoint(box.x + part * box.width, box.y + other * box.height) === line)); })"""
    assert not seen.page.evaluate(script)


def test_tables_hold_the_numbers_of_the_frames(sheet: Made, opens: Opener) -> None:
    seen = opens(sheet.path)
    exhibit = sheet.exhibit
    for query in (0, 2):
        seen.choose(sheet.ids[query])
        strongest = sheet.e.top(10, query=query).assign(
            cluster=lambda frame: [sheet.e.name_of(one) for one in frame["cluster"]]
        )
        columns = ["side", "id", "cluster", "if_removed", "encoder", "cluster_part", "direct"]
        assert_shows(seen.open_table("#bars"), strongest, columns)
        steps, _ = frames.steps(sheet.e, query)
        assert_shows(seen.open_table("#waterfall"), steps, ["removed", "id", "cluster", "after"])
        for column in frames.group_columns(exhibit):
            seen.page.select_option("#by", value=column)
            seen.settle()
            groups = frames.groups(sheet.e, column)[query]
            columns = ["group", "n", "if_removed", "influence", "low", "high", "pull_share", "push_share"]
            assert_shows(seen.open_table("#groups"), groups, columns)
        columns = ["cluster", "role", "distance", "membership"]
        assert_shows(seen.open_table("#standing"), frames.standing(exhibit, sheet.e, query), columns)
    assert seen.page.locator("#by option").all_inner_texts() == ["cluster", "lab", "day"]
    drawn = np.arange(60)
    assert_shows(seen.open_table("#map"), frames.dots(exhibit, drawn, with_rows=False), ["id", "cluster", "margin"])
    columns = ["target", "source", "n", "influence", "if_removed"]
    assert_shows(seen.open_table("#heat"), frames.cluster_pulls(exhibit), columns)
    columns = ["query", "kind", "n_removed", "assignments", "predicted", "retrained"]
    assert_shows(seen.open_table("#checkchart"), frames.all_retrained(sheet.e), columns)
    columns = ["cluster", "size", "jaccard", "low", "high", "verdict"]
    assert_shows(seen.open_table("#jaccard"), frames.cluster_stability(exhibit), columns)
    assert_shows(seen.open_table("#strip"), frames.stability(exhibit, drawn), ["id", "cluster", "share"])
    seen.clean()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_can_be_saved(sheet: Made, opens: Opener, browser: Any, scheme: str) -> None:
    seen = opens(sheet.path, color_scheme=scheme)
    blank = browser.new_page()
    for name in ("map", "bars", "waterfall", "groups", "standing", "heat", "checkchart", "jaccard", "strip"):
        place = seen.page.locator(f"#{name}")
        png = seen.download(place.get_by_role("button", name=re.compile("^Save PNG")).click)
        assert png.startswith(b"\x89PNG\r\n\x1a\n")
        assert png.endswith(b"IEND\xaeB`\x82")
        width, height = struct.unpack(">II", png[16:24])
        box = place.locator("svg").bounding_box()
        assert width == pytest.approx(2 * box["width"], abs=8)
        assert height == pytest.approx(2 * box["height"], abs=8)
        found = pixels(blank, png)
        assert (found["width"], found["height"]) == (width, height)
        assert found["clear"] == 0
        assert found["white"] > 0.25
        assert found["dark"] > 0.0005, f"{name}: axes and texts must be dark on white"
    blank.close()
    seen.clean()


def read_csv(text: bytes) -> pd.DataFrame:
    head, *lines = csv.reader(io.StringIO(text.decode("utf-8"), newline=""))
    read = [[float(one) if re.fullmatch(r"-?[0-9][0-9.e+-]*", one) else one for one in line] for line in lines]
    return pd.DataFrame(read, columns=head)


def test_lists_and_tables_can_be_saved(sheet: Made, opens: Opener) -> None:
    seen = opens(sheet.path, hash_="#sample=r10")
    for side, name in zip(SIDES, ("pulled", "pushed"), strict=True):
        saved = read_csv(seen.download(seen.page.locator(f"#{name}").get_by_role("button", name="Save CSV").click))
        expected = sheet.e.top(TOP, query=1, side=side).drop(columns="side")
        assert saved.columns.tolist() == expected.columns.tolist()
        pd.testing.assert_frame_equal(saved, expected, check_dtype=False, check_exact=True)
    steps, _ = frames.steps(sheet.e, 1)
    seen.open_table("#waterfall")
    saved = read_csv(seen.download(seen.page.locator("#waterfall").get_by_role("button", name="Save CSV").click))
    assert saved.iloc[:, 3].tolist() == steps["after"].tolist()
    seen.open_table("#checkchart")
    saved = read_csv(seen.download(seen.page.locator("#checkchart").get_by_role("button", name="Save CSV").click))
    assert saved.iloc[:, 5].tolist() == frames.all_retrained(sheet.e)["retrained"].tolist()
    seen.clean()


def test_saved_tables_start_no_formula(hostile: Made, opens: Opener) -> None:
    seen = opens(hostile.path)
    seen.open_table("#map")
    save = seen.page.locator("#map").get_by_role("button", name="Save CSV")
    lines = list(csv.reader(io.StringIO(seen.download(save.click).decode("utf-8"), newline="")))
    ids = [line[0] for line in lines[1:]]
    assert len(ids) == len(hostile.e.train_ids)
    for found, given in zip(ids, hostile.e.train_ids.tolist(), strict=True):
        assert found == ("'" + given if given[:1] in tuple("=+-@") else given)
    for name in ("pulled", "pushed"):
        saved = seen.download(seen.page.locator(f"#{name}").get_by_role("button", name="Save CSV").click)
        for line in csv.reader(io.StringIO(saved.decode("utf-8"), newline="")):
            assert line[0][:1] not in tuple("=+-@")
            assert all(re.fullmatch(r"-?[0-9.e+-]+|[a-z_]+|", one) for one in line[2:])
    seen.clean()


def test_large_tables_can_be_saved(folder: Path, opens: Opener) -> None:
    ids = [f"{i:05d}" + "\N{HIRAGANA LETTER A}" * 120 for i in range(3000)]
    ce = fitted(Dataset(rows(3000), ids=ids), n_steps=10)
    seen = opens(ce.explain(ids[:1]).report(folder / "long.html"))
    seen.open_table("#map")
    text = seen.download(seen.page.locator("#map").get_by_role("button", name="Save CSV").click).decode("utf-8")
    assert [line.split(",")[0] for line in text.split("\r\n")[1:] if line] == ids
    seen.clean()


def test_theme_help_and_keys(sheet: Made, opens: Opener) -> None:
    ground = "() => getComputedStyle(document.body).backgroundColor"
    for scheme in ("light", "dark"):
        seen = opens(sheet.path, color_scheme=scheme)
        light, dark = "rgb(255, 255, 255)", seen.page.evaluate(ground)
        assert (dark == light) == (scheme == "light")
        grounds = []
        for _ in range(2):
            seen.page.locator("#theme").click()
            grounds.append(seen.page.evaluate(ground) == light)
        assert grounds == [scheme == "dark", scheme == "light"]
    seen.page.locator("#title").click()
    seen.page.keyboard.press("?")
    dialog = seen.page.get_by_role("dialog")
    assert dialog.is_visible()
    assert "previous and next sample" in dialog.inner_text()
    seen.page.keyboard.press("ArrowRight")
    assert seen.page.locator("#pick").input_value() == sheet.ids[0]
    seen.page.keyboard.press("Escape")
    assert not dialog.is_visible()
    seen.page.wait_for_function("() => document.activeElement === document.body")
    seen.page.keyboard.press("/")
    seen.page.wait_for_function("() => document.activeElement.id === 'pick'")
    assert seen.page.locator("#pick").input_value() == sheet.ids[0]
    seen.page.locator("#search").fill("")
    seen.page.locator("#search").press("?")
    assert not dialog.is_visible()
    assert seen.page.locator("#search").input_value() == "?"
    seen.clean()


def test_without_scripts_the_answer_is_there_as_text(sheet: Made, hostile: Made, opens: Opener) -> None:
    seen = opens(sheet.path, settle=False, java_script_enabled=False)
    assert seen.page.locator("noscript pre, noscript").first.is_visible()
    words = seen.page.locator("body").inner_text()
    for line in repr(sheet.e).split("\n"):
        assert " ".join(line.split()) in " ".join(words.split())
    assert seen.page.locator("#picker").is_hidden()
    assert seen.page.locator("figure:visible").count() == 0
    seen.clean()
    seen = opens(hostile.path, settle=False, java_script_enabled=False)
    assert EVIL[1] in seen.page.locator("body").inner_text()
    assert seen.page.locator("img[onerror]").count() == 0
    seen.clean()


@pytest.mark.parametrize("width", [WIDE, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_barriers(sheet: Made, gallery: dict[str, Made], opens: Opener, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    for path in (sheet.path, gallery["hdbscan"].path):
        seen = opens(path, width=width, color_scheme=scheme, hash_="#sample=nobody")
        seen.open_tables()
        found = axe.run(seen.page, options={"resultTypes": ["violations"]}).response["violations"]
        serious = [
            (one["id"], one["impact"], len(one["nodes"]), one["nodes"][0]["html"][:160])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == []
        assert seen.overflow() == []


def test_phones_need_no_scrolling_sideways(sheet: Made, digits: Made, hostile: Made, opens: Opener) -> None:
    wide = {}
    for path in (sheet.path, digits.path, hostile.path):
        seen = opens(path, width=PHONE)
        seen.open_tables()
        if seen.overflow():
            wide[path.name] = seen.overflow()
    assert wide == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("pressed", [False, True])
def test_print(sheet: Made, opens: Opener, scheme: str, pressed: bool) -> None:
    seen = opens(sheet.path, color_scheme=scheme, hash_="#sample=r7")
    if pressed:
        seen.page.locator("#theme").click()
    seen.page.emulate_media(media="print", color_scheme=scheme)
    script = """() => [...document.querySelectorAll('input, select, button')].filter((one) => one.checkVisibility())
        .map((one) => one.textContent || one.id || one.type)"""
    controls = seen.page.evaluate(script)
    forbidden = re.compile("Table|Save|Copy|Show|Close|Clear|Keys|Light|range|checkbox|pick|search|only|by|order")
    assert [one for one in controls if forbidden.search(one)] == []
    colours = """() => [document.body, document.querySelector('.headline'), document.querySelector('#pulled td'),
        document.querySelector('#map svg text')].map((one) => getComputedStyle(one).color)"""
    assert set(seen.page.evaluate(colours)) == {"rgb(0, 0, 0)"}
    assert seen.page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert seen.page.evaluate("() => getComputedStyle(document.documentElement).colorScheme") == "light"
    assert seen.text("#answer .headline") == sheet.e.headline(0)
    seen.page.emulate_media(media=None)
    pdf = seen.page.pdf()
    assert pdf.startswith(b"%PDF-")
    assert len(pdf) > 20_000


def inert(seen: Opened) -> None:
    seen.clean()
    assert seen.page.locator("script").count() == SCRIPTS
    assert seen.page.locator("[onerror], img[src=x], iframe, object, embed, link, base").count() == 0
    foreign = "() => [...document.images].filter((one) => !one.src.startsWith('data:image/')).length"
    assert seen.page.evaluate(foreign) == 0


def test_hostile_texts_are_only_text(hostile: Made, opens: Opener) -> None:
    seen = opens(hostile.path)
    for query, id_ in enumerate(hostile.ids):
        seen.choose(id_) if "\n" not in id_ else seen.page.locator("#next").click()
        assert id_.strip()[:50] in seen.page.locator("#title").text_content()
        assert seen.star() == [id_]
        assert seen.ids("pulled") == [str(one) for one in hostile.e.top(TOP, query=query, side=SIDES[0])["id"]]
        if query:
            seen.page.hover("#map svg g.rings_marks > *:nth-child(2)", force=True)
    inert(seen)
    for name in ("map", "bars", "waterfall", "groups", "standing", "heat"):
        assert seen.open_table(f"#{name}")
    for column in frames.group_columns(hostile.exhibit):
        seen.page.select_option("#by", value=column)
        seen.settle()
        found = [int(row[1]) for row in seen.open_table("#groups")]
        assert found == frames.groups(hostile.e, column)[-1]["n"].tolist()
    for one in seen.page.locator("summary").all():
        one.click()
    shown = seen.page.locator("main").text_content()
    for text in EVIL[:3]:
        assert shown.count(text) >= 3
    assert EVIL[0] + EVIL[1][:15] in seen.page.locator("#cards").text_content()
    seen.page.fill("#pick", EVIL[1] + EVIL[0])
    seen.page.keyboard.press("Enter")
    assert offered(seen) == [
        "clusterexplain",
        "report",
        "--sample",
        EVIL[1] + EVIL[0],
        "--run",
        "runs/`$(touch x)` 'it'",
    ]
    inert(seen)


def test_hostile_samples_are_chosen_by_the_box(hostile: Made, opens: Opener) -> None:
    seen = opens(hostile.path)
    missed = []
    for id_ in hostile.ids[1:]:
        seen.page.fill("#pick", id_)
        seen.page.get_by_role("button", name="Show", exact=True).click()
        if seen.page.locator("#offer").is_visible() or id_ not in address(seen):
            missed.append(id_)
    assert missed == []
    inert(seen)


@pytest.mark.parametrize("shown", ["text", "render", "image", "table"])
def test_hostile_rows_are_only_text(folder: Path, opens: Opener, shown: str) -> None:
    words = ["\0 " + one for one in [*EVIL, "\ud800 lone", "\ud83d half"]]
    X = np.abs(rows(60))
    X = np.hstack([X, X[:, :1]])
    metadata = pd.DataFrame({EVIL[0]: [words[i % len(words)] for i in range(60)]}, dtype=object)
    data = {
        "text": Dataset(X, metadata=metadata, text=EVIL[0]),
        "render": Dataset(X),
        "image": Dataset(X, image_shape=(2, 3), metadata=metadata, text=EVIL[0]),
        "table": Dataset(X, feature_names=[*EVIL[:5], "lone \ud800"], metadata=metadata),
    }[shown]
    e = fitted(data).explain([0, 19, 40])
    options = {"render": lambda row, position: words[position % len(words)]} if shown == "render" else {}
    seen = opens(e.report(folder / f"rows-{shown}.html", **options), width=PHONE)
    for id_ in e.query_ids:
        seen.choose(id_)
        seen.page.hover("#map svg g.rings_marks > *:nth-child(2)", force=True)
        assert seen.overflow() == []
    for side in ("pulled", "pushed"):
        seen.ids(side)
    assert EVIL[1] in seen.page.locator("#pulled").text_content() + seen.page.locator("#pushed").text_content()
    inert(seen)


@pytest.mark.parametrize("shown", ["text", "table"])
def test_ids_with_the_names_of_javascript(folder: Path, opens: Opener, shown: str) -> None:
    ids = [*PROTOTYPE, *(f"i{i}" for i in range(26))]
    metadata = pd.DataFrame({"words": [f"text {i}" for i in range(30)], "__proto__": [i % 2 for i in range(30)]})
    ce = fitted(Dataset(rows(30), ids=ids, metadata=metadata, text="words" if shown == "text" else None))
    ce.name_clusters({0: "constructor", 1: "__proto__"})
    e = ce.explain(ids[:6])
    seen = opens(e.report(folder / f"prototype-{shown}.html"))
    for query, id_ in enumerate(ids[:6]):
        seen.choose(id_)
        assert seen.ids("pulled") == [str(one) for one in e.top(TOP, query=query, side=SIDES[0])["id"]]
    for column in ("__proto__", "cluster"):
        seen.page.select_option("#by", value=column)
        seen.settle()
        assert len(seen.open_table("#groups")) == len(e[5].by(column))
    inert(seen)


def test_digits_show_their_pictures(digits: Made, opens: Opener) -> None:
    assert digits.path.stat().st_size < 3_000_000
    seen = opens(digits.path)
    print(f"\ndigits: {digits.path.stat().st_size / 1e6:.2f} MB")
    assert len(seen.places()) == 1797
    assert seen.page.locator("#answer img.portrait").is_visible()
    broken = "() => [...document.images].filter((one) => !one.complete || !one.naturalWidth).length"
    assert seen.page.evaluate("() => document.images.length") > 30
    assert seen.page.evaluate(broken) == 0
    sizes = seen.page.locator("#pulled img").evaluate_all(
        "all => all.map((one) => [one.naturalWidth, one.naturalHeight])"
    )
    assert set(map(tuple, sizes)) == {(8, 8)}
    assert "supported" in seen.text("#verdict")
    id_, at = uncovered(seen, lambda one: one not in digits.ids)
    seen.page.mouse.move(*at)
    seen.page.wait_for_selector("#tooltip img")
    assert id_ in seen.text("#tooltip")
    seen.page.mouse.click(*at)
    assert offered(seen) == ["clusterexplain", "report", "--sample", id_, "--run", "runs/digits"]
    seen.clean()


def test_twenty_thousand_rows(folder: Path, opens: Opener) -> None:
    rng = np.random.default_rng(0)
    base = load_dataset("digits").X
    images = np.clip(base[rng.integers(len(base), size=20_000)] + rng.normal(size=(20_000, 64)), 0, 16)
    ce = fitted(Dataset(images, image_shape=(8, 8)), n_steps=30, batch_size=64)
    started = time.perf_counter()
    path = ce.explain([0, 19_999]).report(folder / "large.html")
    made = time.perf_counter() - started
    started = time.perf_counter()
    seen = opens(path)
    opened = time.perf_counter() - started
    print(f"\n20,000 rows: {path.stat().st_size / 1e6:.2f} MB, made in {made:.1f} s, drawn in {opened:.1f} s")
    assert path.stat().st_size < 6_000_000
    assert len(seen.places()) == 4000
    assert "a random sample of 4,000 of 20,000" in seen.text("#map")
    seen.choose(19_999)
    seen.clean()


def test_numbers_are_the_same_everywhere(sheet: Made, folder: Path, opens: Opener) -> None:
    expected = sheet.e.to_dict(TOP)
    text = re.search(r'<script type="application/json" id="page">(.*?)</script>', sheet.path.read_text(), re.DOTALL)
    assert text
    assert json.loads(text[1])["answers"] == json.loads(json.dumps(expected)) == expected

    asked = [part for id_ in sheet.ids for part in ("--sample", id_)]
    told = CliRunner().invoke(app, ["why", "--json", "--top", str(TOP), "--run", str(folder / "run"), *asked])
    assert told.exit_code == 0
    printed = json.loads(told.stdout)
    assert printed["answers"] == expected["answers"]
    assert {**printed, "checked": None} == {**expected, "checked": None}

    seen = opens(sheet.path)
    whole = sheet.e.to_frame().set_index(["query", "id"])
    for query, (id_, answer) in enumerate(zip(sheet.ids, expected["answers"], strict=True)):
        seen.choose(id_)
        for side, name, known in zip(SIDES, ("pulled", "pushed"), ("pulled_in", "pushed_away"), strict=True):
            frame = sheet.e.top(TOP, query=query, side=side)
            assert frame.drop(columns="side").to_dict("records") == answer[known]
            assert seen.ids(name) == frame["id"].tolist()
            shown = [row[2] for row in cells(seen.page.locator(f"#{name}"))]
            words = [
                f"{amount:+.4f} ({percent:+.1f} %)"
                for amount, percent in zip(frame["if_removed"], frame["if_removed_percent"], strict=True)
            ]
            assert [one.replace("\N{NO-BREAK SPACE}", " ") for one in shown] == words
            for row in answer[known]:
                found = whole.loc[(id_, row["id"])]
                assert [found[column] for column in row if column != "id"] == [
                    row[column] for column in row if column != "id"
                ]

    # The card of a notebook: its lists start as these do.
    card = sheet.e._repr_mimebundle_()["text/html"]
    for answer in expected["answers"][:3]:
        for row in [*answer["pulled_in"][:6], *answer["pushed_away"][:6]]:
            assert f"{row['if_removed']:+.4f} ({row['if_removed_percent']:+.1f} %)" in card.replace(
                "\N{NO-BREAK SPACE}", " "
            )
    seen.clean()


def test_libraries_are_those_that_altair_writes_for(sheet: Made, opens: Opener) -> None:
    import altair

    seen = opens(sheet.path)
    vega, lite, embed = seen.page.evaluate("() => [vega.version, vegaLite.version, vegaEmbed.version]")
    assert lite == altair.VEGALITE_VERSION
    assert vega.split(".")[0] == altair.VEGA_VERSION.split(".")[0]
    assert embed.split(".")[0] == altair.VEGAEMBED_VERSION.split(".")[0]
    import clusterexplain.report.assets as assets

    vendor = Path(str(assets.__file__)).parent / "vendor"
    for name in ("vega", "vega-lite", "vega-embed"):
        assert (vendor / f"{name}.min.js").is_file()
        assert "Redistribution and use" in (vendor / f"LICENSE-{name}.txt").read_text()
    seen.clean()
