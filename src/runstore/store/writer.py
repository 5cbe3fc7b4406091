"""RunWriter: records, points and artifacts in any order in; one canonical run folder out, whole or not at all."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

from runstore import canonical, manifest, paths, record, series, shards, summary
from runstore.canonical import JsonValue
from runstore.errors import InvalidDataError, InvalidRunError, RunExistsError, UsageError
from runstore.large_text import MAX_BYTES, PREVIEW_BYTES, part
from runstore.manifest import FileEntry, Identity, Manifest, MetricDeclaration, Provenance, RunStatus
from runstore.series import Point
from runstore.source import FolderSource
from runstore.store.durable import close_synced, named_errors
from runstore.store.placing import BuildFolder
from runstore.store.reader import LINE_BYTES
from runstore.store.sorting import LineSorter
from runstore.store.text_folder import TextFolder
from runstore.summary import Tally

_COPY_BYTES = 1024 * 1024
_SPILL = ".spill"
_Key = TypeVar("_Key")


class RunWriter:
    """Writes one run. Use it as a context manager: leaving without an exception finishes, an exception discards.

    Memory is bounded whatever the number of records: they are sorted through files on disk beside the run. Until
    `finish` returns nothing stands at `path`; when it has returned, a whole run does, and survives a power cut.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        identity: Identity | None = None,
        metrics: Mapping[str, MetricDeclaration] | None = None,
        slices: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        provenance: Provenance | None = None,
        status: RunStatus = "completed",
        notes: str | None = None,
        origin: JsonValue = None,
        replace: bool = False,
        large_text: int | None = None,
    ) -> None:
        """Start a run at `path`.

        `large_text`: texts of more than so many bytes are kept in files beside the run (docs/large-text.md); at least
        512. Records that name large texts already are taken as they are: the caller sees to it that these stand there.
        Raises RunExistsError if something stands there (unless `replace`), OSError if the folder cannot be made.
        """
        path = Path(path)
        _check_place(path, replace=replace)
        _check_limit(large_text)
        self.identity = identity or Identity()
        self.metrics = dict(metrics or {})
        self.slices = manifest.sorted_names(slices)
        self.tags = dict(tags or {})
        self.provenance = provenance or Provenance()
        self.status: RunStatus = status
        self.notes = notes
        self.origin = origin
        self._replace = replace
        self._ranges = self._declared().ranges
        self._tally = Tally(self.slices)
        self._points: dict[str, int] = {}
        self._files: dict[str, FileEntry] = {}
        self._bytes = 0
        self._build = BuildFolder(path)
        self._large_text = large_text
        self._texts = TextFolder(path.parent, self._build.path / f"{_SPILL}-texts")
        self._records = LineSorter(self._build.path / _SPILL, record.line_key)
        self._series = LineSorter(self._build.path / f"{_SPILL}-series", series.line_key)
        self._open = True

    def _declared(self) -> Manifest:
        return Manifest(
            identity=self.identity,
            metrics=self.metrics,
            files=self._files if hasattr(self, "_files") else {},
            slices=self.slices,
            tags=self.tags,
            provenance=self.provenance,
            status=self.status,
            notes=self.notes,
            origin=self.origin,
        )

    def append(self, values: Mapping[str, JsonValue]) -> None:
        """Add one record: a mapping of the fields of docs/format.md, section 3.

        Raises InvalidDataError, naming the record and the field, if it is not a record; the run goes on without it.
        """
        fields = dict(values)
        texts: Iterable[bytes] = ()
        try:
            if self._large_text is not None:
                parted = part(fields, self._large_text)
                fields, texts = parted.record, parted.texts.values()
            line = record.write(fields, self._ranges)
            if len(line) >= LINE_BYTES:
                raise InvalidRunError(f"the record takes {len(line)} bytes; a line holds {LINE_BYTES - 1}")
        except InvalidDataError as error:
            name = fields.get("id")
            where = f"record {name!r}" if isinstance(name, str) else "record without an id"
            raise InvalidRunError(error.message, where=f"{where} {error.where}".strip(), hint=error.hint) from error
        for text in texts:
            self._texts.add(text)
        self._tally.add(fields)
        self._bytes += len(line) + 1
        self._records.add(record.record_key(fields), line)

    def log_metric(self, name: str, value: int | float, step: int | None = None) -> None:
        """Add a point of a run-level metric; without `step` it is the final figure. Raises InvalidDataError."""
        point = Point(name=name, value=value, step=step)
        line = series.write(point, self._ranges)
        self._points[name] = self._points.get(name, 0) + 1
        self._series.add(point.key, line)

    def add_artifact(self, source: Path, name: str) -> None:
        """Copy a file into the run as `artifacts/NAME`. Raises InvalidRunError if the name is not a portable path."""
        path = paths.check(f"artifacts/{name}")
        paths.check_distinct([*self._files, path])
        with source.open("rb") as file, self._creating(path) as target:
            digest, size = hashlib.sha256(), 0
            while chunk := file.read(_COPY_BYTES):
                digest.update(chunk)
                size += len(chunk)
                target.write(chunk)
        self._files[path] = FileEntry(sha256=digest.hexdigest(), size=size)

    def add_volatile(self, name: str, value: JsonValue) -> None:
        """Write `volatile/NAME.json`: facts that differ between two runs of the same code, outside every digest."""
        self._write_bytes(paths.check(f"volatile/{name}.json"), canonical.encode_document(value))

    @contextmanager
    def _creating(self, path: str) -> Iterator[BinaryIO]:
        """A new file of the run, durable when the block is left."""
        target = self._build.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with named_errors(target), target.open("xb") as file:
            try:
                yield file
            except BaseException:
                target.unlink()  # the caller may go on without it
                raise
            close_synced(file)

    def _write_bytes(self, path: str, data: bytes) -> None:
        with self._creating(path) as file:
            file.write(data)

    def finish(self) -> None:
        """Write the run to its place, durably. Raises InvalidRunError on twin keys, RunExistsError if another won."""
        if not self._open:
            return
        self._open = False
        try:
            self._write_records()
            self._write_series()
            self._write_document("summary.json", summary.to_json(self._tally, self._points))
            document = manifest.to_json(self._declared())
            manifest.from_json(canonical.decode(canonical.encode(document)))
            self._write_bytes("manifest.json", canonical.encode_document(document))
            self._texts.publish()
            for folder in self._build.path.glob(f"{_SPILL}*"):
                shutil.rmtree(folder)
            self._build.commit(replace=self._replace)
        finally:
            self._texts.close()
            self._build.discard()

    def discard(self) -> None:
        """Give up: nothing is written, and what stood at the place before still does."""
        self._open = False
        self._texts.close()
        self._build.discard()

    def _write_document(self, path: str, value: JsonValue) -> None:
        data = canonical.encode_document(value)
        self._write_bytes(path, data)
        self._files[path] = FileEntry(sha256=canonical.sha256(data), size=len(data))

    def _write_records(self) -> None:
        bits = shards.rank(self._bytes, self._tally.records)
        lines = _distinct(self._records, record.line_key, record.key_text)
        if bits is None:
            self._write_lines(shards.SINGLE, lines, first=None)
            return
        for number, (first, shard) in enumerate(_shards(lines, bits), start=1):
            self._write_lines(shards.name(number), shard, first=first.decode())

    def _write_series(self) -> None:
        if self._points:
            self._write_lines(series.FILE, _distinct(self._series, series.line_key, series.key_text), first=None)

    def _write_lines(self, path: str, lines: Iterable[bytes], *, first: str | None) -> None:
        digest, size, count = hashlib.sha256(), 0, 0
        with self._creating(path) as file:
            for line in lines:
                data = line + b"\n"
                digest.update(data)
                file.write(data)
                size += len(data)
                count += 1
        self._files[path] = FileEntry(sha256=digest.hexdigest(), size=size, lines=count, first=first)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.discard()


