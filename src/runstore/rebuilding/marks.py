"""The marks that a merge leaves where both sides changed the same lines. No line of a canonical file starts so."""

from __future__ import annotations

import re
from collections.abc import Iterator

from runstore.errors import InvalidRunError

_MARK = re.compile(rb"([<|=>])\1{6,}(?=[ \r\n]|\Z)")
_OURS, _BASE, _THEIRS, _END = b"<" * 7, b"|" * 7, b"=" * 7, b">" * 7
_FOLLOWERS = {b"": (_OURS,), _OURS: (_BASE, _THEIRS), _BASE: (_THEIRS,), _THEIRS: (_END,), _END: (_OURS,)}


def mark_of(line: bytes) -> bytes | None:
    """The mark that a line is, in its usual length; None for any other line."""
    found = _MARK.match(line)
    return found[1] * 7 if found else None


def sides(data: bytes, where: str) -> tuple[bytes, bytes] | None:
    """The two texts that a merge could not make one; None if there are no marks. Raises InvalidRunError."""
    ours, theirs, state = [], [], b""
    for number, line in enumerate(data.splitlines(keepends=True), start=1):
        mark = mark_of(line)
        if mark is not None:
            if mark not in _FOLLOWERS[state]:
                raise _broken(f"{where}:{number}")
            state = mark
            continue
        if state != _THEIRS and state != _BASE:
            ours.append(line)
        if state not in (_OURS, _BASE):
            theirs.append(line)
    if state not in (b"", _END):
        raise _broken(where)
    return (b"".join(ours), b"".join(theirs)) if state else None


def places(numbered: Iterator[tuple[int, bytes]]) -> list[tuple[int, int]]:
    """First and last line of every conflict in numbered lines; one without an end ends where it begins."""
    found: list[tuple[int, int]] = []
    for number, line in numbered:
        mark = mark_of(line)
        if mark == _END and found:
            found[-1] = (found[-1][0], number)
        elif mark == _OURS or (mark and not found):
            found.append((number, number))
    return found


def _broken(where: str) -> InvalidRunError:
    return InvalidRunError(
        "the marks of a merge are not complete", where=where, hint="merge again, or put the file right by hand"
    )
