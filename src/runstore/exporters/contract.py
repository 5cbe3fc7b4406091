"""What every exporter agrees on: a plan that can be printed, a push that can be repeated, a check that reads back.

A finished run goes in. `plan` is pure: it reads the run and says all that would be sent, and all that the backend
cannot hold as it is (renamed, converted, truncated, dropped, attached as a file, in conflict). `push` sends a plan
within a budget of time; after a failure it is called again and goes on. `verify` reads back and compares with the plan.
A backend is a package beside this module that offers an `Exporter` as its attribute `exporter`; it knows no other one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.errors import StorageError, UsageError
from runstore.store.reader import Run

Kind = Literal["run", "param", "tag", "note", "dataset", "metric", "record", "artifact"]
Deed = Literal["renamed", "converted", "truncated", "dropped", "redacted", "attached", "conflict"]


class ExportError(StorageError):
    """A backend was down, slow, or refused; the run is unharmed, and exporting it again goes on (exit 74)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One thing that does not reach the backend as it stands in the run.

    `name` is what it is called in the run, `sent` what the backend gets (None: nothing), `reason` why, in words.
    """

    kind: Kind
    name: str
    deed: Deed
    sent: str | None
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedPoint:
    """A number at a step, named and valued as the backend will hold it. `step` is from 0."""

    name: str
    step: int
    value: float

    @property
    def timestamp(self) -> int | None:
        """Milliseconds since 1970, if one is sent; never a clock's."""
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """A file at the backend: `path` there; its bytes are a file of the run (`origin`) or made for it (`content`)."""

    path: str
    origin: str | None = None
    content: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """All that will be sent, in order. A backend that sends more kinds derives from this class.

    `key` names the run at the backend: derived from the run's digest and the target, so the same run exported twice, or
    by two jobs at once, is one run there, and a changed run is another. `previous` is the key of the export of the same
    question (run id) before, if the ledger knows one: the new run is linked to it.
    """

    backend: str
    target: str
    """Where to, without any secret: an address, a folder, an entity and project."""
    run_id: str
    digest: str
    key: str
    title: str
    status: str
    previous: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    note: str | None = None
    points: Sequence[PlannedPoint] = ()
    attachments: Sequence[Attachment] = ()
    changes: Sequence[Change] = ()

    def counts(self) -> dict[str, int]:
        """How many of each kind are sent, in the order they are told. A deriving class adds its own kinds."""
        return {
            "params": len(self.params),
            "tags": len(self.tags),
            "notes": int(self.note is not None),
            "points": len(self.points),
            "files": len(self.attachments),
        }

    def more(self) -> dict[str, JsonValue]:
        """What is sent beside what every plan holds: kind → what of it, by name where it has one. For people to read.

        A deriving class names all its own kinds, so that nothing is sent that a dry run does not show.
        """
        return {}


def plan_key(backend: str, target: str, digest: str) -> str:
    """The key of a run at a target: 32 hexadecimal digits, the same whenever and wherever it is asked."""
    return hashlib.sha256(canonical.encode([backend, target, digest])).hexdigest()[:32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What a person asked of an export. `environment` is the process's, passed in so that planning stays pure.

    Raises UsageError for a target or glob that is no text (bytes of another encoding than UTF-8).
    """

    target: str | None = None
    redact: Sequence[str] = ()
    """Globs of names of params, tags and record fields that never leave the machine."""
    records: bool = True
    artifacts: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    previous: str | None = None
    live: Mapping[str, str] = field(default_factory=dict)
    """What a live mirror of this run was known by at the backend; {} if there was none. Anybody may have written it."""

    def __post_init__(self) -> None:
        for what, text in (("target", self.target or ""), *(("glob of --redact", glob) for glob in self.redact)):
            if not text.isprintable() and any("\ud800" <= one <= "\udfff" for one in text):
                raise UsageError(f"the {what} holds bytes that are no UTF-8", hint="name it in another way")


class Budget(Protocol):
    """The time that is left for all requests together."""

    def left(self) -> float:
        """Seconds left, 0 or more. Raises ExportError, saying what was sent and what to do, when none is left."""
        ...

    def pause(self, seconds: float) -> None:
        """Wait before another try, as long as the budget lasts. Raises ExportError."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """What a push or a check is given besides plan and run.

    `progress` is what the last unfinished push of this plan kept ({} at first); `keep` stores it durably, to be called
    after each batch; `warn` tells a person something.
    """

    environment: Mapping[str, str]
    budget: Budget
    progress: Mapping[str, JsonValue]
    keep: Callable[[Mapping[str, JsonValue]], None]
    warn: Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What a push came to: the backend's own id, where a person looks at it, and what it cost."""

    remote_id: str
    url: str | None
    requests: int
    created: bool
    """False if this very run was there already, whole."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A thing that reads back other than planned; None means that it is not there."""

    kind: Kind
    name: str
    planned: str | None
    found: str | None


@runtime_checkable
class WritesFolders(Protocol):
    """What an exporter offers as well if its target may be a folder of this machine."""

    def folders(self, plan: Plan, environment: Mapping[str, str]) -> tuple[Path, Path] | None:
        """The folder that is the target, and that of the run in it; None if this target is no folder."""
        ...


class Exporter(Protocol):
    """One backend. Stateless; discovered by the entry point group `runstore.exporters` or the table of this package."""

    name: str

    def plan(self, run: Run, options: Options) -> Plan:
        """All that would be sent. Pure. Raises UsageError for a target that cannot be, InvalidRunError for the run."""
        ...

    def push(self, plan: Plan, run: Run, visit: Visit) -> Receipt:
        """Send a plan, or what is missing of it. Raises ExportError; UsageError for a missing SDK or key."""
        ...

    def verify(self, plan: Plan, run: Run, visit: Visit) -> Sequence[Difference]:
        """Read back and compare, number by number. Raises as `push`."""
        ...
