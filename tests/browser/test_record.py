"""What an open record shows: why it counts, what differs word by word, its tags, and what was cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser import pages

pytestmark = pytest.mark.browser
Opener = Callable[..., Any]


def test_a_tag_of_a_record_shows_its_slice(opened: Opener) -> None:
    page = opened(pages.quiz()).page
    page.locator("details[open] .tag").first.click()
    assert page.evaluate("location.hash") == "#slice=lang=de"


def test_a_record_says_why_it_counts(opened: Opener) -> None:
    de = {"tag": "lang", "value": "de"}
    view = pages.view_of(
        [pages.change(0)],
        checks=[
            pages.check("max-drop", "broken", metric="acc", limit="0.01"),
            pages.check("max-drop", "waived", metric="acc", limit="0.05", slice=de, excused_by=["waivers.0"]),
            pages.check("max-drop", "holds", metric="acc", slice={"tag": "lang", "value": "en"}),
            pages.check("max-drop", "holds", metric="other"),
            pages.check("max-drop", "holds", metric="acc", run="elsewhere"),
        ],
        findings=[pages.finding("waived", "notice", "r0000", message="waived up to 0.9 by ann")],
    )
    page = opened(view).page
    lines = page.locator("details .why li").all_inner_texts()
    assert lines[:2] == ["worse acc by 1", "notice waived waived up to 0.9 by ann"]
    assert page.locator("details .why .limit").all_inner_texts() == [
        "acc: max-drop 0.01 broken",
        "acc of lang = de: max-drop 0.05 waived by waivers.0",
    ]


def test_a_record_says_which_limit_it_counts_against_and_which_scores_are_why(opened: Opener) -> None:
    scores = [pages.score("acc", 1, 0.25), pages.score("latency", 100, 220), pages.score("f1", 0, 1)]
    view = pages.view_of(
        [pages.change(0, scores=[*scores, pages.score("bleu", 0.5, None)])],
        checks=[
            pages.check("max-regressed", "broken", observed="391", limit="60"),
            pages.check("max-drop", "holds", metric="acc", limit="0.9"),
            pages.check("metric-declaration", "holds", metric="acc"),
            pages.check("max-drop", "broken", metric="latency", limit="5"),
            *(pages.check("max-drop", metric="f1", limit=f"0.{number}") for number in range(1, 9)),
        ],
        findings=[pages.finding("max-regressed"), pages.finding("max-regressed", record="r0000", message="got worse")],
        metrics=[pages.measure("latency", direction="lower"), pages.measure()],
    )
    page = opened(view).page
    worse, better, error, counts = page.locator("details .why li").all_inner_texts()
    assert worse == "worse acc by 0.7500, latency by 120 (lower is better), bleu is gone"
    assert better == "better f1 by 1"
    assert error == "error max-regressed got worse counts against its limit: 391 counted, 60 allowed"
    assert counts.startswith("counts in latency: max-drop 5 broken")
    assert counts.endswith("and 4 more that hold")
    assert page.locator("details .why .limit").count() == 6
    assert "metric-declaration" not in counts


def test_a_hint_shows_our_words_as_code_and_data_as_it_is(opened: Opener) -> None:
    hint = "edit `gate.toml`, `<b>not this</b>` or `a::b`"
    about = pages.finding("max-regressed", record="r0000", message="`max_drop` of `<i>` fell")
    page = opened(pages.view_of([pages.change(0)], findings=[pages.finding("max-regressed", hint=hint), about])).page
    assert page.locator(".hint").inner_text() == "edit gate.toml, `<b>not this</b>` or `a::b`"
    assert page.locator(".hint code").all_inner_texts() == ["gate.toml"]
    assert page.locator(".why bdi code").all_inner_texts() == ["max_drop"]
    assert "max_drop of `<i>` fell" in page.locator(".why").inner_text()


def test_what_differs_is_marked_word_by_word(opened: Opener) -> None:
    page = opened(pages.view_of([pages.change(0)])).page
    assert page.locator("details .body del").all_inner_texts() == ["was"]
    assert page.locator("details .body ins").all_inner_texts() == ["is now"]


def test_a_long_text_that_does_not_differ_is_folded(opened: Opener) -> None:
    long = "word " * 600
    field = {"path": "/output", "before": f"{long}a{long}", "after": f"{long}b{long}"}
    page = opened(pages.view_of([pages.change(0, fields=[field])])).page
    left = page.locator("details .body .side pre").nth(2)
    assert len(left.inner_text()) < 1000
    while left.locator("button").count():
        left.locator("button").first.click()
    assert left.inner_text() == f"{long}a{long}"


def test_what_is_beyond_the_page_is_counted(opened: Opener) -> None:
    long = "x" * 5000
    fields = [{"path": f"/metadata/{number}", "before": long, "after": f"{long}y{long}"} for number in range(60)]
    page = opened(pages.view_of([pages.change(0, fields=fields)])).page
    body = page.locator("details .body").inner_text()
    assert "baseline, shortened from 5,000 characters" in body or "current, shortened from 10,001 characters" in body
    assert "and 10 more fields, in the JSON report" in body
