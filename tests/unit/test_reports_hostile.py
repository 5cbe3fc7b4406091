"""No text of data steers a report for people: whatever the words of a run are, its structure stays the same.

Rows R3 and R4 of the table of attacks, for the terminal, Markdown and JSON. Each text stands in every place that can
hold one; what comes out is parsed, and all that is not data must equal what a harmless word gives.
"""

from __future__ import annotations

import json
import re
import unicodedata
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from runstore import reports
from runstore.canonical import JsonValue
from runstore.reports.text_safety import LEFT_TO_RIGHT, columns, one_line

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
WIDTHS = (40, 100)


def view_of(text: str) -> dict[str, JsonValue]:
    """A view with the text in every place that can hold one."""
    group: JsonValue = {"tag": text, "value": text}
    measure: dict[str, JsonValue] = {"baseline": 0.5, "current": 0.25, "delta": -0.25, "direction": "lower"}
    measure |= {"improved": 0, "kind": "records", "lost": 1, "metric": text, "moves": None, "n": 2, "regressed": 1}
    measure |= {"run": "suite/a", "slice": None, "standard_error": 0.125, "unit": text}
    finding: dict[str, JsonValue] = {"hint": text, "level": "error", "limit": "0", "message": text, "metric": text}
    finding |= {"observed": "7", "record": None, "repeat": None, "rule": "max-regressed", "run": text, "slice": group}
    change: dict[str, JsonValue] = {"class": "regressed", "id": text, "repeat": 2, "run": text}
    change |= {"fields": [{"path": f"/metadata/{text}", "before": text}, {"path": "/output", "after": {text: text}}]}
    change |= {"record": {"id": text, "input": text, "target": [text]}}
    change |= {"scores": [{"baseline": 1, "current": None, "delta": None, "metric": text}]}
    both: list[JsonValue] = [{"path": "/output", "before": f"a {text} c", "after": f"a {text} d"}]
    gone: dict[str, JsonValue] = {**change, "class": "removed", "fields": [], "repeat": 1, "scores": []}
    others: list[JsonValue] = [
        {**change, "class": kind, "fields": both if kind != "added" else [], "repeat": trial}
        for kind, trials in {"regressed": 4, "added": 1, "improved": 1}.items()
        for trial in range(3, 3 + trials)
    ]
    names = ("commit", "manifest_sha256", "name", "project", "run_id", "suite")
    side: JsonValue = dict.fromkeys(names, text) | {"params": {text: text}}
    counts: dict[str, JsonValue] = dict.fromkeys(
        ("added", "baseline", "changed", "common", "current", "improved", "lost_scores"), 9
    )
    counts |= dict.fromkeys(("newly_errored", "newly_skipped", "regressed", "removed", "unchanged"), 9)
    return {
        "changes": [change, gone, *others],
        "changes_omitted": dict.fromkeys(("added", "changed", "improved", "regressed", "removed"), 2),
        "checks": [check(text, group)],
        "counts": counts,
        "exit_code": 1,
        "findings": [finding, {**finding, "record": text, "hint": None}],
        "format": 1,
        "metrics": [measure, {**measure, "slice": group}],
        "policy": text,
        "runs": [{"baseline": side, "current": side, "path": text}],
        "series": [],
        "verdict": "FAIL",
    }


def check(text: str, group: JsonValue) -> dict[str, JsonValue]:
    """A check with the text in every place that can hold one."""
    assessment: dict[str, JsonValue] = {"could_show": True, "detectable": 0.5, "estimate": -0.25, "note": text}
    assessment |= {"interval": [-0.5, 0.125], "p": 0.5, "p_adjusted": 0.5, "pairs": 2, "power": 0.5, "test": text}
    assessment |= {"significant": False, "standard_error": 0.125, "units": 2}
    found: dict[str, JsonValue] = {"assessment": assessment, "excused_by": [text], "interval": None, "limit": "0"}
    found |= {"margin": None, "metric": text, "observed": "1", "origin": text, "outcome": "broken", "read": text}
    return found | {"rule": "max-drop", "run": "suite/a", "slice": group, "suggestion": text, "why": text}


def of_a_pair(text: str) -> dict[str, JsonValue]:
    """The same of two runs, not of folders of runs."""
    view = view_of(text)
    [pair] = cast(list[dict[str, JsonValue]], view["runs"])
    return {**view, "runs": [{**pair, "path": ""}]}


