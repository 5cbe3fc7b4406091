"""A specimen: a baseline held in memory, from which damaged copies are made. Nothing is written to any folder.

A run comes in, whole or as a sample of its records; runs come out that `compare` reads like any other, because it asks
its source for bytes and does not care where they are. A copy costs what differs in it: lines that stay are not read.
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO, NamedTuple

from runstore import canonical, manifest, record, series, shards, summary, verification
from runstore.canonical import JsonValue
from runstore.manifest import FileEntry, Manifest
from runstore.record import JsonObject
from runstore.series import Point
from runstore.source import Source
from runstore.store.reader import Run, read_run
from runstore.summary import Tally
from runstore.verification import Progress, no_progress

MOST_RECORDS = 20_000
MOST_BYTES = 24 * 1024 * 1024
_HASH_RANGE = 1 << 64
_NO_SCORES: Mapping[str, int | float] = {}
_NO_TAGS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class MemorySource:
    """The files of a run as bytes. For `volatile/` it asks the source that it was made of, unless `volatile` is given.

    `volatile`: name → bytes of the files there are instead.
    """

    label: str
    files: Mapping[str, bytes]
    beside: Source
    volatile: Mapping[str, bytes] | None = None

    def sizes(self) -> dict[str, int]:
        """Path → size of every file outside `volatile/`."""
        return {path: len(data) for path, data in sorted(self.files.items())}

    def open(self, path: str) -> BinaryIO:
        """The bytes of one file."""
        return io.BytesIO(self.files[path])

    def open_volatile(self, name: str) -> BinaryIO | None:
        """The bytes of a file of `volatile/`; None if there is none."""
        if self.volatile is None:
            return self.beside.open_volatile(name)
        return io.BytesIO(self.volatile[name]) if name in self.volatile else None


class Row(NamedTuple):
    """What damages ask of a record. `scores` is empty when the record is not `ok`: then they do not count."""

    key: tuple[bytes, int]
    status: str
    scores: Mapping[str, int | float]
    tags: Mapping[str, str]

    @property
    def id(self) -> str:
        """The id as text."""
        return self.key[0].decode()


@dataclass(frozen=True, kw_only=True, slots=True)
class Specimen:
    """The records of a run, all of them or a sample, with totals and points: what copies are made of."""

    manifest: Manifest
    source: Source
    lines: Sequence[bytes]
    rows: Sequence[Row]
    tally: Tally
    points: Sequence[Point] = ()
    records_in_baseline: int = 0
    spread: Sequence[int] = field(default_factory=tuple)
    """Indices of the records by the SHA-256 of their ids: an order in which neighbours have nothing in common."""

    @property
    def sampled(self) -> bool:
        """Whether records were left out."""
        return len(self.lines) < self.records_in_baseline

    def copy(
        self,
        edits: Mapping[int, JsonObject | None] = {},
        *,
        added: Sequence[JsonObject] = (),
        points: Sequence[Point] | None = None,
        described: Manifest | None = None,
    ) -> dict[str, bytes]:
        """The files of a sound run: this one with records put in place of others (None: deleted) and others added.

        Raises InvalidDataError if what it is given is not sound.
        """
        described = described or self.manifest
        ranges = described.ranges
        lines = {index: record.write(new, ranges) for index, new in edits.items() if new is not None}
        keys = {index: self.rows[index].key for index in edits}
        if added or any(new is None or record.record_key(new) != keys[index] for index, new in edits.items()):
            kept = [line for index, line in enumerate(self.lines) if index not in edits]
            kept = sorted([*kept, *lines.values(), *(record.write(new, ranges) for new in added)], key=record.line_key)
        else:
            kept = [lines.get(index, line) for index, line in enumerate(self.lines)]
        tally = self._moved(edits, added, described)
        return self._laid_out(kept, tally, self.points if points is None else points, described)

    def _moved(self, edits: Mapping[int, JsonObject | None], added: Sequence[JsonObject], described: Manifest) -> Tally:
        """The totals of a copy, from those of the specimen."""
        gone, come = Tally(described.slices), Tally(described.slices)
        for index, new in edits.items():
            gone.add(self.record(index))
            if new is not None:
                come.add(new)
        for new in added:
            come.add(new)
        return self.tally.minus(gone).plus(come)

    def _laid_out(
        self, lines: Sequence[bytes], tally: Tally, points: Sequence[Point], described: Manifest
    ) -> dict[str, bytes]:
        files = {shards.SINGLE: b"".join(line + b"\n" for line in lines)}
        if points:
            files[series.FILE] = b"".join(series.to_line(point) + b"\n" for point in sorted(points, key=_point_key))
        names = Counter(point.name for point in points)
        files["summary.json"] = canonical.encode_document(summary.to_json(tally, names))
        return sealed(files, described)

    def record(self, index: int) -> JsonObject:
        """A record, to be altered at will."""
        found = canonical.loads(self.lines[index])
        assert isinstance(found, dict)  # it was verified
        return found

    def run(self, files: Mapping[str, bytes], label: str, volatile: Mapping[str, bytes] | None = None) -> Run:
        """A run of these files, with these of `volatile/` or its own. Raises InvalidDataError if they are none."""
        return read_run(MemorySource(label, files, self.source, volatile))


def _point_key(point: Point) -> tuple[bytes, float]:
    return point.key


def sealed(files: Mapping[str, bytes], described: Manifest) -> dict[str, bytes]:
    """The files with a manifest that lists them as they are: only what they hold can still be wrong."""
    entries = {
        path: FileEntry(
            sha256=canonical.sha256(data),
            size=len(data),
            lines=data.count(b"\n") if path.endswith(".jsonl") else None,
        )
        for path, data in files.items()
        if path != "manifest.json"
    }
    document = manifest.to_json(replace(described, files=entries))
    return {**{path: files[path] for path in entries}, "manifest.json": canonical.encode_document(document)}


def take(run: Run, progress: Progress = no_progress) -> Specimen:
    """The specimen of a run, which is verified in full first. Artifacts are left out: no rule reads them.

    Of a run with more than MOST_RECORDS records, or more than MOST_BYTES of them, a sample is taken: those whose ids
    have the lowest SHA-256, so that the same run always gives the same sample, and repeats stay together.
    Raises InvalidDataError if the run is not what it claims to be.
    """
    verification.verify(run, progress)
    bound = _bound(run)
    lines = [
        line
        for batch in run.batches()
        for line in batch.lines
        if bound >= _HASH_RANGE or _hash(record.line_id(line)) < bound
    ]
    tally = Tally(run.manifest.slices)
    rows = []
    for line in lines:
        fields = canonical.loads(line)
        assert isinstance(fields, dict)  # it was verified
        tally.add(fields)
        rows.append(_row(fields))
    return Specimen(
        manifest=replace(run.manifest, files={}),
        source=run.source,
        lines=lines,
        rows=rows,
        tally=tally,
        points=list(run.points()),
        records_in_baseline=run.record_count,
        spread=sorted(range(len(rows)), key=lambda index: (_hash(rows[index].key[0]), rows[index].key)),
    )


def _bound(run: Run) -> int:
    """Ids whose hash is below it are taken."""
    size = sum(run.manifest.files[path].size for path in run.record_files)
    if run.record_count <= MOST_RECORDS and size <= MOST_BYTES:
        return _HASH_RANGE
    return min(_HASH_RANGE * MOST_RECORDS // run.record_count, _HASH_RANGE * MOST_BYTES // size)


def _hash(key: bytes) -> int:
    return int.from_bytes(hashlib.sha256(key).digest()[:8])


def _row(fields: Mapping[str, JsonValue]) -> Row:
    status = str(fields.get("status", "ok"))
    scores = fields.get("scores", _NO_SCORES) if status == "ok" else _NO_SCORES
    return Row(record.record_key(fields), status, scores, fields.get("tags", _NO_TAGS))  # type: ignore[arg-type]  # verified
