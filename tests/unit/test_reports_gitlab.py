"""GitLab code quality: what the documented form asks, an entry for what asks for something, and none for the rest."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore.reports import cases, gitlab
from tests.ci_views import BREAK_OUTS, HARMLESS, NAMES, View, hostile_view, saved, views

SCHEMA = json.loads((Path(__file__).resolve().parents[1] / "schemas" / "gitlab-code-quality.schema.json").read_bytes())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
RED = {"major", "critical", "blocker"}


def entries(view: View) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(gitlab.render(view))
    VALIDATOR.validate(found)
    assert len({entry["fingerprint"] for entry in found}) == len(found)
    assert not any(part in ("", ".", "..") for entry in found for part in entry["location"]["path"].split("/"))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_comparison_is_red_if_it_did_not_pass(name: str) -> None:
    view = saved(name)
    assert any(entry["severity"] in RED for entry in entries(view)) == (view["verdict"] != "PASS")


@given(view=views())
def test_any_comparison_is_red_if_it_did_not_pass(view: View) -> None:
    assert any(entry["severity"] in RED for entry in entries(view)) == (view["verdict"] != "PASS")


def test_a_comparison_that_passes_is_an_empty_list() -> None:
    assert gitlab.render(saved("pass-identical")) == "[]\n"


def test_an_entry_tells_rule_record_and_place() -> None:
    found = entries(saved("suite-of-many-runs"))
    assert [(entry["severity"], entry["check_name"], entry["location"]["path"]) for entry in found] == [
        ("blocker", "invalid-run", "broken/manifest.json"),
        ("critical", "run-missing", "only-baseline/manifest.json"),
        ("critical", "max-regressed", "qa/capitals/manifest.json"),
        ("critical", "max-drop", "train/manifest.json"),
        ("critical", "max-regressed", "qa/capitals/records.jsonl"),
    ]
    assert found[-1]["description"] == (
        "qa/capitals: max-regressed: fr/001 got worse in a score; acc: 1 -> 0; latency: 103.5000 -> 107.2500"
    )


@cache
def harmless() -> list[tuple[str, str]]:
    return [(entry["severity"], entry["check_name"]) for entry in entries(hostile_view(HARMLESS))]


def check_hostile(text: str) -> None:
    view = hostile_view(text)
    found = entries(view)
    assert [(entry["severity"], entry["check_name"]) for entry in found] == harmless()
    told = [case for case in cases.worst_first(cases.make(view)) if case.level != "notice"]
    for entry, case in zip(found, told, strict=True):
        assert entry["description"].endswith(f"{case.rule}: {case.message}")


@pytest.mark.parametrize("text", BREAK_OUTS, ids=range(len(BREAK_OUTS)))
def test_a_break_out_changes_no_structure(text: str) -> None:
    check_hostile(text)


def test_naughty_strings_change_no_structure(conformance: Path) -> None:
    for text in json.loads((conformance / "naughty_strings.json").read_bytes()):
        check_hostile(text)


@given(text=st.text(max_size=30))
def test_any_text_changes_no_structure(text: str) -> None:
    check_hostile(text)
