"""Workflow commands, read by the rules of GitHub's runner: what is data stays data, and ten are the most."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore.reports import cases, github
from tests.ci_views import BREAK_OUTS, HARMLESS, NAMES, View, finding, hostile_view, saved, views

_COMMAND = re.compile(r"::(?P<name>[a-z]+) (?P<properties>[^:]*)::(?P<message>.*)")


def decoded(text: str, *, is_property: bool) -> str:
    """As the runner does it: the percent sign last."""
    if is_property:
        text = text.replace("%3A", ":").replace("%2C", ",")
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def commands(page: str) -> list[tuple[str, dict[str, str], str]]:
    """(Name, properties, message) of each line; every line must be a command."""
    found = []
    for line in page.split("\n")[:-1]:
        assert line.splitlines() == [line]
        match = _COMMAND.fullmatch(line)
        assert match, line
        pairs = [pair.split("=", 1) for pair in match["properties"].split(",")]
        properties = {name: decoded(value, is_property=True) for name, value in pairs}
        found.append((match["name"], properties, decoded(match["message"], is_property=False)))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_comparison_is_at_most_ten_commands_and_red_if_it_did_not_pass(name: str) -> None:
    view = saved(name)
    found = commands(github.render(view))
    assert len(found) <= github.MOST
    assert ("error" in [command for command, _, _ in found]) == (view["verdict"] != "PASS")
    assert found[0][1] == {"title": f"gate: {view['verdict']}"}


@given(view=views())
def test_any_comparison_is_red_if_it_did_not_pass(view: View) -> None:
    found = commands(github.render(view))
    assert len(found) <= github.MOST
    assert ("error" in [command for command, _, _ in found]) == (view["verdict"] != "PASS")


@cache
def harmless() -> list[tuple[str, dict[str, str], str]]:
    return commands(github.render(hostile_view(HARMLESS)))


def check_hostile(text: str) -> None:
    view = hostile_view(text)
    found = commands(github.render(view))
    assert [(name, list(properties)) for name, properties, _ in found] == [
        (name, list(properties)) for name, properties, _ in harmless()
    ]
    assert {name for name, _, _ in found} <= {"error", "warning", "notice"}
    messages = [message for _, _, message in found]
    assert all(case.message in messages for case in cases.worst_first(cases.make(view)))


@pytest.mark.parametrize("text", BREAK_OUTS, ids=range(len(BREAK_OUTS)))
def test_a_break_out_begins_no_other_command(text: str) -> None:
    check_hostile(text)


def test_naughty_strings_begin_no_other_command(conformance: Path) -> None:
    for text in json.loads((conformance / "naughty_strings.json").read_bytes()):
        check_hostile(text)


@given(text=st.text(st.sampled_from("%:,=\r\n#[]253AD0::error "), max_size=30))
def test_any_text_begins_no_other_command(text: str) -> None:
    check_hostile(text)


def test_what_does_not_fit_is_counted_and_the_worst_stays() -> None:
    view = saved("pass-identical") | {"verdict": "FAIL", "exit_code": 1, "checks": []}
    view["findings"] = [
        *(finding("identical", "notice", run=f"n{number}") for number in range(4)),
        *(finding("min", "warning", run=f"w{number}") for number in range(4)),
        *(finding("max", "error", run=f"e{number}") for number in range(9)),
    ]
    found = commands(github.render(view))
    assert [name for name, _, _ in found] == ["error"] * 10
    assert found[-1][2] == "1 error and 8 others not shown here; see the reports"
    assert [properties["title"] for _, properties, _ in found[1:3]] == ["e0: max", "e1: max"]


def test_nine_findings_all_fit_below_the_verdict() -> None:
    view = saved("pass-identical") | {"checks": []}
    view["findings"] = [finding("min", "warning", run=f"w{number}") for number in range(9)]
    assert [name for name, _, _ in commands(github.render(view))] == ["notice"] + ["warning"] * 9
    view["findings"].append(finding("min", "warning", run="w9"))
    found = commands(github.render(view))
    assert (len(found), found[-1][0]) == (10, "notice")
    assert found[-1][2] == "0 errors and 2 others not shown here; see the reports"
