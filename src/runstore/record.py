"""A record: one line of `records.jsonl`. Bytes in, a checked JSON object out; the key is read without parsing.

Two checks say the same thing. `is_sound` is the fast one for the millions of good lines: it answers yes or "look
closer". `check` is the one that explains, field by field. A test holds them, and the published schema, equal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from runstore import canonical, large_text
from runstore.canonical import MAX_SAFE_INTEGER, JsonValue
from runstore.errors import CanonicalError, InvalidRunError
from runstore.shape import Node

JsonObject = dict[str, JsonValue]
Ranges = Mapping[str, tuple[float, float]]
"""Declared metric → lowest and highest score allowed; (-inf, inf) when no range is declared."""

STATUSES = ("ok", "error", "skipped")
FIELDS = ("id", "input", "metadata", "output", "reason", "repeat", "scores", "status", "tags", "target", "texts")
PREFIX = b'{"id":"'
_START = len(PREFIX)
_ROOM = canonical.MAX_DEPTH - 2  # the record is one level, the value of its field another


def line_id(line: bytes) -> bytes:
    """The UTF-8 bytes of the id of a canonical record line, without parsing the line.

    Raises InvalidRunError if the line does not start as a record must.
    """
    if not line.startswith(PREFIX):
        raise InvalidRunError(
            'a record line must start with {"id":"', hint="`gate fmt` rewrites loose records canonically"
        )
    end = line.find(b'"', _START)
    raw = line[_START:end]
    if b"\\" not in raw and end > 0:
        return raw
    record = canonical.loads(line)
    return str(record["id"]).encode() if isinstance(record, dict) else raw


def line_ids(lines: Sequence[bytes]) -> list[bytes]:
    """`line_id` of several lines that all start as a record must, by what the join has seen of them."""
    ids = [line[_START : line.find(b'"', _START)] for line in lines]
    return ids if b"\\" not in b"".join(ids) else [line_id(line) for line in lines]


def have_same_ids(lines: Sequence[bytes], others: Sequence[bytes]) -> bool:
    """Whether lines, of which the first ones are canonical, have the same ids one by one; False also if in doubt."""
    starts = [line[: line.find(b'"', _START) + 1] for line in lines]
    if len(lines) != len(others) or b"\\" in b"".join(starts) or b"" in starts:
        return False
    return all(map(bytes.startswith, others, starts))


def line_key(line: bytes) -> tuple[bytes, int]:
    """The sort key of a canonical record line: id bytes and repeat. Parses only lines that may have a repeat."""
    if b'"repeat":' not in line:
        return line_id(line), 1
    record = canonical.loads(line)
    if not isinstance(record, dict):
        raise InvalidRunError("a record must be a JSON object")
    return record_key(record)


def record_key(record: Mapping[str, JsonValue]) -> tuple[bytes, int]:
    """The sort key of a checked record."""
    repeat = record.get("repeat", 1)
    return str(record["id"]).encode(), repeat if isinstance(repeat, int) else 1


def key_text(key: tuple[bytes, int]) -> str:
    """A key as people read it."""
    name = key[0].decode(errors="replace")
    return name if key[1] == 1 else f"{name} (repeat {key[1]})"


def read(line: bytes, ranges: Ranges) -> JsonObject:
    """The record of a line (without its LF), checked in full: the law, the schema, declared metrics and ranges.

    Raises CanonicalError or InvalidRunError with `where` a JSON pointer within the record.
    """
    try:
        record = canonical.loads(line)
    except CanonicalError:
        record = None
    if type(record) is dict and "id" in record and is_sound(record, ranges) and canonical.dumps_plain(record) == line:
        return record
    record = canonical.decode(line)
    check(record, ranges)
    return record  # type: ignore[return-value]  # check() has shown that it is an object


def check(value: JsonValue, ranges: Ranges) -> None:
    """Refuse a value that is not a record. Raises InvalidRunError (ShapeError) with a JSON pointer."""
    members = Node(value).record(["id"], FIELDS[1:])
    if not members["id"].string():
        members["id"].fail("an id must not be empty")
    for name, explain in _EXPLAIN.items():
        if name in members:
            explain(members[name])
    if "scores" in members:
        _check_scores(members["scores"], ranges)
    if large_text.FIELD in members:
        large_text.check(value)  # type: ignore[arg-type]  # an object: it has members


def _check_scores(node: Node, ranges: Ranges) -> None:
    for name, score in sorted(node.members(), key=_by_name):
        value = score.number()
        if name not in ranges:
            score.fail(f"the manifest declares no metric {name!r}", hint="declare it under `metrics`")
        low, high = ranges[name]
        if type(value) is int and abs(value) > MAX_SAFE_INTEGER:
            score.fail("an integer beyond ±(2^53-1) is not a score", hint="carry it as a string, in metadata")
        if not (math.isfinite(value) and low <= value <= high):
            score.fail(f"{value!r} is outside the declared range [{low!r}, {high!r}]")


def _check_names_to_strings(node: Node) -> None:
    for _, member in sorted(node.members(), key=_by_name):
        member.string()


def _by_name(member: tuple[str, Node]) -> str:
    return str(member[0])


def _check_reason(node: Node) -> None:
    for member in node.record(["message", "type"]).values():
        member.string()


_EXPLAIN = {
    "metadata": Node.mapping,
    "reason": _check_reason,
    "repeat": lambda node: node.integer(least=1),
    "status": lambda node: node.string(STATUSES),
    "tags": _check_names_to_strings,
}


def sound_scores(scores: JsonValue, ranges: Ranges) -> bool:
    """`SOUND` for the scores, which must be declared and in range."""
    if type(scores) is not dict:
        return False
    for name, value in scores.items():
        if type(value) is float:
            # Doubles whose engine text may differ from RFC 8785 (integral, tiny, huge) are looked at closer.
            if not 1e-5 < abs(value) < 1e15 or value.is_integer():
                return False
        elif type(value) is not int or not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
            return False
        bounds = ranges.get(name)
        if bounds is None or not bounds[0] <= value <= bounds[1] or not name.isascii():
            return False
    return True


def _sound_strings(value: JsonValue) -> bool:
    if type(value) is not dict:
        return False
    return all(name and name.isascii() and type(text) is str for name, text in value.items())


def _sound_any(value: JsonValue) -> bool:
    return type(value) is str or canonical.is_plain(value, _ROOM)


SOUND: dict[str, Callable[[JsonValue], bool]] = {
    "id": lambda value: type(value) is str and value != "",
    "input": _sound_any,
    "metadata": lambda value: type(value) is dict and canonical.is_plain(value, _ROOM),
    "output": _sound_any,
    "reason": lambda value: _sound_strings(value) and value.keys() == {"message", "type"},  # type: ignore[union-attr]
    "repeat": lambda value: type(value) is int and 1 <= value <= MAX_SAFE_INTEGER,
    "status": lambda value: value in STATUSES,
    "tags": _sound_strings,
    "target": _sound_any,
}
"""Field (but `scores` and `texts`) → whether a value is valid, and the engine's sorted text of it the canonical one."""


def is_sound(record: JsonObject, ranges: Ranges) -> bool:
    """True only if every field is valid and the engine's sorted text of it is certainly the canonical text."""
    for name, value in record.items():
        if name == "scores":
            if not sound_scores(value, ranges):
                return False
        else:
            test = SOUND.get(name)
            if test is None:
                if name != large_text.FIELD or not large_text.is_sound(record):
                    return False
            elif not test(value):
                return False
    return True


def write(record: JsonObject, ranges: Ranges) -> bytes:
    """The canonical line of a record, without LF.

    Raises CanonicalError or InvalidRunError with `where` a JSON pointer within the record.
    """
    if "id" in record and is_sound(record, ranges):
        try:
            return canonical.dumps_plain(record)
        except CanonicalError:
            pass  # a lone surrogate: the slow path says where
    check(record, ranges)
    return canonical.encode(record)


def read_pair(verified: bytes, line: bytes, ranges: Ranges) -> tuple[JsonObject, JsonObject]:
    """The records of two lines: the first verified before, the second checked in full here.

    Raises CanonicalError or InvalidRunError about the second line, with `where` a JSON pointer within the record.
    """
    return canonical.loads(verified), read(line, ranges)  # type: ignore[return-value]  # verified: an object
