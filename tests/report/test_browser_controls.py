"""What the controls of a page do: choosing a sample, the map, the filters, the slider, the keys."""

from __future__ import annotations

import re

import numpy as np

from clusterexplain.report import tables
from clusterexplain.results.text.margins import SIDES
from tests.report.browser import (
    PHONE,
    Opened,
    Opener,
    address,
    assert_shows,
    numbers,
    offered,
    uncovered,
)
from tests.report.pages import Made


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
    assert sorted(seen.items("#map", "highlights")) == sorted(pulled + pushed)
    assert set(seen.items("#bars", "totals") or pulled + pushed) == {*pulled, *pushed}
    steps, _ = tables.removal_steps(made.e, query)
    assert seen.items("#waterfall", "steps") == steps["id"].tolist()
    assert [row[1] for row in seen.open_table("#bars")] == pulled + pushed
    assert_shows(
        seen.open_table("#groups"), tables.groups(made.e, "cluster")[query], ["group", "n", "if_removed", "influence"]
    )
    assert_shows(
        seen.open_table("#distances"), tables.distances(made.context, made.e, query), ["cluster", "role", "distance"]
    )


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
    seen.page.get_by_role("button", name="Clear the window").press("Enter")
    assert seen.focused("#search")
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


def test_the_slider_reads_the_margin_off_the_steps(sheet: Made, opens: Opener) -> None:
    seen = opens(sheet.path)
    found = seen.open_table("#waterfall")
    slider = seen.page.locator("#waterfall input[type=range]")
    assert int(slider.get_attribute("max")) == len(found)
    assert slider.evaluate("(one) => getComputedStyle(one).padding") == "0px"  # else the last step is not at the end
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
    assert seen.items("#map", "neighbours") == tables.links(sheet.context, sheet.e, 0)["id"].tolist()
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
    seen.page.wait_for_function("() => document.activeElement.id === 'title'")
    seen.page.keyboard.press("/")
    seen.page.wait_for_function("() => document.activeElement.id === 'pick'")
    assert seen.page.locator("#pick").input_value() == sheet.ids[0]
    seen.page.locator("#search").fill("")
    seen.page.locator("#search").press("?")
    assert not dialog.is_visible()
    assert seen.page.locator("#search").input_value() == "?"
    seen.clean()
