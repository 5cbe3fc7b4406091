"""JUnit XML: valid by the schema of the Ant task, counted right, and every text of data only text."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore.reports import cases, junit
from tests.ci_views import BREAK_OUTS, HARMLESS, NAMES, View, hostile_view, saved, views

ELEMENTS = {"failed": "failure", "errored": "error", "excused": "skipped"}


def check_whole(view: View) -> ET.Element:
    """Parses a report, and holds every case of the view to its test case, and the counts to what is there."""
    root = ET.fromstring(junit.render(view).encode())
    suites = {suite.findall("testcase")[0].get("classname"): suite for suite in root}
    assert len(suites) == len(root)
    assert [suite.get("id") for suite in root] == [str(index) for index in range(len(root))]
    found = [case for suite in root for case in suite.findall("testcase")]
    made = cases.make(view)
    by_run = sorted(made, key=lambda case: list(dict.fromkeys(one.run for one in made)).index(case.run))
    for element, case in zip(found, by_run, strict=True):
        assert element.get("name") == case.name
        assert [child.tag for child in element] == ([ELEMENTS[case.state]] if case.state != "passed" else [])
        for child in element:
            assert child.get("message") == case.message
            assert (child.text or "").split("\n")[0] == case.message
            assert child.get("type") == (None if case.state == "excused" else case.rule)
    for suite in root:
        counted = {"tests": "testcase", "failures": "testcase/failure", "errors": "testcase/error"}
        for name, path in {**counted, "skipped": "testcase/skipped"}.items():
            assert suite.get(name) == str(len(suite.findall(path)))
    return root


@cache
def xsd(folder: Path) -> object:
    etree = pytest.importorskip("lxml.etree", reason="no lxml: the schema is not checked")
    return etree.XMLSchema(etree.parse(str(folder / "report_schemas" / "JUnit.xsd")))


def check_valid(view: View, folder: Path) -> None:
    schema = xsd(folder)
    etree = pytest.importorskip("lxml.etree")
    document = etree.fromstring(junit.render(view).encode(), etree.XMLParser(resolve_entities=False))
    schema.assertValid(document)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_comparison_is_valid_and_red_if_it_did_not_pass(name: str, conformance: Path) -> None:
    view = saved(name)
    root = check_whole(view)
    check_valid(view, conformance)
    red = root.findall(".//failure") + root.findall(".//error")
    assert bool(red) == (view["verdict"] != "PASS")


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_of_junit_counts_what_we_count(name: str) -> None:
    junitparser = pytest.importorskip("junitparser")
    view = saved(name)
    found = junitparser.JUnitXml.fromstring(junit.render(view).encode())
    found.update_statistics()
    states = [case.state for case in cases.make(view)]
    assert (found.tests, found.failures, found.errors, found.skipped) == (
        len(states), states.count("failed"), states.count("errored"), states.count("excused"),
    )  # fmt: skip


@given(view=views())
def test_any_comparison_is_whole_and_red_if_it_did_not_pass(view: View) -> None:
    root = check_whole(view)
    assert bool(root.findall(".//failure") + root.findall(".//error")) == (view["verdict"] != "PASS")


@given(view=views())
def test_any_comparison_is_valid(view: View, conformance: Path) -> None:
    check_valid(view, conformance)


def skeleton(root: ET.Element) -> list[tuple[str, list[str]]]:
    return [(element.tag, sorted(element.keys())) for element in root.iter()]


@cache
def harmless() -> list[tuple[str, list[str]]]:
    return skeleton(check_whole(hostile_view(HARMLESS)))


def check_hostile(text: str) -> None:
    view = hostile_view(text)
    assert skeleton(check_whole(view)) == harmless()


@pytest.mark.parametrize("text", BREAK_OUTS, ids=range(len(BREAK_OUTS)))
def test_a_break_out_changes_no_structure(text: str) -> None:
    check_hostile(text)


def test_naughty_strings_change_no_structure(conformance: Path) -> None:
    for text in json.loads((conformance / "naughty_strings.json").read_bytes()):
        check_hostile(text)


def test_hostile_text_is_valid(conformance: Path) -> None:
    for text in (*BREAK_OUTS, *json.loads((conformance / "naughty_strings.json").read_bytes())):
        check_valid(hostile_view(text), conformance)


@given(text=st.one_of(st.text(max_size=30), st.text(st.sampled_from("<>&'\"]![CDAT-?;#x0\x00\x1f\ufffe\n\r\t "))))
def test_any_text_changes_no_structure(text: str) -> None:
    check_hostile(text)


def test_a_record_that_got_worse_within_what_is_allowed_is_told_of_and_not_red() -> None:
    view = saved("fail-policy-limits")
    view["checks"] = [one for one in view["checks"] if one["outcome"] == "holds"]
    view |= {"findings": [], "verdict": "PASS", "exit_code": 0}
    root = check_whole(view)
    assert root.findall(".//failure") + root.findall(".//error") == []
    said = root.findtext("testsuite/system-out")
    assert said is not None
    assert "regressed, no rule on records broke: de/000; acc: 1 -> 0; latency: 100.0000 -> 107.2500" in said.split("\n")


def test_what_only_warns_is_green_and_said() -> None:
    said = check_whole(saved("fail-policy-limits")).findtext("testsuite/system-out") or ""
    assert "warning: min: acc: acc is 0.916667, below its floor of 0.95" in said.split("\n")


def test_runs_are_suites_in_the_order_of_the_checks() -> None:
    names = [suite.get("name") for suite in check_whole(saved("suite-of-many-runs"))]
    assert names == ["broken", "only-baseline", "only-current", "qa/capitals", "qa/rivers", "train"]
    assert [suite.get("name") for suite in check_whole(saved("pass-identical"))] == ["capitals/quiz"]


def test_runs_that_look_the_same_are_suites_of_different_names() -> None:
    view = saved("suite-of-many-runs")
    for one in (*view["checks"], *view["findings"]):
        one["run"] = {"qa/capitals": "a\n", "qa/rivers": "a\\n"}.get(one["run"], one["run"])
    names = [suite.get("name") for suite in check_whole(view)]
    assert names[3:5] == ["a\\n", "a\\n (2)"]


def test_there_is_no_clock_and_no_host_in_it() -> None:
    for suite in check_whole(saved("suite-of-many-runs")):
        assert (suite.get("time"), suite.get("timestamp"), suite.get("hostname")) == (
            "0", "1970-01-01T00:00:00", "localhost",
        )  # fmt: skip
