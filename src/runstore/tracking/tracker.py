"""The tracker: settings in, runs of the store out, below `experiments/<project>/`.

Which run is active is known per thread and per task: those that start runs of their own do not meet. A thread that has
started none logs to the innermost run, if there is no doubt which that is.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar, Token
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from runstore import canonical
from runstore.errors import RunExistsError, StorageError, UsageError
from runstore.manifest import Identity
from runstore.tracking import journal, places, story, unfinished, values
from runstore.tracking.calls import Calls
from runstore.tracking.config import TrackingConfig
from runstore.tracking.ending import SignalGuard
from runstore.tracking.journal import Entry, Journal
from runstore.tracking.mirror import RunFacts
from runstore.tracking.run import Tell, TrackedRun
from runstore.tracking.soundness import check_declared, is_sound
from runstore.tracking.story import Story, changed_param, declare_entry

_ACTIVE: ContextVar[tuple[TrackedRun, ...]] = ContextVar("runstore_active_runs", default=())
"""The runs that this thread or task has started, of all trackers, the innermost last."""


class Activity:
    """Makes a run the active one while a generator's body runs, and what was active before again when it yields."""

    def __init__(self, run: TrackedRun) -> None:
        self._runs = (*_ACTIVE.get(), run)
        self._before: Token[tuple[TrackedRun, ...]] | None = None

    def __enter__(self) -> None:
        self._before = _ACTIVE.set(self._runs)

    def __exit__(self, *error: object) -> None:
        assert self._before is not None
        self._runs = _ACTIVE.get()
        _ACTIVE.reset(self._before)


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """A run that has begun: its journal, and what is in it."""

    journal: Journal
    story: Story
    is_resumed: bool


