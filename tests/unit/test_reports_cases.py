"""What CI servers are told: a case a check and broken record, red exactly if the comparison did not pass."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore import comparison, reports
from runstore.policy import from_toml
from runstore.reports import cases
from runstore.reports.text_safety import COMMAND, one_line
from runstore.store.reader import read_run
from runstore.view import to_json
from tests.ci_views import BREAK_OUTS, NAMES, View, check, finding, hostile_view, saved, views
from tests.factories import scored, write_run


def told(view: View) -> list[tuple[str, str | None, str]]:
    return [(case.state, case.level, case.name) for case in cases.make(view)]


def failed(**members: Any) -> View:
    return saved("pass-identical") | {"verdict": "FAIL", "exit_code": 1, "checks": [], "findings": []} | members


@given(view=views())
def test_something_is_red_exactly_if_the_comparison_did_not_pass(view: View) -> None:
    found = cases.make(view)
    assert found
    assert any(case.is_red for case in found) == (view["verdict"] != "PASS")
    assert {"FAIL": "failed", "PASS": "passed"}.get(view["verdict"], "errored") in {case.state for case in found} or (
        view["verdict"] == "PASS"
    )


@given(view=views())
def test_no_two_cases_of_a_run_have_the_same_name_and_no_two_the_same_fingerprint(view: View) -> None:
    found = cases.make(view)
    assert len({(case.run, case.name) for case in found}) == len(found)
    assert len({case.fingerprint for case in found}) == len(found)


@given(view=views())
def test_every_finding_that_does_not_pass_is_said(view: View) -> None:
    messages = " ".join(case.message for case in cases.make(view) if case.is_red)
    for one in view["findings"]:
        if one["level"] not in ("warning", "notice"):
            assert one_line(one["message"]) in messages


@pytest.mark.parametrize("name", NAMES)
def test_every_check_of_a_saved_comparison_has_its_case(name: str) -> None:
    view = saved(name)
    found = cases.make(view)
    records = [one for one in view["findings"] if one["record"] is not None and one["level"] == "error"]
    assert len(found) == len(view["checks"]) + len(records)
    assert any(case.is_red for case in found) == (view["verdict"] != "PASS")


@pytest.mark.parametrize("verdict", ["FAIL", "INVALID", "REVIEW", "INCONCLUSIVE"])
def test_a_verdict_that_nothing_explains_is_a_red_case(verdict: str) -> None:
    [case] = cases.make(failed(verdict=verdict))
    assert (case.is_red, case.rule) == (True, "verdict")


def test_a_pass_without_checks_is_one_green_case() -> None:
    assert told(failed(verdict="PASS", exit_code=0)) == [("passed", None, "verdict")]


@pytest.mark.parametrize(
    ("outcome", "level", "expected"),
    [
        ("broken", "error", ("failed", "error")),
        ("broken", "invalid", ("errored", "invalid")),
        ("broken", "review", ("errored", "review")),
        ("undecided", "inconclusive", ("errored", "inconclusive")),
        ("broken", "warning", ("passed", "warning")),
        ("undecided", "warning", ("passed", "warning")),
        ("holds", "notice", ("passed", "notice")),
        ("waived", "notice", ("excused", "notice")),
    ],
)
def test_a_check_stands_as_its_finding_says(outcome: str, level: str, expected: tuple[str, str]) -> None:
    view = failed(checks=[check("min", outcome, metric="acc")], findings=[finding("min", level, metric="acc")])
    assert [(case.state, case.level) for case in cases.make(view) if case.rule == "min"] == [expected]


@pytest.mark.parametrize(("outcome", "expected"), [("broken", "failed"), ("undecided", "errored"), ("holds", "passed")])
def test_a_check_without_a_finding_stands_as_its_answer_says(outcome: str, expected: str) -> None:
    assert [state for state, _, name in told(failed(checks=[check("min", outcome)])) if name == "min"] == [expected]


def test_doubt_about_a_drop_that_only_warns_is_green() -> None:
    view = failed(
        verdict="PASS",
        checks=[check("max-drop", "undecided", metric="acc", why="too few")],
        findings=[finding("evidence", "warning", metric="acc", message="too few")],
    )
    assert told(view) == [("passed", "warning", "max-drop: acc")]


def test_leave_for_a_drop_is_one_case() -> None:
    view = failed(
        verdict="PASS",
        checks=[check("max-drop", "waived", metric="acc", why="waived until then")],
        findings=[finding("waived", "notice", metric="acc")],
    )
    [case] = cases.make(view)
    assert (case.state, case.message) == ("excused", "waived until then")


def test_checks_that_ask_the_same_have_a_finding_each() -> None:
    view = failed(
        checks=[check("comparability", "broken"), check("comparability", "holds"), check("comparability", "broken")],
        findings=[
            finding("comparability", "review", message="first"),
            finding("comparability", "error", message="second"),
            finding("comparability", "error", message="third"),
        ],
    )
    assert [(case.name, case.state, case.message) for case in cases.make(view)] == [
        ("comparability", "errored", "first"),
        ("comparability (2)", "passed", "what was read"),
        ("comparability (3)", "failed", "second; third"),
    ]


def test_a_check_that_holds_says_nothing_of_one_that_only_warns() -> None:
    view = failed(verdict="PASS", checks=[check("min", "broken"), check("min", "holds")])
    view["findings"] = [finding("min", "warning")]
    assert told(view) == [("passed", "warning", "min"), ("passed", None, "min (2)")]


def test_a_finding_that_no_check_answers_for_is_a_case() -> None:
    view = failed(checks=[check("min", "holds")], findings=[finding("min", "error", metric="acc")])
    assert told(view) == [("passed", None, "min"), ("failed", "error", "min: acc")]


def test_a_record_on_which_a_rule_broke_is_a_case_below_it_and_others_are_none() -> None:
    view = saved("fail-regressions")
    names = [case.name for case in cases.make(view) if case.is_red]
    assert names == [
        "max-regressed",
        *(f"max-regressed: {name}" for name in ("fr/001", "de/009", "de/021", "fr/013", "ja/005", "ja/017")),
        "max-errors",
        "max-errors: de/006",
    ]
    assert [case.name for case in cases.make(saved("fail-policy-limits")) if case.record is not None] == []


def test_records_in_quarantine_are_named_by_their_check_and_are_no_cases() -> None:
    view = failed(
        verdict="PASS",
        checks=[check("quarantined", "waived", why="2 records in quarantine would have counted")],
        findings=[
            finding("quarantined", "notice", message="2 records in quarantine would have counted"),
            finding("quarantined", "notice", record="r1"),
            finding("quarantined", "notice", record="r2", repeat=3),
        ],
    )
    [case] = cases.make(view)
    assert (case.state, case.details[1:]) == ("excused", ["record: r1", "record: r2 (repeat 3)"])


POLICIES = {
    "fails": "[metrics.acc]\nmax_drop = 0.05\n",
    "warns": "[metrics.acc]\nmax_drop = 0.05\nmin = 0.99\nlevel = 'warn'\n",
    "asks for evidence": "[metrics.acc]\nmax_drop = 0.05\nsignificance = 'required'\n",
    "asks for evidence and warns": "[metrics.acc]\nmax_drop = 0.05\nsignificance = 'required'\nlevel = 'warn'\n",
    "excuses": "[metrics.acc]\nmax_drop = 0.05\n[[waivers]]\nmetric = 'acc'\nceiling = 0.9\nowner = 'ann'\n"
    "reason = 'new'\nexpires = 2026-08-01\n",
    "allows": "[records]\nmax_regressed = 3\n",
    "asks of a slice": "[records]\nmax_regressed = 9\n[[slices]]\ntag = 'lang'\nmetric = 'acc'\n"
    "max_drop = 0.1\nmin_records = 9\n",
}


@pytest.mark.parametrize("name", POLICIES)
def test_a_judged_comparison_is_red_in_every_format_or_in_none(name: str, tmp_path: Path) -> None:
    before = [scored(f"r{number}", tags={"lang": "de"}) for number in range(8)]
    after = [{**record, "scores": {"acc": 0}} if index < 2 else record for index, record in enumerate(before)]
    runs = [
        read_run(write_run(tmp_path / str(side), part, slices=["lang"])) for side, part in enumerate((before, after))
    ]
    policy = from_toml(POLICIES[name], "gate.toml")
    assert policy is not None
    view = to_json(comparison.compare(runs[0], runs[1], policy, today=date(2026, 7, 1)))
    has_passed = name in ("warns", "asks for evidence and warns", "excuses", "allows", "asks of a slice")
    assert (view["verdict"] == "PASS") == has_passed
    reds = {
        "github": "::error ", "junit": "<failure |<error ", "sarif": '"level": "error",\n +"loc', "tap": "(?m)^not ok ",
        "gitlab": '"(major|critical|blocker)"', "csv": "(?m)^verdict,,,(?!PASS,)",
    }  # fmt: skip
    found = {form: bool(re.search(red, reports.load(form).render(view))) for form, red in reds.items()}
    assert set(found.values()) == {not has_passed}, found


def test_a_broken_limit_names_the_records_that_got_worse_in_it() -> None:
    by_name = {case.name: case.details for case in cases.make(saved("fail-slices-and-leave"))}
    assert [line for line in by_name["max-drop: acc of lang = 04"] if line.startswith("record")] == [
        "record: fr/004",
        "record: fr/016",
    ]


def test_a_fingerprint_does_not_depend_on_the_answer() -> None:
    view = failed(checks=[check("min", "broken", metric="acc", observed="1")], findings=[])
    other = failed(checks=[check("min", "holds", metric="acc", observed="2", why="else")], findings=[])
    red = {case.name: case.fingerprint for case in cases.make(view)}
    green = {case.name: case.fingerprint for case in cases.make(other)}
    assert red["min: acc"] == green["min: acc"]


@pytest.mark.parametrize("run", ["../../x", "/etc", "a/../../b", "..", "./a//b", "", "a/b"])
@given(more=st.text(max_size=5))
def test_a_place_never_leads_out(run: str, more: str) -> None:
    view = failed(checks=[check("min", "broken", run=run + more)])
    for case in cases.make(view):
        assert not {"", ".", ".."} & set(case.place)
        assert not any("/" in part for part in case.place)


@pytest.mark.parametrize("text", BREAK_OUTS, ids=range(len(BREAK_OUTS)))
def test_texts_of_a_case_are_safe_and_short(text: str) -> None:
    for case in cases.make(hostile_view(text)):
        for shown in (case.name, case.message, case.rule, case.observed or "", case.limit or "", *case.details):
            assert shown == one_line(shown)
            assert not COMMAND.search(shown)
            assert len(shown) <= 1000


def test_many_cases_of_one_name_are_told_apart_in_proportion() -> None:
    names = cases.distinct(["a"] * 20_000 + ["a (2)", "b"])
    assert len(set(names)) == len(names)
    assert names[:2] == ["a", "a (2)"]
    assert names[-2:] == ["a (2) (2)", "b"]
