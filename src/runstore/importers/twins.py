"""Finding the keys that stand twice or more, in memory that does not depend on the number of records.

Of each record 60-odd bytes are kept: digests of its key and of its content, its number, its place and id as shown. They
are sorted, through files on disk when they are many, so twins come to stand side by side in the order of the source.
128 bits of a key's digest are taken for the key: two of a billion keys share them once in 10^20 times.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Literal, NamedTuple

from runstore.canonical import JsonValue
from runstore.store.sorting import LineSorter

Keep = Literal["first", "last"]
_SHOWN_GROUPS = 5
_KEY_BYTES, _CONTENT_BYTES, _NUMBER_DIGITS = 16, 8, 12
_KEY_END = _KEY_BYTES * 2
_NUMBER_END = _KEY_END + _NUMBER_DIGITS
_CONTENT_END = _NUMBER_END + _CONTENT_BYTES * 2


class TwinGroup(NamedTuple):
    """A key that stands twice or more: the number of its first record, and a line of text about it."""

    number: int
    text: str


@dataclass(slots=True)
class Twins:
    """How many keys stand twice or more, how many records they have, and how many of the keys have differing ones."""

    ids: int = 0
    rows: int = 0
    differing: int = 0
    first: list[TwinGroup] = field(default_factory=list)
    dropped: bytearray = field(default_factory=bytearray)
    """A bit for each record number: set for the twins that are not kept."""

    def drops(self, number: int) -> bool:
        """Whether the record of this number is a twin that is not kept."""
        return number >> 3 < len(self.dropped) and bool(self.dropped[number >> 3] & 1 << (number & 7))

    def drop(self, number: int) -> None:
        """Mark the record of this number as not kept."""
        missing = (number >> 3) + 1 - len(self.dropped)
        if missing > 0:
            self.dropped.extend(bytes(missing))
        self.dropped[number >> 3] |= 1 << (number & 7)


class TwinFinder:
    """Takes in records in the order of the source; says at the end which keys stand twice."""

    def __init__(self, folder: Path) -> None:
        """`folder` is an existing empty folder for what does not fit in memory."""
        self._entries = LineSorter(folder / "twins", _itself)
        self._count = 0

    def add(self, record_id: str, repeat: JsonValue, line: bytes, label: str) -> None:
        """Take in the next record: its key, its canonical bytes, and place and id as they may be shown."""
        key = hashlib.blake2b(f"{repeat}\0{record_id}".encode(), digest_size=_KEY_BYTES).hexdigest()
        content = hashlib.blake2b(line, digest_size=_CONTENT_BYTES).hexdigest()
        entry = f"{key}{self._count:012x}{content}{label}".encode()
        self._entries.add(entry, entry)
        self._count += 1

    def find(self, keep: Keep) -> Twins:
        """The twins among the records taken in; of each key the first or the last record is kept."""
        twins = Twins()
        for _, same_key in groupby(self._entries, lambda entry: entry[:_KEY_END]):
            group = _if_twins(same_key)
            if group:
                _take(twins, group, keep)
        return twins


def _itself(line: bytes) -> bytes:
    return line


def _if_twins(entries: Iterator[bytes]) -> list[bytes]:
    first = next(entries)
    second = next(entries, None)
    return [] if second is None else [first, second, *entries]


def _take(twins: Twins, group: list[bytes], keep: Keep) -> None:
    numbers = [int(entry[_KEY_END:_NUMBER_END], 16) for entry in group]
    for number in numbers[1:] if keep == "first" else numbers[:-1]:
        twins.drop(number)
    differs = len({entry[_NUMBER_END:_CONTENT_END] for entry in group}) > 1
    twins.ids += 1
    twins.rows += len(group)
    twins.differing += differs
    labels = [entry[_CONTENT_END:].decode() for entry in group]
    places = [label.split("\t")[0] for label in labels]
    among = ", ".join(places[:3]) + (f" and {len(places) - 3} more" if len(places) > 3 else "")
    name = labels[0].split("\t")[1]
    twins.first.append(TwinGroup(numbers[0], f"{among}: id {name}{', with other values' if differs else ''}"))
    twins.first.sort()
    del twins.first[_SHOWN_GROUPS:]
