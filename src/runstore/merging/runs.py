"""A three-way merge of whole runs: three runs in; manifest and summary of the merged one out, or why there are none.

Git merges path by path, and so does this: a file that one side alone has changed is that side's; files of lines that
both have changed are merged by their keys. What comes of it is verified in full before it is told. So it can be
foreseen, while git merges one document, what the other files of the run will be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from runstore import canonical, manifest, record, series, shards, summary, verification
from runstore.canonical import JsonValue
from runstore.errors import InvalidDataError, InvalidRunError
from runstore.manifest import FileEntry, Manifest
from runstore.merging import lines, members
from runstore.record import JsonObject
from runstore.source import Source
from runstore.store.reader import Run, read_run
from runstore.summary import Tally

_MANIFEST, _SUMMARY = "manifest.json", "summary.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class MergedRun:
    """The documents of a merged run, and whether git makes the same summary of it."""

    manifest: bytes
    summary: bytes
    has_summary: bool
    """False if both sides have one summary and the merge needs another: git does not ask about that file."""


def merge(base: Run | None, ours: Run, theirs: Run) -> MergedRun:
    """Merge two runs that come from a common one; None if there is none.

    Raises InvalidRunError if only a person can decide, or if what came out would be no sound run.
    """
    merged = members.merge(None if base is None else _json(base), _json(ours), _json(theirs))
    if merged.conflicts:
        raise InvalidRunError("both sides have changed it", where=f"{_MANIFEST} {merged.conflicts[0]}")
    files = _Files(base, ours, theirs)
    described = manifest.from_json({**merged.ours, "files": _entries(files.entries)})
    document = canonical.encode_document(_summary(described, files, ours))
    entry = FileEntry(sha256=canonical.sha256(document), size=len(document))
    complete = canonical.encode_document({**merged.ours, "files": _entries({**files.entries, _SUMMARY: entry})})
    read_run(_Overlay({**files.merged, _MANIFEST: complete, _SUMMARY: document}, files.taken))
    foreseen = _taken([_entry(run, _SUMMARY) for run in (base, ours, theirs)])
    return MergedRun(manifest=complete, summary=document, has_summary=foreseen in ([], [entry]))


def _json(run: Run) -> JsonObject:
    return manifest.to_json(run.manifest)  # type: ignore[return-value]  # a manifest is an object


def _entries(files: Mapping[str, FileEntry]) -> JsonValue:
    described = Manifest(identity=manifest.Identity(), metrics={}, files=files)
    return manifest.to_json(described)["files"]  # type: ignore[index,call-overload]  # a manifest is an object


def _entry(run: Run | None, path: str) -> FileEntry | None:
    return None if run is None else run.manifest.files.get(path)


def _taken(entries: list[FileEntry | None]) -> list[FileEntry | None]:
    """The version of a file that git takes without a question; empty if both sides have changed it."""
    base, ours, theirs = entries
    if ours == theirs or base == theirs:
        return [ours]
    return [theirs] if base == ours else []


class _Files:
    """The files of a merged run, but for its two documents."""

    def __init__(self, base: Run | None, ours: Run, theirs: Run) -> None:
        self.entries: dict[str, FileEntry] = {}
        self.taken: dict[str, Source] = {}
        """Path → where its bytes are, for a file that is as one side has it."""
        self.merged: dict[str, bytes] = {}
        """Path → bytes, for a file that is as no side has it."""
        self._runs = base, ours, theirs
        _check_cuts(base, ours, theirs)
        for path in sorted({**ours.manifest.files, **theirs.manifest.files}):
            if path != _SUMMARY:
                self._add(path)

    def _add(self, path: str) -> None:
        found = _taken([_entry(run, path) for run in self._runs])
        if not found:
            self._merge(path)
            return
        entry = found[0]
        if entry is not None:
            self.entries[path] = entry
            side = next(run for run in self._runs[1:] if _entry(run, path) == entry)
            assert side is not None
            self.taken[path] = side.source

    def _merge(self, path: str) -> None:
        form = lines.SERIES if path == series.FILE else lines.RECORDS
        ours, theirs = (_entry(run, path) for run in self._runs[1:])
        if "/" in path or ours is None or theirs is None:
            raise InvalidRunError("both sides have changed it", where=path)
        try:
            base, one, other = (_bytes(run, path) for run in self._runs)
            merged = lines.merge(base, one, other, form)
        except InvalidDataError as error:
            raise InvalidRunError(error.message, where=f"{path} {error.where}".rstrip()) from error
        if merged.conflicts:
            name = form.name(merged.conflicts[0].key)
            raise InvalidRunError(f"both sides have changed {name!r}", where=path)
        if not merged.parts and path != shards.SINGLE:
            raise InvalidRunError("no line of it is left", where=path)
        data = merged.text()
        self.merged[path] = data
        self.entries[path] = FileEntry(
            sha256=canonical.sha256(data),
            size=len(data),
            lines=len(merged.parts),
            first=record.line_id(data[: data.index(b"\n")]).decode() if shards.is_shard(path) else None,
        )


def _check_cuts(base: Run | None, ours: Run, theirs: Run) -> None:
    """Refuse records that both sides have changed and that are not cut at the same ids in all versions.

    Then files of one name hold other ranges of keys, and a record that one side has removed would come back from the
    file into which it has moved on the other. Raises InvalidRunError.
    """
    versions = [run for run in (base, ours, theirs) if run is not None]
    records = [{path: run.manifest.files[path] for path in run.record_files} for run in versions]
    if records[-2] == records[-1] or (base is not None and records[0] in records[1:]):
        return  # one side alone has changed them, or both in the same way
    cuts = [[(path, run.manifest.files[path].first) for path in run.record_files[1:]] for run in versions]
    if any(one != cuts[0] for one in cuts) or len({run.record_files[0] for run in versions}) > 1:
        raise InvalidRunError("both sides have changed records, and their shards begin at other ids", where="records")


def _bytes(run: Run | None, path: str) -> bytes:
    """The bytes of a listed file, by its digest; empty if there is none."""
    entry = _entry(run, path)
    if run is None or entry is None:
        return b""
    return b"".join(block.data for block in run.blocks([path]))


def _summary(described: Manifest, files: _Files, ours: Run) -> JsonValue:
    """The summary of a merged run; every line that is not ours is checked on the way. Raises InvalidDataError."""
    run = Run(source=_Overlay(files.merged, files.taken), manifest=described, digest="")
    tally = _moved(run, ours) if _can_move(described, ours.manifest) else verification.derive(run)
    return summary.to_json(tally, Counter(point.name for point in run.points()))


def _can_move(described: Manifest, ours: Manifest) -> bool:
    """Whether what our summary says can be carried on: nothing is declared otherwise, and no shard can be cut wrong."""
    if (described.metrics, described.slices) != (ours.metrics, ours.slices):
        return False
    sizes = [about.files[shards.SINGLE].size for about in (described, ours) if shards.SINGLE in about.files]
    return len(sizes) == 2 and shards.rank(max(sizes), 1) is None


def _moved(run: Run, ours: Run) -> Tally:
    """The tally of a run by what our summary says, less the records that went, plus those that came."""
    before, after = (set(_bytes(one, shards.SINGLE).split(b"\n")) - {b""} for one in (ours, run))
    tally, _ = summary.from_json(ours.document(_SUMMARY))
    gone, come = Tally(ours.manifest.slices), Tally(ours.manifest.slices)
    for line in before - after:
        gone.add(canonical.loads(line))  # type: ignore[arg-type]  # our own record
    for line in after - before:
        try:
            come.add(record.read(line, run.manifest.ranges))
        except InvalidDataError as error:
            name = record.key_text(record.line_key(line))
            raise InvalidRunError(error.message, where=f"{shards.SINGLE} {name!r} {error.where}") from error
    return tally.minus(gone).plus(come)


class _Overlay:
    """A source of bytes in memory, and of files of other sources."""

    def __init__(self, data: Mapping[str, bytes], taken: Mapping[str, Source]) -> None:
        self._data = data
        self._taken = taken

    @property
    def label(self) -> str:
        """How messages name it."""
        return "the merged run"

    def sizes(self) -> dict[str, int]:
        """Path → size in bytes."""
        known = {id(source): source.sizes() for source in self._taken.values()}
        taken = {path: known[id(source)][path] for path, source in self._taken.items()}
        return {**taken, **{path: len(data) for path, data in self._data.items()}}

    def open(self, path: str) -> BinaryIO:
        """The bytes of a file."""
        return BytesIO(self._data[path]) if path in self._data else self._taken[path].open(path)

    def open_volatile(self, name: str) -> None:
        """It has nothing volatile."""
