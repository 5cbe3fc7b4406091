"""The table of attacks itself: every row of the groups in scope is a test, or is named here with why it is left."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from tests.conftest import data_folder

ELSEWHERE = {
    "C1": "tests/faults: kill, a full disk and an I/O error at every write",
}
"""Rows that are tests in another folder, because they need its tools."""

LEFT: dict[str, str] = {}
"""Rows that are left for later, and why."""

PARTS_LEFT = {
    "R9": "there is no redaction list; docs/reports.md says why",
    "P9": "archives are not imported yet: they are refused unopened; gzip is, with caps",
}
"""Rows whose tests hold a part of what the row asks, and what is left."""

_HERE = Path(__file__).resolve().parent
IN_SCOPE = ("N", "S", "P", "F", "C")


def ids_with_tests() -> set[str]:
    names = [
        name
        for path in _HERE.glob("test_*.py")
        for name in re.findall(r"^def test_([A-Z]+\d+)_", path.read_text(), re.M)
    ]
    return set(names)


def rows() -> list[dict[str, str]]:
    path = data_folder() / "attacks.tsv"
    if not path.is_file():
        pytest.skip(f"no table of attacks: {path} is not there")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_every_row_in_scope_is_tested_or_tested_elsewhere() -> None:
    asked = {row["id"] for row in rows() if row["id"].startswith(IN_SCOPE)}
    assert len(asked) > 30
    assert asked - ids_with_tests() - set(ELSEWHERE) == set()


def test_every_other_row_is_tested_or_left_with_a_reason() -> None:
    asked = {row["id"] for row in rows() if not row["id"].startswith(IN_SCOPE)}
    assert asked - ids_with_tests() == set(LEFT)


def test_no_row_is_said_to_be_left_that_is_tested_and_every_name_is_a_row() -> None:
    known = {row["id"] for row in rows()}
    assert ids_with_tests() & set(LEFT) == set()
    assert ids_with_tests() | set(LEFT) | set(ELSEWHERE) | set(PARTS_LEFT) <= known
    assert set(PARTS_LEFT) <= ids_with_tests()


def test_what_is_tested_elsewhere_is_there() -> None:
    assert list((_HERE.parent / "faults").glob("test_*.py"))
