"""What is offered where a page has no answer, and what can be copied."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.report.browser import (
    Opened,
    Opener,
    address,
    offered,
)
from tests.report.pages import RUN, Made


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


def test_offers_come_into_view_with_the_focus(sheet: Made, opens: Opener) -> None:
    seen = opens(sheet.path)
    place = seen.page.locator("#offer")
    assert (place.get_attribute("role"), place.get_attribute("aria-live")) == ("status", "polite")
    seen.open_tables()
    asked = seen.page.locator("#cards button.example").filter(has_not_text=re.compile("^(r3|r10|r25|r40)$")).last
    asked.press("Enter")
    assert seen.focused("#offer p")
    box = seen.page.locator("#offer p").bounding_box()
    header = seen.page.locator("header").bounding_box()
    assert header["y"] + header["height"] <= box["y"] <= 900 - box["height"]
    seen.page.keyboard.press("Tab")
    assert seen.focused("#offer button")
    place.get_by_role("button", name="Close").press("Enter")
    assert place.is_hidden()
    assert asked.evaluate("(one) => document.activeElement === one")
    asked.press("Enter")
    seen.page.keyboard.press("ArrowRight")
    follows_title(seen, sheet.ids[1])
    seen.page.keyboard.press("ArrowRight")
    follows_title(seen, sheet.ids[2])
    seen.clean()


def follows_title(seen: Opened, id_: str) -> None:
    assert seen.page.locator("#offer").is_hidden()
    assert seen.focused("#title")
    assert id_ in seen.text("#title")


def test_the_focus_is_not_lost_with_the_lists(sheet: Made, opens: Opener) -> None:
    seen = opens(sheet.path)
    inside = seen.page.locator("#answer button.example, #pulled button.example, #pushed button.example")
    known = inside.filter(has_text=re.compile(f"^({'|'.join(sheet.ids[1:])})$"))
    for side in ("pulled", "pushed"):
        seen.ids(side)
    id_ = known.first.inner_text()
    known.first.press("Enter")
    follows_title(seen, id_)


def test_commands_name_run_and_task_and_all_samples(gallery: dict[str, Made], folder: Path, opens: Opener) -> None:
    made = gallery["k-means"]
    seen = opens(made.path, hash_="#sample=7")
    assert offered(seen) == ["clusterexplain", "report", "--sample", "7"]
    check = ["clusterexplain", "verify", "--sample", "3", "--sample", "50"]
    assert shlex.split(seen.text("#answer code")) == check
    where = ["--run", "runs/it's mine", "--task", "my nets:make $HOME"]
    seen = opens(made.e.report(folder / "task.html", run=where[1], task=where[3]), hash_="#sample=7")
    assert offered(seen) == ["clusterexplain", "report", "--sample", "7", *where]
    assert shlex.split(seen.text("#answer code")) == [*check, *where]
    seen.choose("50")
    assert shlex.split(seen.text("#answer code")) == [*check, *where]
    seen.clean()


@pytest.mark.parametrize("old_way", [False, True])
def test_copying_says_whether_it_did(gallery: dict[str, Made], opens: Opener, old_way: bool) -> None:
    refuses = f"""navigator.clipboard.writeText = () => Promise.reject(new Error('not allowed'));
        document.execCommand = () => {str(old_way).lower()};"""
    seen = opens(gallery["k-means"].path, script=refuses)
    for place, text in (("#answer", seen.text("#answer code")), ("#pulled", "\n".join(seen.ids("pulled")))):
        told = seen.page.locator(f"{place} .told").first
        seen.page.locator(place).get_by_role("button", name=re.compile("^Copy")).press("Enter")
        told.get_by_text("Copied." if old_way else "This browser does not let the page copy.").wait_for()
        assert told.locator("textarea").count() == (not old_way)
        assert seen.focused("button" if old_way else "textarea")
        if not old_way:
            assert seen.page.evaluate("() => document.getSelection().toString()") == text
            assert "Copied" not in seen.page.locator("#said").text_content()
    seen.clean()
