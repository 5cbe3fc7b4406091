"""CSV: read back by three readers to what was written; numbers stay numbers, and no text is a formula in any cell."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore.reports import csv_report
from runstore.reports.text_safety import one_line
from tests.ci_views import BREAK_OUTS, NAMES, View, hostile_view, saved

NUMBERS = ("repeat", "baseline", "current", "delta", "n", "observed", "limit")
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
FORMULA = re.compile("\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20]")


def rows(page: str, delimiter: str = ",") -> list[dict[str, str]]:
    """As Python's reader sees it; every row must have every column."""
    found = list(csv.DictReader(io.StringIO(page, newline=""), delimiter=delimiter, strict=True))
    assert all(None not in row and None not in row.values() for row in found)
    return found


def plain(cell: str) -> str:
    """A cell of text without what was put before a formula."""
    before = None
    while cell != before:
        before, cell = cell, re.sub("(^|[,;|\"'])(\\s*)'(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])", r"\1\2", cell)
    return cell


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_comparison_is_a_table_of_everything(name: str) -> None:
    view = saved(name)
    page = csv_report.render(view)
    found = rows(page)
    assert page.startswith(f"{','.join(csv_report.COLUMNS)}\n")
    kinds = [row["kind"] for row in found]
    scores = sum(max(1, len(change["scores"])) for change in view["changes"])
    expected = {"verdict": 1, "check": len(view["checks"]), "finding": len(view["findings"])}
    expected |= {"metric": len(view["metrics"]), "record": scores}
    assert {kind: kinds.count(kind) for kind in expected} == expected
    assert found[0]["result"] == view["verdict"]
    for row, measure in zip((row for row in found if row["kind"] == "metric"), view["metrics"], strict=True):
        numbers = {key: None if row[key] == "" else float(row[key]) for key in ("baseline", "current", "delta")}
        assert numbers == {key: measure[key] for key in numbers}


@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_back_bit_for_bit(number: float) -> None:
    view = saved("fail-removed-and-added")
    view["metrics"] = [{**view["metrics"][0], "baseline": number, "current": number, "delta": -number}]
    [row] = [row for row in rows(csv_report.render(view)) if row["kind"] == "metric"]
    assert float(row["baseline"]) == number
    assert float(row["delta"]) == -number


def test_a_negative_number_is_no_text() -> None:
    found = rows(csv_report.render(saved("fail-policy-limits")))
    assert [row["observed"] for row in found if row["kind"] == "check" and row["rule"] == "max-drop"] == [
        "-0.08333333333333333"
    ]
    assert [row["delta"] for row in found if row["kind"] == "record" and row["metric"] == "acc"] == ["-1"]


def test_a_record_has_a_row_for_each_score_and_one_if_it_has_none() -> None:
    found = [row for row in rows(csv_report.render(saved("fail-regressions"))) if row["kind"] == "record"]
    assert [
        (row["metric"], row["baseline"], row["current"], row["text"]) for row in found if row["record"] == "de/006"
    ] == [
        ("acc", "1", "", "/output, /reason, /status"),
        ("latency", "121", "", "/output, /reason, /status"),
    ]
    assert [row["metric"] for row in found if row["result"] == "changed"] == [""]


def test_records_that_are_not_listed_are_counted() -> None:
    view = saved("fail-regressions")
    view["changes_omitted"]["regressed"] = 1234
    assert [(row["result"], row["n"]) for row in rows(csv_report.render(view)) if row["kind"] == "omitted"] == [
        ("regressed", "1234")
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_data_frame_reads_the_same(name: str) -> None:
    pandas = pytest.importorskip("pandas")
    page = csv_report.render(saved(name))
    frame = pandas.read_csv(io.StringIO(page), keep_default_na=False, dtype=str)
    assert frame.to_dict("records") == rows(page)
    typed = pandas.read_csv(io.StringIO(page))
    assert all(typed[name].dtype.kind in "fi" for name in NUMBERS)


def check_cells(page: str) -> None:
    """No cell that any program could cut from the page is a formula; in columns of numbers a number is none."""
    for row in rows(page):
        for name, cell in row.items():
            if name not in NUMBERS or not NUMBER.fullmatch(cell):
                assert not any(FORMULA.match(part) for part in re.split('[,;|\t"]', cell))
    for delimiter in ";\t|":
        for line in page.split("\n"):
            assert not any(FORMULA.match(part.lstrip('"')) for part in line.split(delimiter))


def check_hostile(text: str) -> None:
    view = hostile_view(text)
    page = csv_report.render(view)
    assert page.splitlines() == page.split("\n")[:-1]
    assert not re.search(r"(?i)##(\[|vso\[|teamcity\[)|^\s*::", page, re.MULTILINE)
    found = rows(page)
    assert [row["kind"] for row in found] == [row["kind"] for row in rows(csv_report.render(hostile_view("word")))]
    check_cells(page)
    for row in found:
        if row["kind"] in ("metric", "record") and row["metric"]:
            assert plain(row["metric"]) == plain(one_line(text))
        if row["kind"] == "record":
            assert plain(row["record"]) == plain(one_line(text))


@pytest.mark.parametrize("text", BREAK_OUTS, ids=range(len(BREAK_OUTS)))
def test_a_break_out_is_one_cell_and_no_formula(text: str) -> None:
    check_hostile(text)


def test_naughty_strings_are_one_cell_and_no_formula(conformance: Path) -> None:
    for text in json.loads((conformance / "naughty_strings.json").read_bytes()):
        check_hostile(text)


@given(text=st.one_of(st.text(max_size=30), st.text(st.sampled_from("=+-@\uff1d\uff0b\t\r\n,;|\"' a1\\"), max_size=30)))
def test_any_text_is_one_cell_and_no_formula(text: str) -> None:
    check_hostile(text)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("plain", "plain"),
        ("=1+1", "'=1+1"),
        ("-5", "'-5"),
        (" @x", '" \'@x"'),
        ("a,b", '"a,b"'),
        ('say "=1"', '"say ""\'=1"""'),
        ("a;=1", '"a;\'=1"'),
        ("a-b", "a-b"),
        ("\t=1", "\\t=1"),
        ("\uff1d1", "'\uff1d1"),
    ],
)
def test_text_is_made_a_cell(text: str, cell: str) -> None:
    view: View = saved("pass-identical")
    change: dict[str, Any] = {
        "class": "added",
        "fields": [],
        "id": text,
        "record": {},
        "repeat": 1,
        "run": "",
        "scores": [],
    }
    page = csv_report.render(view | {"changes": [change]})
    assert f"\nrecord,,,added,,,,{cell},1,,,,,,,\n" in page
