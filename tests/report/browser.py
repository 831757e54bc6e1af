"""A page in a browser: what it asked for, what it shows, what its tables hold."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

WIDE, PHONE = 1280, 390
SCRIPTS = 5
"""Script elements of a page: three libraries, ours, and the data."""
DRAWN = """() => [...document.querySelectorAll('figure')].every((one) => one.hidden || one.querySelector('svg .mark-group'))
    && document.querySelectorAll('figure svg').length > 0"""


@dataclass
class Opened:
    """A page with all that it asked for and complained about."""

    page: Any
    log: list[str] = field(default_factory=list)
    saved: str = ""

    def settle(self) -> None:
        """Wait until every chart is drawn."""
        from playwright.sync_api import TimeoutError as NotInTime

        try:
            self.page.wait_for_function(DRAWN, timeout=10_000)
        except NotInTime:
            raise AssertionError(f"not every chart is drawn; the page says: {self.log}") from None
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def clean(self) -> None:
        assert self.log == []

    def choose(self, id_: Any) -> None:
        self.page.evaluate("(id) => { location.hash = 'sample=' + encodeURIComponent(id); }", str(id_))
        self.page.wait_for_function("(id) => document.getElementById('pick').value === id", arg=str(id_))
        self.settle()

    def payload(self) -> dict[str, Any]:
        return dict(json.loads(self.page.locator("#page").text_content()))

    def focused(self, selector: str) -> bool:
        return bool(self.page.evaluate("(one) => document.activeElement.matches(one)", selector))

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

    def places(self, layer: str = "points") -> dict[str, tuple[float, float]]:
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

    def drag_window(self) -> None:
        """Draw a window over a part of the map."""
        self.page.locator("#map svg").scroll_into_view_if_needed()
        at = list(self.places().values())
        x, y = (min(one[axis] for one in at) for axis in (0, 1))
        self.page.mouse.move(x - 8, y - 8)
        self.page.mouse.down()
        self.page.mouse.move(x + 90, y + 90, steps=4)
        self.page.mouse.move(x + 150, y + 190, steps=4)
        self.page.mouse.up()
        self.page.wait_for_function("() => !document.getElementById('clear').hidden")

    def download(self, act: Callable[[], Any]) -> bytes:
        """Return what is saved, and keep the name of the file."""
        with self.page.expect_download(timeout=10_000) as waiting:
            act()
        self.saved = waiting.value.suggested_filename
        return Path(waiting.value.path()).read_bytes()


Opener = Callable[..., Opened]


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


def address(seen: Opened) -> str:
    return str(seen.page.evaluate("() => decodeURIComponent(location.hash)"))


def offered(seen: Opened) -> list[str]:
    assert seen.page.locator("#offer").is_visible()
    return shlex.split(seen.text("#offer code"))


def uncovered(seen: Opened, wanted: Callable[[str], bool]) -> tuple[str, tuple[float, float]]:
    """Return a dot that nothing covers."""
    seen.page.locator("#map").scroll_into_view_if_needed()
    script = "([x, y]) => String(document.elementFromPoint(x, y)?.__data__?.datum?.id)"
    for id_, at in seen.places().items():
        if wanted(id_) and seen.page.evaluate(script, list(at)) == id_:
            return id_, at
    raise AssertionError("no such dot is free")


def inert(seen: Opened) -> None:
    seen.clean()
    assert seen.page.locator("script").count() == SCRIPTS
    assert seen.page.locator("[onerror], img[src=x], iframe, object, embed, link, base").count() == 0
    foreign = "() => [...document.images].filter((one) => !one.src.startsWith('data:image/')).length"
    assert seen.page.evaluate(foreign) == 0
