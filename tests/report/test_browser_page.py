"""The page in a browser that reaches no network: what it asks for, what it shows, on which screens."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clusterexplain import Dataset, load_dataset
from clusterexplain.report import tables
from clusterexplain.report.page import safe_json
from clusterexplain.results.text.margins import SIDES
from tests.report.browser import (
    PHONE,
    WIDE,
    Opened,
    Opener,
    assert_shows,
    numbers,
    offered,
    uncovered,
)
from tests.report.pages import EVIL, TOP, Made, fitted, rows

KINDS = (
    "k-means", "gmm", "hdbscan", "noise", "whole cluster of hdbscan", "cohesion", "between", "new rows", "two clusters",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_page_shows_its_panels(gallery: dict[str, Made], opens: Opener, kind: str) -> None:
    shows_its_panels(gallery[kind], opens(gallery[kind].path))


def test_rarer_kinds_show_their_panels(gallery: dict[str, Made], folder: Path, opens: Opener) -> None:
    means = gallery["k-means"].ce
    texts = Dataset(
        rows(), metadata=pd.DataFrame({"text": [f"document {i} about things" for i in range(60)]}), text="text"
    )
    for name, ce, e in (
        ("cohesions", means, means.cohesion()),
        ("spherical texts", one := fitted(texts, clusterer="spherical_kmeans"), one.explain([7])),
        ("six rows", one := fitted(rows(6)), one.explain([0])),
    ):
        made = Made(ce, e, e.report(folder / f"{name}.html"))
        seen = opens(made.path)
        shows_its_panels(made, seen)
        assert ("about things" in seen.text("#pulled")) == ("texts" in name)


def shows_its_panels(made: Made, seen: Opened) -> None:
    whole, page = made.e.combined, seen.payload()
    for query, id_ in enumerate(made.ids):
        seen.choose(id_)
        assert seen.text("#answer .headline") == made.e.headline(query)
        for name in ("map", "bars", "waterfall", "groups", "heat"):
            box = seen.page.locator(f"#{name} svg").bounding_box()
            assert box is not None
            assert box["width"] > 300
            assert box["height"] > 80
        assert seen.page.locator("#distances").is_hidden() == whole
        assert seen.text("#waterfall .note") == page["queries"][query]["charts"]["flip"]
        assert seen.page.locator("#conflicts table").count() or page["queries"][query]["conflicts_note"] in seen.text(
            "#conflicts"
        )
        assert seen.ids("pulled") == [str(one) for one in made.e.top(TOP, query=query, side=SIDES[0])["id"]]
        assert seen.ids("pushed") == [str(one) for one in made.e.top(TOP, query=query, side=SIDES[1])["id"]]
    assert seen.page.locator("#by option").all_inner_texts() == ["cluster"]
    assert seen.page.locator("#cards details").count() == len(made.context.clusters)
    seen.page.locator("#cards summary").first.click()
    assert "Most typical" in seen.text("#cards")
    assert seen.page.locator("#checkchart").is_hidden()
    assert seen.page.locator("#strip").is_hidden()
    assert seen.text("#verdict") == f"not checked {page['trust']['meaning']}"
    assert bool(seen.star()) == (made.e.positions[-1] >= 0)
    seen.page.set_viewport_size({"width": PHONE, "height": 800})
    seen.open_tables()
    seen.page.wait_for_function(f"() => document.querySelector('#heat svg').getBoundingClientRect().width < {PHONE}")
    assert seen.overflow() == []
    seen.clean()


def test_panels_of_clusterers(gallery: dict[str, Made], opens: Opener) -> None:
    for kind, reads, columns in (
        ("k-means", tables.distances, ["cluster", "role", "distance", "membership"]),
        ("gmm", tables.distances, ["cluster", "role", "distance", "membership"]),
    ):
        made = gallery[kind]
        seen = opens(made.path)
        assert_shows(seen.open_table("#distances"), reads(made.context, made.e, 0), columns)
        assert ("memberships sum to 1" in seen.page.locator("#distances svg").text_content()) == (kind == "gmm")
    for kind in ("hdbscan", "noise"):
        made = gallery[kind]
        seen = opens(made.path)
        frame = tables.tree_nodes(made.context)
        found = seen.open_table("#distances")
        assert_shows(found, frame, ["node"])
        finite = np.isfinite(frame["death"].to_numpy(dtype=float))
        shown = numbers([row[4] for row in found])
        np.testing.assert_allclose(shown[finite], frame["death"][finite], atol=5.01e-5)
        assert seen.items("#distances", "sample") == made.ids
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
        seen.page.hover("#map svg g.points_marks > *:nth-child(5)", force=True)
        seen.page.locator("#theme").click()
        seen.clean()


def test_clusters_without_an_answer_say_why(gallery: dict[str, Made], folder: Path, opens: Opener) -> None:
    page = opens(gallery["k-means"].path).payload()
    page["clusters"], page["words"]["clusters"] = None, "Whole clusters cannot be explained here: <b>why</b>"
    text = gallery["k-means"].path.read_text()
    start = text.index('id="page">') + len('id="page">')
    path = folder / "unexplained.html"
    path.write_text(text[:start] + safe_json(page) + text[text.index("</script>", start) :])
    seen = opens(path)
    assert page["words"]["clusters"] in seen.text("#clusters")
    assert seen.page.locator("#heat, #cards details").filter(visible=True).count() == 0
    seen.clean()


def test_charts_that_cannot_be_drawn_say_so(sheet: Made, opens: Opener) -> None:
    seen = opens(sheet.path)
    seen.page.evaluate("() => { window.drawn = vegaEmbed; vegaEmbed = () => Promise.reject(new Error('no canvas')); }")
    seen.page.locator("#next").click()
    for name in ("map", "bars", "waterfall", "groups", "distances", "strip"):
        place = seen.page.locator(f"#{name} .plot")
        place.get_by_text("This chart could not be drawn in this browser. The table holds its numbers.").wait_for()
        assert place.locator("svg").count() == 0
        assert seen.open_table(f"#{name}")
    seen.page.locator("#map").get_by_role("button", name="Save PNG").click()
    seen.page.locator("#map").get_by_text("No picture could be made in this browser.").wait_for()
    assert {line.split(": ")[0] for line in seen.log} == {"error"}
    assert all("no canvas" in line for line in seen.log)
    seen.page.evaluate("() => { vegaEmbed = window.drawn; }")
    seen.page.locator("#next").click()
    seen.settle()
    assert seen.star() == [sheet.ids[2]]


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
    seen = opens(sheet.path, width=width, color_scheme=scheme, hash_="#sample=nobody")
    seen.open_tables()
    assert barriers(axe, seen) == []
    assert seen.overflow() == []
    if (scheme, width) == ("light", WIDE):
        seen.drag_window()
        seen.page.locator("#map input[type=checkbox]").check()
        seen.page.locator("#waterfall input[type=range]").press("ArrowLeft")
        seen.page.set_viewport_size({"width": 900, "height": 900})
        seen.settle()
        assert barriers(axe, seen) == []
        assert barriers(axe, opens(gallery["hdbscan"].path, width=PHONE)) == []


def barriers(axe: Any, seen: Opened) -> list[Any]:
    """Return what axe finds serious: rule, impact, elements, the first of them."""
    found = axe.run(seen.page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        (one["id"], one["impact"], len(one["nodes"]), one["nodes"][0]["html"][:160])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def test_phones_need_no_scrolling_sideways(sheet: Made, digits: Made, hostile: Made, opens: Opener) -> None:
    wide = {}
    for path in (sheet.path, digits.path, hostile.path):
        seen = opens(path, width=PHONE)
        seen.open_tables()
        if seen.overflow():
            wide[path.name] = seen.overflow()
    assert wide == {}


@pytest.mark.parametrize(("scheme", "pressed"), [("light", False), ("light", True), ("dark", False)])
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
