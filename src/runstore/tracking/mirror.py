"""What a live mirror of a run is: a backend that is told what is logged, while it is logged.

The run in plain files comes first, always; a mirror is told afterwards, from a queue of its own, in one thread of its
own, and nothing that it does or fails to do reaches the run. A package offers one by the entry point group
`runstore.mirrors`: a name, and a function `open_mirror(options) -> Mirror` that raises RunstoreError if an SDK, a key
or an address is missing, with what to install or set.

A mirror that is `Findable` says by what its run will be known at the backend, before anything is sent. That is kept in
the journal, then in `volatile/mirrors.json`: a run that is resumed goes on in its own run there, and the export of the
finished run takes it up instead of making another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from runstore.canonical import JsonValue
from runstore.manifest import Dataset, RunStatus
from runstore.record import JsonObject


@dataclass(frozen=True, kw_only=True, slots=True)
class LivePoint:
    """A value as it was logged; it may be NaN or an infinity. `step` None: it was logged without one."""

    name: str
    value: int | float
    step: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFacts:
    """What a run is called when it begins. `folder` is where it will stand."""

    project: str
    suite: str
    name: str
    folder: Path
    parent: Path | None = None
    """The folder of the run that this one is nested in."""
    tags: Mapping[str, str] = field(default_factory=dict)
    is_resumed: bool = False
    remote: Mapping[str, str] = field(default_factory=dict)
    """What `Findable.identify` said when the run began; of a run that is resumed, at its first beginning."""
    points: Sequence[LivePoint] = ()
    """Of a run that is resumed: the values with a step that hold so far, by step."""


class Mirror(Protocol):
    """One run at one backend. Called by one thread, in the order of logging; an exception costs that call alone."""

    def open(self, run: RunFacts) -> None:
        """Begin."""
        ...

    def params(self, values: Mapping[str, JsonValue]) -> None:
        """Params that are new."""
        ...

    def points(self, points: Sequence[LivePoint]) -> None:
        """Values of metrics."""
        ...

    def tags(self, values: Mapping[str, str]) -> None:
        """Tags that are new or changed."""
        ...

    def note(self, text: str) -> None:
        """The note, as it now is."""
        ...

    def dataset(self, dataset: Dataset) -> None:
        """A data set that is asked about."""
        ...

    def artifact(self, path: Path, name: str) -> None:
        """A file of the run, which stands at `path`."""
        ...

    def records(self, records: Sequence[JsonObject]) -> None:
        """Per-sample results."""
        ...

    def close(self, status: RunStatus, folder: Path) -> None:
        """The end: the run is finished and stands in `folder`."""
        ...


@runtime_checkable
class Findable(Protocol):
    """A mirror whose run can be found again at the backend."""

    def identify(self, run: RunFacts) -> Mapping[str, str]:
        """By what the run will be known there; without secrets, and without asking the backend. Called once a run."""
        ...


OpenMirror = Callable[[Mapping[str, str]], Mirror]
"""Options of the backend in, a mirror out. Called once for each run."""
