"""No text of data steers a report: whatever the words of a run are, the structure of every format stays the same.

Row R1, R3 and R4 of the table of attacks. Each text stands in every place that can hold one; what comes out is
parsed, and all that is not data must equal what a harmless word gives.
"""

from __future__ import annotations

import json
import re
import unicodedata
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from runstore import reports
from runstore.canonical import JsonValue
from runstore.reports.text_safety import one_line, visible

BREAK_OUTS = (
    "</script><script>alert(1)</script>",
    "</style><style>*{display:none}</style>",
    "</title><title>PASS</title>",
    "--><!-- <img src=x onerror=alert(1)>",
    '"><a href="javascript:alert(1)" onclick=alert(1)>x</a>',
    "{{ 7 * 7 }}{% for x in view %}{{ x }}{% endfor %}",
    "&lt;b&gt;&#60;script&#62;",
    "\n\n# heading\n\n- list\n\n<details><summary>x</summary>",
    "`",
    "``` ` `` ```",
    "```\n[x](https://example.org)\n```",
    "a | b \\| c \\\\| d |",
    "\\",
    "ends with a backslash \\",
    " leading and trailing ",
    " ",
    "\n",
    "@someone @org/team #1 GH-1 user/repo#1 0123456789abcdef0123456789abcdef01234567",
    "![beacon](https://example.org/x.png) <https://example.org> www.example.org a@example.org",
    "$`x`$ $$x$$ :tada: ~~x~~ [^1] <!-- runstore:gate -->",
    "::error file=a,line=1::x",
    "\t  ::stop-commands::token",
    "x\r\n::set-output name=a::b",
    "x\r::error::y",
    "x\u2028::error::y\x85::error::z\x0b::error::\x0c::error::",
    "text ##[error]x ##vso[task.complete result=Succeeded;] ##teamcity[x] ####[group]",
    "\x1b[2J\x1b[31mred\x1b[0m\x1b]0;title\x07\x9b31m\x08\x08\x7f",
    "\u202eexe.txt\u202c \u2066x\u2069 \u200e\u200f\u061c",
    "in\u200bvis\u2060ible\ufeff\u00ad \U000e0041\U000e0042",
    "\x00",
    "\uffff\ufdd0",
    "'\"&<>",
    "مرحبا 你好 👩‍👩‍👧 e\u0301",
    "x" * 5000,
    "`" * 3000,
    "|" * 300,
)
HARMLESS = "word"


def view_of(text: str) -> dict[str, JsonValue]:
    """A view with the text in every place that can hold one."""
    group: JsonValue = {"tag": text, "value": text}
    measure: dict[str, JsonValue] = {"baseline": 0.5, "current": 0.25, "delta": -0.25, "direction": "lower"}
    measure |= {"improved": 0, "kind": "records", "lost": 1, "metric": text, "n": 2, "regressed": 1}
    measure |= {"run": "suite/a", "slice": None, "unit": text}
    finding: dict[str, JsonValue] = {"hint": text, "level": "error", "limit": "0", "message": text, "metric": text}
    finding |= {"observed": "7", "record": None, "repeat": None, "rule": "max-regressed", "run": text, "slice": group}
    change: dict[str, JsonValue] = {"class": "regressed", "id": text, "repeat": 2, "run": text}
    change |= {"fields": [{"path": f"/metadata/{text}", "before": text}, {"path": "/output", "after": {text: text}}]}
    change |= {"record": {"id": text, "input": text, "target": [text]}}
    change |= {"scores": [{"baseline": 1, "current": None, "delta": None, "metric": text}]}
    gone: dict[str, JsonValue] = {**change, "class": "removed", "fields": [], "repeat": 1, "scores": []}
    side: JsonValue = dict.fromkeys(("commit", "manifest_sha256", "name", "project", "run_id", "suite"), text) | {
        "params": {text: text}
    }
    counts: dict[str, JsonValue] = dict.fromkeys(
        ("added", "baseline", "changed", "common", "current", "improved", "lost_scores"), 3
    )
    counts |= dict.fromkeys(("newly_errored", "newly_skipped", "regressed", "removed", "unchanged"), 2)
    return {
        "changes": [change, gone],
        "changes_omitted": {"added": 3, "changed": 3, "improved": 3, "regressed": 1, "removed": 1},
        "counts": counts,
        "exit_code": 1,
        "findings": [finding, {**finding, "record": text, "hint": None}],
        "format": 1,
        "metrics": [measure, {**measure, "slice": group}],
        "policy": text,
        "runs": [{"baseline": side, "current": None, "path": text}],
        "verdict": "FAIL",
    }


