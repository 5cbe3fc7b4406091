"""What the terminal is like, and progress on stderr."""

from __future__ import annotations

import os
import sys
import time
from importlib import import_module
from typing import TextIO


def wants_color(stream: TextIO) -> bool:
    """Whether to colour: a terminal that is not dumb.

    A variable that is set overrides what the stream is, the first of these: NO_COLOR (never), FORCE_COLOR and
    CLICOLOR_FORCE (always, but with 0 never and not), CLICOLOR=0 (never). An empty one counts as not set.
    """
    asked = os.environ.get
    if asked("NO_COLOR") or asked("FORCE_COLOR") in ("0", "false"):
        return False
    if asked("FORCE_COLOR") or asked("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return asked("CLICOLOR") != "0" and stream.isatty() and asked("TERM") != "dumb"


def columns() -> int:
    """How wide the terminal is; 100 where that is unknown. COLUMNS overrides it."""
    return int(import_module("shutil").get_terminal_size((100, 24)).columns)


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
