"""Volatile measures: limits on what differs between two runs of the same code, and on its absence."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from runstore.comparison import Comparison, compare
from runstore.errors import InvalidRunError
from runstore.findings import Verdict
from runstore.policy import Policy, from_toml
from runstore.store.reader import read_run
from runstore.store.writer import RunWriter
from tests.factories import ACC, passing, write_run

Found = list[tuple[str, str, str | None]]


def written(place: Path, measures: dict[str, Any] | None) -> Path:
    with RunWriter(place, metrics=ACC) as run:
        for record in passing(2):
            run.append(record)
        if measures is not None:
            run.add_volatile("measures", measures)
    return place


def compared(place: Path, before: dict[str, Any] | None, after: dict[str, Any] | None, text: str) -> Comparison:
    policy = from_toml(text, "gate.toml")
    assert policy is not None
    return compare(read_run(written(place / "b", before)), read_run(written(place / "c", after)), policy)


@pytest.mark.parametrize(
    ("before", "after", "rule", "rows", "verdict"),
    [
        (None, {"p95": 100}, "max = 100", [], "PASS"),
        (None, {"p95": 100.5}, "max = 100", [("max", "error", "p95")], "FAIL"),
        (None, {"p95": 100.5}, "max = 100\nlevel = 'warn'", [("max", "warning", "p95")], "PASS"),
        ({"p95": 100}, {"p95": 9}, "min = 10", [("min", "error", "p95")], "FAIL"),
        ({"p95": 100}, {"p95": 110}, "max_drop = 10", [], "PASS"),
        ({"p95": 100}, {"p95": 110.1}, "max_drop = 10", [("max-drop", "error", "p95")], "FAIL"),
        ({"p95": 100}, {"p95": 110.1}, "max_relative_drop = 0.1", [("max-relative-drop", "error", "p95")], "FAIL"),
        ({"p95": 100}, {"p95": 50}, "max_drop = 0", [], "PASS"),
        ({"p95": 100}, {"p95": 50}, "direction = 'higher'\nmax_drop = 0", [("max-drop", "error", "p95")], "FAIL"),
        (None, None, "max = 100", [("volatile-missing", "error", "p95")], "FAIL"),
        ({"p95": 1}, {"other": 1}, "max = 100", [("volatile-missing", "error", "p95")], "FAIL"),
        (None, {"p95": 1}, "max_drop = 1", [("volatile-missing", "inconclusive", "p95")], "INCONCLUSIVE"),
        (None, {"p95": 1}, "max_drop = 1\nlevel = 'warn'", [("volatile-missing", "warning", "p95")], "PASS"),
        (
            None,
            {"p95": 9},
            "max_drop = 1\nmax = 5",
            [("volatile-missing", "inconclusive", "p95"), ("max", "error", "p95")],
            "FAIL",
        ),
    ],
)
def test_a_limit_on_a_volatile_measure(
    tmp_path: Path, before: Any, after: Any, rule: str, rows: Found, verdict: str
) -> None:
    result = compared(tmp_path, before, after, f"[volatile.p95]\n{rule}\n")
    found = [(f.rule.value, f.level.value, f.metric) for f in result.findings if f.rule.value != "identical"]
    assert (found, result.verdict.name) == (rows, verdict)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "1", "{", '{"p95": NaN}', '{"p95": 1e999}', '{"p95": true}', '{"p95": "1"}', '{"p95": null}',
     '{"p95": 9007199254740993}', '{"p95": {"x": 1}}', '{"p95": 1, "p95": 2}', '{"": 1}', "\ufeff{}"],
)  # fmt: skip
def test_measures_that_are_no_numbers_are_refused(tmp_path: Path, text: str) -> None:
    run = written(tmp_path / "b", {"p95": 1})
    (run / "volatile/measures.json").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidRunError) as refused:
        read_run(run).volatile_measures()
    assert "b/volatile/measures.json" in refused.value.where


def test_measures_need_not_be_canonical_and_are_bounded(tmp_path: Path) -> None:
    run = written(tmp_path / "b", None)
    assert read_run(run).volatile_measures() == {}
    (run / "volatile").mkdir()
    (run / "volatile/measures.json").write_text('{ "p95" : 1.50,\r\n"a":2}')
    assert read_run(run).volatile_measures() == {"p95": 1.5, "a": 2}
    (run / "volatile/measures.json").write_text(json.dumps({f"{n:0100d}": n for n in range(11_000)}))
    with pytest.raises(InvalidRunError, match="larger than"):
        read_run(run).volatile_measures()


@pytest.mark.parametrize("how", ["link", "folder link", "pipe", "folder"])
def test_measures_behind_a_link_or_in_no_file_are_refused(tmp_path: Path, how: str) -> None:
    run = read_run(written(tmp_path / "b", None))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/measures.json").write_text('{"p95": 0}')
    if how == "folder link":
        (tmp_path / "b/volatile").symlink_to(tmp_path / "elsewhere")
    else:
        (tmp_path / "b/volatile").mkdir()
        target = tmp_path / "b/volatile/measures.json"
        if how == "link":
            target.symlink_to(tmp_path / "elsewhere/measures.json")
        elif how == "pipe":
            os.mkfifo(target)
        else:
            target.mkdir()
    with pytest.raises(InvalidRunError, match="neither a file nor a folder"):
        run.volatile_measures()


def test_measures_are_not_read_unless_a_rule_asks(tmp_path: Path) -> None:
    run = written(tmp_path / "b", None)
    (run / "volatile").mkdir()
    (run / "volatile/measures.json").write_text("not json")
    assert compare(read_run(run), read_run(write_run(tmp_path / "c", passing(2))), Policy()).verdict is Verdict.PASS
