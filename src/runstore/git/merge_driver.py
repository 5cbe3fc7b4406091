"""The merge driver: the bytes of three versions of one path in; what git is to have in its place out.

A file of lines is merged by itself. A document says what follows from the other files of the run, which git merges at
the same time and shows to nobody: so all of the run is looked up at the commits that are merged, and merged in memory.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from runstore import canonical, series, shards
from runstore.errors import InvalidDataError, InvalidRunError, UsageError
from runstore.git.drivers import OUTER_SIZE
from runstore.git.repository import Repository
from runstore.git.versions import Role, Versions
from runstore.merging import lines, members, runs
from runstore.merging.documents import in_conflict
from runstore.record import JsonObject
from runstore.store.reader import Run, read_run

_MANIFEST, _SUMMARY = "manifest.json", "summary.json"
_MEMBERS = ("files", "format", "identity")
_OTHER_SUMMARY = "both sides have the same summary, the merge needs another, and git asks only about this file"
Bytes3 = tuple[bytes, bytes, bytes]
"""Base, ours, theirs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """How conflicts are marked: the labels of the sides, and how long the marks are."""

    labels: tuple[str, str] = ("ours", "theirs")
    size: int = 7

    @classmethod
    def of(cls, given: Sequence[str], size: int) -> Names:
        """The names that git gives, of base, ours and theirs. Old versions of git leave `%S` and the like standing.

        Attributes can ask for marks of any length; those shorter than usual would be known to nobody.
        """
        size = max(size, OUTER_SIZE)
        if len(given) != 3 or any(label in ("", "%X", "%Y") for label in given[1:]):
            return cls(size=size)
        return cls(labels=(given[1], given[2]), size=size)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The bytes of the path. With a problem, they hold a conflict, and the advice says what to do about it."""

    data: bytes
    problem: str | None = None
    advice: str = ""


def merge_path(versions: Bytes3, path: str, names: Names, environment: Mapping[str, str]) -> Outcome | None:
    """Merge one path, seen from the root of the repository; None if it is no file of a run.

    Works in the repository of the working folder. Raises OSError.
    """
    name = posixpath.basename(path)
    if name == shards.SINGLE or shards.is_shard(name) or name == series.FILE:
        return _lines(versions, path, names)
    if name == _MANIFEST:
        return _manifest(versions, path, names, environment)
    return _summary(versions, path, names, environment) if name == _SUMMARY else None


def _lines(versions: Bytes3, path: str, names: Names) -> Outcome | None:
    form = lines.SERIES if posixpath.basename(path) == series.FILE else lines.RECORDS
    try:
        merged = lines.merge(*versions, form)
    except InvalidDataError:
        return None
    data = merged.text(names.labels, names.size)
    if not merged.conflicts:
        return Outcome(data=data)
    first, *more = (repr(form.name(conflict.key)) for conflict in merged.conflicts)
    others = f" and {len(more):,} more" if more else ""
    return Outcome(data=data, problem=f"both sides have changed {first}{others}", advice=_advice(path))


def _advice(path: str) -> str:
    folder = shlex.quote(posixpath.dirname(path) or ".")
    return f"settle what is marked in the records, if anything is; gate rebuild {folder}; git add {folder}"


def _manifest(versions: Bytes3, path: str, names: Names, environment: Mapping[str, str]) -> Outcome | None:
    ours, theirs = (_object(data) for data in versions[1:])
    if not all(side and all(name in side for name in _MEMBERS) for side in (ours, theirs)):
        return None
    assert ours is not None
    assert theirs is not None
    made = _documents(versions, path, environment)
    if isinstance(made, runs.MergedRun) and made.has_summary:
        return Outcome(data=made.manifest)
    merged = members.merge(_object(versions[0]) if versions[0] else {}, ours, theirs)
    one, other = (canonical.encode_document(side) for side in (merged.ours, merged.theirs))
    data = in_conflict(one, other, names.labels, names.size)
    problem = _OTHER_SUMMARY if isinstance(made, runs.MergedRun) else made
    return Outcome(data=data, problem=problem, advice=_advice(path))


def _summary(versions: Bytes3, path: str, names: Names, environment: Mapping[str, str]) -> Outcome | None:
    if not all(side and "format" in side and "records" in side for side in map(_object, versions[1:])):
        return None
    made = _documents(versions, path, environment)
    if isinstance(made, runs.MergedRun):
        return Outcome(data=made.summary)
    return Outcome(
        data=in_conflict(versions[1], versions[2], names.labels, names.size), problem=made, advice=_advice(path)
    )


def _object(data: bytes) -> JsonObject | None:
    try:
        value = canonical.decode_document(data)
    except InvalidDataError:
        return None
    return value if isinstance(value, dict) else None


def _documents(versions: Bytes3, path: str, environment: Mapping[str, str]) -> runs.MergedRun | str:
    """The documents of the merged run that the path belongs to; or why there are none."""
    try:
        with closing(Repository()) as repository:
            found = Versions(repository, path, environment)
            base, ours, theirs = (_run(found, data, role) for data, role in zip(versions, Role, strict=True))
            if ours is None or theirs is None:
                raise _nowhere("one of the sides")
            return runs.merge(base, ours, theirs)
    except (InvalidDataError, UsageError) as error:
        return f"{error.where}: {error.message}" if error.where else error.message


def _run(versions: Versions, data: bytes, role: Role) -> Run | None:
    """The run of one version, opened; None if there is no such version. Raises InvalidRunError if it is not found."""
    if not data:
        return None
    source = versions.run_with(data, role)
    if source is None:
        raise _nowhere(role.value)
    return read_run(source)


def _nowhere(label: str) -> InvalidRunError:
    return InvalidRunError(f"the run of {label} stands at no commit that is known, or it is not clear which it is")
