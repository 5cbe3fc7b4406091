"""Large texts: a record in; the same with long texts named by digest out, and back (docs/format.md, section 11).

A long text stands in a file of its own beside the run. In the record its place holds the beginning, and the field
`texts` says of which text: JSON pointer → SHA-256 and size. So a line stays short, a change of the text is a change of
the line, and equal digests are equal texts: nothing has to be opened to compare two records.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from runstore.canonical import MAX_DEPTH, JsonValue
from runstore.errors import InvalidRunError
from runstore.shape import Node, escape, kind

FIELD = "texts"
MARK = b'"texts":{'
"""Stands in every line that has the field."""
FOLDER = ".texts"
"""The folder beside a run that holds its large texts."""
PREVIEW_BYTES = 512
MAX_BYTES = 64 * 1024 * 1024
"""The largest text: a file of it stays below what git hosts refuse (100 MB)."""
PLACES = ("input", "metadata", "output", "reason", "target")
"""The fields within which a text may be large."""

_JsonObject = dict[str, JsonValue]
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_TOKEN = re.compile(r"(?:[^~]|~[01])*\Z", re.DOTALL)
_INDEX = re.compile(r"(?:0|[1-9][0-9]*)\Z", re.ASCII)
_LEAST_PREVIEW = PREVIEW_BYTES - 3  # the next character takes four bytes at most
_MEMBERS = {"sha256", "size"}
_MISSING = object()


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """Which text is meant: the SHA-256 of its UTF-8 bytes, 64 hexadecimal digits, and their number."""

    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Parted:
    """A record whose large texts were taken out, and those texts as UTF-8, by their SHA-256."""

    record: _JsonObject
    texts: Mapping[str, bytes]


def path_of(sha256: str) -> tuple[str, str]:
    """Folder and name of the file of a text, within FOLDER. Raises InvalidRunError for what is no SHA-256."""
    if not _SHA256.match(sha256):
        raise InvalidRunError(f"{sha256[:80]!r} is no SHA-256", hint="64 hexadecimal digits, lower case")
    return sha256[:2], f"{sha256}.txt"


def preview(text: bytes) -> bytes:
    """The beginning of a UTF-8 text: as many whole characters as PREVIEW_BYTES hold."""
    end = min(len(text), PREVIEW_BYTES)
    while end < len(text) and text[end] & 0xC0 == 0x80:
        end -= 1
    return text[:end]


def reference_of(text: bytes) -> Reference:
    """What names a UTF-8 text."""
    return Reference(sha256=hashlib.sha256(text).hexdigest(), size=len(text))


def references(record: Mapping[str, JsonValue]) -> dict[str, Reference]:
    """JSON pointer → the text that begins there, of a checked record."""
    entries = record.get(FIELD)
    if not isinstance(entries, dict):
        return {}
    found = {}
    for pointer, entry in entries.items():
        assert isinstance(entry, dict)
        sha256, size = entry["sha256"], entry["size"]
        assert isinstance(sha256, str)
        assert isinstance(size, int)
        found[pointer] = Reference(sha256=sha256, size=size)
    return found


def check(record: Mapping[str, object]) -> None:
    """Refuse a field `texts` that does not fit its record. Raises ShapeError with a JSON pointer."""
    whole = Node(record[FIELD], f"/{FIELD}")
    entries = {str(pointer): entry for pointer, entry in whole.mapping().items()}
    if not entries:
        whole.fail("no text is named", hint="leave the field out")
    for pointer, entry in sorted(entries.items(), key=_by_pointer):
        node = Node(entry, f"/{FIELD}/{escape(pointer)}")
        _check_entry(node)
        _check_place(node, pointer, record)


def _by_pointer(member: tuple[str, object]) -> str:
    return member[0]


def _check_entry(node: Node) -> None:
    members = node.record(("sha256", "size"))
    if not _SHA256.match(members["sha256"].string()):
        members["sha256"].fail("expected 64 hexadecimal digits, lower case")
    if members["size"].integer(least=PREVIEW_BYTES + 1) > MAX_BYTES:
        members["size"].fail(f"a text takes at most {MAX_BYTES} bytes")


def _check_place(node: Node, pointer: str, record: Mapping[str, object]) -> None:
    value = _value_at(record, pointer)
    if value is _MISSING:
        node.fail("no JSON pointer to a text of this record", hint=f"a text stands within {', '.join(PLACES)}")
    if not isinstance(value, str):
        node.fail(f"expected a text at that place, found {kind(value)}")
    size = _size(value)
    if not _LEAST_PREVIEW <= size <= PREVIEW_BYTES:
        node.fail(
            f"the text at that place has {size} bytes; the beginning of a large one takes {_LEAST_PREVIEW} to"
            f" {PREVIEW_BYTES}"
        )


def _value_at(record: Mapping[str, object], pointer: str) -> object:
    """What a JSON pointer leads to, within the fields that may hold large texts; _MISSING if that is nothing."""
    empty, *tokens = pointer.split("/")
    if empty or not tokens or tokens[0] not in PLACES:
        return _MISSING
    value: object = record
    for token in tokens:
        if isinstance(value, Mapping) and _TOKEN.match(token):
            value = value.get(token.replace("~1", "/").replace("~0", "~"), _MISSING)
        elif isinstance(value, list) and _INDEX.match(token) and len(token) < 16 and int(token) < len(value):
            value = value[int(token)]
        else:
            return _MISSING
    return value


def text_at(record: Mapping[str, JsonValue], pointer: str) -> str:
    """The text at a place that `texts` of a checked record names."""
    value = _value_at(record, pointer)
    assert isinstance(value, str)
    return value


def is_sound(record: Mapping[str, object]) -> bool:
    """Whether `check` certainly passes, and the engine's sorted text of the field is its canonical text."""
    entries = record[FIELD]
    if type(entries) is not dict or not entries:
        return False
    for pointer, entry in entries.items():
        if type(pointer) is not str or not pointer.isascii() or type(entry) is not dict or entry.keys() != _MEMBERS:
            return False
        sha256, size = entry["sha256"], entry["size"]
        if type(sha256) is not str or not _SHA256.match(sha256):
            return False
        if type(size) is not int or not PREVIEW_BYTES < size <= MAX_BYTES:
            return False
        value = _value_at(record, pointer)
        if type(value) is not str or not _LEAST_PREVIEW <= _size(value) <= PREVIEW_BYTES:
            return False
    return True


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