def _check_place(path: Path, *, replace: bool) -> None:
    """Refuse a place that is taken, or that is to be replaced and is no run: it may be somebody's only copy."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not replace:
        raise RunExistsError(f"{path} already exists", hint="choose another place, or replace it with --replace")
    if not path.is_dir() or not FolderSource(path).is_run:
        raise UsageError(f"{path} is not a run and is not replaced", hint="remove it yourself, or choose another place")


def _check_limit(limit: int | None) -> None:
    if limit is not None and not PREVIEW_BYTES <= limit <= MAX_BYTES:
        raise UsageError(
            f"large_text is {limit}: a text is large from more than {PREVIEW_BYTES} to {MAX_BYTES} bytes",
            hint="16384 keeps what people read in one go in the record",
        )


def _distinct(lines: Iterable[bytes], key: Callable[[bytes], _Key], describe: Callable[[_Key], str]) -> Iterator[bytes]:
    """The same sorted lines; InvalidRunError when two have one key."""
    before = None
    for line in lines:
        this = key(line)
        if this == before:
            raise InvalidRunError(
                f"the key {describe(this)!r} stands twice", hint="keys are unique; number trials with `repeat`"
            )
        before = this
        yield line


def _shards(lines: Iterator[bytes], bits: int) -> Iterator[tuple[bytes, Iterator[bytes]]]:
    """Cut sorted lines into shards: (first id, its lines). Each shard is to be used up before the next is asked for."""
    pending = next(lines)
    more = True

    def shard(line: bytes | None) -> Iterator[bytes]:
        nonlocal pending, more
        before = None
        while line is not None:
            this = record.line_id(line)
            if before is not None and this != before and shards.starts_shard(this, bits):
                pending, more = line, True
                return
            yield line
            before = this
            line = next(lines, None)
        more = False

    while more:
        yield record.line_id(pending), shard(pending)
