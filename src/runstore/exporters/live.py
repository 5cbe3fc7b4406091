"""What a live mirror is told, as far as backends look at it, and what it has left in the finished run.

`runstore.tracking.mirror` has the values of these shapes: tracking stands above the exporters, so they cannot name its
classes. What a run was known by at a backend while it was logged stands in its `volatile/mirrors.json`, so that an
export takes up what is there. No digest covers that file: a backend believes it no further than it can check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from runstore import canonical
from runstore.errors import InvalidDataError
from runstore.shape import Node
from runstore.store.reader import Run

FILE = "mirrors.json"
_MOST_BYTES = 1024 * 1024


def left_by_mirror(run: Run, backend: str, warn: Callable[[str], None]) -> dict[str, str]:
    """What a run was known by at a backend while it was logged; {} if it was not, or if the file cannot be read."""
    try:
        file = run.source.open_volatile(FILE)
        if file is None:
            return {}
        with file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise InvalidDataError(f"is larger than {_MOST_BYTES} bytes")
        reports = dict(Node(canonical.parse_loose(data)).members())
        known = dict(reports[backend].members()).get("remote") if backend in reports else None
        return {} if known is None else {name: node.string() for name, node in known.members()}
    except (InvalidDataError, OSError) as error:
        told = error.message if isinstance(error, InvalidDataError) else error.strerror
        warn(f"{run.label}/volatile/{FILE} {told}: what was mirrored live is not taken up")
        return {}


class Facts(Protocol):
    """What is known of a run when it begins: `runstore.tracking.mirror.RunFacts`."""

    @property
    def project(self) -> str:
        """As in its identity."""
        ...

    @property
    def name(self) -> str:
        """As in its identity."""
        ...

    @property
    def folder(self) -> Path:
        """Where it will stand."""
        ...

    @property
    def tags(self) -> Mapping[str, str]:
        """Those it begins with."""
        ...

    @property
    def is_resumed(self) -> bool:
        """Whether it goes on from an earlier process."""
        ...

    @property
    def remote(self) -> Mapping[str, str]:
        """What the mirror said by which it will be known."""
        ...

    @property
    def points(self) -> Sequence[Live]:
        """Of a run that is resumed: the values with a step that hold so far, by step."""
        ...


class Live(Protocol):
    """A value as it was logged: `runstore.tracking.mirror.LivePoint`. It may be NaN or an infinity."""

    @property
    def name(self) -> str:
        """Of the metric."""
        ...

    @property
    def value(self) -> int | float:
        """The number."""
        ...

    @property
    def step(self) -> int | None:
        """None: it was logged without one."""
        ...
