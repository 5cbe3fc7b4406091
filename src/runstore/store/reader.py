"""Reading a run: files in, checked documents and streams of lines out. Nothing is held but one block.

`read_run` checks what is cheap at once: the exact file set, sizes, the manifest. Lines are handed out in batches; when
a file has been read to its end its digest and its number of lines must be what the manifest says, or the read fails.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from runstore import canonical, manifest, series, shards
from runstore.canonical import JsonValue
from runstore.errors import InvalidDataError, InvalidRunError
from runstore.manifest import FileEntry, Manifest
from runstore.series import Point
from runstore.shape import Node, escape
from runstore.source import VOLATILE, FolderSource, Source

LINE_BYTES = 16 * 1024 * 1024
_DOCUMENT_BYTES = 32 * 1024 * 1024
_MEASURES = "measures.json"
_MEASURES_BYTES = 1024 * 1024
_BLOCK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Block:
    """Some consecutive bytes of one file; `offset` is where in it they begin."""

    path: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """Some consecutive lines of one file, without their LF; `first_line` counts from 1."""

    path: str
    first_line: int
    lines: list[bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """A run that can be read: its manifest, and where its bytes come from."""

    source: Source
    manifest: Manifest
    digest: str
    """SHA-256 of manifest.json; as the manifest holds the digest of every other file, it stands for the whole run."""

    @property
    def label(self) -> str:
        """How messages name this run."""
        return self.source.label

    def where(self, path: str, line: int | None = None, pointer: str = "") -> str:
        """A place in this run, as messages name it."""
        number = f":{line}" if line is not None else ""
        return f"{self.label}/{path}{number} {pointer}".rstrip()

    @property
    def record_files(self) -> list[str]:
        """The files that hold records, in the order of their keys."""
        return shards.record_files(self.manifest.files)

    @property
    def record_count(self) -> int:
        """The number of records that the manifest claims."""
        return sum(self.manifest.files[path].lines or 0 for path in self.record_files)

    def blocks(self, paths: list[str]) -> Iterator[Block]:
        """The bytes of files of lines, in order; at the end of each file its digest is checked.

        Raises InvalidRunError, also for a line too long or a last line without LF. The number of lines is not counted.
        """
        for path in paths:
            yield from self._blocks(path)

    def _blocks(self, path: str) -> Iterator[Block]:
        entry = self.manifest.files[path]
        digest = hashlib.sha256()
        offset, line_start = 0, 0
        with self.source.open(path) as file:
            while data := file.read(_BLOCK_BYTES):
                digest.update(data)
                if offset == 0:
                    self._check_first(path, entry, data)
                yield Block(path, offset, data)
                first_end = data.find(b"\n") + 1 or len(data)
                if offset + first_end - line_start > LINE_BYTES:
                    where = self.where(path, self.line_number(path, line_start))
                    raise InvalidRunError(f"a line is longer than {LINE_BYTES} bytes", where=where)
                end = data.rfind(b"\n") + 1
                line_start = offset + end if end else line_start
                offset += len(data)
        if line_start != offset:
            raise InvalidRunError(
                "the last line does not end with a line feed",
                where=self.where(path, self.line_number(path, line_start)),
                hint="the file was cut off; run again",
            )
        self._check_digest(path, entry, digest.hexdigest())

    def _check_first(self, path: str, entry: FileEntry, data: bytes) -> None:
        start = b"" if entry.first is None else b'{"id":' + canonical.encode(entry.first)
        if data[: len(start)] != start[: len(data)]:
            raise InvalidRunError("does not start with the id that the manifest says", where=self.where(path, 1))

    def line_number(self, path: str, offset: int) -> int:
        """The number, from 1, of the line that begins at a byte offset: for messages, by reading up to it."""
        with self.source.open(path) as file:
            number = 1
            while offset > 0 and (data := file.read(min(offset, _BLOCK_BYTES))):
                number += data.count(b"\n")
                offset -= len(data)
        return number

    def batches(self, paths: list[str] | None = None) -> Iterator[Batch]:
        """The lines of files, by default the records, in order, with the checks of `blocks`, and counted."""
        for path in self.record_files if paths is None else paths:
            rest: list[bytes] = []
            number = 1
            for block in self._blocks(path):
                lines = block.data.split(b"\n")
                rest.append(lines[0])
                if len(lines) > 1:
                    lines[0] = b"".join(rest)
                    rest = [lines.pop()]
                    yield Batch(path, number, lines)
                    number += len(lines)
            self.check_lines(number - 1, [path])

    def check_lines(self, found: int, paths: list[str]) -> None:
        """Refuse files that together have another number of lines than the manifest says. Raises InvalidRunError."""
        claimed = sum(self.manifest.files[path].lines or 0 for path in paths)
        if found != claimed:
            place = self.where(paths[0] if len(paths) == 1 else "manifest.json")
            raise InvalidRunError(f"{found} lines found; the manifest says {claimed}", where=place, hint=_TAMPERED)

    def points(self) -> Iterator[Point]:
        """The points of the series, checked in full, in order. Raises InvalidDataError."""
        if series.FILE not in self.manifest.files:
            return
        ranges = self.manifest.ranges
        before = None
        for batch in self.batches([series.FILE]):
            for number, line in enumerate(batch.lines, start=batch.first_line):
                try:
                    point = series.read(line, ranges)
                except InvalidDataError as error:
                    raise self.located(error, series.FILE, number) from error
                if before is not None and before >= point.key:
                    where = self.where(series.FILE, number)
                    raise InvalidRunError("points are not sorted by name and step", where=where)
                before = point.key
                yield point

    def document(self, path: str) -> JsonValue:
        """A listed JSON document: digest and law checked. Raises InvalidDataError."""
        data = _document_bytes(self.source, path)
        self._check_digest(path, self.manifest.files[path], canonical.sha256(data))
        try:
            return canonical.decode_document(data)
        except InvalidDataError as error:
            raise self.located(error, path) from error

    def volatile_measures(self) -> dict[str, int | float]:
        """The measures of `volatile/measures.json`: name → finite number; empty if there is no such file.

        It is outside every digest and need not be canonical. Raises InvalidRunError if it is no object of numbers.
        """
        where = self.where(f"{VOLATILE}/{_MEASURES}")
        file = self.source.open_volatile(_MEASURES)
        if file is None:
            return {}
        with file:
            data = _all_bytes(file, _MEASURES_BYTES, where)
        try:
            found = {name: node.number() for name, node in Node(canonical.parse_loose(data)).members()}
        except InvalidDataError as error:
            raise InvalidRunError(error.message, where=f"{where} {error.where}".rstrip(), hint=error.hint) from error
        for name, number in found.items():
            if type(number) is int and abs(number) > canonical.MAX_SAFE_INTEGER:
                raise InvalidRunError("an integer beyond ±(2^53-1) is no measure", where=f"{where} /{escape(name)}")
        return found

    def check_file(self, path: str) -> None:
        """Check the digest of a listed file by reading it. Raises InvalidRunError."""
        entry = self.manifest.files[path]
        digest = hashlib.sha256()
        with self.source.open(path) as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
        self._check_digest(path, entry, digest.hexdigest())

    def _check_digest(self, path: str, entry: FileEntry, found: str) -> None:
        if entry.sha256 != found:
            raise InvalidRunError(
                f"is not the file that the manifest lists: sha256 is {found[:12]}…, listed is {entry.sha256[:12]}…",
                where=self.where(path),
                hint=_TAMPERED,
            )

    def located(self, error: InvalidDataError, path: str, line: int | None = None) -> InvalidRunError:
        """The same error with its place in this run."""
        return InvalidRunError(error.message, where=self.where(path, line, error.where), hint=error.hint)


_TAMPERED = "the file was changed after the run was written; run again, or `gate fmt` if you edited it on purpose"


def read_run(place: Path | str | Source) -> Run:
    """Open a run. Checks the manifest, the exact file set and sizes; the content is checked as it is read.

    Raises UsageError if there is no such folder, InvalidRunError if it is not a run.
    """
    source = FolderSource(Path(place)) if isinstance(place, Path | str) else place
    sizes = source.sizes()
    if "manifest.json" not in sizes:
        raise InvalidRunError(
            "manifest.json is missing", where=source.label, hint="a run has one; `gate import` makes runs from results"
        )
    data = _document_bytes(source, "manifest.json")
    try:
        described = manifest.from_json(canonical.decode_document(data))
        _check_shards(described)
    except InvalidDataError as error:
        where = f"{source.label}/manifest.json {error.where}".rstrip()
        raise InvalidRunError(error.message, where=where, hint=error.hint) from error
    _check_file_set(source, sizes, described)
    return Run(source=source, manifest=described, digest=canonical.sha256(data))


def _check_shards(described: Manifest) -> None:
    """Refuse shards that were not cut where the ids say (docs/format.md, section 7), as far as the manifest shows."""
    files = shards.record_files(described.files)
    bits = shard_rank(described, files)
    if (bits is None) != (files == [shards.SINGLE]):
        raise InvalidRunError("records stand in shards exactly when they take more than 32 MiB", where="/files")
    before = b""
    for path in files if bits is not None else []:
        entry = described.files[path]
        if not entry.lines or not entry.size or entry.first is None or entry.first.encode() <= before:
            raise InvalidRunError("is empty, or does not come after the shard before", where=f"/files/{escape(path)}")
        before = entry.first.encode()
    for path in files[1:]:
        first = described.files[path].first
        if bits is not None and not (first and shards.starts_shard(first.encode(), bits)):
            raise InvalidRunError("the id of its first record starts no shard", where=f"/files/{path}/first")


def shard_rank(described: Manifest, files: list[str]) -> int | None:
    """Leading zero bits that start a shard of this run; None if its records stand in one file."""
    entries = [described.files[path] for path in files]
    return shards.rank(sum(entry.size for entry in entries), sum(entry.lines or 0 for entry in entries))


def _check_file_set(source: Source, sizes: dict[str, int], described: Manifest) -> None:
    listed = {path: entry.size for path, entry in described.files.items()}
    found = {path: size for path, size in sizes.items() if path != "manifest.json"}
    for path in [*listed, *found]:
        if path not in found:
            problem = "is listed in the manifest and missing"
        elif path not in listed:
            problem = "is not listed in the manifest"
        elif found[path] != listed[path]:
            problem = f"has {found[path]} bytes; the manifest says {listed[path]}"
        else:
            continue
        raise InvalidRunError(problem, where=f"{source.label}/{path}", hint=_TAMPERED)
    known = {"summary.json", series.FILE, *shards.record_files(listed)}
    for path in listed:
        if path not in known and not path.startswith("artifacts/"):
            where = f"{source.label}/manifest.json /files/{escape(path)}"
            raise InvalidRunError("is no file of a run", where=where, hint="files of your own go to artifacts/")
    if "summary.json" not in listed:
        raise InvalidRunError("summary.json is not listed", where=f"{source.label}/manifest.json /files")


def _document_bytes(source: Source, path: str) -> bytes:
    with source.open(path) as file:
        return _all_bytes(file, _DOCUMENT_BYTES, f"{source.label}/{path}")


def _all_bytes(file: BinaryIO, most: int, where: str) -> bytes:
    parts = []
    size = 0
    while block := file.read(1024 * 1024):
        parts.append(block)
        size += len(block)
        if size > most:
            raise InvalidRunError(f"larger than {most} bytes", where=where)
    return b"".join(parts)
