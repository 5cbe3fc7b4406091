"""Spreading the join of two sharded runs over processors: parts that share no key, joined apart, added up in order.

A part is a range of shards that both sides cut at the same id. There are more parts than processors, and whoever is
done takes the next one. Everything a part gives adds, so the result does not depend on how many there are or on who
joined which. Small runs, and systems that cannot fork, are joined in one piece.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from pathlib import Path

from runstore.change import ChangeClass
from runstore.changes import Changes, Lens, collect
from runstore.errors import InvalidRunError, RunstoreError, StorageError
from runstore.pairs import Join
from runstore.record import line_id
from runstore.store.reader import Run
from runstore.verification import Progress, no_progress

_SPREAD_FROM_BYTES = 64 * 1024 * 1024
_READ_BYTES = 1024 * 1024
_KEPT_BYTES = 16 * 1024 * 1024
_PARTS_EACH = 16
"""So many parts for each processor: what the last one has to do alone is small, and so is the queue."""
_MOST_PARTS = 4096
"""So many numbers fit into a pipe that nobody reads from yet, on every system."""
_NUMBER_BYTES = 4
"""A write of so few bytes to a pipe is read as one: POSIX, and each number comes out whole."""


@dataclass(frozen=True, slots=True)
class Part:
    """Record files of both sides that hold one range of keys; `first` is the id with which the current ones start."""

    baseline: Sequence[str]
    current: Sequence[str]
    first: str | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the order of the parts and the number of their lines are checked by."""

    differing: int
    alone: int
    last: bytes


@dataclass(frozen=True, slots=True)
class _Share:
    """What one process found in the parts that it joined, by their numbers; the error is of the last of them."""

    changes: Changes
    seen: dict[int, _Seen]
    error: tuple[int, BaseException] | None = None


def differences(
    baseline: Run, current: Run, lens: Lens, progress: Progress = no_progress, processors: int | None = None
) -> tuple[Changes, int]:
    """What differs between two runs, and how many lines are the same on both sides.

    `processors`: how many to use; by default those this process may run on. Raises InvalidDataError about the current
    run, StorageError if a worker was killed.
    """
    _keep_freed_memory()
    wanted = processors or _processors()
    size = sum(run.manifest.files[path].size for run in (baseline, current) for path in run.record_files)
    if size < _SPREAD_FROM_BYTES or not hasattr(os, "fork"):
        wanted = 1
    parts = split(baseline, current, min(wanted * _PARTS_EACH, _MOST_PARTS) if wanted > 1 else 1)
    queue = _Queue(len(parts))
    workers = [_Worker(baseline, current, lens, parts, queue) for _ in range(min(wanted, len(parts)) - 1)]
    try:
        shares = [_join(baseline, current, lens, parts, queue, progress), *(worker.result() for worker in workers)]
    finally:
        for worker in workers:
            worker.stop()
        queue.close()
    if errors := sorted((share.error for share in shares if share.error), key=itemgetter(0)):
        raise errors[0][1]  # parts are taken in order, so it is the first there is
    seen = [one for _, one in sorted(chain.from_iterable(share.seen.items() for share in shares))]
    _check_order(current, parts, seen)
    changes = shares[0].changes
    for share in shares[1:]:
        changes.absorb(share.changes)
    # The baseline's number of lines was counted when it was verified; what was not handed out is equal on both sides.
    equal = baseline.record_count - sum(one.differing for one in seen)
    pairs = sum(one.differing for one in seen) - changes.counts[ChangeClass.REMOVED]
    current.check_lines(equal + pairs + sum(one.alone for one in seen), current.record_files)
    return changes, equal


def _keep_freed_memory() -> None:
    """Have the C library reuse freed memory instead of handing it back to the system and asking for it again.

    glibc raises its thresholds to the size of the largest mapped block that was freed (mallopt(3), M_MMAP_THRESHOLD).
    Without that, buffers of the size of a block are mapped, faulted in and unmapped each time, which took most of the
    time of a comparison. The block itself is never touched, so it takes no memory; elsewhere this does nothing.
    """
    bytes(_KEPT_BYTES)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def split(baseline: Run, current: Run, parts: int) -> list[Part]:
    """At most `parts` parts of about equal size, cut where both sides start a shard with the same id."""
    ours, theirs = baseline.record_files, current.record_files
    starts = {baseline.manifest.files[path].first: index for index, path in enumerate(ours)}
    firsts = [current.manifest.files[path].first for path in theirs]
    common = [(starts[first], index) for index, first in enumerate(firsts) if index and starts.get(first)]
    total = sum(current.manifest.files[path].size for path in theirs)
    cuts, size = [(0, 0)], 0
    for index, path in enumerate(theirs):
        place = next((cut for cut in common if cut[1] == index), None)
        if place and place > cuts[-1] and size * parts >= total * len(cuts) and len(cuts) < parts:
            cuts.append(place)
        size += current.manifest.files[path].size
    ends = [*cuts[1:], (len(ours), len(theirs))]
    return [
        Part(ours[start[0] : end[0]], theirs[start[1] : end[1]], firsts[start[1]] if start[1] else None)
        for start, end in zip(cuts, ends, strict=True)
    ]


