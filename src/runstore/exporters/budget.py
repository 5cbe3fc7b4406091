"""The time that an export may take in all: seconds in, what is left of them out, and an error when nothing is."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from runstore.errors import UsageError
from runstore.exporters.contract import ExportError

_AGAIN = "the run is unharmed: export it again and it goes on from there; --timeout gives it more time"


class Deadline:
    """A budget of seconds from now on, as `contract.Budget` asks. The clock only says how much is left."""

    def __init__(
        self,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if math.isnan(seconds):
            raise UsageError("no number of seconds", hint="write --timeout 60")
        self.seconds = seconds
        self._clock = clock
        self._sleep = sleep
        self._end = clock() + seconds

    def left(self) -> float:
        """Seconds left, more than 0. Raises ExportError when none is."""
        left = self._end - self._clock()
        if left <= 0:
            raise ExportError(f"the {self.seconds:g} seconds for this export are over", hint=_AGAIN)
        return left

    def pause(self, seconds: float) -> None:
        """Wait. Raises ExportError at once if that would take all that is left."""
        if seconds >= self.left():
            told = f"another try would have to wait {seconds:g} seconds, and of {self.seconds:g} too few are left"
            raise ExportError(told, hint=_AGAIN)
        self._sleep(seconds)
