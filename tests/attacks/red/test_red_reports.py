"""What made two reports disagree, a saved comparison pass for more than it is, or a report hide something.

Each test is one way in. Reports are read back here by parsers of other people or by a line of their own, never by our
code; `Told` is what one of them says.
"""

from __future__ import annotations

import csv
import io
import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runstore import canonical, reports, view
from runstore.cli.saved.text import decoded
from runstore.comparison import compare
from runstore.errors import InvalidDataError
from runstore.policy import Policy, from_toml
from runstore.reports import cases, junit, marks, text_safety
from runstore.store.reader import read_run
from tests.ci_views import NAMES, check, finding, saved
from tests.factories import Record, scored, unsynced, write_run
from tests.repositories import gate
from tests.strategies import METRICS, pairs_of_runs

View = dict[str, Any]
RED = ("invalid", "error", "review", "inconclusive")
WIDE = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What a report says: its verdict (or only whether it is one to stop at), and the rules that lead to it."""

    verdict: str | None = None
    is_red: bool
    rules: frozenset[str] | None = None
    """None if the format does not list all of them."""


# What each format is read back with


def read_text(page: str, _: View) -> Told:
    verdict = page.split()[0]
    rules = frozenset(re.findall(rf"(?m)^  (?:{'|'.join(RED)}): ([a-z-]+):", page))
    return Told(verdict=verdict, is_red=verdict != "PASS", rules=rules)


def read_markdown(page: str, _: View) -> Told:
    [verdict] = re.findall(r"(?m)^## \S+ ([A-Z]+): ", page)
    rules = frozenset(re.findall(rf"(?m)^- \*\*(?:{'|'.join(RED)})\*\* ([a-z-]+): ", page))
    return Told(verdict=verdict, is_red=verdict != "PASS", rules=rules)


def read_html(page: str, _: View) -> Told:
    [verdict] = re.findall(r"<h1[^>]*>([A-Z]+)</h1>", page)
    assert re.findall(r"<head>.*?<title>([A-Z]+)\b", page, re.DOTALL) == [verdict]
    return Told(verdict=verdict, is_red=verdict != "PASS")


def read_json(page: str, _: View) -> Told:
    found = json.loads(page)
    rules = frozenset(one["rule"] for one in found["findings"] if one["level"] in RED)
    assert (found["exit_code"] == 0) == (found["verdict"] == "PASS")
    return Told(verdict=found["verdict"], is_red=found["exit_code"] != 0, rules=rules)


def read_csv(page: str, _: View) -> Told:
    rows = list(csv.DictReader(io.StringIO(page, newline=""), strict=True))
    [verdict] = [row["result"] for row in rows if row["kind"] == "verdict"]
    rules = frozenset(row["rule"] for row in rows if row["kind"] == "finding" and row["result"] in RED)
    return Told(verdict=verdict, is_red=verdict != "PASS", rules=rules)


def read_github(page: str, _: View) -> Told:
    [verdict] = re.findall(r"(?m)\A::\w+ title=gate%3A ([A-Z]+)::", page)
    return Told(verdict=verdict, is_red=page.startswith("::error "))


def read_junit(page: str, _: View) -> Told:
    root = ElementTree.fromstring(page)
    [verdict] = {one.attrib["value"] for one in root.iter("property") if one.attrib["name"] == "verdict"}
    red = [*root.iter("failure"), *root.iter("error")]
    return Told(verdict=verdict, is_red=bool(red), rules=frozenset(one.attrib["type"] for one in red))


def read_sarif(page: str, _: View) -> Told:
    [run] = json.loads(page)["runs"]
    red = frozenset(one["ruleId"] for one in run["results"] if one["level"] == "error")
    return Told(verdict=run["properties"]["verdict"], is_red=bool(red), rules=red)


def read_gitlab(page: str, _: View) -> Told:
    red = frozenset(one["check_name"] for one in json.loads(page) if one["severity"] != "minor")
    return Told(is_red=bool(red), rules=red)


def read_tap(page: str, known: View) -> Told:
    red = re.findall(r"(?m)^not ok \d+ - (.*)$", page)
    runs = [f"{text_safety.one_line(pair['path'])}: " for pair in known["runs"] if pair["path"]]
    names = [next((line.removeprefix(run) for run in runs if line.startswith(run)), line) for line in red]
    return Told(is_red=bool(red), rules=frozenset(name.split(":")[0].split(" ")[0] for name in names))


READERS: dict[str, Callable[[str, View], Told]] = {
    "text": read_text, "json": read_json, "markdown": read_markdown, "html": read_html, "github": read_github,
    "junit": read_junit, "sarif": read_sarif, "gitlab": read_gitlab, "csv": read_csv, "tap": read_tap,
}  # fmt: skip
OF_FINDINGS, OF_CASES = ("text", "markdown", "json", "csv"), ("junit", "sarif", "gitlab", "tap")


def check_agreement(known: View) -> None:
    told = {form: read(reports.load(form).render(known, width=WIDE), known) for form, read in READERS.items()}
    assert {one.verdict for one in told.values()} - {None} == {known["verdict"]}
    assert {form: one.is_red for form, one in told.items()} == dict.fromkeys(READERS, known["verdict"] != "PASS")
    assert {form: told[form].rules for form in OF_FINDINGS} == dict.fromkeys(OF_FINDINGS, told["json"].rules)
    assert {form: told[form].rules for form in OF_CASES} == dict.fromkeys(OF_CASES, told["junit"].rules)
    # A case is named by the rule that asked; doubt about a drop is a finding with a name of its own.
    assert (told["json"].rules or frozenset()) - {"evidence"} <= (told["junit"].rules or frozenset())
    check_records(known)


def check_records(known: View) -> None:
    """Counts are the same wherever there are any, and so are the records that are listed."""
    counts = known["counts"]
    numbers = [f"{counts[name]:,}" for name in ("baseline", "current", "added", "removed", "regressed", "improved")]
    if counts["baseline"] or counts["current"]:
        text = reports.load("text").render(known, width=WIDE)
        assert re.findall(
            r"(?m)^Records: (\S+) -> (\S+); (\S+) added, (\S+) removed\n  of \S+ in common: (\S+) regressed, (\S+) imp",
            text,
        ) == [tuple(numbers)]
        assert re.findall(
            r"Records: \*\*(\S+) → (\S+)\*\*, \S+ in common; (\S+) added, (\S+) removed, (\S+) regressed, (\S+) imp",
            reports.load("markdown").render(known),
        ) == [tuple(numbers)]
    rows = csv.DictReader(io.StringIO(reports.load("csv").render(known), newline=""))
    listed = {(row["record"].lstrip("'"), row["repeat"], row["result"]) for row in rows if row["kind"] == "record"}
    assert len(listed) <= len(known["changes"])
    assert {(str(one["repeat"]), one["class"]) for one in known["changes"]} == {one[1:] for one in listed}
    plain = {one["id"] for one in known["changes"] if re.fullmatch(r"[\w/.]+", one["id"], re.ASCII)}
    assert plain <= {name for name, _, _ in listed}


def test_every_format_has_a_reader() -> None:
    assert list(READERS) == list(reports.FORMATS)


@pytest.mark.parametrize("name", NAMES)
def test_no_two_reports_of_a_saved_comparison_disagree(name: str) -> None:
    check_agreement(saved(name))


POLICY = """
[metrics.free]
max_drop = 0.1
significance = "required"
[metrics.bounded]
max_drop = 0.1
level = "warn"
[records]
max_regressed = 2
max_removed = 1
"""
KNOWN: list[Record] = [{"id": f"known{index}", "scores": {"bounded": 0.5, "free": index}} for index in range(3)]


def compared(baseline: list[Record], current: list[Record], policy: Policy) -> View:
    with tempfile.TemporaryDirectory() as folder, unsynced():
        sides = [
            read_run(write_run(Path(folder) / name, [*KNOWN, *records], METRICS))
            for name, records in (("b", baseline), ("c", current))
        ]
        return view.to_json(compare(sides[0], sides[1], policy, today=date(2029, 6, 1)))


@settings(max_examples=15)
@given(pairs_of_runs(), st.booleans())
def test_no_two_reports_disagree(both: tuple[list[Record], list[Record]], is_strict: bool) -> None:
    policy = Policy() if is_strict else from_toml(POLICY, "gate.toml")
    assert policy is not None
    check_agreement(compared(*both, policy))


# A comparison that was made up


def two_runs(folder: Path) -> View:
    """The view of a comparison that fails, whose JSON report is `c.json`."""
    write_run(folder / "b", [scored("a"), scored("b"), scored("gone")])
    write_run(folder / "c", [scored("a", 0), scored("b", 0.5)])
    assert gate(folder, "compare", "b", "c", "--format", "json:c.json").code == 1
    found: View = json.loads((folder / "c.json").read_bytes())
    return found


def made_green(found: View) -> None:
    """All that says no, taken away or turned round; figures stay."""
    found |= {"verdict": "PASS", "exit_code": 0, "findings": []}
    for one in found["checks"]:
        one["outcome"] = "holds"


def without_checks(found: View) -> None:
    made_green(found)
    found["checks"] = []


def with_other_figures(found: View) -> None:
    made_green(found)
    for one in found["checks"]:
        if one["outcome"] == "holds" and one["rule"].startswith("max-") and one["observed"]:
            one["observed"] = "-1"


def doubled(found: View) -> None:
    found["changes"].append(found["changes"][0])
    for name in ("regressed", "common", "baseline", "current"):
        found["counts"][name] += 1


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (made_green, "holds, and 2 were counted where 0 are allowed"),
        (with_other_figures, "observed and limit are no numbers of records"),
        (without_checks, "/runs/0: no check was made of it"),
        (doubled, "a record stands there twice"),
    ],
)
def test_a_comparison_made_green_by_hand_is_refused(tmp_path: Path, edit: Callable[[View], None], message: str) -> None:
    found = two_runs(tmp_path)
    edit(found)
    (tmp_path / "edited.json").write_bytes(canonical.jcs_document(found))
    outcome = gate(tmp_path, "report", "edited.json")
    assert (outcome.code, outcome.out) == (3, "")
    assert message in outcome.err


# A comparison that is large


def large(records: int) -> View:
    """A comparison in which so many records got worse, with a finding for each."""
    found, text = saved("pass-identical"), "words " * 40
    changes = [
        {
            "class": "regressed", "fields": [{"after": text, "before": f"{text}.", "path": "/output"}],
            "id": f"r{index:06d}", "record": {"id": f"r{index:06d}", "output": text, "scores": {"acc": 0}},
            "repeat": 1, "run": "", "scores": [{"baseline": 1, "current": 0, "delta": -1, "metric": "acc"}],
        }
        for index in range(records)
    ]  # fmt: skip
    limit = {"observed": str(records), "limit": "0"}
    rows = [finding("max-regressed", "error", record=one["id"]) for one in changes]
    counts = dict.fromkeys(found["counts"], 0) | dict.fromkeys(("baseline", "current", "common"), records)
    return found | {
        "changes": changes, "changes_omitted": dict.fromkeys(found["changes_omitted"], 0),
        "checks": [check("max-regressed", "broken", **limit)], "counts": counts | {"regressed": records},
        "exit_code": 1, "findings": [finding("max-regressed", "error", **limit), *rows], "metrics": [], "series": [],
        "verdict": "FAIL",
    }  # fmt: skip


def test_a_long_comparison_is_read_without_a_second_copy_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    known = large(2500)
    data = reports.load("json").render(known).encode()
    sizes: list[int] = []
    write = canonical.jcs_document

    def measured(value: object) -> bytes:
        text = write(value)
        sizes.append(len(text))
        return text

    monkeypatch.setattr(canonical, "jcs_document", measured)
    assert decoded(data) == known
    assert sum(sizes) >= len(data)
    assert max(sizes) < len(data) // 2


@pytest.mark.parametrize("old", [b'"id": "r001100"', b"      ],\n", b"    },\n    {\n", b'"repeat": 1,\n'])
def test_an_edit_anywhere_in_a_long_comparison_is_refused(old: bytes) -> None:
    data = reports.load("json").render(large(1200)).encode()
    middle = data.index(old, len(data) // 3)
    assert decoded(data)
    for new in (old + b" ", old.replace(b" ", b"", 1), old.replace(b" ", b"\t", 1), old.replace(b",", b",\n", 1)):
        if new != old:
            with pytest.raises(InvalidDataError):
                decoded(data[:middle] + new + data[middle + len(old) :])


def test_a_fault_far_down_a_long_list_is_named_with_its_place(tmp_path: Path) -> None:
    found = large(1500)
    found["findings"][1400]["repeat"] = 0
    (tmp_path / "c.json").write_bytes(canonical.jcs_document(found))
    outcome = gate(tmp_path, "report", "c.json")
    assert outcome.code == 3
    assert "c.json /findings/1400/repeat: less than 1" in outcome.err


# A server that takes no more than so much


def test_of_too_many_test_cases_the_red_ones_stay_and_the_others_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    known = saved("fail-regressions")
    told = cases.make(known)
    red = sum(case.is_red for case in told)
    for most in (1, red, red + 2):
        monkeypatch.setattr(junit, "MOST", most)
        root = ElementTree.fromstring(junit.render(known))
        assert len(list(root.iter("testcase"))) == most
        assert len([*root.iter("failure"), *root.iter("error")]) == min(most, red)
        said = root.findtext("testsuite/system-out") or ""
        assert said.split("\n")[0] == f"{len(told) - most} test cases left out; the JSON report has them"
    monkeypatch.setattr(junit, "MOST", len(told))
    assert "left out" not in junit.render(known)


def test_a_junit_report_stays_below_what_gitlab_takes() -> None:
    page = junit.render(large(6000))
    root = ElementTree.fromstring(page)
    assert len(list(root.iter("testcase"))) == 5000
    assert len(page.encode()) < 30_000_000
    assert sum(1 + len(one.attrib) + bool(one.text) for one in root.iter()) < 250_000


# What cannot be seen


@pytest.mark.parametrize("code", [0x34F, 0x17B4, 0x17B5, 0x180B, 0x180F, 0x200B, 0xFFF0, 0x1BCA0, 0x1D173, 0xE0100])
def test_texts_that_differ_in_what_cannot_be_seen_never_look_the_same(code: int) -> None:
    sides = marks.compare("ab", f"a{chr(code)}b")
    old, new = ("".join(piece.text for piece in pieces) for pieces in sides)
    assert f"{code:04x}" in new
    assert f"{code:04x}" not in old


def test_a_drop_beyond_every_double_names_its_record() -> None:
    known = large(1)
    known["changes"][0]["scores"] = [{"baseline": 1.5e308, "current": -1.5e308, "delta": None, "metric": "acc"}]
    known["metrics"] = [saved("pass-identical")["metrics"][0] | {"metric": "acc", "direction": "higher", "run": ""}]
    known["checks"] = [check("max-drop", "broken", metric="acc")]
    known["findings"] = [finding("max-drop", "error", metric="acc")]
    [case] = cases.make(known)
    assert "record: r000000" in case.details


# Where a report goes


@pytest.mark.parametrize("words", [("compare", "b", "c"), ("report", "c.json")])
def test_a_format_whose_file_is_empty_is_refused_as_an_unset_variable_leaves_it(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    two_runs(tmp_path)
    outcome = gate(tmp_path, *words, "--format", "junit:")
    assert (outcome.code, outcome.out) == (2, "")
    assert "no file after 'junit:'" in outcome.err


@pytest.mark.parametrize("words", [("--format", "json:-"), ("--format", "json", "-o", "-")])
def test_a_file_named_by_a_dash_is_standard_output(tmp_path: Path, words: tuple[str, ...]) -> None:
    two_runs(tmp_path)
    outcome = gate(tmp_path, "report", "c.json", *words)
    assert (outcome.code, outcome.out.encode()) == (1, (tmp_path / "c.json").read_bytes())
    drawn = gate(tmp_path, "badge", "c.json", "-o", "-")
    assert (drawn.code, drawn.out[:5]) == (0, "<svg ")
    assert not (tmp_path / "-").exists()
