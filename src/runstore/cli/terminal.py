"""What a terminal and a CI log may be shown: text from data in, text without control characters out; progress on stderr."""

from __future__ import annotations

import os
import re
import sys
import time
from typing import TextIO

_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u061c\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_COMMAND = re.compile(r"^(\s*)(::|##\[|##vso\[)", re.MULTILINE)


def safe_text(text: str) -> str:
    """The text with control, bidirectional and line-separator characters escaped; line feeds stay.

    A line that a CI runner would take for a command (`::error …`, `##[…]`) is set apart by a leading `|`.
    """
    return _COMMAND.sub(r"\1|\2", _CONTROL.sub(_escaped, text))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def wants_color(stream: TextIO) -> bool:
    """Whether to colour: a terminal, unless NO_COLOR is set; FORCE_COLOR overrides what the stream is."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM") != "dumb")


class ProgressLine:
    """A line of progress on stderr for long work, only on a terminal; gone when the work is done."""

    _AFTER_S = 0.5
    _EVERY_S = 0.1

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._shown = False
        self._active = sys.stderr.isatty()
        self._next = time.monotonic() + self._AFTER_S

    def __call__(self, lines: int) -> None:
        """Some more lines are done."""
        self._done += lines
        if self._active and time.monotonic() >= self._next:
            self._next = time.monotonic() + self._EVERY_S
            self._shown = True
            share = f" {min(100, 100 * self._done // self._total)} %" if self._total else ""
            sys.stderr.write(f"\r\x1b[K{self._what}: {self._done:,} lines{share}")
            sys.stderr.flush()

    def close(self) -> None:
        """Remove the line."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
