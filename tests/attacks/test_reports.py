"""Group R of the table of attacks, through the command line: what a run holds never becomes markup or a command."""

# ruff: noqa: N802  # a test bears the id of its row

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.command_line import gate
from tests.factories import SHARE, Record, scored, write_run

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</title><title>owned</title>",
    "--><!-- ]]>",
    "\u2028\u2029",
    "::error file=a::owned",
    "\n::error::owned",
    "\r::set-output name=x::y",
    "\n  ::stop-commands::x",
    "##[error]owned",
    "\n##vso[task.complete result=Succeeded]",
    "\x1b[2J\x1b[31mowned",
    "\x9b31m",
    "\u202eowned\u2066",
    "| a | b |\n|---|---|",
    "```\n# owned\n```",
    "@everyone #1 https://example.com ![x](https://example.com/beacon.png)",
    "<details><summary>x</summary>",
    "[x](javascript:alert(1))",
    "&lt;b&gt;",
    "{{ 7 * 7 }} {% raw %}",
    "=1+1",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two runs whose every text is hostile."""
    hostile = [*HOSTILE, *naughty_strings()]
    metrics = dict.fromkeys(HOSTILE[:6], SHARE)
    for side, acc in (("baseline", 1), ("current", 0)):
        records: list[Record] = [
            {
                "id": f"{number} {text}",
                "input": text,
                "metadata": {text: text},
                "output": [text, acc],
                "scores": {HOSTILE[number % 6]: acc},
                "tags": {"t": text, HOSTILE[0]: text},
            }
            for number, text in enumerate(hostile)
        ]
        write_run(tmp_path / side, records, metrics, slices=("t", HOSTILE[0]), notes=HOSTILE[0], tags={"x": HOSTILE[2]})
    return tmp_path


def naughty_strings() -> list[str]:
    path = Path(__file__).resolve().parents[2].parent / "shared/conformance/naughty_strings.json"
    return [text for text in json.loads(path.read_text()) if text] if path.exists() else []


class Page(HTMLParser):
    """What a page holds: its elements, their attributes, and its title."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.handlers: list[str] = []
        self.titles = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]


def test_R1_no_text_becomes_an_element_of_the_html_report(folder: Path) -> None:
    assert gate(folder, "compare", "baseline", "current", "--format", "html:r.html").code == 1
    text = (folder / "r.html").read_text()
    page = Page(text)
    assert "script" not in page.elements or "sha256-" in text
    assert not {"img", "iframe", "object", "embed", "base", "form", "svg"} & set(page.elements)
    assert page.handlers == []
    assert page.elements.count("title") == 1
    assert "{{ 7 * 7 }}" in text


def test_R2_the_html_report_forbids_everything_it_does_not_need(folder: Path) -> None:
    gate(folder, "compare", "baseline", "current", "--format", "html:r.html")
    text = (folder / "r.html").read_text()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    assert "default-src 'none'" in policy[1].replace("&#39;", "'")
    assert "unsafe-inline" not in policy[1]
    assert "\u2028" not in text.replace("\\u2028", "")


def test_R3_no_text_becomes_markup_of_the_markdown_report(folder: Path) -> None:
    assert gate(folder, "compare", "baseline", "current", "--format", "markdown:r.md").code == 1
    text = (folder / "r.md").read_text()
    outside = re.sub(r"(`+)(?:(?!\1).)*?\1", "", text)
    for mark in ("<script", "<img", "<iframe", "](javascript:", "](https://example.com"):
        assert mark not in outside, mark
    assert "@everyone" not in re.sub(r"`[^`\n]*`", "", outside)


COMMAND = re.compile(r"^\s*(::|##\[|##vso\[)")


@pytest.mark.parametrize("form", ["text", "markdown", "json", "html"])
def test_R4_no_line_on_the_terminal_is_a_command_or_a_control_sequence(folder: Path, form: str) -> None:
    outcome = gate(folder, "compare", "baseline", "current", "--format", form)
    assert outcome.code == 1
    for line in re.split("[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", outcome.out):
        assert not COMMAND.match(line), line
    if form != "html":
        assert not re.search(
            "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", outcome.out if form != "json" else ""
        )


def test_R4_no_line_of_an_error_message_is_a_command(tmp_path: Path) -> None:
    lines = [json.dumps({"id": text, "acc": "N/A"}) for text in HOSTILE for _ in range(2)]
    (tmp_path / "r.jsonl").write_text("\n".join(lines) + "\n")
    outcome = gate(tmp_path, "import", "r.jsonl", "--id", "id", "--score", "acc", "-o", "run")
    assert outcome.code == 3
    for line in outcome.err.splitlines():
        assert not COMMAND.match(line), line
    assert "\x1b" not in outcome.err


def test_R4_the_names_of_folders_are_no_commands_either(tmp_path: Path) -> None:
    write_run(tmp_path / "baseline/x\n::error::owned", [scored("a")])
    write_run(tmp_path / "current/x\n::error::owned", [scored("a", 0)])
    for form in ("text", "markdown", "json"):
        outcome = gate(tmp_path, "compare", "baseline", "current", "--format", form)
        assert outcome.code == 1
        assert not any(COMMAND.match(line) for line in outcome.out.splitlines())
    outcome = gate(tmp_path, "compare", "baseline", "x\n::error::owned")
    assert outcome.code == 2
    assert not any(COMMAND.match(line) for line in outcome.err.splitlines())


def test_R9_reports_name_runs_as_they_were_typed(folder: Path) -> None:
    for form in ("text", "markdown", "json", "html"):
        outcome = gate(folder, "compare", "baseline", "current", "--format", form)
        assert str(folder) not in outcome.out
