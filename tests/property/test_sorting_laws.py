"""Laws of sorting through files: whatever the budget, the lines come back sorted and no spill file is left."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore.store import sorting
from runstore.store.sorting import LineSorter

_LINES = st.lists(st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b"")), max_size=60)


def key(line: bytes) -> tuple[int, bytes]:
    return len(line), line


@given(_LINES, st.integers(0, 5000), st.integers(2, 5))
def test_the_lines_come_back_sorted(lines: list[bytes], budget: int, at_once: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorting, "_MERGED_AT_ONCE", at_once)
        spills = Path(folder) / "spills"
        sorter = LineSorter(spills, key, budget)
        for line in lines:
            sorter.add(key(line), line)
        assert list(sorter) == sorted(lines, key=key)
        assert not spills.exists() or list(spills.iterdir()) == []
