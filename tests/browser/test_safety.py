"""Nothing of data runs, asks for anything or changes what the page is; and what is shown is what Python would show."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runstore.reports import outline
from runstore.reports.text_safety import visible
from tests.browser import pages

pytestmark = pytest.mark.browser
Opener = Callable[..., Any]
Script = Callable[[str, Any], Any]

BREAK_OUTS = (
    "</script><script>alert(1)</script>",
    "</SCRIPT ><svg onload=alert(1)>",
    "<!--<script>",
    "<!-- --!> --> <img src=x onerror=alert(1)>",
    "]]><script>alert(1)</script>",
    "</style></title></textarea></details><iframe srcdoc='<script>parent.alert(1)</script>'>",
    "\u2028alert(1)\u2029",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "' onmouseover='alert(1)",
    '" autofocus onfocus="alert(1)',
    '","records":[],"x":"',
    "\\u003c/script\\u003e\\",
    "${alert(1)}`",
    "{{ 7 * 7 }}{% for x in view %}{% endfor %}",
    "__proto__",
    "constructor",
    "<base href=https://example.org/>",
    "<meta http-equiv=refresh content=0;url=https://example.org>",
    "<link rel=stylesheet href=https://example.org/x.css>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\x00\x1b[31m\x7f\x9b",
    "\u202egnp.exe\u2066\u200b\ufeff\U000e0041",
    "##[error]x\n::error::y",
)
LOOK = """() => {
  const all = [...document.querySelectorAll("*")];
  return {
    title: document.title,
    scripts: document.scripts.length,
    tags: [...new Set(all.map((one) => one.tagName.toLowerCase()))],
    attributes: [...new Set(all.flatMap((one) => one.getAttributeNames()))],
    links: all.map((one) => one.getAttribute("href")).filter((one) => one !== null && !one.startsWith("#")),
    text: document.body.innerText,
  };
}"""
_TAGS = """
html head meta title style body header h1 h2 h3 p bdi nav a main section ul li span code svg rect dl div dt dd table
thead tbody tr th td b small label input select option button details summary strong pre del ins em dialog kbd footer
script desc path g text circle"""
_ATTRIBUTES = """
lang charset http-equiv content name class aria-label aria-labelledby id href data-record role tabindex scope colspan
data-label hidden type data-class aria-pressed autocomplete spellcheck value dir title viewBox preserveAspectRatio
aria-hidden x y x1 x2 y1 y2 width height d cx cy r text-anchor open data-start data-index style disabled transform
stroke-width"""


def check_harmless(opened: Opener, view: pages.View, fragment: str = "") -> str:
    """Open everything that can be opened and look at what the page is then. Returns its text."""
    watched = opened(view, fragment)
    page = watched.page
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.wait_for_timeout(200)
    found = page.evaluate(LOOK)
    assert found["title"] == f"FAIL: {outline.make(view).headline}"  # which holds no text of data
    assert found["scripts"] == 2
    assert set(found["tags"]) <= set(_TAGS.split())
    assert set(found["attributes"]) <= set(_ATTRIBUTES.split())
    assert found["links"] == []
    watched.check()
    text: str = found["text"]
    return text


@pytest.mark.parametrize("text", BREAK_OUTS, ids=range(len(BREAK_OUTS)))
def test_a_break_out_runs_nothing(opened: Opener, text: str) -> None:
    shown = check_harmless(opened, pages.hostile(text))
    assert visible(text).strip() in shown or "\n" in text


@pytest.mark.parametrize("part", range(4))
def test_naughty_strings_run_nothing(opened: Opener, conformance: Path, part: int) -> None:
    strings = [text for text in json.loads((conformance / "naughty_strings.json").read_bytes()) if text]
    assert len(strings) == 514 or len(strings) == 515
    shown = check_harmless(opened, pages.hostile(*strings[part::4]))
    assert not {one for one in shown if unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp")} - {"\n", "\t"}


def test_a_search_for_anything_is_only_a_search(opened: Opener) -> None:
    address = "#text=%3Cimg%20src%3Dx&metric=%3Cb%3E&slice=%3Ci%3E="
    check_harmless(opened, pages.hostile("<img src=x onerror=alert(1)>"), address)


def test_what_the_script_shows_is_what_python_shows(script: Script, conformance: Path) -> None:
    every = [chr(code) for code in range(0x11000) if not 0xD800 <= code < 0xE000]
    every += [chr(code) for code in range(0x1F000, 0x1FFFF, 7)] + [chr(code) for code in range(0xDFFF0, 0xE1010)]
    texts = [*json.loads((conformance / "naughty_strings.json").read_bytes()), *every, *BREAK_OUTS]
    differing = [
        (text, shown)
        for text, shown in zip(texts, script("value.map(words.visible)", texts), strict=True)
        if shown != visible(text)
    ]
    assert differing == []


TEXTS = st.lists(
    st.sampled_from(
        ["a", "b", "c", " ", "word", "long" * 9, "\n", "\\n", "é", "e\u0301", "\u200b", "\\u200b", "日本", "x"]
    ),
    max_size=40,
).map("".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=TEXTS, after=TEXTS)
@example(before="caf\u00e9", after="cafe\u0301")
@example(before="a\u200bb", after="a\\u200bb")
@example(before="a\ufe0fb", after="ab")
@example(before="a b", after="a  b")
def test_marked_texts_are_whole_and_differ_if_the_texts_do(script: Script, before: str, after: str) -> None:
    left, right = script("words.compare(...value)", [before, after])
    old, new = ("".join(text for text, _ in side) for side in (left, right))
    assert (old == new) == (before == after)
    assert any(differs for _, differs in [*left, *right]) == (before != after)
    kept = ["".join("".join(text for text, differs in side if not differs).split()) for side in (left, right)]
    assert kept[0] == kept[1]  # but for spaces between words that differ
    assert old in (visible(before), json.dumps(before)) or before != after
