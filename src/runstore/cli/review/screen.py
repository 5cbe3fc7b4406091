"""The screen: safe lines in, onto standard output. Nothing is moved or cleared, so it works on any terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from runstore.reports.text_safety import one_line, wrapped

_LEAST, _USUAL = 40, os.terminal_size((80, 24))


class Screen:
    """Standard output, a terminal; `color`: whether it takes colour."""

    def __init__(self, *, color: bool) -> None:
        self.color = color

    @property
    def size(self) -> os.terminal_size:
        """Columns and lines as they are now; 80 and 24 if the terminal does not say."""
        try:
            size = os.get_terminal_size(sys.stdout.fileno())
        except OSError:
            return _USUAL
        return os.terminal_size(one or usual for one, usual in zip(size, _USUAL, strict=True))

    @property
    def width(self) -> int:
        """Columns to write on, 40 or more."""
        return max(self.size.columns, _LEAST)

    def show(self, lines: Iterable[str]) -> None:
        """Write safe lines."""
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()

    def say(self, text: str) -> None:
        """Write one line of any text, made safe, on as many lines as it takes."""
        self.show(wrapped(one_line(text), self.width, "", "  "))

    def ask(self, question: str) -> None:
        """Write a question of any text, made safe, and stay behind it."""
        sys.stdout.write("\n".join(wrapped(one_line(question), self.width, "", "  ")))
        sys.stdout.flush()
