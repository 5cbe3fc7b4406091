"""What reports share and promise: lazy loading, differing words, safe and shortened text, and room that is kept."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore import reports
from runstore.reports import marks, outline, text_safety
from runstore.reports.marks import Piece

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def saved(name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((GOLDEN / name / "view.json").read_bytes())
    return value


def test_formats_are_loaded_when_they_are_named() -> None:
    code = "import sys; from runstore import reports; [reports.load(form) for form in ('text', 'json', 'markdown')]"
    code += "; print('jinja2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_formats_are_a_table_whose_first_row_is_the_default() -> None:
    assert list(reports.FORMATS) == ["text", "json", "markdown", "html"]


@pytest.mark.parametrize("form", reports.FORMATS)
@pytest.mark.parametrize("name", [place.name for place in sorted(GOLDEN.iterdir())])
def test_a_report_ends_with_one_line_feed(form: str, name: str) -> None:
    page = reports.load(form).render(saved(name))
    assert page.endswith("\n")
    assert not page.endswith("\n\n")


@pytest.mark.parametrize("width", [1, 40, 72, 100, 200])
@pytest.mark.parametrize("name", ["fail-regressions", "fail-removed-and-added", "invalid-digest"])
def test_lines_of_the_text_fit_the_width(name: str, width: int) -> None:
    page = reports.load("text").render(saved(name), width=width)
    above_next = page.partition("\nNext: ")[0].splitlines()[1:]
    table = [line for line in above_next if re.search(r"\S  +\S", line)]
    assert [line for line in above_next if line not in table and text_safety.columns(line) > max(width, 40)] == []
    assert {text_safety.columns(line) for line in table if width >= 100 and "lang" in line} <= set(range(101))


@pytest.mark.parametrize(
    ("before", "after", "left", "right"),
    [
        ("a b c", "a x c", [Piece("a "), Piece("b", True), Piece(" c")], [Piece("a "), Piece("x", True), Piece(" c")]),
        ("same", "same", [Piece("same")], [Piece("same")]),
        ("", "new", [], [Piece("new", True)]),
        ("a a", "a", [Piece("a"), Piece(" a", True)], [Piece("a")]),
        (
            "é",
            "e\u0301",
            [Piece('"\\'), Piece("u00e9", True), Piece('"')],
            [Piece('"'), Piece("e", True), Piece("\\"), Piece("u0301", True), Piece('"')],
        ),
    ],
)
def test_words_that_differ_are_marked(before: str, after: str, left: list[Piece], right: list[Piece]) -> None:
    assert marks.compare(before, after) == (left, right)


WORDS = st.lists(st.sampled_from(["a", "b", " ", "long" * 9, "\n", "\\n", "é", "e\u0301", "\u200b"]), max_size=30)


@given(before=WORDS, after=WORDS, words=st.sampled_from([0, 3, 200]))
def test_pieces_are_the_text_and_differ_if_the_texts_do(before: list[str], after: list[str], words: int) -> None:
    old, new = "".join(before), "".join(after)
    left, right = ("".join(piece.text for piece in side) for side in marks.compare(old, new, words=words))
    assert (left == right) == (old == new)
    assert old != new or left == text_safety.one_line(old)


@given(before=WORDS, after=WORDS, room=st.integers(20, 60))
def test_shortened_pieces_fit_the_room(before: list[str], after: list[str], room: int) -> None:
    for side in marks.compare("".join(before), "".join(after)):
        assert marks.length(marks.shortened(side, room)) <= room


def test_what_differs_far_inside_a_long_text_is_shown() -> None:
    text = "word " * 2000
    sides = marks.compare(f"{text}old{text}", f"{text}new{text}")
    assert ["old" in str(marks.shortened(sides[0], 60)), "new" in str(marks.shortened(sides[1], 60))] == [True, True]


def test_a_number_and_its_text_do_not_look_the_same() -> None:
    assert outline.sides({"path": "/output", "before": 1, "after": "1"}) == ("1", '"1"')


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain", "plain"),
        ("a\tb\r\nc", "a\\tb\\r\nc"),
        ("::error::x\n  ::x", "\\x3a:error::x\n  \\x3a:x"),
        ("a :: b ::c", "a :: b ::c"),
        ("x ##[error] ##VSO[a] ## [b]", "x \\x23#[error] \\x23#VSO[a] ## [b]"),
        ("\x1b[31m\u202ex\u200b\U000e0041", "\\x1b[31m\\u202ex\\u200b\\U000e0041"),
    ],
)
def test_text_is_made_safe_for_a_terminal_and_a_log(text: str, safe: str) -> None:
    assert text_safety.safe_text(text) == safe


@given(text=st.text(), width=st.integers(3, 30))
def test_fitted_text_fits_its_columns(text: str, width: int) -> None:
    assert text_safety.columns(text_safety.fitted(text_safety.one_line(text), width)) <= width


def test_wide_characters_take_two_columns_and_marks_none() -> None:
    assert [text_safety.columns(text) for text in ("abc", "東京", "e\u0301", "é")] == [3, 4, 1, 1]


@pytest.mark.parametrize("name", ["acc", "a.b", 'quo"te', "über", "new\nline", "\x7f", "*"])
def test_the_proposed_line_of_policy_is_toml_for_the_metric(name: str) -> None:
    view = saved("fail-regressions")
    for measure in view["metrics"]:
        measure["metric"] = name
    [line] = [line for why, line in outline.make(view).steps() if "gate.toml" in why]
    assert tomllib.loads(line) == {"metrics": {name: {"max_drop": 0.01}}}


def crowded(records: int, findings: int) -> dict[str, Any]:
    """A failed comparison with many long records and findings."""
    view = saved("fail-regressions")
    [change] = [change for change in view["changes"] if change["id"] == "fr/001"]
    [finding, *_] = view["findings"]
    long = "語 ` | " * 200
    kinds = ("regressed", "removed", "added", "improved", "changed")
    view["changes"] = [
        {**change, "class": kind, "id": f"{index}{long}", "fields": [{"path": f"/{long}", "before": long}] * 3}
        for kind in kinds
        for index in range(records)
    ]
    view["counts"] |= dict.fromkeys(kinds, records)
    view["findings"] = [{**finding, "message": f"{index}{long}", "rule": f"rule-{index}"} for index in range(findings)]
    view["metrics"] = [
        {**measure, "metric": f"{index}{long}"} for index in range(300) for measure in view["metrics"][:1]
    ]
    return view


def test_markdown_keeps_to_the_limit_of_a_comment_and_says_what_it_left_out() -> None:
    page = reports.load("markdown").render(crowded(500, 500))
    assert len(page.encode()) <= 65_536
    left_out = re.findall(r"Left out for want of room: ([0-9]+) (\w+)\.", page)
    shown = page.count("- **error**"), len(re.findall(r"(?m)^\| `+ ?[0-9]+語", page))
    assert [noun for _, noun in left_out][:2] == ["findings", "metrics"]
    assert int(left_out[0][0]) + shown[0] == 500
    assert page.rstrip().endswith("max_drop = 0.01`") or "max-regressed" not in page.splitlines()[1]


def test_records_that_are_not_listed_are_counted_on_the_page() -> None:
    view = saved("fail-regressions")
    view["changes_omitted"]["regressed"] = 1234
    assert '<p class="quiet">and 1,234 more, not listed</p>' in reports.load("html").render(view)


def test_the_page_shows_a_value_that_changed_from_nothing() -> None:
    page = reports.load("html").render(saved("fail-regressions"))
    assert '<em class="quiet">nothing</em>' in page
    assert "<ins>Lyon</ins>" in page
    assert "<del>Paris</del>" in page


def finding(rule: str, level: str, record: str | None) -> dict[str, Any]:
    return {
        "hint": None, "level": level, "limit": None, "message": f"about {record}", "metric": None, "observed": None,
        "record": record, "repeat": None, "rule": rule, "run": "", "slice": None,
    }  # fmt: skip


def test_findings_about_records_stand_below_the_one_about_the_whole_or_by_themselves() -> None:
    view = saved("pass-identical")
    view["findings"] = [
        finding("max-regressed", "error", None),
        finding("max-regressed", "error", "a"),
        finding("waived", "notice", "b"),
        finding("waived", "notice", "c"),
    ]
    groups = outline.make(view).groups
    assert [(group.head["record"], [one["record"] for one in group.records]) for group in groups] == [
        (None, ["a"]),
        ("b", []),
        ("c", []),
    ]
    text = reports.load("text").render(view)
    assert all(f"about {name}" in text for name in "bc")


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_of_many_slices_the_worst_are_shown_and_the_others_counted(form: str) -> None:
    view = saved("pass-identical")
    slices = [measure for measure in view["metrics"] if measure["slice"] and measure["metric"] == "latency"]
    kept = [measure for measure in view["metrics"] if not measure["slice"]]
    many = [
        {**slices[0], "delta": float(number % 7), "slice": {"tag": "user", "value": f"u{number:02d}"}}
        for number in range(15)
    ]
    view["metrics"] = [*kept, *many]
    page = reports.load(form).render(view)
    order = re.findall(r"u\d\d", page)
    assert order == ["u06", "u13", "u05", "u12", "u04", "u11", "u03", "u10", "u02", "u09"]
    assert "and 5 more slices" in page
    view["metrics"] = [*kept, *many[:10]]
    page = reports.load(form).render(view)
    assert re.findall(r"u\d\d", page) == [f"u{number:02d}" for number in range(10)]
    assert "more slice" not in page