class ExperimentTracker(Calls):
    """Tracks runs in plain files. As a context manager it starts a run if none is active, and ends what is active."""

    def __init__(
        self,
        config: TrackingConfig | None = None,
        *,
        root: str | os.PathLike[str] = "experiments",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives seconds since 1970, for `volatile/` alone. Raises UsageError for a project that is no path."""
        self.config = config or TrackingConfig()
        self._typed, self._root = Path(root), Path(root).absolute()  # the program may change its folder later
        self._folder = places.project_folder(self._root, self.config.project)
        self._clock = clock
        self._runs: list[TrackedRun] = []
        self._nested: dict[TrackedRun, TrackedRun] = {}
        self._lock = Lock()
        self._guard = SignalGuard()

    def start_run(
        self,
        run_name: str | None = None,
        run_id: str | None = None,
        nested: bool = False,
        *,
        resume: bool = False,
        parent: TrackedRun | None = None,
    ) -> TrackedRun:
        """Start a run; calls on the tracker go to it until it ends.

        `run_name` is `identity.name`, and where the folder may be called so (`-2`, `-3` if it is taken) its folder.
        `run_id` is the folder exactly: it is refused if something stands there. `resume` goes on with a run of this
        id that was not finished, if there is one. `nested` links the run to the active one, or to `parent`.

        Raises UsageError where a run is active and `nested` is not set, RunExistsError, StorageError.
        """
        around = self._around(nested, parent)
        if resume and run_id is None:
            raise UsageError("which run is to go on?", hint="resume=True needs its run_id")
        name = values.name(run_name or run_id or places.DEFAULT_NAME, "run_name")
        folders = self._folders(name, run_id, around)
        identity = Identity(
            project=self.config.project,
            suite=self.config.experiment_name,
            name=name,
            parent=around.fix_identity() if around else None,
        )
        check_declared(self.config.metrics, identity, tuple(self.config.slices))
        places.check_free_of_runs(self._folder, self._root)
        try:
            folder, begun = self._begin(folders, identity, resume=resume)
        except OSError as error:
            raise StorageError(f"cannot begin a run: {error.strerror}", where=str(error.filename)) from error
        typed = self._typed / folder.relative_to(self._root)
        facts = RunFacts(
            project=identity.project,
            suite=identity.suite,
            name=name,
            folder=typed,
            parent=around.path if around else None,
            tags=begun.story.tags,
            is_resumed=begun.is_resumed,
        )
        return self._activate(typed, begun, facts, around)

    def _around(self, nested: bool, parent: TrackedRun | None) -> TrackedRun | None:
        """The run that a new one is nested in. Raises UsageError."""
        active = parent or self.active_here()
        if active is not None and not (nested or parent):
            raise UsageError(
                f"the run {active.path.name} is active", hint="end it first, or start the next with nested=True"
            )
        return (active or self._innermost()) if nested else active

    def _folders(self, name: str, run_id: str | None, around: TrackedRun | None) -> Iterator[Path]:
        if run_id is not None:
            return iter((places.exact(self._folder, run_id),))
        return places.free(self._folder, f"{around.path.name}.{name}" if around else name)

    def _begin(self, folders: Iterator[Path], identity: Identity, *, resume: bool) -> tuple[Path, Begun]:
        """Begin, or take up, a run at the first place that is free."""
        for folder in folders:
            if resume and unfinished.is_unfinished(folder):
                return folder, self._taken_up(folder, identity)
            if not folder.exists():
                try:
                    return folder, self._new(folder, identity)
                except RunExistsError:
                    pass  # another process was faster
            refused = unfinished.refuse_taken(folder)
        raise refused

    def _new(self, folder: Path, identity: Identity) -> Begun:
        config = self.config
        own: Entry = {"project": identity.project, "suite": identity.suite, "name": identity.name}
        if identity.parent is not None:
            own["parent"] = identity.parent
        told = Story()
        start: Entry = {
            "op": "start",
            "journal": story.JOURNAL,
            "identity": own,
            "slices": list(config.slices),
            "at": round(self._clock(), 3),
            "host": platform.node(),
            "pid": os.getpid(),
        }
        entries = [start, *self._settings(told)]
        opened = unfinished.create(folder, identity, [canonical.encode(entry) for entry in entries])
        for entry in entries:
            told.apply(entry)
        return Begun(journal=opened, story=told, is_resumed=False)

    def _taken_up(self, folder: Path, identity: Identity) -> Begun:
        """Go on with an unfinished run. Raises UsageError if it is another, or its process lives."""
        opened = unfinished.take(folder)
        try:
            opened.mend()
            told = story.read(journal.read(opened.path, is_sound))
            for what in ("suite", "name", "parent"):
                was, now = getattr(told.identity, what), getattr(identity, what)
                if was != now:
                    raise UsageError(
                        f"the {what} of {folder} is {was!r:.80}, not {now!r:.80}", hint="choose another run_id"
                    )
            resumed: Entry = {"op": "resume", "at": round(self._clock(), 3), "pid": os.getpid()}
            entries = [resumed, *self._settings(told)]
            opened.append(*map(canonical.encode, entries))
        except BaseException:
            opened.close()
            raise
        for entry in entries:
            told.apply(entry)
        return Begun(journal=opened, story=told, is_resumed=True)

    def _settings(self, told: Story) -> Iterator[Entry]:
        """What the settings say and a run does not know yet, as entries."""
        config = self.config
        for name, declared in config.metrics.items():
            known = told.metrics.get(name)
            if known is not None and declared.range not in (None, known.range):
                raise UsageError(
                    f"the metric {name!r:.80} is to have another range than it had when the run began",
                    hint="go on with the declarations it began with, or finish it: gate recover",
                )
            if known != declared:
                yield declare_entry(values.name(name, "the name of a metric"), declared)
        for name, value in config.tag_values.items():
            if told.tags.get(name) != value:
                yield {
                    "op": "tag",
                    "name": values.name(name, "the name of a tag"),
                    "value": values.text(value, "a tag"),
                }
        if config.notes is not None and told.notes is None:
            yield {"op": "note", "text": values.text(config.notes, "a note")}
        seeds = dict(values.params({f"seed.{name}": seed for name, seed in config.seeds.items()}))
        if new := changed_param(told, seeds):
            yield {"op": "params", "values": new}

    def _activate(self, folder: Path, begun: Begun, facts: RunFacts, around: TrackedRun | None) -> TrackedRun:
        run = self._make(folder, begun, facts)
        with self._lock:
            self._runs.append(run)
            if around is not None:
                self._nested[run] = around
        _ACTIVE.set((*_ACTIVE.get(), run))
        if self.config.log_code:
            run.log_code()
        return run

    def _make(self, folder: Path, begun: Begun, facts: RunFacts) -> TrackedRun:  # noqa: ARG002  # see MultiTracker
        """The run itself; a tracker with mirrors makes one that tells them."""
        return self._run(folder, begun, _tell_nobody, self._forget)

    def _run(self, folder: Path, begun: Begun, tell: Tell, at_end: Callable[[TrackedRun], None]) -> TrackedRun:
        return TrackedRun(folder, begun.journal, begun.story, self.config, tell=tell, clock=self._clock, at_end=at_end)

    def _forget(self, run: TrackedRun) -> None:
        """A run has ended, or was given up."""
        with self._lock:
            self._runs = [one for one in self._runs if one is not run]
            self._nested.pop(run, None)
        _ACTIVE.set(tuple(one for one in _ACTIVE.get() if one is not run))

    def active_here(self) -> TrackedRun | None:
        """The innermost run that this thread or task has started and not ended; None if there is none."""
        mine = (run for run in reversed(_ACTIVE.get()) if run in self._runs and run.is_ours)
        return next(mine, None)

    def _innermost(self) -> TrackedRun | None:
        """The innermost run of all; None if there is none. Raises UsageError where there are several."""
        with self._lock:
            around = set(self._nested.values())
            found = [run for run in self._runs if run not in around]
        if len(found) > 1:
            named = ", ".join(sorted(run.path.name for run in found)[:5])
            raise UsageError(
                f"several runs are active, and this thread has started none: {named}",
                hint="call the method of the run itself, which start_run has returned",
            )
        return found[0] if found else None

    @property
    def run(self) -> TrackedRun:
        """The run that is active here. Raises UsageError if there is none."""
        found = self.active_here() or self._innermost()
        if found is None:
            raise UsageError("no run is active", hint="call start_run first, or use `with tracker:`")
        return found

    def __enter__(self) -> Self:
        if self.active_here() is None:
            self.start_run()
        self._guard.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            while (run := self.active_here()) is not None:
                try:
                    run.leave(error)
                finally:
                    self._forget(run)
        finally:
            self._guard.end(error)


def _tell_nobody(method: str, *arguments: object) -> None:
    """The run has no mirror."""
