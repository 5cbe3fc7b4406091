"""A file of a run made legible, for `git diff`: its bytes, line by line, in; text with a field a line out.

Two values that differ never give the same text: texts stand bare only where they cannot be taken for anything else,
backslashes are doubled, and `|` begins each line of a long text, so that a line that was broken is told from one that
ends. What is no line or document of a run, or not canonical, comes out as it is, byte for byte. Otherwise nothing in
it steers a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import BinaryIO

from runstore import canonical, record, series
from runstore.canonical import JsonValue
from runstore.errors import InvalidDataError
from runstore.record import JsonObject
from runstore.reports.text_safety import columns, start, visible

_COLUMNS = 100
_DOCUMENT_BYTES = 32 * 1024 * 1024
_FIRST = ("repeat", "status", "scores", "reason", "tags")
"""The fields that are looked for first; the others follow in the order of their names."""
_NAME = re.compile(r"[^\W\d_][\w.@+-]*\Z")
_BARE = re.compile(r'[^\s"{\[\d-].*[^\s]\Z|[^\s"{\[\d-]\Z', re.DOTALL)
_WORDS = ("true", "false", "null")
_SENTENCE = re.compile(r"(?<=[.!?;:]) ")
_SERIES = b'{"name":"'


def lines(file: BinaryIO) -> Iterator[bytes]:
    """The text of a file, in pieces of whole lines, read as it is asked for."""
    first = file.readline()
    if first.startswith((record.PREFIX, _SERIES)):
        for line in chain((first,), file):
            yield _line(line)
        return
    rest = file.read(_DOCUMENT_BYTES + 1)
    yield _document(first + rest)
    while block := file.read(_DOCUMENT_BYTES):
        yield block


def _line(line: bytes) -> bytes:
    try:
        value = canonical.loads(line[:-1])
        if isinstance(value, dict) and line[-1:] == b"\n" and canonical.encode(value) == line[:-1]:
            if line.startswith(record.PREFIX):
                return _text(_record(value))
            return _text(_point(value))
    except (InvalidDataError, AssertionError, KeyError):
        pass
    return line


def _text(parts: Iterable[str]) -> bytes:
    return "".join(f"{part}\n" for part in parts).encode()


def _record(value: JsonObject) -> Iterator[str]:
    yield f"record {_one_line(_scalar(value['id']))}"
    rest = sorted(name for name in value if name not in _FIRST and name != "id")
    for name in (*(name for name in _FIRST if name in value), *rest):
        yield from _fields(name, value[name])
    yield ""


def _point(value: JsonObject) -> Iterator[str]:
    series.line_key(canonical.encode(value))
    named = " ".join(f"{name} {_one_line(_scalar(part))}" for name, part in value.items() if name != "name")
    yield f"point {_name(str(value['name']))} {named}"


def _document(data: bytes) -> bytes:
    try:
        value = canonical.decode_document(data)
    except InvalidDataError:
        return data
    if not isinstance(value, dict) or "format" not in value:
        return data
    kind = "manifest" if "files" in value else "summary"
    return _text(chain((kind,), *(_fields(name, value[name]) for name in value)))


def _fields(place: str, value: JsonValue) -> Iterator[str]:
    """The lines of a value at a place: one for each scalar within."""
    if isinstance(value, dict) and value:
        for name, part in value.items():
            yield from _fields(f"{place}/{_name(name)}", part)
    elif isinstance(value, list) and value:
        for number, part in enumerate(value):
            yield from _fields(f"{place}[{number}]", part)
    else:
        yield from _placed(place, _scalar(value))


def _placed(place: str, text: str) -> Iterator[str]:
    if "\n" not in text and columns(place) + columns(text) + 4 <= _COLUMNS:
        yield f"  {place}: {text}"
        return
    yield f"  {place}:"
    for line in text.split("\n"):
        head, *broken = _broken(line, _COLUMNS - 6)
        yield f"    | {head}"
        yield from (f"      {part}" for part in broken)


def _broken(line: str, width: int) -> Iterator[str]:
    """A line in parts that fit: one a sentence, so that a change stays in it; broken at spaces, else behind `\\`."""
    for sentence in _SENTENCE.split(line) if columns(line) > width else (line,):
        rest = sentence
        while columns(rest) > width:
            head = _whole(start(rest, width))
            cut = head.rfind(" ")
            yield head[:cut] if cut > 0 else f"{head}\\"
            rest = rest[cut + 1 :] if cut > 0 else rest[len(head) :]
        yield rest


def _whole(head: str) -> str:
    """The beginning of escaped text without half of a doubled backslash at its end."""
    return head[:-1] if (len(head) - len(head.rstrip("\\"))) % 2 else head


def _scalar(value: JsonValue) -> str:
    """A scalar, or an empty object or array, as text: line feeds stay, all else that steers is escaped."""
    if type(value) is int:
        return str(value)
    if not isinstance(value, str):
        return canonical.encode(value).decode()
    is_bare = _BARE.match(value) and value not in _WORDS
    return _escaped(value) if is_bare else _quoted(value)


def _escaped(text: str) -> str:
    return visible(text.replace("\\", "\\\\")).replace("\t", "\\t")


def _quoted(text: str) -> str:
    return '"' + _escaped(text).replace('"', '\\"') + '"'


@lru_cache(maxsize=1024)
def _name(text: str) -> str:
    return text if _NAME.match(text) else _one_line(_quoted(text))


def _one_line(text: str) -> str:
    return text.replace("\n", "\\n")
