"""The page's own functions by themselves: cells of saved tables, names of files, numbers, orders."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from clusterexplain.report.assets import asset

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def run(browser: Any) -> Iterator[Run]:
    """Run an expression in which the page's functions are known, on something given, without a page."""
    page = browser.new_page()
    page.set_content('<script type="application/json" id="page">{}</script>')
    functions = asset("dom.js") + asset("tables.js")
    yield lambda expression, given: page.evaluate(f"(given) => {{ {functions}\nreturn {expression}; }}", given)
    page.close()


@pytest.mark.parametrize("text", ["a;b", "a,b", 'say "x"', "two\nlines", "two\rlines", "a\tb", "plain", " ", "1;2\r\n"])
def test_cells_hold_together_whatever_separates_them(run: Run, text: str) -> None:
    cell = run("csvCell(given)", text)
    for separator in ",;\t":
        line = io.StringIO(separator.join([cell, cell, "end"]), newline="")
        assert next(csv.reader(line, delimiter=separator)) == [text, text, "end"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-", "-1+2", "-x", "-1e", "@A1", "\tx", "\rx", "\n=1", "=a;b", "--1"])
def test_formulas_are_text(run: Run, text: str) -> None:
    assert next(csv.reader(io.StringIO(run("csvCell(given)", text), newline=""))) == ["'" + text]


@pytest.mark.parametrize("value", [-1, -0.25, 1e-30, -1e-30, "-1", "-0.25", "-3e-7", "1", 0])
def test_numbers_stay_numbers(run: Run, value: Any) -> None:
    assert float(run("csvCell(given)", value)) == float(value)


def test_cells_of_nothing_are_empty(run: Run) -> None:
    assert run("[null, undefined, '', false, given].map(csvCell)", 0) == ["", "", "", "false", "0"]


def test_what_rounds_to_zero_has_no_sign(run: Run) -> None:
    small = [-1e-9, -4.9e-5, 4.9e-5, 0, -0.0]
    assert run("given.map((one) => number(one, '.4f'))", small) == ["0.0000"] * 5
    assert run("given.map((one) => number(one, '+.4f'))", small) == ["0.0000"] * 5
    assert run("given.map((one) => number(one, '%'))", [-1e-4, 1e-4]) == ["0 %", "0 %"]
    assert run("change(...given)", [-1e-6, -1e-3]) == "0.0000 (0.0 %)"
    assert run("given.map((one) => number(one, '+.4f'))", [-5.1e-5, 5.1e-5, None]) == [
        "-0.0001",
        "+0.0001",
        "\N{EN DASH}",
    ]


ORDERS = {
    "numbers": ([3, None, -1, 10, None, 2], [-1, 2, 3, 10]),
    "texts": (["b", None, "a10", "a9", "ä", None], ["ä", "a9", "a10", "b"]),
    "both": (["x", 10, None, 9, "-1", -2.5], [-2.5, 9, 10, "-1", "x"]),
    "nothing": ([None, None], []),
}


@pytest.mark.parametrize("name", ORDERS)
def test_what_is_missing_is_last_in_both_directions(run: Run, name: str) -> None:
    given, expected = ORDERS[name]
    records = [{"v": value, "place": place} for place, value in enumerate(given)]
    missing = [place for place, value in enumerate(given) if value is None]
    for down in (False, True):
        found = run(f"sorted(given, 'v', {str(down).lower()})", records)
        known = found[: len(expected)]
        assert [one["v"] for one in known] == (expected[::-1] if down else expected)
        assert [one["place"] for one in found[len(expected) :]] == missing


def test_equals_keep_their_order(run: Run) -> None:
    records = [{"v": value, "place": place} for place, value in enumerate([1, 0, 1, None, 0, 1, None])]
    for down, expected in (("false", [1, 4, 0, 2, 5, 3, 6]), ("true", [0, 2, 5, 1, 4, 3, 6])):
        assert [one["place"] for one in run(f"sorted(given, 'v', {down})", records)] == expected


@pytest.mark.parametrize(
    ("id_", "stem"),
    [
        ("r3", "r3"),
        ("Sample_1.b", "Sample_1.b"),
        ("样本 1", "样本-1-7"),
        ("a/b\\c:d", "a-b-c-d-7"),
        ("../../etc", "etc-7"),
        ("\u202egpj.exe", "gpj.exe-7"),
        ("***", "sample-7"),
        ("", "sample-7"),
        ("x" * 300, "x" * 40 + "-7"),
    ],
)
def test_names_of_files(run: Run, id_: str, stem: str) -> None:
    assert run("fileStem(given, 7)", id_) == stem
    assert run("fileName(fileStem(given, 7), 'What if?', 'png')", id_) == f"{stem}-what-if.png"


def test_names_of_files_about_no_sample(run: Run) -> None:
    assert run("fileName('', given, 'csv')", "95 % of it") == "95-of-it.csv"
