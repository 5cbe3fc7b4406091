"""Which fields the source has, and in how many records: to name those that no flag mapped, and the nearest to a typo.

Looked at are the members of each row, and of the objects that a mapped path goes through.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches

from runstore.canonical import JsonValue
from runstore.importers.field_path import FieldPath

_SHAPES_KEPT = 1000
_NAMES_KEPT = 10_000
_SAMPLED_ROWS = 20
_SAMPLED_DEPTH = 3


class FieldCensus:
    """Counts field names. Memory is bounded: past 10,000 names, new ones are not counted any more."""

    def __init__(self, mapped: Iterable[FieldPath]) -> None:
        paths = {path.segments for path in mapped}
        self._covered = {".".join(segments[:end]) for segments in paths for end in range(1, len(segments) + 1)}
        # An object that is itself mapped comes over whole: its members are no news.
        through = sorted(
            {
                segments[:end]
                for segments in paths
                for end in range(1, len(segments))
                if not any(segments[:above] in paths for above in range(1, end + 1))
            }
        )
        self._objects = [(".".join(segments) + ".", FieldPath.of(segments)) for segments in through]
        self._shapes: Counter[tuple[str, tuple[str, ...]]] = Counter()
        self._names: Counter[str] = Counter()
        self._sampled: dict[str, None] = {}
        self._sample_left = _SAMPLED_ROWS

    def add(self, value: JsonValue) -> None:
        """Take in the value of a row."""
        if type(value) is not dict:
            return
        self._shapes["", tuple(value)] += 1
        for prefix, path in self._objects:
            inner = path.find(value)
            if type(inner) is dict:
                self._shapes[prefix, tuple(inner)] += 1
        if self._sample_left:
            self._sample_left -= 1
            self._sample(value, "", _SAMPLED_DEPTH)
        if len(self._shapes) > _SHAPES_KEPT:
            self._count_shapes()

    def _sample(self, value: JsonValue, prefix: str, depth: int) -> None:
        if type(value) is dict and depth and len(self._sampled) < _NAMES_KEPT:
            for name, item in value.items():
                self._sampled[prefix + _escaped(name)] = None
                self._sample(item, f"{prefix}{_escaped(name)}.", depth - 1)

    def _count_shapes(self) -> None:
        for (prefix, names), count in self._shapes.items():
            for name in names:
                full = prefix + name
                if full in self._names or len(self._names) < _NAMES_KEPT:
                    self._names[full] += count
        self._shapes.clear()

    def unmapped(self) -> list[tuple[str, int]]:
        """(field, number of records that have it) of the fields that no path maps, the most frequent first."""
        self._count_shapes()
        left = [(name, count) for name, count in self._names.items() if name not in self._covered]
        return sorted(left, key=lambda item: (-item[1], item[0]))

    def nearest(self, text: str) -> str | None:
        """The field path nearest to what was written, among those of the first rows."""
        names = list(self._sampled)
        inner = [name for name in names if name.endswith(f".{text}")]
        near = inner or get_close_matches(text, names, n=1)
        return near[0] if near else None


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace(".", "\\.")
