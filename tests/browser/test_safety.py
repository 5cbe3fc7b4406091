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

from runstore.reports import marks, outline
from runstore.reports.html import records, worst
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
lang charset http-equiv content name class aria-label aria-labelledby id href data-jump data-record role tabindex scope
colspan data-label hidden type data-class aria-pressed autocomplete spellcheck value dir title viewBox
preserveAspectRatio aria-hidden aria-sort checked x y x1 x2 y1 y2 width height d cx cy r text-anchor open data-start
data-index style disabled transform stroke-width"""


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


WORDS = [
    "a", "b", "c", " ", "  ", "word", "long" * 9, "\n", "\\n", "\\u200b", "\\x41", "1.5", "12.", "3", "_", "-", "é",
    "e\u0301", "\u200b", "\u200d", "\ufe0f", "\u034f", "\u0e31", "ß", "İ", "½", "②", "Ⅷ", "日本", "👩\u200d👧",
    "\U0001d54f", "\u3000", "\x1c", "\x85", "##[error]", "##vso[", "::x", '"',
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(WORDS), max_size=40).map("".join) | st.text(max_size=8)
LONG = st.lists(st.sampled_from(["a ", "b ", "c\n", "d"]), min_size=350, max_size=450).map("".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(pairs=st.lists(st.tuples(TEXTS, TEXTS) | st.tuples(LONG, LONG), min_size=1, max_size=8))
@example(
    pairs=[
        ("caf\u00e9", "cafe\u0301"),
        ("a\u034fb", "ab"),
        ("a\u200bb", "a\\u200bb"),
        ("a\ufe0fb", "ab"),
        ("a b", "a  b"),
        ("x", "x"),
    ]
)
@example(
    pairs=[("a ##[b", "a\u200d ##[b"), ("ABBA ABC x", "AB BA CAB x"), ("1.5e3 10.25.3", "1.5 e3 10.253"), ("", "a")]
)
def test_the_words_that_the_script_marks_are_those_that_python_marks(
    script: Script, pairs: list[tuple[str, str]]
) -> None:
    found = script("value.map((two) => words.marked(...two))", pairs)
    for (before, after), sides in zip(pairs, found, strict=True):
        pieces = worst.marked(before, after)
        assert [[[piece.text, piece.differs] for piece in side] for side in pieces] == sides
        assert [piece.text for piece in pieces[0]] != [piece.text for piece in pieces[1]] or before == after
        assert any(piece.differs for side in pieces for piece in side) == (before != after)


def test_what_is_a_letter_is_one_for_both(script: Script) -> None:
    every = [chr(code) for code in range(0x20000) if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co")]
    text = "".join(f"a{visible(one)}1.5 " for one in every)
    assert script("words.split(value)", text) == marks._WORD.findall(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "10", "9", "__proto__", "\U00010000", "\uffff", "é", '"', "\x00\x7f\u2028"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["10", "9", "a", "__proto__", "\U00010000", "\uff61", "toString"]), inner, max_size=4
    ),
    max_leaves=8,
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(before=JSON, after=JSON)
@example(before=1, after="1")
@example(before=1e21, after={"b": [], "a": {}})
def test_a_value_reads_the_same(script: Script, before: Any, after: Any) -> None:
    field = {"path": "/metadata", "before": before, "after": after}
    shown = script("words.sideTexts(JSON.parse(value))", json.dumps(field))
    assert shown == list(records.sides(field))  # type: ignore[arg-type]  # a field