def rendered(form: str, text: str) -> str:
    return reports.load(form).render(view_of(text))


class Structure(HTMLParser):
    """Everything of a page that is not text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, object]] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append((f"/{tag}", None))

    def handle_comment(self, data: str) -> None:
        self.tags.append(("comment", data))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@cache
def harmless_tags() -> list[tuple[str, object]]:
    return Structure(rendered("html", HARMLESS)).tags


def check_html(text: str) -> None:
    page = rendered("html", text)
    found = Structure(page)
    assert hidden(page) <= {"\n", "\t"}
    assert found.tags == harmless_tags()
    assert "script" not in {tag for tag, _ in found.tags}
    assert visible(text) in [part.removeprefix("\n") for part in found.text] or len(text) >= 4000


MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def skeleton(page: str) -> list[object]:
    """What a page is made of, without what stands in code spans."""
    found: list[object] = []
    for token in MARKDOWN.parse(page):
        children = [
            (child.type, "" if child.type == "code_inline" else child.content) for child in token.children or ()
        ]
        found.append((token.type, token.tag, token.attrs, "" if token.children else token.content, children))
    return found


@cache
def harmless_markdown() -> tuple[list[object], int]:
    page = rendered("markdown", HARMLESS)
    return skeleton(page), page.count("|")


def check_markdown(text: str) -> None:
    page = rendered("markdown", text)
    harmless, bars = harmless_markdown()
    assert skeleton(page) == harmless
    assert page.count("|") == bars
    assert len(page.encode()) <= 65_536
    check_lines(page)


def check_lines(page: str) -> None:
    """Nothing that a terminal or a CI runner obeys."""
    assert not re.search(r"(?m)^\s*::", page)
    assert not re.search(r"(?i)##(\[|vso\[|teamcity\[)", page)
    assert hidden(page) == {"\n"}
    assert page.splitlines() == page.split("\n")[:-1]


def hidden(page: str) -> set[str]:
    """The characters that steer, hide or reorder."""
    directions = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\ufeff\u00ad")
    return {one for one in page if unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp")} | (directions & set(page))


def check_text(text: str) -> None:
    for width in (40, 100):
        page = reports.load("text").render(view_of(text), width=width)
        check_lines(page)
        assert page.startswith("FAIL  1 rule broken: max-regressed\n")
        assert one_line(text).strip() in re.sub(r"\n *", " ", page) or len(one_line(text)) > 20


def check_json(text: str) -> None:
    page = rendered("json", text)
    assert json.loads(page) == view_of(text)
    assert not re.search(r"(?i)##(\[|vso\[|teamcity\[)|^\s*::", page, re.MULTILINE)


CHECKS = {"html": check_html, "json": check_json, "markdown": check_markdown, "text": check_text}


def test_every_format_is_checked() -> None:
    assert sorted(CHECKS) == sorted(reports.FORMATS)


@pytest.mark.parametrize("form", CHECKS)
@pytest.mark.parametrize("text", BREAK_OUTS, ids=range(len(BREAK_OUTS)))
def test_a_break_out_changes_no_structure(form: str, text: str) -> None:
    CHECKS[form](text)


@pytest.mark.parametrize("form", CHECKS)
def test_naughty_strings_change_no_structure(form: str, conformance: Path) -> None:
    strings = json.loads((conformance / "naughty_strings.json").read_bytes())
    assert len(strings) == 515
    for text in strings:
        if text:
            CHECKS[form](text)


_ALPHABET = st.sampled_from(list("`|\\<>&'\"[]()!@#:*_~$- \n\r\t\x00\x1b\u202e\u2028ab{}%;=/"))


@pytest.mark.parametrize("form", CHECKS)
@given(text=st.one_of(st.text(_ALPHABET, min_size=1, max_size=40), st.text(min_size=1, max_size=40)))
def test_any_text_changes_no_structure(form: str, text: str) -> None:
    CHECKS[form](text)


def test_the_page_allows_its_style_and_nothing_else() -> None:
    page = rendered("html", HARMLESS)
    policy = "default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; base-uri 'none'; form-action 'none'"
    assert re.search(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'.replace("+/", r"\+/"), page)
    allowed = {"charset", "class", "colspan", "content", "dir", "href", "http-equiv", "id", "lang", "name", "open"}
    allowed |= {"aria-labelledby", "role", "scope", "tabindex"}
    found = {name: value for _, attrs in Structure(page).tags for name, value in attrs or ()}  # type: ignore[attr-defined]
    assert set(found) <= allowed
    assert re.fullmatch(r"#record-[0-9]+", found["href"])
