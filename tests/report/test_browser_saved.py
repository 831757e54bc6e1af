"""Pictures and tables that a page saves."""

from __future__ import annotations

import csv
import io
import re
import struct
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from clusterexplain import Dataset
from clusterexplain.report import tables
from clusterexplain.results.text.margins import SIDES
from tests.report.browser import (
    Opener,
)
from tests.report.pages import TOP, Made, fitted, rows


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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_can_be_saved(sheet: Made, opens: Opener, browser: Any, scheme: str) -> None:
    seen = opens(sheet.path, color_scheme=scheme)
    blank = browser.new_page()
    for name in ("map", "bars", "waterfall", "groups", "distances", "heat", "checkchart", "jaccard", "strip"):
        place = seen.page.locator(f"#{name}")
        save = place.get_by_role("button", name=re.compile("^Save PNG"))
        png = seen.download(save.click if scheme == "light" else lambda save=save: save.press("Enter"))
        assert seen.saved.endswith(".png")
        assert seen.saved.startswith("r3-") == (name not in ("heat", "checkchart", "jaccard"))
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
        assert seen.saved == f"r10-{side.replace(' ', '-')}.csv"
        expected = sheet.e.top(TOP, query=1, side=side).drop(columns="side")
        assert saved.columns.tolist() == expected.columns.tolist()
        pd.testing.assert_frame_equal(saved, expected, check_dtype=False, check_exact=True)
    steps, _ = tables.removal_steps(sheet.e, 1)
    seen.open_table("#waterfall")
    saved = read_csv(seen.download(seen.page.locator("#waterfall").get_by_role("button", name="Save CSV").click))
    assert seen.saved == "r10-what-if-its-strongest-pullers-were-removed-one-after-the-other.csv"
    assert saved.iloc[:, 3].tolist() == steps["after"].tolist()
    seen.open_table("#checkchart")
    saved = read_csv(seen.download(seen.page.locator("#checkchart").get_by_role("button", name="Save CSV").click))
    assert saved.iloc[:, 5].tolist() == tables.all_retrained(sheet.e)["retrained"].tolist()
    seen.clean()


def test_saved_tables_start_no_formula(hostile: Made, opens: Opener) -> None:
    seen = opens(hostile.path)
    seen.open_table("#map")
    save = seen.page.locator("#map").get_by_role("button", name="Save CSV")
    lines = list(csv.reader(io.StringIO(seen.download(save.click).decode("utf-8"), newline="")))
    ids = [line[0] for line in lines[1:]]
    assert len(ids) == len(hostile.e.train_ids)
    for found, given in zip(ids, hostile.e.train_ids.tolist(), strict=True):
        assert found == ("'" + given if given[:1] in tuple("=+@") else given)
    for name in ("pulled", "pushed"):
        saved = seen.download(seen.page.locator(f"#{name}").get_by_role("button", name="Save CSV").click)
        for line in csv.reader(io.StringIO(saved.decode("utf-8"), newline="")):
            assert line[0][:1] not in tuple("=+-@") or re.fullmatch("-[0-9]+", line[0])
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
