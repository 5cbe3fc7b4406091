"""The lines of a policy file: valid TOML in, the line of each key out; tomllib tells none.

A scan of the text finds where keys begin and skips over values. What it finds is held against what tomllib read: a key
that is not there is dropped, and a key whose line is not sure is known without one, which is written 0.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator, Mapping

Path = tuple[str, ...]
_DEEPEST = 8
"""Names on the way to a key: more than any key of a policy has."""
_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_NAME = re.compile(r"""[ \t]*([A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')[ \t]*""")
_VALUE = re.compile(
    r'''"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}'''
    r"""|'''(?:[^']|'{1,2}(?!'))*'{3,5}"""
    r"""|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^\[\]{},#"'\n]+""",
    re.DOTALL,
)


class _LostError(Exception):
    """The text is not what the scan expects."""


def lines_of(content: str, table: Path = ()) -> dict[Path, int]:
    """The path of each key below `table` → the line, from 1, on which it is first named. The text is valid TOML.

    The elements of an array are named by their number. Empty if the scan is not sure of itself.
    """
    scan = _Scan(content.replace("\r\n", "\n"))
    try:
        scan.document()
    except (_LostError, RecursionError):
        return {}
    return {path[len(table) :]: line for path, line in scan.lines.items() if path[: len(table)] == table}


def known_lines(value: object, lines: Mapping[Path, int]) -> dict[str, int]:
    """The dotted name of each key of a decoded table → its line; 0 if that is not known, or two keys have one name."""
    found: dict[str, int] = {}
    for path in _paths(value, ()):
        name = ".".join(path)
        found[name] = 0 if name in found else lines.get(path, 0)
    return found


def _paths(value: object, path: Path) -> Iterator[Path]:
    if len(path) == _DEEPEST:
        return
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield (*path, str(key))
        yield from _paths(member, (*path, str(key)))


class _Scan:
    """One pass over a text; `lines` grows as keys are met."""

    def __init__(self, content: str) -> None:
        self._text = content
        self._at = 0
        self._ends = [match.start() for match in re.finditer("\n", content)]
        self._counts: dict[Path, int] = {}
        """Elements so far of each array of tables."""
        self.lines: dict[Path, int] = {}

    def document(self) -> None:
        """Every header and every key of the text."""
        table: Path = ()
        while self._skip(_BLANK) < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        line, is_array = self._line(), self._text.startswith("[[", self._at)
        self._at += 1 + is_array
        path: Path = ()
        *parents, last = self._key("]")
        for name in parents:
            path = self._current((*path, name))
        path = (*path, last)
        if is_array:
            self._note(path, line)
            self._counts[path] = self._counts.get(path, 0) + 1
        path = self._current(path)
        self._note(path, line)
        self._at += 1 + is_array
        return path

    def _current(self, path: Path) -> Path:
        """The path itself, or that of the newest element of an array of tables."""
        return (*path, str(self._counts[path] - 1)) if path in self._counts else path

    def _pair(self, table: Path) -> None:
        line = self._line()
        path = (*table, *self._key("="))
        self._note(path, line)
        self._at += 1
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip(_SPACE)
        if self._at < len(self._text) and self._text[self._at] == "[":
            self._array(path)
        elif self._at < len(self._text) and self._text[self._at] == "{":
            self._inline(path)
        elif found := _VALUE.match(self._text, self._at):
            self._at = found.end()
        else:
            raise _LostError

    def _array(self, path: Path) -> None:
        self._at += 1
        count = 0
        while self._next_of("]"):
            element = (*path, str(count))
            self._note(element, self._line())
            self._value(element)
            count += 1

    def _inline(self, path: Path) -> None:
        self._at += 1
        while self._next_of("}"):
            self._pair(path)

    def _next_of(self, end: str) -> bool:
        """Go to the next element, or past the end, of what stands in brackets."""
        self._skip(_BLANK)
        if self._text.startswith(",", self._at):
            self._at += 1
            self._skip(_BLANK)
        if self._at >= len(self._text):
            raise _LostError
        if self._text[self._at] == end:
            self._at += 1
            return False
        return True

    def _key(self, end: str) -> Path:
        """The names of a dotted key that ends with a character; that character comes next."""
        names: list[str] = []
        while found := _NAME.match(self._text, self._at):
            names.append(_plain(found[1]))
            self._at = found.end()
            if self._text.startswith(end, self._at):
                return tuple(names)
            if not self._text.startswith(".", self._at):
                break
            self._at += 1
        raise _LostError

    def _note(self, path: Path, line: int) -> None:
        """Remember a key and the tables that it stands in, each where it was named first."""
        for length in range(1, min(len(path), _DEEPEST) + 1):
            self.lines.setdefault(path[:length], line)

    def _line(self) -> int:
        return bisect_right(self._ends, self._at - 1) + 1

    def _skip(self, what: re.Pattern[str]) -> int:
        found = what.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._at


def _plain(token: str) -> str:
    """A name without its quotes and escapes."""
    if token[0] == '"' and "\\" in token:
        return str(tomllib.loads(f"name = {token}")["name"])
    return token[1:-1] if token[0] in "\"'" else token
