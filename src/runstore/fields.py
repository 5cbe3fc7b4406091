"""Which fields of a record changed: two JSON values in, the places that differ out.

Our own, and not a library: on pairs of records the usual one costs hundreds of microseconds and half a second to
import (docs/dependencies.md), and two JSON values need no more than this. Tests hold the two equal on what differs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.shape import escape

_NUMBERS = {int, float}
_LEAVES = {str, bool, type(None)}
_ALIGNED_PAIRS = 50_000  # the worst case of aligning looks at each of them several times


class Absent:
    """Stands for a field that one side does not have; `null` is a value."""

    def __repr__(self) -> str:
        return "absent"


ABSENT = Absent()


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A place (JSON pointer) and what stood there before and after; ABSENT where a side has nothing."""

    path: str
    before: JsonValue | Absent
    after: JsonValue | Absent


def differences(before: JsonValue, after: JsonValue, path: str = "") -> Iterator[FieldChange]:
    """The smallest places where two JSON values differ, in the order of their paths.

    Objects are compared name by name. Arrays are aligned by their equal elements, so that one insertion is one change;
    a pointer into an array counts as `after` does, and for a removed element as `before` does. Numbers compare as
    numbers, booleans only with booleans.
    """
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(_names_to_look_at(before, after), key=str.encode):
            place = f"{path}/{escape(name)}"
            if name not in after:
                yield FieldChange(place, before[name], ABSENT)
            elif name not in before:
                yield FieldChange(place, ABSENT, after[name])
            else:
                yield from differences(before[name], after[name], place)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _list_differences(before, after, path)
    elif not same(before, after):
        yield FieldChange(path, before, after)


def _names_to_look_at(before: dict[str, JsonValue], after: dict[str, JsonValue]) -> list[str]:
    """All names of two objects but those with certainly equal values, which are the most of a record."""
    names = [name for name in after if name not in before]
    for name, old in before.items():
        new = after.get(name)
        if old is None or old != new or (type(old) is not str and repr(old) != repr(new)):  # True == 1
            names.append(name)
    return names


def same(before: JsonValue, after: JsonValue) -> bool:
    """Whether two JSON values are equal as JSON (in Python, True == 1)."""
    kinds = {type(before), type(after)}
    if kinds <= _NUMBERS or (len(kinds) == 1 and kinds <= _LEAVES):
        return before == after
    return len(kinds) == 1 and _text(before) == _text(after)


def _text(value: JsonValue) -> bytes:
    return canonical.encode(value)


def _list_differences(before: list[JsonValue], after: list[JsonValue], path: str) -> Iterator[FieldChange]:
    old, new = [_text(value) for value in before], [_text(value) for value in after]
    head = _alike(old, new)
    tail = _alike(old[head:][::-1], new[head:][::-1])
    if (len(old) - head - tail) * (len(new) - head - tail) > _ALIGNED_PAIRS:
        yield FieldChange(path, before, after)
        return
    matcher = SequenceMatcher(None, old[head : len(old) - tail], new[head : len(new) - tail], False)
    for operation, *places in matcher.get_opcodes():
        start, end, first, last = (place + head for place in places)
        if operation == "equal":
            continue
        shared = min(end - start, last - first)
        for offset in range(shared):
            yield from differences(before[start + offset], after[first + offset], f"{path}/{first + offset}")
        for index in range(start + shared, end):
            yield FieldChange(f"{path}/{index}", before[index], ABSENT)
        for index in range(first + shared, last):
            yield FieldChange(f"{path}/{index}", ABSENT, after[index])


def _alike(left: list[bytes], right: list[bytes]) -> int:
    """How many elements are the same from the start."""
    return next(
        (index for index, (one, other) in enumerate(zip(left, right, strict=False)) if one != other),
        min(len(left), len(right)),
    )
