"""The journal of a run that is not finished: entries in, one line each, written before the call returns.

A line is handed to the system by one `write`, so a process that is killed loses nothing that a call has logged. It is
flushed to disk when ten seconds have passed since the last flush, and at the end: so much a power cut can take. The
holder of the journal has locked it; the system lets go of the lock when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import RLock

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.errors import CanonicalError, StorageError, UsageError

FILE = "journal.jsonl"
SYNC_SECONDS = 10.0
Entry = dict[str, JsonValue]
"""One thing that was logged: `op` says what, the rest depends on it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TornLine:
    """A line that is not whole: its number, from 1, and its bytes."""

    number: int
    data: bytes


class Journal:
    """The open journal of a run that this process writes."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Take over a descriptor that was opened to append and is locked. `path` is where the journal will stand."""
        self.path = path
        self.lock = RLock()
        """Held by whoever reads or changes what depends on the journal."""
        self._descriptor = descriptor
        self._good = os.fstat(descriptor).st_size
        """Bytes up to the end of the last whole line."""
        self._is_torn = False
        self._synced = time.monotonic()
        _OPEN.add(self)

    def append(self, *lines: bytes) -> None:
        """Write lines (without LF) at the end, by one write.

        Raises StorageError if they could not be written, and then none of them is there; UsageError in a process that
        was forked off, or after `close`.
        """
        self.check_open()
        data = b"\n".join((*lines, b""))
        try:
            if self._is_torn:
                self._cut()
            write_all(self._descriptor, data)
            self._good += len(data)
            if time.monotonic() - self._synced > SYNC_SECONDS:
                self.sync()
        except OSError as error:
            self._is_torn = True
            with suppress(OSError):
                self._cut()
            raise StorageError(
                f"cannot log: {error.strerror}",
                where=str(self.path),
                hint="what was logged before is kept; free some space, then log again or `gate recover` the run",
            ) from error

    @property
    def is_open(self) -> bool:
        """Whether this process may write to it."""
        return self._descriptor >= 0

    def check_open(self) -> None:
        """Raises UsageError where nothing may be written: in a process that was forked off, or after `close`."""
        if not self.is_open:
            raise UsageError(
                f"{self.path} is not open in this process",
                hint="log before the run ends, and from the process that began it; one forked off begins its own run",
            )

    def _cut(self) -> None:
        """Take away a line that was written in part."""
        os.ftruncate(self._descriptor, self._good)
        self._is_torn = False

    def mend(self) -> None:
        """End a last line that was torn, so that what comes after it stands on a line of its own."""
        if self._good and os.pread(self._descriptor, 1, self._good - 1) != b"\n":
            write_all(self._descriptor, b"\n")
            self._good += 1

    def sync(self) -> None:
        """Flush what was logged to disk."""
        os.fdatasync(self._descriptor)
        self._synced = time.monotonic()

    def close(self) -> None:
        """Let go of the journal, and of the lock; again is nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        """A run that nobody can log to any more is not being written."""
        with suppress(OSError, AttributeError):
            self.close()


def write_all(descriptor: int, data: bytes) -> None:
    """Write bytes, by one call if the system takes them at once. Raises OSError."""
    while data:
        data = data[os.write(descriptor, data) :]


_OPEN: weakref.WeakSet[Journal] = weakref.WeakSet()


def _close_in_child() -> None:
    """A child that is forked off must neither write nor keep the lock of its parent alive."""
    for journal in list(_OPEN):
        journal.lock = RLock()  # a thread that is not in the child may have held it
        journal.close()


os.register_at_fork(after_in_child=_close_in_child)


def open_locked(path: Path) -> int | None:
    """A descriptor to append to a journal, locked; None if another process holds the lock. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:  # some network shares cannot lock
        os.close(descriptor)
        raise
    return descriptor


def read(
    path: Path, is_sound: Callable[[Entry], bool] = lambda _: True, torn: frozenset[int] = frozenset()
) -> Iterator[Entry | TornLine]:
    """What a journal holds, in order. A line that is not whole, the last or one that the disk lost, is a TornLine.

    So is an entry that is not sound, and a line whose number is in `torn`.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            entry = _entry(line)
            is_torn = entry is None or number in torn or not is_sound(entry)
            yield TornLine(number=number, data=line) if is_torn or entry is None else entry


def _entry(line: bytes) -> Entry | None:
    if not line.endswith(b"\n"):
        return None
    try:
        entry = canonical.loads(line[:-1])
    except CanonicalError:
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("op"), str) else None
