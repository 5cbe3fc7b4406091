"""Finishing a run: its working folder in; in one step the run in its place, or an error and the folder as it was.

What differs between two runs of the same code goes to `volatile/`; the rest depends on what was logged alone. What the
format has no place for stands under `origin.tracking`, each member only if there is something to tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from runstore.canonical import JsonValue
from runstore.errors import InvalidDataError, InvalidRunError, StorageError
from runstore.manifest import Provenance, RunStatus
from runstore.record import JsonObject
from runstore.source import VOLATILE, FolderSource
from runstore.store.reader import read_run
from runstore.store.replacement import Replacement, copy_file, manifest_digest
from runstore.store.writer import RunWriter
from runstore.tracking import journal, story
from runstore.tracking.files import FOLDER, find_whole, is_plain, unlogged
from runstore.tracking.journal import TornLine
from runstore.tracking.soundness import is_sound
from runstore.tracking.story import Story
from runstore.tracking.values import is_number

_TORN_BYTES = 10_000
"""So much of a torn line is kept as text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """What a finished run holds: its folder, its status, and how much of what was logged."""

    path: Path
    run_id: str
    status: RunStatus
    points: int
    records: int
    artifacts: int
    torn: tuple[str, ...]
    """What was found torn, each as a short text; `volatile/torn.json` and `volatile/torn/` keep what there is of it."""
    not_numbers: tuple[str, ...]
    """Metrics that have no figure, for the value that would be it is not a number: they make the run a failed one."""
    unlogged: tuple[str, ...] = ()
    """Files that stood in its folder and were not logged: `volatile/unlogged/` keeps them."""


def finish(folder: Path, *, otherwise: RunStatus = "killed") -> Finished:
    """Make a working folder the run that its journal tells of, durably.

    `otherwise` is the status of a run whose journal does not tell of an end. The caller holds the journal's lock.
    Raises InvalidDataError if the journal makes no run, StorageError if the system fails; nothing is lost then.
    """
    path = folder / journal.FILE
    try:
        told = story.read(journal.read(path, is_sound))
        whole, torn = find_whole(folder, told)
        expected = manifest_digest(folder)
        with Replacement(folder, str(folder)) as replacement:
            written = _write(replacement.path, told, path, whole, torn, told.status or otherwise)
            _save(folder, FOLDER, replacement.path / VOLATILE / "torn", torn)
            others = unlogged(folder, told)
            _save(folder, "", replacement.path / VOLATILE / "unlogged", others)
            _check_made(replacement.path, str(folder))
            replacement.commit(expected)
    except OSError as error:
        raise StorageError(
            f"cannot finish the run: {error.strerror}",
            where=str(error.filename or folder),
            hint=f"nothing is lost: free some space, then `gate recover {folder}`",
        ) from error
    return Finished(
        path=folder,
        run_id=told.full_identity.run_id,
        status=written.status,
        points=written.points,
        records=told.records,
        artifacts=len(whole),
        torn=(
            *(f"line {line.number} of its journal, {len(line.data)} bytes" for line in told.torn),
            *(f"the artifact {name}" for name in torn),
        ),
        not_numbers=written.not_numbers,
        unlogged=tuple(others),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Written:
    status: RunStatus
    points: int
    not_numbers: tuple[str, ...]


def _write(
    place: Path, told: Story, path: Path, whole: Mapping[str, Path], torn: list[str], status: RunStatus
) -> _Written:
    """Write the finished run to a place where nothing stands."""
    points = list(told.points.settle())
    undecided = tuple(
        name for name, outcasts in told.points.outcasts.items() if outcasts.decide(told.declaration(name).aggregate)
    )
    if undecided and status == "completed":
        status = "failed"  # what cannot be judged must not pass: no figure could take the place of these
    with RunWriter(
        place,
        identity=told.full_identity,
        metrics=told.metrics,
        slices=told.slices,
        tags=told.tags,
        provenance=_provenance(told),
        status=status,
        notes=told.notes,
        origin=_origin(told, undecided, torn),
    ) as writer:
        for point in points:
            writer.log_metric(point.name, point.value, point.step)
        for values in records(path, told):
            writer.append(values)
        for name in sorted(whole):
            writer.add_artifact(whole[name], name)
        for name, value in _volatile(told):
            writer.add_volatile(name, value)
    return _Written(status=status, points=len(points), not_numbers=undecided)


def records(path: Path, told: Story) -> Iterator[JsonObject]:
    """The records of a journal whose story is told, in the order of logging."""
    for entry in journal.read(path, torn=frozenset(line.number for line in told.torn)):
        if not isinstance(entry, TornLine) and entry["op"] == "record":
            yield cast(JsonObject, entry["record"])


def _provenance(told: Story) -> Provenance:
    attempt = told.resumed + 1 if told.resumed else None
    return Provenance(**cast(dict[str, Any], told.provenance), attempt=attempt)


def _origin(told: Story, undecided: tuple[str, ...], torn: list[str]) -> JsonValue:
    kinds: dict[str, JsonValue] = {name: kept[-1].kind for name, kept in told.artifacts.items() if kept[-1].kind}
    facts: dict[str, JsonValue] = {
        "alerts": told.alerts,
        "artifacts": kinds,
        "datasets": dict(told.descriptions),
        "directions_by_name": list[JsonValue](sorted(told.told_by_name & told.metrics.keys())),
        "left_out": dict(told.left_out),
        "not_numbers": _outcasts(told, undecided),
        "overwritten": dict(told.points.overwritten),
        "torn": len(told.torn) + len(torn),
    }
    tracking: JsonValue = {name: value for name, value in facts.items() if value}
    return {"tracking": tracking} if tracking else None


def _outcasts(told: Story, undecided: tuple[str, ...]) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for name, outcasts in told.points.outcasts.items():
        last: dict[str, JsonValue] = {"value": repr(outcasts.value)}
        if outcasts.step is not None:
            last["step"] = outcasts.step
        found[name] = {"count": outcasts.count, "decides": name in undecided, "last": last}
    return found


def _torn_lines(told: Story) -> list[JsonValue]:
    return [
        {
            "bytes": len(line.data),
            "line": line.number,
            "text": line.data[:_TORN_BYTES].decode(errors="backslashreplace"),
        }
        for line in told.torn
    ]


def _save(folder: Path, inner: str, target: Path, names: list[str]) -> None:
    """Keep files of a working folder that are not what was logged, outside every digest."""
    for name in names:
        if is_plain(folder, folder / inner / name):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            copy_file(folder / inner / name, target / name)


def _check_made(place: Path, label: str) -> None:
    """Refuse to put in place what no command could read. Raises InvalidDataError."""
    try:
        read_run(FolderSource(place, label)).document("summary.json")
    except InvalidDataError as error:
        raise InvalidRunError(
            error.message, where=error.where, hint=f"what was logged is kept in {journal.FILE}, one line each"
        ) from error


def _volatile(told: Story) -> Iterator[tuple[str, JsonValue]]:
    facts: dict[str, JsonValue] = {**told.started}
    if told.ended is not None:
        facts["ended_at"] = told.ended
    if told.resumed:
        facts["resumed"] = told.resumed
    yield "tracking", facts
    yield from told.volatile.items()
    if told.mirrors:
        yield "mirrors", {backend: {"remote": dict(remote)} for backend, remote in told.mirrors.items()}
    if measures := {name: value for name, value in told.measures.items() if is_number(value)}:
        yield "measures", measures
    if told.torn:
        yield "torn", _torn_lines(told)