class _Queue:
    """The numbers of parts that nobody has taken yet, in order; processes that were forked off take from it, too."""

    def __init__(self, parts: int) -> None:
        self._reader, writer = os.pipe()
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(b"".join(number.to_bytes(_NUMBER_BYTES, "big") for number in range(parts)))

    def take(self) -> Iterator[int]:
        """Number after number, until none is left."""
        while number := os.read(self._reader, _NUMBER_BYTES):
            yield int.from_bytes(number, "big")

    def close(self) -> None:
        """Leave what is not taken."""
        os.close(self._reader)


def _join(
    baseline: Run, current: Run, lens: Lens, parts: Sequence[Part], queue: _Queue, progress: Progress = no_progress
) -> _Share:
    """Join parts as long as there are any. After an error nobody takes another one."""
    changes = Changes(lens)
    seen: dict[int, _Seen] = {}
    for number in queue.take():
        join = Join(baseline, current, (parts[number].baseline, parts[number].current), progress)
        try:
            collect(join, changes)
        except (RunstoreError, OSError) as error:
            for _ in queue.take():
                pass
            return _Share(changes, seen, (number, error))
        seen[number] = _Seen(join.differing, join.alone, join.last)
    changes.settle()
    return _Share(changes, seen)


def _check_order(current: Run, parts: Sequence[Part], seen: Sequence[_Seen]) -> None:
    """Refuse a current run in which a part does not come after the one before it. Raises InvalidRunError."""
    last = seen[0].last
    for part, one in zip(parts[1:], seen[1:], strict=True):
        if last and part.first is not None and line_id(last) >= part.first.encode():
            where = current.where(part.current[0], 1)
            raise InvalidRunError("the shard starts before the one before it ends", where=where)
        last = one.last or last


class _Worker:
    """A forked process that joins parts and sends back what it found."""

    def __init__(self, baseline: Run, current: Run, lens: Lens, parts: Sequence[Part], queue: _Queue) -> None:
        reader, writer = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self._process: int | None = os.fork()
        if self._process == 0:
            os.close(reader)
            _work(writer, baseline, current, lens, parts, queue)
        os.close(writer)
        self._reader = reader

    def result(self) -> _Share:
        """Wait for what the worker found, or raise the error it met."""
        chunks = []
        while chunk := os.read(self._reader, _READ_BYTES):
            chunks.append(chunk)
        self._leave()
        try:
            found = pickle.loads(b"".join(chunks))  # written by our own process, through a pipe of our own
        except (EOFError, pickle.UnpicklingError):
            raise StorageError("a worker process was killed", hint="is the machine out of memory?") from None
        if isinstance(found, BaseException):
            raise found
        assert isinstance(found, _Share)
        return found

    def stop(self) -> None:
        """End a worker whose result is not wanted any more."""
        if self._process is not None:
            os.kill(self._process, signal.SIGKILL)
            self._leave()

    def _leave(self) -> None:
        if self._process is not None:
            os.close(self._reader)
            os.waitpid(self._process, 0)
            self._process = None


def _work(writer: int, baseline: Run, current: Run, lens: Lens, parts: Sequence[Part], queue: _Queue) -> None:
    """The worker's whole life. It never returns into the code that forked it."""
    try:
        found: _Share | BaseException = _join(baseline, current, lens, parts, queue)
    except BaseException as error:  # noqa: BLE001  # sent to the parent, whose boundary reports it
        found = RuntimeError(f"{type(error).__name__} in a worker: {error}")
        for frame in traceback.extract_tb(error.__traceback__):
            found.add_note(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}")
    try:
        with os.fdopen(writer, "wb") as pipe:
            pickle.dump(found, pipe, protocol=pickle.HIGHEST_PROTOCOL)
    finally:
        os._exit(0)