class Page(HTMLParser):
    """What a browser makes of a rendered page: its tags, and the text that does not stand in code."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, object]] = []
        self.text: list[str] = []
        self._depth = 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))
        self._depth += tag == "code"

    def handle_endtag(self, tag: str) -> None:
        self.tags.append((f"/{tag}", None))
        self._depth -= tag == "code"

    def handle_comment(self, data: str) -> None:
        self.tags.append(("comment", None))

    def handle_data(self, data: str) -> None:
        if not self._depth:
            self.text.append(data)


# GitHub's own dialect, as far as a parser in Python has it: links without a scheme, mentions and references are found
# in text only, and the text is held to be ours.
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
CODE = ("code_inline", "fence")
FORBIDDEN = {"a", "img", "script", "style", "iframe", "input", "svg", "form", "object", "video", "picture"}


def structure(page: str) -> tuple[object, ...]:
    """What a page is made of, without what stands in code and without the marker; and what a browser shows of it."""
    tokens = MARKDOWN.parse(page.partition("\n")[2])
    found: list[object] = []
    for token in tokens:
        children = [(child.type, "" if child.type in CODE else child.content) for child in token.children or ()]
        content = "" if token.children or token.type in CODE else token.content
        found.append((token.type, token.tag, token.attrs, token.info, content, children))
    shown = Page(MARKDOWN.renderer.render(tokens, MARKDOWN.options, {}))
    return found, shown.tags, shown.text


@cache
def harmless_markdown(is_pair: bool) -> tuple[object, ...]:
    return structure(reports.load("markdown").render((of_a_pair if is_pair else view_of)(HARMLESS)))


def check_markdown(text: str) -> None:
    is_pair = len(text) % 2 == 0
    page = reports.load("markdown").render((of_a_pair if is_pair else view_of)(text))
    assert len(page.encode()) <= 65_536
    check_lines(page)
    first = page.partition("\n")[0]
    assert re.fullmatch(r"<!-- runstore: [A-Za-z0-9._%~-]+/[A-Za-z0-9._%~-]+ -->", first)
    assert "--" not in first[4:-3]
    found = structure(page)
    if "Left out for want of room" not in page or len(text) < 100:
        assert found == harmless_markdown(is_pair)
    assert not {tag for tag, _ in found[1]} & FORBIDDEN  # type: ignore[attr-defined]


def check_lines(page: str) -> None:
    """Nothing that a terminal or a CI runner obeys."""
    assert not re.search(r"(?m)^\s*::", page)
    assert not re.search(r"(?i)##(\[|vso\[|teamcity\[)", page)
    assert hidden(page) <= {"\n"}
    assert page.splitlines() == page.split("\n")[:-1]


def hidden(page: str) -> set[str]:
    """The characters that steer, hide or reorder."""
    directions = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\ufeff\u00ad")
    return {one for one in page if unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp")} | (directions & set(page))


def check_text(text: str) -> None:
    width = WIDTHS[len(text) // 2 % len(WIDTHS)]
    view = (of_a_pair if len(text) % 2 == 0 else view_of)(text)
    page = reports.load("text").render(view, width=width)
    check_lines(without_anchors(page, text))
    assert page.startswith("FAIL  1 rule broken: max-regressed")
    above, _, below = page.partition("\nNext: ")
    assert too_wide(above, width) == []
    assert below.count("\n  gate compare BASELINE CURRENT --") == 2
    assert one_line(text).strip() in re.sub(r"\n *", " ", page) or len(one_line(text)) > 20
    colored = reports.load("text").render(view, color=True, width=width)
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == page
    explained = reports.load_explanation().render(view, width=width)
    check_lines(without_anchors(explained, text))
    assert too_wide(explained, width) == []


def too_wide(page: str, width: int) -> list[str]:
    """Lines of more columns; the escape of a command that a break made one is not counted."""
    return [line for line in page.splitlines() if columns(re.sub(r"^( *)\\x3a:", r"\1::", line)) > width]


def without_anchors(page: str, text: str) -> str:
    """The page without our own marks behind text that runs from right to left; elsewhere there are none."""
    runs_left = any(unicodedata.bidirectional(one) in ("R", "AL", "AN") for one in text)
    return page.replace(LEFT_TO_RIGHT, "") if runs_left else page


def check_json(text: str) -> None:
    page = reports.load("json").render(view_of(text))
    assert json.loads(page) == view_of(text)
    assert not re.search(r"(?i)##(\[|vso\[|teamcity\[)|^\s*::", page, re.MULTILINE)


CHECKS = {"json": check_json, "markdown": check_markdown, "text": check_text}


@pytest.mark.parametrize("form", CHECKS)
@pytest.mark.parametrize("text", BREAK_OUTS, ids=range(len(BREAK_OUTS)))
def test_a_break_out_changes_no_structure(form: str, text: str) -> None:
    for more in ("", ".", "..", "..."):  # its length chooses what it stands in, and how wide that is
        CHECKS[form](text + more)


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
