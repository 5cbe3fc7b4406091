"""Sorting through files: when spills are made, and that none is left. The law stands in tests/property."""

from __future__ import annotations

from pathlib import Path

import pytest

from runstore.store import sorting
from runstore.store.sorting import LineSorter


def test_lines_within_the_budget_never_touch_the_disk(tmp_path: Path) -> None:
    sorter = LineSorter(tmp_path / "spills", bytes)
    for line in (b"b", b"a", b"c"):
        sorter.add(line, line)
    assert list(sorter) == [b"a", b"b", b"c"]
    assert not (tmp_path / "spills").exists()


def test_lines_beyond_it_do_and_the_files_are_gone_when_they_are_used_up(tmp_path: Path) -> None:
    sorter = LineSorter(tmp_path / "spills", bytes, budget=1000)
    lines = [f"{number:05}".encode() for number in range(50)]
    for line in reversed(lines):
        sorter.add(line, line)
    assert len(list((tmp_path / "spills").iterdir())) > 5
    assert list(sorter) == lines
    assert list((tmp_path / "spills").iterdir()) == []


def test_more_spills_than_may_be_open_are_merged_in_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting, "_MERGED_AT_ONCE", 2)
    sorter = LineSorter(tmp_path / "spills", bytes, budget=0)
    lines = [f"{number:02}".encode() for number in range(20)]
    for line in lines[::2] + lines[1::2]:
        sorter.add(line, line)
    assert list(sorter) == lines
    assert list((tmp_path / "spills").iterdir()) == []


def test_no_lines_are_no_lines(tmp_path: Path) -> None:
    assert list(LineSorter(tmp_path / "spills", bytes)) == []
