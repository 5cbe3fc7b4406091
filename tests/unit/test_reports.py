"""What reports share and promise: lazy loading, differing words, safe and shortened text, and room that is kept."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore import reports
from runstore.reports import advice, marks, outline, text_safety
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
    assert list(reports.FORMATS)[:4] == ["text", "json", "markdown", "html"]


@pytest.mark.parametrize("form", reports.FORMATS)
@pytest.mark.parametrize("name", [place.name for place in sorted(GOLDEN.iterdir())])
def test_a_report_ends_with_one_line_feed(form: str, name: str) -> None:
    page = reports.load(form).render(saved(name))
    assert page.endswith("\n")
    assert not page.endswith("\n\n")


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
            [Piece('"'), Piece("\\u00e9", True), Piece('"')],
            [Piece('"'), Piece("e\\u0301", True), Piece('"')],
        ),
        ("0.25 s", "0.125 s", [Piece("0.25", True), Piece(" s")], [Piece("0.125", True), Piece(" s")]),
        (
            "a\u200cb",
            "ab",
            [Piece('"'), Piece("a\\u200cb", True), Piece('"')],
            [Piece('"'), Piece("ab", True), Piece('"')],
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


@given(before=WORDS, after=WORDS, room=st.integers(20, 60))
def test_shortened_pieces_fit_the_columns_of_a_terminal(before: list[str], after: list[str], room: int) -> None:
    wide = [word.replace("a", "東") for word in before]
    for side in marks.compare("".join(wide), "".join(after)):
        short = marks.shortened(side, room, text_safety.columns)
        assert sum(text_safety.columns(piece.text) for piece in short) <= room


@pytest.mark.parametrize("room", range(40, 120, 7))
@pytest.mark.parametrize("size", [len, text_safety.columns])
def test_what_is_left_out_around_a_change_is_said_once_on_each_side(room: int, size: Callable[[str], int]) -> None:
    text = "-" * 500  # no blank to cut at: all the room there is is taken
    for side, word in zip(marks.compare(f"{text}old{text}", f"{text}new{text}"), ("old", "new"), strict=True):
        short = "".join(piece.text for piece in marks.shortened(side, room, size))
        assert re.fullmatch(rf"\[\.\.\.\] -+{word}-+ \[\.\.\.\]", short)


@given(before=WORDS, after=WORDS, width=st.integers(2, 40))
def test_pieces_on_lines_are_the_text_and_fit_the_width(before: list[str], after: list[str], width: int) -> None:
    for side in marks.compare("".join(before).replace("b", "東"), "".join(after)):
        found = ["".join(piece.text for piece in line) for line in marks.lines(side, width)]
        assert "".join(found).replace(" ", "") == "".join(piece.text for piece in side).replace(" ", "")
        assert [line for line in found if text_safety.columns(line) > width] == []


@pytest.mark.parametrize(
    ("before", "after", "old", "new"),
    [
        ("a b c", "a x c", "a [-b-] c", "a {+x+} c"),
        ("a c", "a x y c", "a c", "a {+x y +}c"),
        ("30 days with it", "30 days, and not with it", "30 days with it", "30 days{+, and not+} with it"),
        ("a x y b", "a p q b", "a [-x y-] b", "a {+p q+} b"),
        ("one", "two", "one", "two"),
        ("same", "same", "same", "same"),
        ("a  b", "a b", "a[-  -]b", "a{+ +}b"),
    ],
)
def test_words_that_differ_stand_in_brackets_unless_all_do(before: str, after: str, old: str, new: str) -> None:
    left, right = marks.compare(before, after)
    sides = marks.bracketed(left, marks.OLD), marks.bracketed(right, marks.NEW)
    assert tuple("".join(piece.text for piece in side) for side in sides) == (old, new)


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


def test_marks_that_pile_up_on_a_letter_are_escaped_and_a_few_stay() -> None:
    assert text_safety.visible("e" + "\u0301" * 3) == "e" + "\u0301" * 3
    assert text_safety.visible("e" + "\u0301" * 6) == "e" + "\u0301" * 4 + "\\u0301" * 2


@pytest.mark.parametrize(
    ("text", "anchored"),
    [("plain", "plain"), ("東京", "東京"), ("دقة", "דقة".replace("ד", "د") + "\u200e"), ("שם", "שם\u200e")],
)
def test_numbers_behind_text_that_runs_from_right_to_left_stay_in_order(text: str, anchored: str) -> None:
    assert text_safety.anchored(text) == anchored


LINES = st.text(st.sampled_from("ab 東e\u0301-"), max_size=60)


@given(text=LINES, width=st.integers(8, 30))
def test_wrapped_text_is_the_text_and_fits_the_width(text: str, width: int) -> None:
    lines = text_safety.wrapped(text, width, "> ", "    ")
    assert [line for line in lines if text_safety.columns(line) > width] == []
    assert "".join(line.removeprefix("> ") for line in lines).replace(" ", "") == text.replace(" ", "")


@given(text=LINES, width=st.integers(0, 30))
def test_the_start_and_the_end_of_a_text_fit_and_are_as_long_as_can_be(text: str, width: int) -> None:
    head, tail = text_safety.start(text, width), text_safety.end(text, width)
    assert text.startswith(head)
    assert text.endswith(tail)
    assert max(text_safety.columns(head), text_safety.columns(tail)) <= width
    assert head == text or text_safety.columns(head) >= width - 1
    assert tail == text or text_safety.columns(tail) >= width - 1


@given(text=st.text(), width=st.integers(3, 30))
def test_fitted_text_fits_its_columns(text: str, width: int) -> None:
    assert text_safety.columns(text_safety.fitted(text_safety.one_line(text), width)) <= width


def test_wide_characters_take_two_columns_and_marks_none() -> None:
    assert [text_safety.columns(text) for text in ("abc", "東京", "e\u0301", "é", "❤\ufe0f")] == [3, 4, 1, 1, 2]


@pytest.mark.parametrize(
    "name",
    [
        "acc",
        "a.b",
        'quo"te',
        "über",
        "new\nline",
        "\x7f",
        "*",
        "a|b",
        "##[error]x",
        "::error::x",
        "\u202ex\U0001f600",
        "\x85 \u2028",
        "back\\slash",
        "` `` `",
        "##teamcity[x",
    ],
)
def test_the_proposed_line_of_policy_is_toml_for_the_metric(name: str) -> None:
    view = saved("fail-regressions")
    for measure in view["metrics"]:
        measure["metric"] = name
    [line] = [line for why, line in advice.steps(outline.make(view)) if "gate.toml" in why]
    assert tomllib.loads(line) == {"metrics": {name: {"max_drop": 0.01}}}
    assert text_safety.one_line(line) == line
    assert f"\n  {line}\n" in reports.load("text").render(view, width=40)
    assert f": `{line}`\n" in reports.load("markdown").render(view) or "`" in name


def finding(rule: str, level: str, record: str | None) -> dict[str, Any]:
    return {
        "hint": None, "level": level, "limit": None, "message": f"about {record}", "metric": None, "observed": None,
        "record": record, "repeat": None, "rule": rule, "run": "", "slice": None,
    }  # fmt: skip


def test_what_the_change_edits_of_its_judges_stands_before_what_it_breaks() -> None:
    view = saved("fail-regressions")
    view["findings"] = [
        finding("max-drop", "error", None),
        finding("gitattributes", "notice", None),
        finding("claims", "review", None),
        finding("claims", "review", "q1"),
        finding("invalid-run", "invalid", None),
    ]
    told = [(group.head["rule"], len(group.records)) for group in outline.make(view).groups]
    assert told == [("invalid-run", 0), ("claims", 1), ("gitattributes", 0), ("max-drop", 0)]
    text = reports.load("text").render(view)
    assert text.index(": claims: ") < text.index(": max-drop: ")


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


@pytest.mark.parametrize("form", ["text", "markdown"])
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
