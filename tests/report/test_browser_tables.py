"""The tables of a page: their order, their length, their numbers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from clusterexplain.cli.app import app
from clusterexplain.report import tables
from clusterexplain.results.text.margins import SIDES
from tests.report.browser import (
    Opener,
    assert_shows,
    cells,
)
from tests.report.pages import TOP, Made

SORT = """(table) => [...table.querySelectorAll('th')].map((head, index) => [0, 1].map(() => {
    head.querySelector('button').click();
    return [head.getAttribute('aria-sort'), table.querySelectorAll('th:not([aria-sort=none])').length,
      [...table.querySelectorAll('tbody tr')].map((row) => row.cells[index].innerText.trim())]; }))"""
"""Sorts by every column of a table, twice: how it says that it is sorted, columns that say so, the column's cells."""


def test_every_column_of_every_table_sorts(sheet: Made, opens: Opener) -> None:
    seen = opens(sheet.path)
    figures = ("map", "bars", "waterfall", "groups", "distances", "heat", "checkchart", "jaccard", "strip")
    for name in figures:
        seen.open_table(f"#{name}")
    for side in ("pulled", "pushed"):
        seen.ids(side)
    for place in [*(f"#{name} .beside" for name in figures), "#pulled", "#pushed"]:
        orders = seen.page.locator(place).evaluate(SORT)
        assert len(orders) >= 3
        for both in orders:
            assert sorted(way for way, _, _ in both) == ["ascending", "descending"]
            for way, marked, shown in both:
                assert marked == 1
                assert_sorted(shown, way)
    place = seen.page.locator("#pulled th").nth(2)
    for way in ("ascending", "descending"):
        place.get_by_role("button").press("Enter")
        assert place.get_attribute("aria-sort") in ("ascending", "descending"), way
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


def test_tables_hold_the_numbers_of_the_frames(sheet: Made, opens: Opener) -> None:
    seen = opens(sheet.path)
    context = sheet.context
    for query in (0, 2):
        seen.choose(sheet.ids[query])
        strongest = sheet.e.top(10, query=query).assign(
            cluster=lambda frame: [sheet.e.name_of(one) for one in frame["cluster"]]
        )
        columns = ["side", "id", "cluster", "if_removed", "encoder", "cluster_part", "direct"]
        assert_shows(seen.open_table("#bars"), strongest, columns)
        steps, _ = tables.removal_steps(sheet.e, query)
        assert_shows(seen.open_table("#waterfall"), steps, ["removed", "called", "cluster", "after"])
        for column in tables.group_columns(context):
            seen.page.select_option("#by", value=column)
            seen.settle()
            groups = tables.groups(sheet.e, column)[query]
            columns = ["group", "n", "if_removed", "influence", "low", "high", "pull_share", "push_share"]
            assert_shows(seen.open_table("#groups"), groups, columns)
        columns = ["cluster", "role", "distance", "membership"]
        assert_shows(seen.open_table("#distances"), tables.distances(context, sheet.e, query), columns)
    assert seen.page.locator("#by option").all_inner_texts() == ["cluster", "lab", "day"]
    drawn = np.arange(60)
    assert_shows(seen.open_table("#map"), tables.points(context, drawn, with_rows=False), ["id", "cluster", "margin"])
    columns = ["target", "source", "n", "influence", "if_removed"]
    assert_shows(seen.open_table("#heat"), tables.cluster_pulls(context), columns)
    columns = ["query", "kind", "n_removed", "assignments", "predicted", "retrained"]
    assert_shows(seen.open_table("#checkchart"), tables.all_retrained(sheet.e), columns)
    columns = ["cluster", "size", "jaccard", "low", "high", "verdict"]
    assert_shows(seen.open_table("#jaccard"), tables.cluster_stability(context), columns)
    assert_shows(seen.open_table("#strip"), tables.sample_stability(context, drawn), ["id", "cluster", "share"])
    seen.clean()


def signed(value: float, digits: int) -> str:
    """Write a change as the page does: what rounds to zero has no sign."""
    text = f"{value:+.{digits}f}"
    return text if float(text) else text[1:]


def test_long_tables_keep_the_focus_as_they_unfold(sheet: Made, opens: Opener) -> None:
    seen = opens(sheet.path)
    seen.open_table("#map")
    for place, short, focus in (("#pulled", 10, "button.example"), ("#map .beside", 12, "tr")):
        more = seen.page.locator(f"{place} .more button")
        if more.inner_text().startswith("Show the first"):
            more.press("Enter")
        assert seen.page.locator(f"{place} tbody tr").count() == short
        assert more.inner_text().startswith("Show all")
        more.press("Enter")
        assert seen.page.locator(f"{place} tbody tr").count() > short
        assert seen.focused(f"{place} tbody tr:nth-child({short + 1}) {'*' if focus != 'tr' else ''}".strip())
        assert seen.focused(focus)
        more.press("Enter")
        assert seen.focused(f"{place} .more button")
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
    unchecked = [{**answer, "check": None} for answer in expected["answers"]]  # the run was saved before the check
    assert printed == {**expected, "checked": None, "answers": unchecked}

    seen = opens(sheet.path)
    whole = sheet.e.to_frame().set_index(["query", "id"])
    for query, (id_, answer) in enumerate(zip(sheet.ids, expected["answers"], strict=True)):
        seen.choose(id_)
        for side, name, known in zip(SIDES, ("pulled", "pushed"), ("pulled_in", "pushed_away"), strict=True):
            frame = sheet.e.top(TOP, query=query, side=side)
            assert frame.drop(columns="side").to_dict("records") == answer[known]
            assert seen.ids(name) == frame["id"].tolist()
            shown = [row[2] for row in cells(seen.page.locator(f"#{name}"))]
            changes = zip(frame["if_removed"], frame["if_removed_percent"], strict=True)
            words = [f"{signed(amount, 4)} ({signed(percent, 1)} %)" for amount, percent in changes]
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
