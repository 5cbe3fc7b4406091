"""Writes TOML for tests: a document in, a text out, and the line on which each key is first named.

TOML can say one thing in many ways; a `choose` that draws lays the same document out differently each time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

Path = tuple[str, ...]
Choose = Callable[[int], int]
"""How many ways there are → the way to take, from 0. The first is always the plain one."""
_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")
_LITERAL = re.compile(r"[^'\x00-\x1f\x7f]*\Z")


def plain(ways: int) -> int:
    """Choose the plain way."""
    return 0


def dump(document: Mapping[str, Any], choose: Choose = plain, table: Path = ()) -> tuple[str, dict[Path, int]]:
    """The document as TOML below `table`, and the line of each path in it."""
    writer = _Writer(choose)
    for name in reversed(table):
        document = {name: document}
    writer.table((), (), document)
    lines = {path[len(table) :]: line for path, line in writer.lines.items() if path[: len(table)] == table}
    return "".join(writer.text), {path: line for path, line in lines.items() if path}


class _Writer:
    def __init__(self, choose: Choose) -> None:
        self.text: list[str] = []
        self.lines: dict[Path, int] = {}
        self._line = 1
        self._choose = choose

    def table(self, names: Path, path: Path, members: Mapping[str, Any]) -> None:
        """The members of a table whose header has been written: plain values, then tables of their own."""
        later = []
        for name, value in members.items():
            if _is_table(value) and value and (way := self._choose(3)) != 1:
                later.append((name, value, way))
            elif _is_array_of_tables(value) and self._choose(2) == 0:
                later.append((name, value, 3))
            else:
                self._pair([name], (*path, name), value)
        # Dotted keys belong to the table they stand in, so they come before any header.
        for name, value, _ in (one for one in later if one[2] == 2):
            self._dotted([name], (*path, name), value)
        for name, value, way in (one for one in later if one[2] != 2):
            if way == 3:
                for index, element in enumerate(value):
                    self._header("[[", "]]", (*names, name), (*path, name, str(index)))
                    self.table((*names, name), (*path, name, str(index)), element)
            else:
                if any(not (_is_table(one) and one) for one in value.values()) or self._choose(2) == 0:
                    self._header("[", "]", (*names, name), (*path, name))
                    self.table((*names, name), (*path, name), value)
                else:
                    self._all_headers((*names, name), (*path, name), value)

    def _all_headers(self, names: Path, path: Path, members: Mapping[str, Any]) -> None:
        """A table that holds only tables needs no header of its own."""
        for name, value in members.items():
            self._header("[", "]", (*names, name), (*path, name))
            self.table((*names, name), (*path, name), value)

    def _dotted(self, names: list[str], path: Path, members: Mapping[str, Any]) -> None:
        for name, value in members.items():
            if _is_table(value) and value and self._choose(2) == 0:
                self._dotted([*names, name], (*path, name), value)
            else:
                self._pair([*names, name], (*path, name), value)

    def _header(self, start: str, end: str, names: Path, path: Path) -> None:
        self._rest()
        self._note(path)
        self._write(f"{start}{'.'.join(map(self._key, names))}{end}")
        self._rest(end=True)

    def _pair(self, names: Sequence[str], path: Path, value: Any) -> None:
        self._rest()
        self._member(names, path, value)
        self._rest(end=True)

    def _member(self, names: Sequence[str], path: Path, value: Any) -> None:
        self._note(path)
        self._write(f"{'.'.join(map(self._key, names))}{(' = ', '=', ' =  ')[self._choose(3)]}")
        self._value(path, value)

    def _value(self, path: Path, value: Any) -> None:
        if isinstance(value, Mapping):
            self._write("{")
            for index, (name, member) in enumerate(value.items()):
                self._write(", " if index else "")
                self._member([name], (*path, name), member)
            self._write("}")
        elif isinstance(value, list | tuple):
            space = ("", "\n", " # [ \"' }\n\n  ")[self._choose(3)]
            self._write(f"[{space}")
            for index, element in enumerate(value):
                self._note((*path, str(index)))
                self._value((*path, str(index)), element)
                self._write("," + (space or " ") if index + 1 < len(value) or self._choose(2) else "")
            self._write(f"{space}]")
        else:
            self._write(self._scalar(value))

    def _scalar(self, value: Any) -> str:
        match value:
            case str():
                return self._string(value)
            case bool():
                return str(value).lower()
            case Decimal():
                text = str(value).lower().replace("infinity", "inf")
                return text if set(text) & set(".en") else f"{text}.0"
            case date():
                return value.isoformat()
        return str(value)

    def _string(self, value: str) -> str:
        way = self._choose(4)
        if way == 1 and _LITERAL.match(value):
            return f"'{value}'"
        if way == 2 and _LITERAL.match(value):
            return f"'''\n{value}'''"
        if way == 3:
            return f'"""\n{_escaped(value, keep=chr(10))}"""'
        return f'"{_escaped(value)}"'

    def _key(self, name: str) -> str:
        if _BARE.match(name) and self._choose(2) == 0:
            return name
        return f"'{name}'" if _LITERAL.match(name) and self._choose(2) else f'"{_escaped(name)}"'

    def _rest(self, *, end: bool = False) -> None:
        """What may stand between two lines, or at the end of one."""
        told = ("", " # x = 1 [a] \"\"\" '''")[self._choose(2)] if end else ("", "\n", "# [y]\n\n")[self._choose(3)]
        self._write(told + "\n" if end else told)

    def _write(self, text: str) -> None:
        self.text.append(text)
        self._line += text.count("\n")

    def _note(self, path: Path) -> None:
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], self._line)


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_array_of_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_table, value))


def _escaped(text: str, keep: str = "") -> str:
    def one(character: str) -> str:
        if character in keep:
            return character
        return f"\\{character}" if character in '"\\' else character if character.isprintable() else _code(character)

    return "".join(map(one, text))


def _code(character: str) -> str:
    return f"\\U{ord(character):08x}"
