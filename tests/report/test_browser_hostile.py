"""Texts from data stay texts, whatever they hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clusterexplain import Dataset
from clusterexplain.report import tables
from clusterexplain.results.text.margins import SIDES
from tests.report.browser import (
    PHONE,
    Opener,
    address,
    inert,
    offered,
)
from tests.report.pages import EVIL, TOP, Made, fitted, rows

PROTOTYPE = ["__proto__", "constructor", "toString", "hasOwnProperty"]


def test_hostile_texts_are_only_text(hostile: Made, opens: Opener) -> None:
    seen = opens(hostile.path)
    for query, id_ in enumerate(hostile.ids):
        seen.choose(id_) if "\n" not in id_ else seen.page.locator("#next").click()
        assert id_.strip()[:50] in seen.page.locator("#title").text_content()
        assert seen.star() == [id_]
        assert seen.ids("pulled") == [str(one) for one in hostile.e.top(TOP, query=query, side=SIDES[0])["id"]]
        if query:
            seen.page.hover("#map svg g.highlights_marks > *:nth-child(2)", force=True)
    inert(seen)
    for name in ("map", "bars", "waterfall", "groups", "distances", "heat"):
        assert seen.open_table(f"#{name}")
    for column in tables.group_columns(hostile.context):
        seen.page.select_option("#by", value=column)
        seen.settle()
        found = [int(row[1]) for row in seen.open_table("#groups")]
        assert found == tables.groups(hostile.e, column)[-1]["n"].tolist()
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
    ]  # fmt: skip
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


@pytest.mark.parametrize("shown", ["text", "image"])
def test_hostile_rows_are_only_text(folder: Path, opens: Opener, shown: str) -> None:
    words = ["\0 " + one for one in [*EVIL, "\ud800 lone", "\ud83d half"]]
    X = np.abs(np.hstack([rows(60), rows(60)[:, :1]]))
    metadata = pd.DataFrame({EVIL[0]: [words[i % len(words)] for i in range(60)]}, dtype=object)
    shape = (2, 3) if shown == "image" else None
    e = fitted(Dataset(X, metadata=metadata, text=EVIL[0], image_shape=shape)).explain([0, 19])
    own = {"render": lambda row, position: words[(position + 1) % len(words)]}
    for name, options in (("given", {}), ("own", own)):
        seen = opens(e.report(folder / f"rows-{shown}-{name}.html", **options), width=PHONE)
        for id_ in e.query_ids:
            seen.choose(id_)
            seen.page.hover("#map svg g.highlights_marks > *:nth-child(2)", force=True)
            assert seen.overflow() == []
        for side in ("pulled", "pushed"):
            seen.ids(side)
        lists = seen.page.locator("#pulled").text_content() + seen.page.locator("#pushed").text_content()
        assert EVIL[1] in lists
        assert bool(seen.page.locator("#pulled img").count()) == (shown == "image" and name == "given")
        inert(seen)


def test_ids_with_the_names_of_javascript(folder: Path, opens: Opener) -> None:
    ids = [*PROTOTYPE, *(f"i{i}" for i in range(26))]
    metadata = pd.DataFrame({"__proto__": [i % 2 for i in range(30)]})
    ce = fitted(Dataset(rows(30), ids=ids, metadata=metadata))
    ce.name_clusters({0: "constructor", 1: "__proto__"})
    e = ce.explain(ids[:4])
    for name, options in (("columns", {}), ("texts", {"render": lambda row, position: f"text {position}"})):
        seen = opens(e.report(folder / f"prototype-{name}.html", **options))
        for query, id_ in enumerate(ids[: 4 if name == "columns" else 2]):
            seen.choose(id_)
            assert seen.ids("pulled") == [str(one) for one in e.top(TOP, query=query, side=SIDES[0])["id"]]
        for column in ("__proto__", "cluster"):
            seen.page.select_option("#by", value=column)
            seen.settle()
            assert len(seen.open_table("#groups")) == len(e[query].by(column))
        inert(seen)
