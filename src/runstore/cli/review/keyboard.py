"""The keyboard of a terminal: single keys and typed lines. Whatever happens, the terminal is left as it was.

Keys are read in a mode in which Ctrl-C still interrupts; lines in the terminal's own mode, with the editing that people
know. A signal that would end the process ends it like Ctrl-C, for else the terminal would stay in the other mode.
"""

from __future__ import annotations

import os
import select
import signal
import termios
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType, TracebackType
from typing import Self

from runstore.reviewing.keystrokes import END, next_key, next_line

_LOCAL, _CHARACTERS = 3, 6  # places in what termios.tcgetattr returns
_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_QUIET_S = 0.1
"""A window that is being drawn to another size sends many signals; this long there has to be none."""
_CHUNK = 1024


class Keyboard:
    """Keys and lines from the terminal at a descriptor. Use it as a context manager."""

    def __init__(self, descriptor: int) -> None:
        self._terminal = descriptor
        self._before = termios.tcgetattr(descriptor)
        self._data = b""
        self._takes_keys = False

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._woken, writing = os.pipe()
            for end in (self._woken, writing):
                stack.callback(os.close, end)
                os.set_blocking(end, False)
            stack.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(writing, warn_on_full_buffer=False))
            for number, handler in self._handlers():
                stack.callback(signal.signal, number, signal.signal(number, handler))
            stack.callback(self.take_lines)  # first of all: while these handlers are there, no signal comes between
            self._closing = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    def _handlers(self) -> list[tuple[signal.Signals, Callable[[int, FrameType | None], None]]]:
        again = [(number, _pass) for number in (signal.SIGWINCH, signal.SIGCONT)]
        return [*again, *((number, _end) for number in _ENDING), (signal.SIGTSTP, self._stop)]

    def take_keys(self) -> None:
        """Have keys come one by one, and not shown; to be called before a key is asked for."""
        if not self._takes_keys:
            mode = [*self._before[:_CHARACTERS], [*self._before[_CHARACTERS]]]
            mode[_LOCAL] &= ~(termios.ECHO | termios.ICANON)
            mode[_CHARACTERS][termios.VMIN], mode[_CHARACTERS][termios.VTIME] = 1, 0
            termios.tcsetattr(self._terminal, termios.TCSADRAIN, mode)
            self._takes_keys = True

    def take_lines(self) -> None:
        """Have lines come as they do outside of this program."""
        self._takes_keys = False
        with suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._before)

    def key(self) -> str | None:
        """The next key; None if the window has another size now, or the process was stopped and goes on.

        Raises EOFError for Ctrl-D, or if the terminal is gone.
        """
        self.take_keys()
        while True:
            key, self._data = next_key(self._data)
            if key == END:
                raise EOFError
            if key is not None:
                return key
            if self._was_woken():
                return None

    def line(self) -> tuple[str, bool]:
        """The next line that is typed, without its end, and whether it was typed ahead, so that nobody saw it.

        Raises EOFError as `key` does.
        """
        self.take_lines()
        ahead, self._data = next_line(self._data)
        line = ahead
        while line is None:
            self._read()
            line, self._data = next_line(self._data)
        if END in line:
            raise EOFError
        return line, ahead is not None

    def forget(self) -> None:
        """Drop what was typed so far: nobody has seen yet what is asked next."""
        self._data = b""
        termios.tcflush(self._terminal, termios.TCIFLUSH)

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Leave the terminal, and Ctrl-C, to another program."""
        self.take_lines()
        before = signal.signal(signal.SIGINT, _pass)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        """Stop as Ctrl-Z asks, with the terminal as it was; go on when the process is continued."""
        took_keys = self._takes_keys
        self.take_lines()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        signal.signal(number, self._stop)
        if took_keys:
            self.take_keys()

    def _was_woken(self) -> bool:
        """Wait for more bytes; True if a signal came instead that asks to show everything again."""
        ready, _, _ = select.select([self._terminal, self._woken], [], [])
        if self._woken not in ready:
            self._read()
            return False
        signals = self._signals()
        while select.select([self._woken], [], [], _QUIET_S)[0]:
            signals += self._signals()
        if signal.SIGCONT in signals:
            self._takes_keys = False
            self.take_keys()
        return signal.SIGCONT in signals or signal.SIGWINCH in signals

    def _signals(self) -> bytes:
        with suppress(BlockingIOError):
            return os.read(self._woken, _CHUNK)
        return b""

    def _read(self) -> None:
        try:
            data = os.read(self._terminal, _CHUNK)
        except OSError:  # the terminal is gone
            data = b""
        if not data:
            raise EOFError
        self._data += data


def _pass(_number: int, _frame: FrameType | None) -> None:
    """Nothing: that the signal came is read from the pipe."""


def _end(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
