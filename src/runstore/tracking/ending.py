"""How a block of code ended, and what status that gives its run.

While a block that tracks runs, SIGTERM ends it by an exception, so that the run is finished as killed; then the process
dies of the signal all the same. A handler that the program has set is left alone, and so is every thread but the main.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

from runstore.manifest import RunStatus

_EXIT_CODE = 128 + signal.SIGTERM


class Terminated(SystemExit):
    """SIGTERM came. It ends the block as `sys.exit` would."""


def status_of(error: BaseException | None) -> RunStatus:
    """The status of a run whose block ended so; None is an end without exception."""
    if error is None or (type(error) is SystemExit and error.code in (None, 0)):
        return "completed"
    # A task that is cancelled; asyncio is not loaded to know its class.
    if isinstance(error, KeyboardInterrupt | Terminated | GeneratorExit) or type(error).__name__ == "CancelledError":
        return "killed"
    return "failed"


class SignalGuard:
    """Turns SIGTERM into `Terminated` from `begin` to `end`, if nobody else has asked for the signal."""

    def __init__(self) -> None:
        self._owner: int | None = None

    def begin(self) -> None:
        """Set the handler, in the main thread of a program that has none."""
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            self._owner = os.getpid()
            signal.signal(signal.SIGTERM, self._raise)

    def _raise(self, _number: int, _frame: FrameType | None) -> None:
        if self._owner != os.getpid():  # forked off: it is no part of the run, and dies as it would have
            self._die()
        raise Terminated(_EXIT_CODE)

    def end(self, error: BaseException | None) -> None:
        """Take the handler away; after `Terminated` the process dies of the signal here."""
        if self._owner is None:
            return
        if signal.getsignal(signal.SIGTERM) == self._raise:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._owner = None
        if isinstance(error, Terminated):
            self._die()

    @staticmethod
    def _die() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
