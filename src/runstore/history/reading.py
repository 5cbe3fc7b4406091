"""Getting the past of a baseline out of git: two processes, one that lists commits and one that answers with objects.

Bytes that a partial clone does not have end the history, as the end of a shallow clone does; if it is the newest commit
whose bytes are not there, that is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from runstore import series, shards
from runstore.errors import InvalidDataError, UsageError
from runstore.git.log import Commit, commits, cuts
from runstore.git.objects import Member, Objects
from runstore.git.process import GitError
from runstore.git.repository import Repository
from runstore.history import ancestry, record_lines, states, timeline
from runstore.history.ancestry import Ancestry, Cut, Standing
from runstore.history.states import Documents, Gap, Group, State
from runstore.history.timeline import End, History
from runstore.manifest import Manifest

_MOST_REMEMBERED = 8
_DOCUMENT_BYTES = 32 * 1024 * 1024
_POINTS_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """A folder of a repository, from its root, as the commits up to `tip` have it. `ref` is what names that commit."""

    repository: Repository
    path: str
    ref: str
    tip: str

    @property
    def label(self) -> str:
        """The place as it could be typed."""
        return f"{self.ref}:{self.path}"


def history(baseline: Baseline, metric: str | None, group: Group | None, most: int | None) -> History:
    """The last `most` commits that changed a baseline, and what they say. Raises UsageError if there is none."""
    listed = _commits(baseline, first_parent=True)
    objects = Objects()
    try:
        walk = _Walk(baseline, objects)
        found = timeline.rows(walk.states(listed, metric, group), metric, most)
    finally:
        objects.close()
    end: End = "start"
    if most is not None and len(found) > most:
        found, end = found[:most], "more"
    elif walk.lost:
        end = "partial"
    elif baseline.repository.is_shallow and found[-1].commit.oid in cuts():
        end = "shallow"
    return History(path=baseline.path, ref=baseline.ref, tip=baseline.tip, group=group, rows=found, end=end)


def blame(baseline: Baseline, record_id: str, repeat: int | None) -> Ancestry:
    """The changes of a record of a baseline. Raises UsageError if no commit has it."""
    listed = _commits(baseline, first_parent=False)
    cut = cuts() if baseline.repository.is_shallow else frozenset()
    objects = Objects()
    try:
        lines = _Lines(_Walk(baseline, objects), record_id)
        chosen = _chosen(lines.read(listed[0]), repeat, record_id)

        def read(commit: Commit) -> Standing:
            try:
                found = lines.read(commit)
            except GitError as error:  # the newest has been read already
                return Gap(kind="lost", message=error.message)
            return found if isinstance(found, Gap) else found.get(chosen)

        now = read(listed[0])
        steps = ancestry.steps(listed, read, cut)
    finally:
        objects.close()
    if all(step.kind == "unreadable" for step in steps):
        raise _no_record(baseline, record_id, chosen, readable=not steps)
    record = record_lines.parsed(now) if isinstance(now, bytes) and steps[0].kind != "unreadable" else {}
    how: Cut = "shallow" if steps[-1].commit.oid in cut else "partial"
    return Ancestry(
        path=baseline.path,
        ref=baseline.ref,
        tip=baseline.tip,
        record=record_id,
        repeat=chosen,
        steps=steps,
        since=ancestry.since(steps, record),
        cut=how if steps[-1].is_cut else None,
    )


def _no_record(baseline: Baseline, record_id: str, repeat: int, *, readable: bool) -> UsageError:
    what = f"a record {record_id!r}" if repeat == 1 else f"a repeat {repeat} of a record {record_id!r}"
    which = "no commit" if readable else "no commit that can be read"
    return UsageError(f"{baseline.label}: {which} has {what}", hint="ids are compared exactly; see: gate show")


def _chosen(now: Mapping[int, bytes] | Gap, repeat: int | None, record_id: str) -> int:
    """The repeat that is asked for. Raises UsageError if there are several and none is named."""
    if repeat is not None:
        return repeat
    found = sorted(now) if not isinstance(now, Gap) else []
    if len(found) > 1:
        raise UsageError(f"record {record_id!r} has {len(found)} repeats", hint=f"name one: --repeat {found[0]}")
    return found[0] if found else 1


def _commits(baseline: Baseline, *, first_parent: bool) -> list[Commit]:
    found = commits(baseline.tip, baseline.path, baseline.repository.prefix, first_parent=first_parent)
    if not found:
        hint = "the path starts where you are; a folder that was renamed has its history under its older name"
        raise UsageError(f"{baseline.label}: no commit has anything there", hint=hint)
    return found


class _Walk:
    """Reads what commits have of a baseline. Bytes that are not in the clone stop it, but for those of the newest."""

    def __init__(self, baseline: Baseline, objects: Objects) -> None:
        self._baseline = baseline
        self._objects = objects
        self.lost = False

    def states(
        self, listed: Sequence[Commit], metric: str | None, group: Group | None
    ) -> Iterator[tuple[Commit, State | Gap]]:
        for index, commit in enumerate(listed):
            try:
                found = self._state(commit, metric, group)
            except GitError:
                if index == 0:
                    raise
                self.lost = True
                return
            yield commit, found

    def _state(self, commit: Commit, metric: str | None, group: Group | None) -> State | Gap:
        names = self.names(commit)
        if isinstance(names, Gap):
            return names
        try:
            found = Documents(manifest=self.file(names, "manifest.json"), summary=self.file(names, "summary.json"))
            made = states.state(found, group)
            if isinstance(made, Gap) or group is not None or (metric is not None and metric in made.values):
                return made
            points = self.file(names, series.FILE)
        except InvalidDataError as error:
            return states.invalid(error.where.rpartition("/")[2], "", error.message)
        return made if points is None else states.state(replace(found, points=points), group)

    def names(self, commit: Commit) -> Mapping[str, Member] | Gap:
        """What stands in the folder at a commit."""
        found = self._objects.folder(commit.oid, self._baseline.path)
        return Gap(kind="missing", message="the folder is not there") if found is None else found

    def file(self, names: Mapping[str, Member], name: str) -> bytes | None:
        """A file of the folder; None if there is none. Raises GitError, InvalidRunError if it is too large."""
        member = names.get(name)
        if member is None or not member.is_file:
            return None
        most = _POINTS_BYTES if name == series.FILE else _DOCUMENT_BYTES
        return self._objects.read(member.oid, self._where(name), most)

    def blocks(self, member: Member, name: str) -> Iterator[bytes]:
        """The bytes of a file of the folder."""
        return self._objects.blocks(member.oid, self._where(name))

    def _where(self, name: str) -> str:
        return f"{self._baseline.label}/{name}"


class _Lines:
    """Reads the lines of one record. A file of records that two commits share is read once."""

    def __init__(self, walk: _Walk, record_id: str) -> None:
        self._walk = walk
        self._id = record_id
        self._remembered: dict[str, dict[int, bytes] | Gap] = {}

    def read(self, commit: Commit) -> Mapping[int, bytes] | Gap:
        """Repeat → line of the record at a commit."""
        names = self._walk.names(commit)
        if isinstance(names, Gap):
            return {}  # no baseline, no record
        try:
            about = states.described(self._walk.file(names, "manifest.json"))
        except InvalidDataError as error:
            return states.invalid("manifest.json", "", error.message)
        if isinstance(about, Gap):
            return {} if about.kind == "missing" else about
        return self._of_run(names, about)

    def _of_run(self, names: Mapping[str, Member], about: Manifest) -> Mapping[int, bytes] | Gap:
        try:
            name = record_lines.file_of(about.files, shards.record_files(about.files), self._id)
        except InvalidDataError as error:
            return states.invalid("manifest.json", error.where, error.message)
        member = names.get(name)
        if member is None or not member.is_file:
            return states.invalid(name, "", "not there")
        key = f"{member.oid} {about.files[name].sha256}"
        if key not in self._remembered:
            while len(self._remembered) >= _MOST_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[key] = self._find(name, member, about.files[name].sha256)
        return self._remembered[key]

    def _find(self, name: str, member: Member, sha256: str) -> dict[int, bytes] | Gap:
        try:
            return record_lines.find(self._walk.blocks(member, name), sha256, self._id)
        except InvalidDataError as error:
            return states.invalid(name, error.where, error.message)
