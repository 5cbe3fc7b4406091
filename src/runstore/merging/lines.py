"""A three-way merge of a file of lines, key by key: the bytes of three versions in, lines and conflicts out.

A line is one piece of evidence and is taken whole. Changed on one side only, that side's is taken; changed alike on
both, that. Anything else is a conflict: changed differently, changed here and removed there, added differently. Where
the common ancestor was itself merged with conflicts, what stands inside its marks is in doubt, and decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from runstore import canonical, record, series
from runstore.errors import InvalidDataError, InvalidRunError
from runstore.record import JsonObject

Key = tuple[bytes, float]
_MARK = re.compile(rb"([<>|=])\1{6,}(?: |\Z)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """What the lines of a kind of file are: how they begin, their key, and how people name it."""

    prefix: bytes
    key: Callable[[bytes], Key]
    name: Callable[[Key], str]


RECORDS = Form(prefix=record.PREFIX, key=record.line_key, name=lambda key: record.key_text((key[0], int(key[1]))))
SERIES = Form(prefix=b'{"name":"', key=series.line_key, name=series.key_text)


@dataclass(frozen=True, kw_only=True, slots=True)
class Conflict:
    """A key on which the sides do not agree; None where a side has no line for it."""

    key: Key
    ours: bytes | None
    theirs: bytes | None


@dataclass(frozen=True, kw_only=True, slots=True)
class MergedLines:
    """The result, in the order of keys: lines without LF, and conflicts."""

    parts: tuple[bytes | Conflict, ...]

    @property
    def conflicts(self) -> list[Conflict]:
        """What only a person can decide."""
        return [part for part in self.parts if isinstance(part, Conflict)]

    def text(self, labels: tuple[str, str] = ("ours", "theirs"), size: int = 7) -> bytes:
        """The bytes of the file; conflicts stand between marks of `size` characters with the labels of the sides."""
        lines: list[bytes] = []
        for part in self.parts:
            lines += _marked(part, labels, size) if isinstance(part, Conflict) else [part]
        return b"".join(line + b"\n" for line in lines)


def _marked(conflict: Conflict, labels: tuple[str, str], size: int) -> list[bytes]:
    ours, theirs = ([] if side is None else [side] for side in (conflict.ours, conflict.theirs))
    first, last = (label.encode(errors="replace") for label in labels)
    return [b"<" * size + b" " + first, *ours, b"=" * size, *theirs, b">" * size + b" " + last]


def merge(base: bytes, ours: bytes, theirs: bytes, form: Form) -> MergedLines:
    """Merge two versions of a file that come from a common one, empty if there is none.

    Raises InvalidRunError if one of the two is no sorted file of such lines, or a line that differs is not canonical.
    """
    keys = _Keys(form)
    before, mine, other = _ancestor(base, keys), _keyed(ours, keys), _keyed(theirs, keys)
    parts: list[bytes | Conflict] = []
    for key in sorted({**mine, **other}):
        one, two = mine.get(key), other.get(key)
        if one == two:
            assert one is not None
            parts.append(one)
            continue
        for line in (one, two):
            if line is not None:
                _check(line, key, form)
        found = before.chosen(key, one, two)
        if found is not None:
            parts.append(found)
    return MergedLines(parts=tuple(parts))


def _keyed(data: bytes, keys: _Keys) -> dict[Key, bytes]:
    """Key → line of a file. Raises InvalidRunError for one that is not sorted, or holds something else."""
    found: dict[Key, bytes] = {}
    before: Key | None = None
    if data and not data.endswith(b"\n"):
        raise InvalidRunError("the last line does not end with a line feed")
    for number, line in enumerate(data.split(b"\n")[:-1], start=1):
        key = keys.of(line, number)
        if before is not None and key <= before:
            raise InvalidRunError(f"{keys.form.name(key)!r} is not in order", where=f"line {number}")
        found[key] = line
        before = key
    return found


class _Keys:
    """The keys of lines. Most lines are the same in all versions: each is read once."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self._known: dict[bytes, Key] = {}

    def of(self, line: bytes, number: int) -> Key:
        """The key of a line. Raises InvalidDataError."""
        key = self._known.get(line)
        if key is None:
            key = self._known[line] = self._read(line, number)
        return key

    def _read(self, line: bytes, number: int) -> Key:
        try:
            if line.startswith(self.form.prefix):
                return self.form.key(line)
        except (AssertionError, KeyError):
            pass
        raise InvalidRunError("is no line of a run", where=f"line {number}")


def _check(line: bytes, key: Key, form: Form) -> None:
    """Refuse a line that is not canonical, or whose key is not what its beginning says. Raises InvalidDataError."""
    value: JsonObject = canonical.decode(line)  # type: ignore[assignment]  # it begins as an object
    name = value.get("id", value.get("name"))
    if not isinstance(name, str) or name.encode() != key[0]:
        raise InvalidRunError(f"the line of {form.name(key)!r} is not what it begins as")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ancestor:
    lines: Mapping[Key, bytes]
    doubted: frozenset[Key] = frozenset()
    is_known: bool = True

    def chosen(self, key: Key, ours: bytes | None, theirs: bytes | None) -> bytes | Conflict | None:
        """What becomes of a key on which the sides differ; None: the line is removed."""
        if self.is_known and key not in self.doubted:
            before = self.lines.get(key)
            if before == ours:
                return theirs
            if before == theirs:
                return ours
        return Conflict(key=key, ours=ours, theirs=theirs)


def _ancestor(data: bytes, keys: _Keys) -> _Ancestor:
    """The common version, which may hold the marks of an earlier merge; one that is anything else is not known."""
    lines: dict[Key, bytes] = {}
    doubted: set[Key] = set()
    is_marked = False
    try:
        for number, line in enumerate(data.split(b"\n")[:-1], start=1):
            mark = _MARK.match(line)
            if mark is not None:
                is_marked = mark[1] != b">"
                continue
            key = keys.of(line, number)
            if is_marked:
                doubted.add(key)
            elif key in lines:
                return _Ancestor(lines={}, is_known=False)
            else:
                lines[key] = line
    except InvalidDataError:
        return _Ancestor(lines={}, is_known=False)
    return _Ancestor(lines=lines, doubted=frozenset(doubted), is_known=not is_marked)
