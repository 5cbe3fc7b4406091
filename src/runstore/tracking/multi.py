"""Trackers with live mirrors: what is logged goes to plain files first, and to each backend from a queue of its own."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from runstore import canonical
from runstore.errors import UsageError
from runstore.source import VOLATILE
from runstore.tracking.config import TrackingConfig
from runstore.tracking.feed import QUEUE_CALLS, Feed, MirrorReport, report_json
from runstore.tracking.journal import Entry
from runstore.tracking.mirror import Findable, LivePoint, Mirror, OpenMirror, RunFacts
from runstore.tracking.run import TrackedRun, TrackingWarning
from runstore.tracking.tracker import Begun, ExperimentTracker

GROUP = "runstore.mirrors"
Options = Mapping[str, Mapping[str, str]]
"""Backend → its options."""


def find_mirror(backend: str) -> OpenMirror:
    """What opens mirrors at a backend: ours, else one of another package. Raises UsageError if there is none.

    What reads entry points, and the backends, cost start-up time: they are loaded when a mirror is asked for.
    """
    discovery = import_module("runstore.exporters.discovery")
    ours = discovery.find_mirror(backend)
    if ours is not None:
        return cast(OpenMirror, ours)
    entries = [*import_module("importlib.metadata").entry_points(group=GROUP)]
    for entry in entries:
        if entry.name == backend:
            try:
                return cast(OpenMirror, entry.load())
            except (ImportError, AttributeError) as error:
                told = f"the mirror to {backend!r:.40} of {entry.value!r:.80} cannot be loaded: {error}"
                raise UsageError(told, hint="install what it needs, or ask those who made it") from error
    names = ", ".join(sorted({*discovery.BACKENDS, *(entry.name for entry in entries)}))
    raise UsageError(
        f"no live mirror to {backend!r:.40} is installed",
        hint=f"there are {names}; a package adds one by the entry point group {GROUP}; `local` needs none",
    )


class MultiTracker(ExperimentTracker):
    """Tracks runs in plain files, and tells one or several backends what is logged.

    A backend that fails, hangs or is slow costs the run nothing: what it has not taken is counted, warned of at the end
    and written to `volatile/mirrors.json`.
    """

    def __init__(
        self,
        config: TrackingConfig | None = None,
        *,
        mirrors: Mapping[str, OpenMirror],
        options: Options | None = None,
        root: str | os.PathLike[str] = "experiments",
        clock: Callable[[], float] = time.time,
        queue_calls: int = QUEUE_CALLS,
        timeout_s: float = 30.0,
    ) -> None:
        """`timeout_s` is how long the end of a run waits for all backends together.

        Raises UsageError, or what a backend raises, if one of them lacks an SDK, a key or an address.
        """
        super().__init__(config, root=root, clock=clock)
        self._openers = dict(mirrors)
        self._options = options or {}
        self._queue_calls = queue_calls
        self._timeout_s = timeout_s
        self._opened = {backend: self._open(backend) for backend in self._openers}
        """Opened now, so that what is missing is told before anything is logged; the first run takes them."""

    def _open(self, backend: str) -> Mirror:
        return self._openers[backend](self._options.get(backend, {}))

    def _make(self, folder: Path, begun: Begun, facts: RunFacts) -> TrackedRun:
        feeds: list[Feed] = []

        def tell(method: str, *arguments: Any) -> None:
            if method == "points":
                numbers, step = arguments
                arguments = ([LivePoint(name=name, value=number, step=step) for name, number in numbers.items()],)
            for feed in feeds:
                feed.tell(method, *arguments)

        def at_end(run: TrackedRun) -> None:
            self._forget(run)
            self._close(run, feeds)

        run = self._run(folder, begun, tell, at_end)
        facts = replace(facts, points=list(_points(begun)))
        feeds += [
            Feed(backend, mirror, replace(facts, remote=_remote(backend, mirror, facts, begun)), self._queue_calls)
            for backend, mirror in self._mirrors()
        ]
        for method, argument in _known(begun):
            tell(method, argument)
        return run

    def _mirrors(self) -> Iterator[tuple[str, Mirror]]:
        for backend in self._openers:
            yield backend, self._opened.pop(backend) if backend in self._opened else self._open(backend)

    def _close(self, run: TrackedRun, feeds: Sequence[Feed]) -> None:
        """Tell the backends of the end, wait for them, and say what they lack."""
        assert run.finished is not None
        for feed in feeds:
            feed.close(run.finished.status, run.path)
        deadline = time.monotonic() + self._timeout_s
        reports = [feed.report(deadline) for feed in feeds]
        _keep(run.path, reports)
        for report in reports:
            if not report.is_complete:
                warnings.warn(f"{run.path}: {report.warning}", TrackingWarning, stacklevel=2)


def _remote(backend: str, mirror: Mirror, facts: RunFacts, begun: Begun) -> Mapping[str, str]:
    """What a run is known by at a backend; kept in the journal before anything is sent, so that no kill loses it."""
    if backend not in begun.story.mirrors and isinstance(mirror, Findable):
        with suppress(Exception):  # foreign code: whatever it does, the run goes on
            entry: Entry = {"op": "mirror", "backend": backend, "remote": dict(mirror.identify(facts))}
            begun.journal.append(canonical.encode(entry))
            begun.story.apply(entry)
    return begun.story.mirrors.get(backend, {})


def _points(begun: Begun) -> Iterator[LivePoint]:
    """The values with a step that hold so far, by step."""
    curves = begun.story.points.curves
    held = {
        (step, name): value
        for name, curve in curves.items()
        for step, value in zip(curve.steps, curve.values, strict=True)
    }
    for step, name in sorted(held):
        yield LivePoint(name=name, value=held[step, name], step=step)


def _known(begun: Begun) -> Iterator[tuple[str, object]]:
    """What a run knows from its settings, which the mirrors are told first."""
    told = begun.story
    if told.params:
        yield "params", dict(told.params)
    if told.tags:
        yield "tags", dict(told.tags)
    if told.notes is not None:
        yield "note", told.notes


def _keep(folder: Path, reports: Sequence[MirrorReport]) -> None:
    """Keep the reports beside the run; no digest covers them, and without them nothing is lost."""
    path = folder / VOLATILE / "mirrors.json"
    with suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(canonical.encode_document(report_json(reports)))
