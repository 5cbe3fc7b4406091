"""The feed of a live mirror: calls go into a bounded queue and come out in a thread of their own.

A queue that is full, a call that fails, a backend that hangs: the run goes on, what was not mirrored is counted, and
the report at the end says that an export catches up. After three failures in a row a backend is left alone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Thread
from typing import Any

from runstore.canonical import JsonValue
from runstore.errors import RunstoreError
from runstore.manifest import RunStatus
from runstore.tracking.mirror import LivePoint, Mirror, RunFacts

QUEUE_CALLS = 10_000
_FAILURES = 3
_POINTS_AT_ONCE = 1000
_POLL_SECONDS = 0.05
_MESSAGE_CHARACTERS = 300
Call = tuple[str, tuple[Any, ...]]
"""Method of a mirror, and its arguments."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MirrorReport:
    """What became of the calls to a mirror; `missing` of them it has not taken."""

    backend: str
    missing: int
    is_closed: bool
    error: str | None
    remote: Mapping[str, str] = field(default_factory=dict)
    """What the run is known by at the backend."""

    @property
    def is_complete(self) -> bool:
        """Whether the backend has all of the run."""
        return self.is_closed and not self.missing

    @property
    def warning(self) -> str:
        """One line for a person."""
        why = f": {self.error}" if self.error else ""
        missing = f"{self.missing} calls are not mirrored" if self.missing else "the end of the run is not mirrored"
        return f"{self.backend}: {missing}{why}; the run itself is whole, and an export catches up"


class Feed:
    """The queue and the thread of one mirror of one run."""

    def __init__(self, backend: str, mirror: Mirror, run: RunFacts, limit: int = QUEUE_CALLS) -> None:
        self.backend = backend
        self._remote = run.remote
        self._mirror = mirror
        self._queue: Queue[Call] = Queue(limit)
        self._waiting: Call | None = None
        self._dropped = 0
        self._failed = 0
        self._failures_in_row = 0
        self._error: str | None = None
        self._is_closed = False
        self._end: Call | None = None
        self._queue.put_nowait(("open", (run,)))
        self._thread = Thread(target=self._work, name=f"runstore-{backend}", daemon=True)
        self._thread.start()

    def tell(self, method: str, *arguments: Any) -> None:
        """Put a call into the queue; never waits, never raises."""
        try:
            self._queue.put_nowait((method, arguments))
        except Full:
            self._dropped += 1
            self._error = self._error or f"its queue of {self._queue.maxsize} calls was full"

    def close(self, status: RunStatus, folder: Path) -> None:
        """Tell of the end of the run; `report` waits for it."""
        self._end = ("close", (status, folder))

    def report(self, deadline: float) -> MirrorReport:
        """Wait until the mirror has taken all, or the deadline (by `time.monotonic`) has passed."""
        self._thread.join(max(0.0, deadline - time.monotonic()))
        missing, is_closed = self._dropped + self._failed, self._is_closed
        if self._thread.is_alive():
            self._error = self._error or "it did not answer in time"
            missing, is_closed = missing + self._queue.qsize() + 1, False
        return MirrorReport(
            backend=self.backend, missing=missing, is_closed=is_closed, error=self._error, remote=self._remote
        )

    def _work(self) -> None:
        while True:
            call = self._next()
            if call is not None:
                self._pass_on(call)
            elif self._end is not None and self._queue.empty():
                self._is_closed = self._pass_on(self._end)
                return

    def _next(self) -> Call | None:
        """The next call; points that wait one after another are one. None after a moment in which none came."""
        if (call := self._waiting) is not None:
            self._waiting = None
        else:
            try:
                call = self._queue.get(timeout=_POLL_SECONDS)
            except Empty:
                return None
        return self._with_following(call) if call[0] == "points" else call

    def _with_following(self, call: Call) -> Call:
        points: list[LivePoint] = list(call[1][0])
        while len(points) < _POINTS_AT_ONCE:
            try:
                following = self._queue.get_nowait()
            except Empty:
                break
            if following[0] != "points":
                self._waiting = following
                break
            points += following[1][0]
        return "points", (points,)

    def _pass_on(self, call: Call) -> bool:
        """Make a call of the mirror; whether it went well."""
        method, arguments = call
        if self._failures_in_row < _FAILURES:
            try:
                getattr(self._mirror, method)(*arguments)
            except Exception as error:  # noqa: BLE001  # foreign code: whatever it does, the run goes on
                self._failures_in_row += 1
                self._error = self._error or _told(error)
            else:
                self._failures_in_row = 0
                return True
        self._failed += 1
        return False


def _told(error: Exception) -> str:
    said = error.message if isinstance(error, RunstoreError) else str(error)
    return f"{type(error).__name__}: {said}"[:_MESSAGE_CHARACTERS]


def report_json(reports: Sequence[MirrorReport]) -> JsonValue:
    """The reports as `volatile/mirrors.json` has them."""
    return {report.backend: _told_of(report) for report in reports}


def _told_of(report: MirrorReport) -> JsonValue:
    told: dict[str, JsonValue] = {"complete": report.is_complete, "error": report.error, "missing": report.missing}
    return {**told, "remote": dict(report.remote)} if report.remote else told