def part(record: Mapping[str, JsonValue], limit: int) -> Parted:
    """Take every text of more than `limit` bytes out of a record, which is left as it is.

    Texts that were taken out before stay so. Raises InvalidRunError for a text of more than MAX_BYTES.
    """
    texts: dict[str, bytes] = {}
    named: _JsonObject = {}
    changed: _JsonObject = {}
    for name in PLACES:
        if name in record:
            value = _parted(record[name], f"/{name}", limit, texts, named, MAX_DEPTH)
            if value is not record[name]:
                changed[name] = value
    if not changed:
        return Parted(record=dict(record), texts={})
    known = record.get(FIELD, {})
    return Parted(
        record={**record, **changed, FIELD: {**known, **named} if isinstance(known, dict) else known}, texts=texts
    )


def _parted(
    value: JsonValue, pointer: str, limit: int, texts: dict[str, bytes], named: _JsonObject, room: int
) -> JsonValue:
    """The value with previews in the place of large texts; the same object if it has none."""
    if type(value) is str:
        return _parted_text(value, pointer, limit, texts, named) if len(value) * 4 > limit else value
    if not room or type(value) not in (dict, list):
        return value  # too deep, or no JSON: whoever writes the record says so
    members: Iterator[tuple[str | int, JsonValue]]
    members = iter(value.items()) if isinstance(value, dict) else enumerate(value)  # type: ignore[arg-type]
    changed: dict[str | int, JsonValue] = {}
    for key, member in members:
        place = f"{pointer}/{escape(key) if type(key) is str else key}"
        made = _parted(member, place, limit, texts, named, room - 1)
        if made is not member:
            changed[key] = made
    if not changed:
        return value
    if isinstance(value, dict):
        return {**value, **changed}  # type: ignore[dict-item]  # keys of the object
    assert isinstance(value, list)
    return [changed.get(index, member) for index, member in enumerate(value)]


