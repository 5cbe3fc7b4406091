"""Both sides of a record in a pager, or in a tool of the user's own. No text of data is ever part of a command."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runstore.cli.review.keyboard import Keyboard
from runstore.cli.review.screen import Screen
from runstore.errors import UsageError
from runstore.record import JsonObject
from runstore.reviewing.side_by_side import side_by_side, text_of

_LESS = "FX"
"""A text that fits on the screen needs no key, and the screen stays as it is; what git sets for less, but colour."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Opener:
    """How both sides are opened: by a tool that takes two files, by a pager, or, without either, here."""

    tool: Sequence[str]
    pager: Sequence[str]
    folder: Path
    """Where files for the tool are written; it is ours alone."""

    def open(self, before: JsonObject, after: JsonObject, number: int, *, screen: Screen, keyboard: Keyboard) -> str:
        """Show both sides of the record number `number`; returns what went wrong, or an empty text."""
        if self.tool:
            with keyboard.lent():
                return _run([*self.tool, *self._files(before, after, number)], None)
        lines = side_by_side(before, after, screen.width)
        if self.pager:
            with keyboard.lent():
                return _run(self.pager, "".join(f"{line}\n" for line in lines).encode(errors="backslashreplace"))
        _page(lines, screen, keyboard)
        return ""

    def _files(self, before: JsonObject, after: JsonObject, number: int) -> list[str]:
        folder = self.folder / str(number)
        folder.mkdir(exist_ok=True)
        named = {"baseline.txt": before, "current.txt": after}
        for name, record in named.items():
            (folder / name).write_text(text_of(record), encoding="utf-8", errors="backslashreplace", newline="\n")
        return [str(folder / name) for name in named]


def words_of(command: str, name: str) -> list[str]:
    """A command of the user's, as words; raises UsageError if it cannot be split into words."""
    try:
        return shlex.split(command)
    except ValueError as error:
        raise UsageError(f"{name} is no command: {error}", hint=f"it is {command!r}") from None


def _run(words: Sequence[str], given: bytes | None) -> str:
    """Run a program and wait; what it returns means nothing, for a diff that finds something returns 1."""
    environment: Mapping[str, str] = {"LESS": _LESS, **os.environ}
    try:
        subprocess.run(list(words), input=given, env=environment, check=False)
    except OSError as error:
        return f"cannot run {words[0]!r}: {error.strerror}"
    return ""


def _page(lines: Sequence[str], screen: Screen, keyboard: Keyboard) -> None:
    """Page through lines, a screen at a time."""
    at = 0
    while True:
        room = max(screen.size.lines - 2, 1)
        screen.show(lines[at : at + room])
        at += room
        if at >= len(lines):
            return
        keyboard.take_keys()
        screen.ask(f"{at:,}/{len(lines):,} lines; q: back, else more ")
        key = keyboard.key()
        screen.show([""])
        if key == "q":
            return
