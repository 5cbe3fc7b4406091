"""A live mirror in TensorBoard: what is logged in, an event file that grows with it out.

Only points with a step are shown while the run goes on; NaN and infinities are shown as what they are. At the end the
finished run is exported as it would be by hand, and the folder of the growing one is removed. A process that resumes
the run goes on in the same file, behind what of it is whole. What a killed one left is never written over; the export
of the recovered run removes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from runstore.canonical import JsonValue
from runstore.errors import UsageError
from runstore.exporters.budget import Deadline
from runstore.exporters.contract import ExportError, Options, PlannedPoint, Visit
from runstore.exporters.live import Facts, Live
from runstore.exporters.tensorboard import events, framing
from runstore.exporters.tensorboard.folder import LIVE_FILE, remove_live, write_run
from runstore.exporters.tensorboard.planning import DEFAULT_TARGET, TAGS, folder_of, plan_run
from runstore.manifest import Dataset, RunStatus
from runstore.record import JsonObject
from runstore.store.reader import read_run

_TOKEN_DIGITS = 8
_END_S = 60.0


def open_mirror(options: Mapping[str, str]) -> LiveRun:
    """A mirror of one run; `options` may have `target`, a folder. Raises UsageError for another option."""
    unknown = sorted(options.keys() - {"target"})
    if unknown:
        raise UsageError(f"the mirror to TensorBoard knows no option {unknown[0]!r:.40}", hint="it knows `target`")
    return LiveRun(options.get("target") or DEFAULT_TARGET)


class LiveRun:
    """One run in TensorBoard while it is logged: `runstore.tracking.mirror.Mirror`."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._descriptor = -1
        self._folder = Path(target)
        self._remote: Mapping[str, str] = {}
        self._told: dict[str, bytes] = {}

    def identify(self, run: Facts) -> dict[str, str]:
        """The folder of the live run, below the target."""
        return {"folder": self._choose(run).relative_to(self._target).as_posix()}

    def _choose(self, run: Facts) -> Path:
        place = os.fsencode(os.path.realpath(run.folder))  # its digest alone stands in the target
        token = hashlib.sha256(place).hexdigest()[:_TOKEN_DIGITS]
        stem = Path(self._target) / folder_of(run.project, run.name, f"live-{token}")
        folders = (stem.with_name(f"{stem.name}-{number}") for number in itertools.count(1))
        there = list(itertools.takewhile(Path.exists, folders))
        return there[-1] if run.is_resumed and there else stem.with_name(f"{stem.name}-{len(there) + 1}")

    def open(self, run: Facts) -> None:
        """Make the event file, or go on in that of a run that is resumed. Raises UsageError if another writes to it."""
        self._remote = run.remote or self.identify(run)
        self._folder = Path(self._target, self._remote["folder"])
        self._folder.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self._folder / LIVE_FILE, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            self._descriptor = -1
            raise UsageError(f"{self._folder} is written to by another process", hint="end that one first") from None
        os.truncate(self._descriptor, framing.whole_bytes((self._folder / LIVE_FILE).read_bytes()))
        if not os.fstat(self._descriptor).st_size:
            self._append(events.write_start())

    def _append(self, data: bytes) -> None:
        if self._descriptor < 0:
            raise ExportError("its live file is not open", where=str(self._folder))
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:  # half a message may stand there, behind which nothing can be read
            self._let_go()
            raise

    def _let_go(self) -> None:
        """Close the live file, so that an export may remove it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def points(self, points: Sequence[Live]) -> None:
        """Show the points that have a step."""
        made = [
            PlannedPoint(name=TAGS.name(one.name), step=one.step, value=float(one.value))
            for one in points
            if one.step is not None
        ]
        self._append(b"".join(events.write_scalars(made, self._told)))

    def params(self, values: Mapping[str, JsonValue]) -> None:
        """Come with the end: TensorBoard takes them once."""

    def tags(self, values: Mapping[str, str]) -> None:
        """Come with the end."""

    def note(self, text: str) -> None:
        """Comes with the end."""

    def dataset(self, dataset: Dataset) -> None:
        """Comes with the end."""

    def artifact(self, path: Path, name: str) -> None:
        """TensorBoard has no place for it."""

    def records(self, records: Sequence[JsonObject]) -> None:
        """Come with the end."""

    def close(self, status: RunStatus, folder: Path) -> None:  # noqa: ARG002  # the run itself says how it ended
        """Export the finished run, then remove the one that grew."""
        try:
            run = read_run(folder)
            plan = plan_run(run, Options(target=self._target))
            visit = Visit(environment={}, budget=Deadline(_END_S), progress={}, keep=_forget, warn=_forget)
            write_run(plan, run, visit)
        finally:
            self._let_go()
        if self._remote:
            remove_live(self._folder)


def _forget(told: object) -> None:
    """Nothing is kept: the export of the end looks at what is there."""
