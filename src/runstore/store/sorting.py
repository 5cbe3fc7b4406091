"""Sorting more lines than memory holds: lines in any order in, the same lines in the order of their keys out.

Lines are kept until they fill the budget, then written as one sorted spill file; at the end the spills are merged.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from runstore.store.durable import named_errors

_BUDGET_BYTES = 32 * 1024 * 1024
_OVERHEAD_BYTES = 300  # what Python keeps beside the bytes of a line and its key
_MERGED_AT_ONCE = 128  # open files

Key = Any  # whatever the caller's key function returns, as long as it compares


class LineSorter:
    """Collects lines (bytes without LF) and gives them back sorted; memory stays within a fixed budget."""

    def __init__(self, folder: Path, key: Callable[[bytes], Key], budget: int = _BUDGET_BYTES) -> None:
        self._folder = folder
        self._key = key
        self._budget = budget
        self._lines: list[tuple[Key, bytes]] = []
        self._kept = 0
        self._spills: list[Path] = []
        self._made = 0

    def add(self, key: Key, line: bytes) -> None:
        """Add a line whose key the caller knows already."""
        self._lines.append((key, bytes(memoryview(line))))  # a copy: the encoder's own bytes keep a far larger buffer
        self._kept += len(line) + _OVERHEAD_BYTES
        if self._kept > self._budget:
            self._spill()

    def _spill(self) -> None:
        self._lines.sort()
        self._write(line for _, line in self._lines)
        self._lines.clear()
        self._kept = 0

    def _write(self, lines: Iterator[bytes]) -> None:
        self._folder.mkdir(exist_ok=True)
        path = self._folder / f"spill-{self._made}"
        self._made += 1
        with named_errors(path), path.open("wb") as file:
            file.writelines(line + b"\n" for line in lines)
        self._spills.append(path)

    def __iter__(self) -> Iterator[bytes]:
        """The lines in order. The spill files are deleted when they are used up."""
        while len(self._spills) > _MERGED_AT_ONCE:
            batch, self._spills = self._spills[:_MERGED_AT_ONCE], self._spills[_MERGED_AT_ONCE:]
            self._write(self._merged([_lines_of(path) for path in batch]))
        self._lines.sort()
        rest = (line for _, line in self._lines)
        if not self._spills:
            return rest
        return self._merged([*(_lines_of(path) for path in self._spills), rest])

    def _merged(self, parts: list[Iterator[bytes]]) -> Iterator[bytes]:
        return heapq.merge(*parts, key=self._key)


def _lines_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        for line in file:
            yield line[:-1]
    path.unlink()
