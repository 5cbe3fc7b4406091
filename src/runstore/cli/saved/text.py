"""The text of a saved comparison: bytes in, the object they say out, if they say it in the one form reports have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.errors import CanonicalError, InvalidDataError

# `reports.json_report` writes `##[` so, and some others, because a CI runner would obey it; nothing else writes it so.
_ESCAPED = re.compile(rb"#\\u0023(?=\[|vso\[|teamcity\[)", re.IGNORECASE)
_LONG = ("changes", "findings")
"""Lists that can be long, in the order of their names."""
_PART, _PART_BYTES = 1000, 2**20
"""So many elements of a long list are written at a time, and so many bytes read."""
_NEXT = b"\n    },\n"
"""Ends an element of such a list: no line within one is indented as little, and no string has a line feed."""


def decoded(data: bytes) -> dict[str, JsonValue]:
    """The object that the bytes say in the one form in which it is written. Raises InvalidDataError."""
    if not data:
        raise InvalidDataError("the file is empty")
    plain = _ESCAPED.sub(b"##", data)
    parts = _in_parts(plain)
    if parts is not None and _is_as_written(parts, plain):
        return parts
    try:
        found = canonical.loads(plain)
        if not canonical.is_plain(found):
            found = _as_doubles(found, canonical.REPORT_DEPTH)
        written = canonical.jcs_document(found)
    except CanonicalError as error:
        raise _not_json(plain) or error from None
    if written != plain:
        raise _not_json(plain) or _difference(plain, written)
    if not isinstance(found, dict):
        raise InvalidDataError("not a comparison: the file holds no JSON object")
    return found


def _in_parts(data: bytes) -> dict[str, JsonValue] | None:
    """What the text says if it is laid out as reports are, and None or anything if it is not.

    Long lists are read a part at a time: to read a text takes as much memory again as the text and its value.
    """
    rest, at = b"", 0
    lists: dict[str, list[JsonValue]] = {}
    try:
        for name in _LONG:
            head = f'\n  "{name}": [\n'.encode()
            start = data.find(head, at) + len(head)
            end = data.find(b"\n  ]", start)
            if start < len(head) or end < 0:
                continue  # an empty list, or another layout
            lists[name] = list(_elements(data, start, end))
            rest, at = rest + data[at:start], end
        found = canonical.loads(rest + data[at:])
    except CanonicalError:
        return None
    return {**found, **lists} if isinstance(found, dict) else None


def _elements(data: bytes, start: int, end: int) -> Iterator[JsonValue]:
    """The elements of a list, objects, whose text begins and ends there."""
    while start < end:
        last = data.find(_NEXT, start + _PART_BYTES, end)
        stop = end if last < 0 else last + len(_NEXT) - len(b",\n")
        part = canonical.loads(b"[" + data[start:stop] + b"]")
        if isinstance(part, list):
            yield from part
        start = stop + len(b",\n")


def _is_as_written(found: Mapping[str, JsonValue], data: bytes) -> bool:
    """True only if the text is certainly the one that the value has.

    It is written a piece at a time: to write the whole takes as much memory again as the view and its text.
    """
    at = 0
    try:
        for piece in _pieces(found):
            if not data.startswith(piece, at):
                return False
            at += len(piece)
    except CanonicalError:
        return False
    return at == len(data)


def _pieces(found: Mapping[str, JsonValue]) -> Iterator[bytes]:
    """The text of an object as `canonical.jcs_document` lays it out."""
    yield b"{\n"
    for index, name in enumerate(sorted(found)):
        yield b",\n" if index else b""
        yield from _member(name, found[name])
    yield b"\n}\n"


def _member(name: str, value: JsonValue) -> Iterator[bytes]:
    """The text of a member of that object, without braces around it; a long list comes in parts."""
    if not isinstance(value, list) or len(value) <= _PART:
        yield canonical.jcs_document({name: value})[len(b"{\n") : -len(b"\n}\n")]
        return
    yield canonical.jcs_document({name: []})[len(b"{\n") : -len(b"]\n}\n")]
    for start in range(0, len(value), _PART):
        yield b",\n" if start else b"\n"
        yield canonical.jcs_document({"": value[start : start + _PART]})[len(b'{\n  "": [\n') : -len(b"\n  ]\n}\n")]
    yield b"\n  ]"


def _as_doubles(value: JsonValue, room: int) -> JsonValue:
    """The value with integers beyond the safe range as what they were before they were written: doubles."""
    if type(value) is int and abs(value) > canonical.MAX_SAFE_INTEGER:
        return float(value)
    if not room:
        return value  # too deep: whoever writes it again says so
    if isinstance(value, dict):
        return {name: _as_doubles(member, room - 1) for name, member in value.items()}
    return [_as_doubles(item, room - 1) for item in value] if isinstance(value, list) else value


def _not_json(data: bytes) -> CanonicalError | None:
    """What is wrong with the bytes as JSON: a key that stands twice, a text that ends early."""
    try:
        canonical.parse_loose(data)
    except CanonicalError as error:
        return error
    return None


def _difference(data: bytes, written: bytes) -> InvalidDataError:
    """Where the text is not the one that its value has."""
    pairs = zip(data.split(b"\n"), written.split(b"\n"), strict=False)
    line = next((number for number, (one, other) in enumerate(pairs, start=1) if one != other), 1)
    return InvalidDataError("not as reports are written: it was edited or laid out anew", where=f":{line}")
