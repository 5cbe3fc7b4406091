"""A record: one line of `records.jsonl`. Bytes in, a checked JSON object out; the key is read without parsing.

Two checks say the same thing. `_is_sound` is the fast one for the millions of good lines: it answers yes or "look
closer". `check` is the one that explains, field by field. A test holds them, and the published schema, equal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from runstore import canonical
from runstore.canonical import MAX_SAFE_INTEGER, JsonValue
from runstore.errors import CanonicalError, InvalidRunError
from runstore.shape import Node

JsonObject = dict[str, JsonValue]
Ranges = Mapping[str, tuple[float, float]]
"""Declared metric → lowest and highest score allowed; (-inf, inf) when no range is declared."""

STATUSES = ("ok", "error", "skipped")
FIELDS = ("id", "input", "metadata", "output", "reason", "repeat", "scores", "status", "tags", "target")
_PREFIX = b'{"id":"'
_START = len(_PREFIX)
_ROOM = canonical.MAX_DEPTH - 2  # the record is one level, the value of its field another


def line_id(line: bytes) -> bytes:
    """The UTF-8 bytes of the id of a canonical record line, without parsing the line.

    Raises InvalidRunError if the line does not start as a record must.
    """
    if not line.startswith(_PREFIX):
        raise InvalidRunError(
            'a record line must start with {"id":"', hint="`gate fmt` rewrites loose records canonically"
        )
    end = line.find(b'"', _START)
    raw = line[_START:end]
    if b"\\" not in raw and end > 0:
        return raw
    record = canonical.loads(line)
    return str(record["id"]).encode() if isinstance(record, dict) else raw


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
    if type(record) is dict and "id" in record and _is_sound(record, ranges) and canonical.dumps_plain(record) == line:
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


def _sound_scores(scores: JsonValue, ranges: Ranges) -> bool:
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


_SOUND: dict[str, Callable[[JsonValue], bool]] = {
    "id": lambda value: type(value) is str and value != "",
    "input": _sound_any,
    "metadata": lambda value: type(value) is dict and canonical.is_plain(value, _ROOM),
    "output": _sound_any,
    "reason": lambda value: _sound_strings(value) and value.keys() == {"message", "type"},  # type: ignore[union-attr]
    "repeat": lambda value: type(value) is int and 1 <= value <= MAX_SAFE_INTEGER,
    "status": lambda value: value in STATUSES,
    "target": _sound_any,
}


def _same_object(value: JsonValue, sound: JsonValue) -> bool:
    """Whether an object is one that is known to be sound; the order of its names is a part of that."""
    return type(value) is dict and value == sound and list(value) == list(sound)


def _is_sound(record: JsonObject, ranges: Ranges, tags: JsonValue = None) -> bool:
    """True only if every field is valid and the engine's sorted text of it is certainly the canonical text.

    `tags`, if given, are known to be sound.
    """
    for name, value in record.items():
        if name == "tags":
            if not (_same_object(value, tags) or _sound_strings(value)):
                return False
        elif name == "scores":
            if not _sound_scores(value, ranges):
                return False
        else:
            test = _SOUND.get(name)
            if test is None or not test(value):
                return False
    return True


def write(record: JsonObject, ranges: Ranges) -> bytes:
    """The canonical line of a record, without LF.

    Raises CanonicalError or InvalidRunError with `where` a JSON pointer within the record.
    """
    if "id" in record and _is_sound(record, ranges):
        try:
            return canonical.dumps_plain(record)
        except CanonicalError:
            pass  # a lone surrogate: the slow path says where
    check(record, ranges)
    return canonical.encode(record)


_SCORES = b',"scores":{'
_REPEAT = b'"repeat":'
_REPEAT_BYTES = len(_REPEAT) + 16  # the mark and the digits of the largest integer


def line_ids(lines: Sequence[bytes]) -> list[bytes]:
    """`line_id` of several lines."""
    ids = [line[_START : line.find(b'"', _START)] for line in lines]
    return ids if b"\\" not in b"".join(ids) else [line_id(line) for line in lines]


def read_pairs(
    verified: Sequence[bytes], lines: Sequence[bytes], ranges: Ranges
) -> list[tuple[JsonObject, JsonObject]] | None:
    """The records of pairs of lines with one id: the first verified before, the second checked in full here.

    Of the first only `scores` and the fields after it are parsed; and of the second, what follows a beginning that both
    share: see `_piece`. Returns None if any of them needs a closer look: then ask `read_pair` of each.
    """
    rests, pieces = [], []
    for known, line in zip(verified, lines, strict=True):
        start = known.rfind(_SCORES)
        if start <= 0 or _REPEAT in known[max(0, start - _REPEAT_BYTES) : start]:
            return None
        piece = _piece(known, line, start)
        if piece is None:
            return None
        rests.append(b"{" + known[start + 1 :])
        pieces.append(piece)
    try:
        before, after = canonical.loads_all(rests), canonical.loads_all(pieces)
        if canonical.dumps_all_plain(after) != pieces:
            return None
    except CanonicalError:
        return None
    pairs = list(zip(before, after, strict=True))
    for known_fields, fields in pairs:
        if type(fields) is not dict or "repeat" in fields or not _is_sound(fields, ranges, known_fields.get("tags")):  # type: ignore[union-attr]
            return None
    return pairs  # type: ignore[return-value]  # shown to be objects


def _piece(verified: bytes, line: bytes, start: int) -> bytes | None:
    """What of a line is to be read beside a verified line with scores at `start`, as an object of its own.

    When both lines are the same up to `,"scores":{`, only the rest is. That is exact as long as the rest of the
    verified line, with a brace before it, is parsed too: if the mark stood inside a nested value, that rest would have
    a closing brace too many. So it stands in the record itself, and what is before it is a verified beginning.
    """
    if line.startswith(verified[: start + len(_SCORES)]):
        return b"{" + line[start + 1 :]
    return line if line.startswith(_PREFIX) else None


def read_pair(verified: bytes, line: bytes, ranges: Ranges) -> tuple[JsonObject, JsonObject]:
    """The records of two lines: the first verified before, the second checked in full here.

    Raises CanonicalError or InvalidRunError about the second line, with `where` a JSON pointer within the record.
    """
    return canonical.loads(verified), read(line, ranges)  # type: ignore[return-value]  # verified: an object
