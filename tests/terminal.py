"""A command line in a real pseudo-terminal: what is shown is waited for by its text, and keys are sent when it stands.

Nothing sleeps. A wait that is not met within its time fails with everything that was shown.
"""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.command_line import environment, heeds_interrupts

# The session has no terminal until one is opened, which is then its own: so Ctrl-C and a new size become signals.
_IN_TERMINAL = 'exec "$0" "$@" <"$PTY" >"$PTY" 2>&1'
TIMEOUT_S = 60.0


class Terminal:
    """`gate WORDS…` in a folder, in a terminal of some size. Use it as a context manager."""

    def __init__(
        self,
        folder: Path,
        *words: str | Path,
        env: Mapping[str, str] = {},
        size: tuple[int, int] = (100, 40),
        under: tuple[str, ...] = (),
    ) -> None:
        """`size`: columns and lines; `under`: a program and its arguments that runs the command."""
        self._ours, self.theirs = pty.openpty()
        """Descriptors of the side of the person and of that of the program."""
        self._open = [self._ours, self.theirs]
        self.resize(*size)
        self.mode_before = self.mode
        """The mode that the terminal was in before."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.shown = ""
        """Everything that was shown."""
        self._seen = 0
        command = [*under, sys.executable, "-m", "runstore.cli.main", *map(str, words)]
        self.process = subprocess.Popen(
            ["sh", "-c", _IN_TERMINAL, *command],
            cwd=folder,
            env={**environment(folder, {"TERM": "xterm", "NO_COLOR": "1", **env}), "PTY": os.ttyname(self.theirs)},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=heeds_interrupts,  # noqa: PLW1509  # no threads here
        )

    @property
    def mode(self) -> list[Any]:
        """The mode that the terminal is in."""
        return termios.tcgetattr(self.theirs)

    def resize(self, columns: int, lines: int) -> None:
        """Give the window another size; the system tells the program."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def see(self, text: str, timeout_s: float = TIMEOUT_S) -> str:
        """Wait until a text is shown after what was seen before; returns what was shown up to its end."""
        end = time.monotonic() + timeout_s
        while (place := self.shown.find(text, self._seen)) < 0:
            if not self._read(end - time.monotonic()):
                raise AssertionError(f"never saw {text!r} after {self._seen}; shown:\n{self.shown}")
        before, self._seen = self._seen, place + len(text)
        return self.shown[before : self._seen]

    def send(self, keys: str) -> None:
        """Press keys."""
        data = keys.encode()
        while data:
            data = data[os.write(self._ours, data) :]

    def answer(self, question: str, keys: str) -> str:
        """Wait for a text, then press keys; returns what was shown up to its end."""
        found = self.see(question)
        self.send(keys)
        return found

    def end(self, timeout_s: float = TIMEOUT_S) -> int:
        """Wait for the end of the program; returns its exit code, less than 0 for a signal."""
        end = time.monotonic() + timeout_s
        while self.process.poll() is None:
            assert time.monotonic() < end, f"never ended; shown:\n{self.shown}"
            self._read(0.05)
        while self._read(0):
            pass
        assert "Traceback" not in self.shown, self.shown
        return self.process.returncode

    def hang_up(self) -> None:
        """Close the terminal, as a person closes its window."""
        while self._open:
            os.close(self._open.pop())

    def _read(self, timeout_s: float) -> bool:
        """Take in what is shown; False if nothing was in time."""
        ready, _, _ = select.select([self._ours], [], [], max(timeout_s, 0))
        if ready:
            self.shown += self._decoder.decode(os.read(self._ours, 65536)).replace("\r\n", "\n")
        return bool(ready)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.hang_up()
