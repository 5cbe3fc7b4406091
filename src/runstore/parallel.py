"""Spreading the join of two sharded runs over processors: parts that share no key, joined apart, added up in order.

A part is a range of shards that both sides cut at the same id. Everything a part gives adds, so the result does not
depend on how many parts there are. Small runs, and systems that cannot fork, are joined in one piece.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Part:
    """Record files of both sides that hold one range of keys; `first` is the id with which the current ones start."""

    baseline: Sequence[str]
    current: Sequence[str]
    first: str | None = None


@dataclass(frozen=True, slots=True)
class _Result:
    changes: Changes
    differing: int
    alone: int
    last: bytes


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
    parts = split(baseline, current, wanted if size >= _SPREAD_FROM_BYTES and hasattr(os, "fork") else 1)
    workers = [_Worker(baseline, current, lens, part) for part in parts[1:]]
    try:
        results = [_join(baseline, current, lens, parts[0], progress), *(worker.result() for worker in workers)]
    finally:
        for worker in workers:
            worker.stop()
    _check_order(current, parts, results)
    changes = results[0].changes
    for result in results[1:]:
        changes.absorb(result.changes)
    # The baseline's number of lines was counted when it was verified; what was not handed out is equal on both sides.
    equal = baseline.record_count - sum(result.differing for result in results)
    pairs = sum(result.differing for result in results) - changes.counts[ChangeClass.REMOVED]
    current.check_lines(equal + pairs + sum(result.alone for result in results), current.record_files)
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


def _join(baseline: Run, current: Run, lens: Lens, part: Part, progress: Progress) -> _Result:
    changes = Changes(lens)
    join = Join(baseline, current, (part.baseline, part.current), progress)
    collect(join, changes)
    changes.settle()
    return _Result(changes, join.differing, join.alone, join.last)


def _check_order(current: Run, parts: Sequence[Part], results: Sequence[_Result]) -> None:
    """Refuse a current run in which a part does not come after the one before it. Raises InvalidRunError."""
    last = results[0].last
    for part, result in zip(parts[1:], results[1:], strict=True):
        if last and part.first is not None and line_id(last) >= part.first.encode():
            where = current.where(part.current[0], 1)
            raise InvalidRunError("the shard starts before the one before it ends", where=where)
        last = result.last or last


class _Worker:
    """A forked process that joins one part and sends back what it found."""

    def __init__(self, baseline: Run, current: Run, lens: Lens, part: Part) -> None:
        reader, writer = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self._process: int | None = os.fork()
        if self._process == 0:
            os.close(reader)
            _work(writer, baseline, current, lens, part)
        os.close(writer)
        self._reader = reader

    def result(self) -> _Result:
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
        assert isinstance(found, _Result)
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


def _work(writer: int, baseline: Run, current: Run, lens: Lens, part: Part) -> None:
    """The worker's whole life. It never returns into the code that forked it."""
    try:
        found: _Result | BaseException = _join(baseline, current, lens, part, no_progress)
    except (RunstoreError, OSError) as error:
        found = error
    except BaseException as error:  # noqa: BLE001  # sent to the parent, whose boundary reports it
        found = RuntimeError(f"{type(error).__name__} in a worker: {error}")
        for frame in traceback.extract_tb(error.__traceback__):
            found.add_note(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}")
    try:
        with os.fdopen(writer, "wb") as pipe:
            pickle.dump(found, pipe, protocol=pickle.HIGHEST_PROTOCOL)
    finally:
        os._exit(0)
