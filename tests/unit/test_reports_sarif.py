"""SARIF: valid by the schema of OASIS, our slugs as rule ids, and every text of data only text."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore.findings import Rule
from runstore.reports import cases, sarif
from tests.ci_views import BREAK_OUTS, HARMLESS, NAMES, View, finding, hostile_view, saved, views

LEVELS = {"warning": "warning", "notice": "note"}


@cache
def validator(folder: Path) -> jsonschema.Draft4Validator:
    schema = json.loads((folder / "report_schemas" / "sarif-schema-2.1.0.json").read_bytes())
    return jsonschema.Draft4Validator(schema)


def run_of(view: View) -> dict[str, Any]:
    """The one run of the log, with its results held to the cases of the view."""
    log = json.loads(sarif.render(view))
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for result, case in zip(run["results"], cases.worst_first(cases.make(view)), strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == case.rule
        assert result["level"] == LEVELS.get(case.level or "", "error")
        assert result["message"]["text"]
        assert bool(result["suppressions"]) == (case.state == "excused")
    prints = [result["partialFingerprints"]["primaryLocationLineHash"] for result in run["results"]]
    assert len(set(prints)) == len(prints)
    return run  # type: ignore[no-any-return]


def shown(message: str) -> str:
    """What a reader shows of a message without arguments: see section 3.11.5 of the specification."""
    text = re.sub(r"\{\{|\}\}|[{}]", lambda found: found[0][0] if len(found[0]) == 2 else "BROKEN", message)
    assert "BROKEN" not in text
    assert "](" not in text
    return text


def check_places(run: dict[str, Any]) -> None:
    for result in run["results"]:
        [location] = result["locations"]
        uri = location["physicalLocation"]["artifactLocation"]["uri"]
        split = urlsplit(uri)
        assert (split.scheme, split.netloc, split.query, split.fragment) == ("", "", "", "")
        assert re.fullmatch(r"([A-Za-z0-9._~/-]|%[0-9A-F]{2})+", uri)
        assert not {"", ".", ".."} & set(uri.split("/"))
        assert unquote(uri).endswith(("manifest.json", "records.jsonl"))


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_comparison_is_valid_and_red_if_it_did_not_pass(name: str, conformance: Path) -> None:
    view = saved(name)
    validator(conformance).validate(json.loads(sarif.render(view)))
    run = run_of(view)
    check_places(run)
    assert ("error" in [result["level"] for result in run["results"]]) == (view["verdict"] != "PASS")
    [invocation] = run["invocations"]
    assert (invocation["exitCode"], invocation["exitCodeDescription"]) == (view["exit_code"], view["verdict"])
    assert invocation["executionSuccessful"] == (view["verdict"] != "INVALID")


@given(view=views())
def test_any_comparison_is_red_if_it_did_not_pass(view: View) -> None:
    run = run_of(view)
    check_places(run)
    assert ("error" in [result["level"] for result in run["results"]]) == (view["verdict"] != "PASS")


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_of_sarif_counts_what_we_count(name: str, tmp_path: Path) -> None:
    loader = pytest.importorskip("sarif.loader", reason="no sarif-tools: no other reader is tried")
    view = saved(name)
    (tmp_path / "report.sarif").write_text(sarif.render(view), encoding="utf-8")
    counts = loader.load_sarif_file(str(tmp_path / "report.sarif")).get_report().get_issue_type_histogram_for_severity
    found = cases.worst_first(cases.make(view))
    for level in ("error", "warning", "note"):
        expected = [one for one in found if LEVELS.get(one.level or "", "error") == level]
        assert sum(counts(level).values()) == len(expected)


def test_the_rules_are_ours_in_our_order() -> None:
    rules = [rule["id"] for rule in run_of(saved("pass-identical"))["tool"]["driver"]["rules"]]
    assert rules == [*(rule.value for rule in Rule), "verdict"]


def test_a_rule_of_another_version_is_described_too() -> None:
    view = saved("pass-identical") | {"verdict": "FAIL", "checks": []}
    view["findings"] = [finding("of-the-future", "error")]
    run = run_of(view)
    assert run["tool"]["driver"]["rules"][-1]["id"] == "of-the-future"


def test_what_a_waiver_excuses_is_suppressed_and_says_why() -> None:
    results = run_of(saved("fail-slices-and-leave"))["results"]
    [excused] = [result for result in results if result["suppressions"]]
    assert excused["level"] == "note"
    assert "waived up to 0.1 until 2026-08-01 by ann" in excused["suppressions"][0]["justification"]


def test_a_result_keeps_its_fingerprint_when_its_numbers_change() -> None:
    before, after = saved("fail-policy-limits"), saved("fail-policy-limits")
    for one in (*after["checks"], *after["findings"]):
        one |= {"observed": "7", "why": "else"}
        one.setdefault("message", "else")
    prints = [[one["partialFingerprints"] for one in run_of(view)["results"]] for view in (before, after)]
    assert prints[0] == prints[1]


def test_more_results_than_are_shown_are_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MOST", 3)
    run = json.loads(sarif.render(saved("fail-regressions")))["runs"][0]
    assert len(run["results"]) == 3
    [note] = run["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"] == "6 results left out; the JSON report has them"


def skeleton(value: object) -> list[object]:
    """What a document is made of: its names and kinds, without texts."""
    if isinstance(value, dict):
        return [(name, skeleton(value[name])) for name in sorted(value)]
    if isinstance(value, list):
        return [skeleton(part) for part in value]
    return [type(value).__name__]


def log_of(text: str) -> dict[str, Any]:
    """A log without `details`: a name that is empty is a line less there."""
    log: dict[str, Any] = json.loads(sarif.render(hostile_view(text)))
    for result in log["runs"][0]["results"]:
        del result["properties"]["details"]
    return log


@cache
def harmless() -> list[object]:
    return skeleton(log_of(HARMLESS))


def check_hostile(text: str) -> None:
    view, log = hostile_view(text), log_of(text)
    assert skeleton(log) == harmless()
    check_places(run_of(view))
    for result, case in zip(log["runs"][0]["results"], cases.worst_first(cases.make(view)), strict=True):
        assert shown(result["message"]["text"]).replace("]\\x28", "](").endswith(case.message.replace("]\\x28", "]("))


@pytest.mark.parametrize("text", BREAK_OUTS, ids=range(len(BREAK_OUTS)))
def test_a_break_out_changes_no_structure(text: str) -> None:
    check_hostile(text)


def test_naughty_strings_change_no_structure(conformance: Path) -> None:
    for text in json.loads((conformance / "naughty_strings.json").read_bytes()):
        check_hostile(text)


def test_hostile_text_is_valid(conformance: Path) -> None:
    for text in BREAK_OUTS:
        validator(conformance).validate(json.loads(sarif.render(hostile_view(text))))


@given(text=st.one_of(st.text(max_size=30), st.text(st.sampled_from("{}[]()01\\/.%:#?"), max_size=30)))
def test_any_text_changes_no_structure(text: str) -> None:
    check_hostile(text)
