"""The list of records in a real browser: filters, order, links, keys, and what is built when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from runstore.reports.html import payload
from tests.browser import pages
from tests.browser.pages import wait_for

pytestmark = pytest.mark.browser
Opener = Callable[..., Any]
NAMES = "[...document.querySelectorAll('#list details.record strong')].map((one) => one.textContent)"
IN_WINDOW = """(row) => {
  const box = row.getBoundingClientRect();
  return box.top >= 0 && box.top < innerHeight;
}"""


def names(page: Any) -> list[str]:
    """The records whose rows are built, in order."""
    found: list[str] = page.evaluate(NAMES)
    return found


def address(page: Any) -> str:
    found: str = page.evaluate("location.hash")
    return found


def test_the_list_begins_with_the_worst_and_opens_them(opened: Opener) -> None:
    page = opened(pages.quiz()).page
    assert names(page)[:3] == ["r0000", "r0001", "r0002"]
    assert page.locator("#status").inner_text() == "130 records"
    assert page.locator("#list details[open] strong").all_inner_texts() == ["r0000", "r0001", "r0002"]
    assert address(page) == ""


def test_rows_are_built_when_they_come_near(opened: Opener) -> None:
    watched = opened(pages.quiz(2000), viewport={"width": 1280, "height": 700})
    few = watched.page.locator("#list details").count()
    assert 50 <= few <= 200
    watched.page.evaluate("document.querySelector('#list').lastChild.scrollIntoView()")
    wait_for(watched.page, "document.querySelector('#list').lastChild.children.length === 50")
    assert watched.page.locator("#list details").count() < 600
    watched.check()


def test_classes_filter_and_are_in_the_address(opened: Opener) -> None:
    page = opened(pages.quiz()).page
    page.locator("[data-class=improved]").click()
    assert set(page.locator("#list .kind").all_inner_texts()) == {"improved"}
    page.locator("[data-class=added]").click()
    assert set(page.locator("#list .kind").all_inner_texts()) == {"improved", "added"}
    assert address(page) == "#class=added,improved"
    assert page.locator("[data-class=added]").get_attribute("aria-pressed") == "true"
    page.locator("#reset").click()
    assert page.locator("#status").inner_text() == "130 records"
    assert address(page) == ""


def test_slices_metrics_and_text_filter_together(opened: Opener) -> None:
    changes = [pages.change(number, scores=[pages.score("acc", 1, 0)]) for number in range(12)]
    changes += [pages.change(number, scores=[pages.score("latency", 1, 2)]) for number in range(12, 24)]
    page = opened(pages.view_of(changes)).page
    page.select_option("#slice", label="lang = en (8)")
    assert names(page) == ["r0001", "r0004", "r0007", "r0010", "r0013", "r0016", "r0019", "r0022"]
    page.select_option("#metric", "latency")
    assert names(page) == ["r0013", "r0016", "r0019", "r0022"]
    page.locator("#text").fill("NUMBER 16?")
    wait_for(page, "document.querySelectorAll('#list details').length === 1")
    assert names(page) == ["r0016"]
    assert page.locator("#status").inner_text() == "1 of 24 records"
    assert address(page) == "#slice=lang=en&metric=latency&text=NUMBER%2016%3F"


def test_a_link_keeps_filters_and_order(opened: Opener) -> None:
    watched = opened(pages.quiz(), "#class=improved,changed&slice=lang=fr&text=question&order=id")
    page = watched.page
    kinds = set(page.locator("#list .kind").all_inner_texts())
    assert kinds == {"improved", "changed"}
    assert names(page) == sorted(names(page))
    assert page.locator("#slice").input_value() == "lang=fr"
    assert page.locator("#text").input_value() == "question"
    assert page.locator("#order").input_value() == "id"
    assert page.locator("#records").evaluate(IN_WINDOW)
    watched.check()


def test_a_slice_of_a_link_that_no_record_has_leaves_none(opened: Opener) -> None:
    page = opened(pages.quiz(), "#slice=a%3Db=c%26%3Cd").page
    assert names(page) == []
    assert page.locator("#slice option:checked").inner_text() == "a=b = c&<d"
    assert page.locator("#status").inner_text() == "0 of 130 records"


@pytest.mark.parametrize(
    ("order", "expected"),
    [("", ["c", "a", "d", "b"]), ("id", ["a", "b", "c", "d"]), ("delta", ["d", "b", "a", "c"])],
)
def test_the_order_can_be_chosen(opened: Opener, order: str, expected: list[str]) -> None:
    scores = {
        "c": [pages.score("acc", 0.5, 0.4), pages.score("latency", 1, 1.01)],
        "a": [pages.score("latency", 1, 1.5)],
        "d": [pages.score("acc", 1, None)],
        "b": [pages.score("latency", 1, 3)],
    }
    changes = [pages.change(1, id=name, scores=scores[name]) for name in "cadb"]
    metrics = [pages.measure(), pages.measure("latency", direction="lower")]
    page = opened(pages.view_of(changes, metrics=metrics)).page
    page.select_option("#order", order)
    assert names(page) == expected


def test_the_order_is_by_the_metric_that_is_chosen(opened: Opener) -> None:
    scores = {"a": (0.4, 0.9), "b": (0.9, 0.1), "c": (0.2, 0.5)}
    changes = [
        pages.change(1, id=name, scores=[pages.score("x", 1, x), pages.score("y", 1, y)])
        for name, (x, y) in scores.items()
    ]
    page = opened(
        pages.view_of(changes, metrics=[pages.measure("x"), pages.measure("y")]), "#metric=x&order=delta"
    ).page
    assert names(page) == ["c", "a", "b"]
    page.select_option("#metric", "y")
    assert names(page) == ["b", "c", "a"]


def test_a_link_opens_a_record_far_down_the_list(opened: Opener) -> None:
    watched = opened(pages.quiz(2000), "#record=/r1777/1")
    row = watched.page.locator("details.record", has=watched.page.get_by_text("r1777", exact=True)).first
    watched.page.wait_for_timeout(300)
    assert row.get_attribute("open") is not None
    assert row.evaluate(IN_WINDOW)
    assert watched.page.evaluate("document.activeElement.textContent").find("r1777") >= 0
    watched.check()


HOSTILE_IDS = (
    "a/b c&d=e#f%20g",
    "%",
    "</script><script>alert(1)</script>",
    "\u202eid\n\t\u2028",
    "日本",
    "__proto__",
    "''()*!",
)


@pytest.mark.parametrize("identifier", HOSTILE_IDS)
def test_a_link_finds_a_record_whatever_its_id(opened: Opener, identifier: str) -> None:
    changes = [pages.change(number) for number in range(80)]
    changes.append(pages.change(80, id=identifier, run="suite/a b", repeat=3))
    key = "/".join(quote(part, safe="") for part in ("suite/a b", identifier, "3"))
    watched = opened(pages.view_of(changes), f"#record={key}")
    assert watched.page.evaluate("document.activeElement.closest('details').dataset.index") == "80"
    link = watched.page.locator(".row:has(details[open]) .permalink").get_attribute("href")
    again = opened(pages.view_of(changes), link)
    assert again.page.evaluate("document.activeElement.closest('details').dataset.index") == "80"
    watched.check()


def test_a_link_to_a_record_that_is_not_there_says_so(opened: Opener) -> None:
    watched = opened(pages.quiz(), "#record=/%3Cb%3Enobody/1")
    assert "The record /<b>nobody/1 is not on this page" in watched.page.locator("#status").inner_text()
    assert watched.page.locator("#list details").count() > 0
    watched.check()


def test_a_link_to_a_record_wins_over_a_filter_that_hides_it(opened: Opener) -> None:
    page = opened(pages.quiz(), "#class=improved&record=/r0001/1").page
    assert page.locator("details[open] strong").all_inner_texts() == ["r0001"]
    assert page.locator("#status").inner_text() == "130 records"


def test_a_link_followed_on_the_page_opens_its_record(opened: Opener) -> None:
    about = pages.finding("max-regressed", record="r0060")
    watched = opened(
        pages.view_of([pages.change(number) for number in range(70)], findings=[pages.finding("max-regressed"), about])
    )
    watched.page.get_by_role("link", name="r0060").click()
    wait_for(watched.page, "document.activeElement.textContent.includes('r0060')")
    assert address(watched.page) == "#record=/r0060/1"
    watched.check()


def test_a_place_of_the_page_is_no_filter(opened: Opener) -> None:
    page = opened(pages.quiz(), "#class=improved").page
    page.get_by_role("link", name="Metrics").click()
    wait_for(page, "location.hash === '#metrics'")
    assert set(page.locator("#list .kind").all_inner_texts()) == {"improved"}


def test_an_opened_record_is_in_the_address(opened: Opener) -> None:
    page = opened(pages.quiz()).page
    page.get_by_text("r0007").click()
    assert address(page) == "#record=/r0007/1"
    page.get_by_text("r0007").first.click()
    assert address(page) == ""


def test_keys_walk_through_the_records(opened: Opener) -> None:
    watched = opened(pages.quiz())
    page = watched.page
    focus = "document.activeElement.querySelector('strong').textContent"
    page.keyboard.press("j")
    assert page.evaluate(focus) == "r0000"
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("j")
    assert page.evaluate(focus) == "r0003"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("k")
    assert page.evaluate(focus) == "r0001"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Escape")
    assert page.locator("#list details[open] strong").all_inner_texts() == ["r0000", "r0002"]
    page.keyboard.press("Enter")
    assert page.locator("#list details[open]").count() == 3
    for _ in range(60):
        page.keyboard.press("j")
    assert page.evaluate(focus) == "r0061"
    assert page.evaluate(f"({IN_WINDOW})(document.activeElement)")
    watched.check()


def test_keys_reach_the_search_and_leave_it(opened: Opener) -> None:
    page = opened(pages.quiz()).page
    page.keyboard.press("/")
    page.keyboard.type("number 42j?")
    wait_for(page, "document.querySelectorAll('#list details').length === 0")
    assert page.locator("#text").input_value() == "number 42j?"
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.locator("dialog").is_visible()
    page.keyboard.press("j")
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()


def test_the_classes_say_how_many_the_other_filters_leave(opened: Opener) -> None:
    page = opened(pages.quiz()).page
    numbers = "[...document.querySelectorAll('#classes .number')].map((one) => one.textContent)"
    before = page.evaluate(numbers)
    assert before == ["74", "14", "14", "14", "14"]
    page.locator("[data-class=removed]").click()
    assert page.evaluate(numbers) == before
    page.select_option("#slice", "lang=de")
    assert page.evaluate(numbers)[:2] == ["25 of 74", "5 of 14"]
    page.locator("#reset").click()
    assert page.evaluate(numbers) == before


def test_a_jump_shows_the_records_of_its_class(opened: Opener) -> None:
    watched = opened(pages.quiz())
    watched.page.locator("[data-jump=removed]").click()
    wait_for(watched.page, "location.hash === '#class=removed'")
    assert set(watched.page.locator("#list .kind").all_inner_texts()) == {"removed"}
    assert watched.page.locator("#records").evaluate(IN_WINDOW)
    assert watched.page.evaluate("document.activeElement.id") == "records"
    watched.check()


def test_the_link_of_a_closed_record_opens_it_and_leaves_the_others(opened: Opener) -> None:
    page = opened(pages.quiz(), "#class=regressed").page
    page.locator(".row", has_text="r0007").locator(".permalink").click()
    assert address(page) == "#class=regressed&record=/r0007/1"
    assert page.locator("#list details[open] strong").all_inner_texts() == ["r0007"]
    assert page.locator(".row", has_text="r0007").locator(".permalink").get_attribute("href") == "#record=/r0007/1"


def test_single_keys_can_be_turned_off(opened: Opener) -> None:
    page = opened(pages.quiz()).page
    page.locator("#help").click()
    page.locator("#single").uncheck()
    page.keyboard.press("Escape")
    for key in ("j", "/", "?"):
        page.keyboard.press(key)
    assert page.locator("dialog").is_hidden()
    assert page.evaluate("document.activeElement.id") == "help"
    page.locator("#list summary").first.focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent").find("r0001") >= 0


def test_metrics_can_be_put_in_order(opened: Opener) -> None:
    figures = {"b": (-0.5, 1200), "a": (0.25, 30), "c": (None, 5)}
    metrics = [pages.measure(name, delta=delta, n=n) for name, (delta, n) in figures.items()]
    slices = [pages.measure("b", slice={"tag": "lang", "value": value}, n=n) for value, n in (("x", 2), ("y", 9))]
    page = opened(pages.view_of([pages.change(0)], metrics=[*metrics, *slices])).page
    heads = "[...document.querySelectorAll('[aria-labelledby=metrics] tbody th')].map((one) => one.innerText)"
    delta = page.locator("[aria-labelledby=metrics] thead th", has_text="delta").first
    for order, direction in ((["b", "a", "c"], "ascending"), (["a", "b", "c"], "descending"), (["b", "a", "c"], None)):
        delta.get_by_role("button").click()
        assert page.evaluate(heads) == order
        assert delta.get_attribute("aria-sort") == direction
    page.locator("[aria-labelledby=metrics] thead").get_by_role("button", name="n", exact=True).click()
    assert page.evaluate(heads) == ["c", "a", "b"]
    page.locator("[aria-labelledby=metrics] thead").get_by_role("button", name="metric").click()
    assert page.evaluate(heads) == ["a", "b", "c"]
    page.locator("[aria-labelledby=slices] summary").click()
    page.locator("[aria-labelledby=slices] thead").get_by_role("button", name="n", exact=True).dblclick()
    rows = page.locator("[aria-labelledby=slices] tr.slice th").all_inner_texts()
    assert rows == ["lang = y", "lang = x"]


def test_records_without_their_texts_are_listed_filtered_and_ordered(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payload, "RECORDS", 2)
    scores = {
        "a": ("acc", 1, 0.9),
        "b": ("ms", 1, 9),
        "c": ("ms", 1000, 3500),
        "d": ("acc", 1, None),
        "e": ("acc", 0, 1),
    }
    changes = [pages.change(place, id=name, scores=[pages.score(*scores[name])]) for place, name in enumerate("abcde")]
    metrics = [pages.measure(), pages.measure("ms", direction="lower")]
    about = [pages.finding("max-regressed"), pages.finding("max-regressed", record="d")]
    watched = opened(pages.view_of(changes, metrics=metrics, findings=about), "#order=delta")
    page = watched.page
    assert names(page) == ["d", "c", "b", "a", "e"]
    page.locator(".findings a").click()
    wait_for(page, "location.hash === '#record=/d/1'")
    opened_row = page.locator("details[open]").inner_text()
    assert "its texts are in the JSON report" in opened_row
    assert "worse acc is gone" in opened_row
    page.select_option("#slice", "lang=fr")
    assert names(page) == ["c"]
    assert page.locator("#list .score").inner_text() == "ms 1,000 → 3,500 +2,500"
    watched.check()