def _parted_text(value: str, pointer: str, limit: int, texts: dict[str, bytes], named: _JsonObject) -> str:
    try:
        text = value.encode()
    except UnicodeEncodeError:
        return value  # a lone surrogate: whoever writes the record says where
    if len(text) <= limit:
        return value
    if len(text) > MAX_BYTES:
        raise InvalidRunError(
            f"a text of {len(text)} bytes; one takes at most {MAX_BYTES}",
            where=pointer,
            hint="keep it as an artifact of the run, and its name in the record",
        )
    reference = reference_of(text)
    texts[reference.sha256] = text
    named[pointer] = {"sha256": reference.sha256, "size": reference.size}
    return preview(text).decode()


def replaced(record: Mapping[str, JsonValue], whole: Mapping[str, str]) -> _JsonObject:
    """A checked record with other texts, JSON pointer → text, at places that `texts` names and then names no more."""
    changed: _JsonObject = dict(record)
    for pointer, text in whole.items():
        tokens = [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
        changed[tokens[0]] = _put(changed[tokens[0]], tokens[1:], text)
    left = {pointer: entry for pointer, entry in _entries(record).items() if pointer not in whole}
    changed.pop(FIELD, None)
    return {**changed, FIELD: left} if left else changed


def _put(value: JsonValue, tokens: list[str], text: str) -> JsonValue:
    if not tokens:
        return text
    token, *rest = tokens
    if isinstance(value, list):
        return [*value[: int(token)], _put(value[int(token)], rest, text), *value[int(token) + 1 :]]
    assert isinstance(value, dict)
    return {**value, token: _put(value[token], rest, text)}


def _entries(record: Mapping[str, JsonValue]) -> _JsonObject:
    entries = record.get(FIELD)
    return entries if isinstance(entries, dict) else {}


def told(record: Mapping[str, JsonValue]) -> _JsonObject:
    """A checked record for people: at each place where only the beginning of a text stands, it says so."""
    return replaced(record, told_texts(record))


def told_texts(record: Mapping[str, JsonValue]) -> dict[str, str]:
    """JSON pointer → the beginning that stands there, and that it is one, of a checked record."""
    return {
        pointer: f"{text_at(record, pointer)}… [cut: {one.size} bytes, sha256 {one.sha256}]"
        for pointer, one in references(record).items()
    }


def told_pair(before: _JsonObject, after: _JsonObject) -> tuple[_JsonObject, _JsonObject]:
    """`told` of two checked records, in which a whole text and the name of the same text are told alike."""
    old, new = references(before), references(after)
    if not old and not new:
        return before, after
    return told(_named_as(before, new)), told(_named_as(after, old))


def _named_as(record: _JsonObject, other: Mapping[str, Reference]) -> _JsonObject:
    """The record with those whole texts taken out that the other one names at the same place."""
    same: _JsonObject = {}
    beginnings = {}
    for pointer, reference in other.items():
        value = _value_at(record, pointer)
        if pointer in _entries(record) or not isinstance(value, str):
            continue
        text = value.encode()
        if len(text) == reference.size and reference_of(text) == reference:
            same[pointer] = {"sha256": reference.sha256, "size": reference.size}
            beginnings[pointer] = preview(text).decode()
    if not same:
        return record
    return {**replaced({**record, FIELD: same}, beginnings), FIELD: {**_entries(record), **same}}
