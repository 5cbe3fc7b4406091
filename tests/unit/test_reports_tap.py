"""TAP: read by the rules of version 14, and by a reader of version 13; no text of data is a directive or a line."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore.reports import cases, tap
from tests.ci_views import BREAK_OUTS, HARMLESS, NAMES, View, hostile_view, saved, views

_POINT = re.compile(r"(?P<result>ok|not ok) (?P<number>[0-9]+) - (?P<text>([^\\#]|\\\\|\\#)*?)( # SKIP waived)?")
_ENTRY = re.compile(r"  (?:(message|severity|level|observed|limit): |  - )(.+)")


def points(page: str) -> list[tuple[bool, str, bool]]:
    """(Whether it is ok, description, whether it is skipped) of each point; every line must be one of TAP 14."""
    head, plan, *lines = page.split("\n")[:-1]
    assert head == "TAP version 14"
    found: list[tuple[bool, str, bool]] = []
    in_block = False
    for line in lines:
        assert line.splitlines() == [line]
        if in_block:
            in_block = line != "  ..."
            entry = _ENTRY.fullmatch(line)
            assert entry or line in ("  ...", "  details:")
            if entry and entry[2].startswith('"'):
                assert isinstance(json.loads(entry[2]), str)
            continue
        if line == "  ---":
            in_block = True
            continue
        match = _POINT.fullmatch(line)
        assert match, line
        assert int(match["number"]) == len(found) + 1
        text = re.sub(r"\\([\\#])", r"\1", match["text"])
        found.append((match["result"] == "ok", text, match[5] is not None))
    assert plan == f"1..{len(found)}"
    return found


def check_whole(view: View) -> list[tuple[bool, str, bool]]:
    found = points(tap.render(view))
    for (is_ok, text, is_skipped), case in zip(found, cases.make(view), strict=True):
        assert (is_ok, is_skipped) == (not case.is_red, case.state == "excused")
        assert text.endswith(case.name.replace("#", "\\x23"))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_comparison_is_red_if_it_did_not_pass(name: str) -> None:
    view = saved(name)
    assert all(is_ok for is_ok, _, _ in check_whole(view)) == (view["verdict"] == "PASS")


@given(view=views())
def test_any_comparison_is_red_if_it_did_not_pass(view: View) -> None:
    assert all(is_ok for is_ok, _, _ in check_whole(view)) == (view["verdict"] == "PASS")


def check_reader(view: View) -> None:
    """tap.py, which knows no escapes, sees the same results, and the reasons as YAML."""
    parser = pytest.importorskip("tap.parser", reason="no tap.py: no other reader is tried")
    lines = list(parser.Parser().parse_text(tap.render(view)))
    results = [line for line in lines if line.category == "test"]
    expected = [(not case.is_red, case.state == "excused", False) for case in cases.make(view)]
    assert [(line.ok, line.skip, line.todo) for line in results] == expected
    # Without the packages for YAML it does not know the lines of the reasons, and must take them for nothing else.
    known = {"version", "plan", "test"} | (set() if parser.ENABLE_VERSION_13 else {"unknown"})
    assert {line.category for line in lines} <= known
    if parser.ENABLE_VERSION_13:
        told = [line.yaml_block for line in results if line.yaml_block]
        made = [case for case in cases.make(view) if case.level is not None]
        assert [block["message"] for block in told] == [case.message for case in made]
        assert [block.get("details", []) for block in told] == [list(case.details) for case in made]


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_of_tap_sees_what_we_say(name: str) -> None:
    check_reader(saved(name))


@pytest.mark.parametrize("text", BREAK_OUTS, ids=range(len(BREAK_OUTS)))
def test_a_reader_of_tap_is_not_misled(text: str) -> None:
    check_reader(hostile_view(text))


@cache
def harmless() -> list[tuple[bool, bool]]:
    return [(is_ok, skipped) for is_ok, _, skipped in check_whole(hostile_view(HARMLESS))]


def check_hostile(text: str) -> None:
    assert [(is_ok, skipped) for is_ok, _, skipped in check_whole(hostile_view(text))] == harmless()


@pytest.mark.parametrize("text", BREAK_OUTS, ids=range(len(BREAK_OUTS)))
def test_a_break_out_changes_no_structure(text: str) -> None:
    check_hostile(text)


def test_naughty_strings_change_no_structure(conformance: Path) -> None:
    for text in json.loads((conformance / "naughty_strings.json").read_bytes()):
        check_hostile(text)


@given(text=st.one_of(st.text(max_size=30), st.text(st.sampled_from("#\\ skipSKIPtodo\n\r.-'\":ok1"), max_size=30)))
def test_any_text_changes_no_structure(text: str) -> None:
    check_hostile(text)
