"""Loose runs: a run that a person edited in; the same run, canonical, out. Nothing that was written is lost on the way.

Free are: the order of lines and members, white space, line ends, blank lines, byte order marks, the forms of numbers
and escapes. Derived again are: digests, sizes, counts, the run id, the summary, where shards are cut. All else must be
what the format asks for, or it is refused with its place. Lines are streamed; memory does not depend on their number.
"""

from __future__ import annotations

import re
import shutil
import stat
from collections.abc import Callable, Collection, Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, cast

from runstore import canonical, large_text, manifest, paths, series, shards, verification
from runstore.canonical import JsonValue
from runstore.errors import InvalidDataError, InvalidRunError, StorageError, UsageError
from runstore.manifest import Manifest
from runstore.record import STATUSES, JsonObject
from runstore.shape import Node, ShapeError, escape, kind
from runstore.source import VOLATILE, FolderSource
from runstore.store.durable import close_synced, real_path
from runstore.store.placing import BuildFolder
from runstore.store.reader import LINE_BYTES, Run, read_run
from runstore.store.sorting import LineSorter
from runstore.store.writer import RunWriter
from runstore.verification import Progress, no_progress

_BOM = b"\xef\xbb\xbf"
_DOCUMENT_BYTES = 256 * 1024 * 1024
_PROGRESS_LINES = 1000
_ARTIFACTS = "artifacts/"
_DOCUMENTS = ("manifest.json", "summary.json")
_RECORDS = re.compile(r"records(?:-[0-9]{4})?\.jsonl\Z")


def is_loose(source: FolderSource, progress: Progress = no_progress) -> bool:
    """Whether the run is anything but what its own writer would have written; found by verifying it in full."""
    try:
        verification.verify(read_run(source), progress)
    except InvalidDataError:
        return True
    return False


def has_large_text(source: FolderSource, limit: int | None) -> bool:
    """Whether a record of a verified run holds a text of more than `limit` bytes; no if there is no limit."""
    if limit is None:
        return False
    lines = (line for batch in read_run(source).batches() for line in batch.lines if len(line) > limit)
    return any(large_text.part(cast(JsonObject, canonical.loads(line)), limit).texts for line in lines)


def rewrite(folder: Path, label: str, progress: Progress = no_progress, limit: int | None = None) -> None:
    """Put the canonical form of a loose run in its place, in one step; `volatile/` is kept as it is.

    With a `limit`, texts of more bytes come to stand beside the run, in place before it is.
    Raises InvalidDataError for what cannot be written without loss, UsageError if the caller works inside the folder.
    """
    target = real_path(folder)
    if Path.cwd().is_relative_to(target):
        raise UsageError(f"{label} is the working folder, and is to be replaced", hint="call from the folder above it")
    build = BuildFolder(target)
    try:
        write_to(build.path, LooseRun(target, label), progress, limit)
        if (target / VOLATILE).is_dir():
            _copy_volatile(target / VOLATILE, build.path / VOLATILE)
        build.commit(replace=True)
    finally:
        build.discard()


def check(folder: Path, label: str, progress: Progress = no_progress) -> None:
    """Show that `rewrite` would work, without touching the run. Raises InvalidDataError as it does."""
    with TemporaryDirectory(prefix="runstore-") as place:
        write_to(Path(place) / "run", LooseRun(folder, label), progress)


class LooseLine(NamedTuple):
    """A line that was read loosely: where it stands, counted from 1, and its value in canonical types."""

    path: str
    number: int
    value: JsonObject


class LooseRun:
    """A folder that holds a loose run."""

    def __init__(self, folder: Path, label: str) -> None:
        """Lists the files. Raises InvalidRunError for one that has no place in a run."""
        self.folder = folder
        self.label = label
        self.files = sorted(FolderSource(folder, label).sizes())
        if "manifest.json" not in self.files:
            raise InvalidRunError(
                "manifest.json is missing, and nothing else says what the scores mean",
                where=label,
                hint="write one (docs/format.md, section 5), or make the run with `gate import`",
            )
        for path in self.files:
            if not (path in _DOCUMENTS or path == series.FILE or _RECORDS.match(path) or path.startswith(_ARTIFACTS)):
                raise InvalidRunError(
                    "is no file of a run",
                    where=self.where(path),
                    hint="move it to artifacts/ to keep it with the run, to volatile/, or elsewhere",
                )

    def where(self, path: str, line: int | None = None) -> str:
        """A place in this run, as messages name it."""
        return f"{self.label}/{path}" if line is None else f"{self.label}/{path}:{line}"

    def read(self, path: str) -> bytes:
        """All of a document. Raises InvalidRunError for one that is too large."""
        with (self.folder / path).open("rb") as file:
            data = file.read(_DOCUMENT_BYTES + 1)
        if len(data) > _DOCUMENT_BYTES:
            raise InvalidRunError(f"larger than {_DOCUMENT_BYTES} bytes", where=self.where(path))
        return data

    def document(self, path: str) -> JsonValue:
        """A JSON document, read loosely. Raises InvalidRunError."""
        return _value(self.read(path).removeprefix(_BOM), self.where(path))

    def lines(self, path: str) -> Iterator[LooseLine]:
        """The lines of a file that are not blank, in the order they stand. Raises InvalidRunError."""
        with (self.folder / path).open("rb") as file:
            number = 0
            while line := file.readline(LINE_BYTES + 1):
                number += 1
                where = self.where(path, number)
                if len(line) > LINE_BYTES:
                    raise InvalidRunError(f"the line is longer than {LINE_BYTES} bytes", where=where)
                text = line.removeprefix(_BOM) if number == 1 else line
                if text.strip():
                    yield LooseLine(path, number, _object(_value(text, where), where))

    @property
    def record_files(self) -> list[str]:
        """The files that hold records."""
        return [path for path in self.files if _RECORDS.match(path)]


def _value(data: bytes, where: str) -> JsonValue:
    """The value of loose JSON, in the types its canonical form is read back with: 10.0 is the integer 10."""
    try:
        return canonical.loads(canonical.encode(canonical.parse_loose(data)))
    except InvalidDataError as error:
        raise _at(where, error) from None


def _object(value: JsonValue, where: str) -> JsonObject:
    if not isinstance(value, dict):
        raise InvalidRunError(f"expected an object, found {kind(value)}", where=where)
    return value


def _at(where: str, error: InvalidDataError) -> InvalidRunError:
    return InvalidRunError(error.message, where=f"{where} {error.where}".rstrip(), hint=error.hint)


def write_to(target: Path, run: LooseRun, progress: Progress = no_progress, limit: int | None = None) -> None:
    """Write the canonical form of a loose run to a place where nothing stands. Raises InvalidDataError.

    With a `limit`, texts of more bytes are written beside the target.
    """
    described = _manifest(run)
    if "summary.json" in run.files:
        _check_summary(run)
    with RunWriter(
        target,
        identity=described.identity,
        metrics=described.metrics,
        slices=described.slices,
        tags=described.tags,
        provenance=described.provenance,
        status=described.status,
        notes=described.notes,
        origin=described.origin,
        large_text=limit,
    ) as writer:
        _copy_lines(run, writer, described, progress)
        for path in run.files:
            if path.startswith(_ARTIFACTS):
                _copy_artifact(run, writer, path)
        try:
            writer.finish()
        except InvalidRunError:
            _refuse_twins(run, run.record_files, _record_key)
            _refuse_twins(run, [path for path in run.files if path == series.FILE], _point_key)
            raise


def _copy_lines(run: LooseRun, writer: RunWriter, described: Manifest, progress: Progress) -> None:
    count = 0
    for path in run.record_files:
        for line in run.lines(path):
            try:
                writer.append(line.value)
            except InvalidDataError as error:
                raise _at(run.where(path, line.number), error) from error
            count += 1
            if count % _PROGRESS_LINES == 0:
                progress(_PROGRESS_LINES)
    ranges = described.ranges
    for line in run.lines(series.FILE) if series.FILE in run.files else ():
        try:
            point = series.check(line.value, ranges)
        except InvalidDataError as error:
            raise _at(run.where(series.FILE, line.number), error) from error
        writer.log_metric(point.name, point.value, point.step)


def _copy_artifact(run: LooseRun, writer: RunWriter, path: str) -> None:
    try:
        paths.check(path)
        writer.add_artifact(run.folder / path, path.removeprefix(_ARTIFACTS))
    except InvalidDataError as error:
        raise _at(run.where(path), error) from error


def _copy_volatile(source: Path, target: Path) -> None:
    try:
        shutil.copytree(source, target, symlinks=True, copy_function=_copy_durably)
    except shutil.Error as error:
        place, _, reason = error.args[0][0]
        raise StorageError(f"cannot copy {place}: {reason}", hint="nothing was changed") from None


def _copy_durably(source: str, target: str) -> None:
    if not stat.S_ISREG(Path(source).stat().st_mode):
        raise InvalidRunError("neither a file nor a folder", where=source, hint="move it out of volatile/")
    with open(source, "rb") as file, open(target, "xb") as copy:
        shutil.copyfileobj(file, copy)
        close_synced(copy)
    shutil.copystat(source, target, follow_symlinks=False)


def _manifest(run: LooseRun) -> Manifest:
    """The manifest with what can be derived left out: `files`, `run_id`, and the order of slices and data sets."""
    where = run.where("manifest.json")
    members = _object(run.document("manifest.json"), where)
    try:
        _check_listed(Node(members.get("files", {}), "/files"), run.files)
        identity = _with_sorted_datasets(members.get("identity"))
        derived: JsonObject = {"files": {}, "run_id": canonical.sha256(canonical.encode(identity))[:32]}
        if "identity" in members:
            derived["identity"] = identity
        slices = members.get("slices")
        if isinstance(slices, list):
            derived["slices"] = _sorted_by(slices, lambda name: name)
        return manifest.from_json({**members, **derived})
    except InvalidDataError as error:
        raise _at(where, error) from error


def _check_listed(node: Node, found: Collection[str]) -> None:
    """Refuse a listed file that is gone, and members of its entry that would be lost."""
    for path, entry in node.members():
        entry.record((), ("first", "lines", "sha256", "size"))
        if path not in found and path not in _DOCUMENTS:
            raise ShapeError(
                "is listed and missing",
                where=f"/files/{escape(path)}",
                hint="restore the file; to drop it on purpose, remove its entry",
            )


def _with_sorted_datasets(identity: JsonValue) -> JsonValue:
    if not isinstance(identity, dict) or not isinstance(datasets := identity.get("datasets"), list):
        return identity
    by_name = _sorted_by(datasets, lambda dataset: dataset.get("name") if isinstance(dataset, dict) else None)
    return {**identity, "datasets": by_name}


def _sorted_by(values: list[JsonValue], key: Callable[[JsonValue], JsonValue]) -> list[JsonValue]:
    """The values in the order of the UTF-8 bytes of their keys; untouched if one has none: the reader refuses them."""
    keyed = [(name.encode(), value) for value in values if isinstance(name := key(value), str)]
    return [value for _, value in sorted(keyed, key=lambda pair: pair[0])] if len(keyed) == len(values) else values


def _check_summary(run: LooseRun) -> None:
    """Refuse names in a summary that deriving it again would lose. All else in it may be stale, or not even JSON."""
    try:
        value = run.document("summary.json")
    except InvalidRunError:
        return
    try:
        parts = Node(value).record((), ("format", "metrics", "records", "series", "slices", "status"))
        _check_totals(parts)
        for node in _children(parts.get("series")):
            node.record((), ("points",))
        for values in _children(parts.get("slices")):
            for part in _children(values):
                _check_totals(part.record((), ("metrics", "records", "status")))
    except InvalidDataError as error:
        raise _at(run.where("summary.json"), error) from error


def _check_totals(parts: dict[str, Node]) -> None:
    for node in _children(parts.get("metrics")):
        node.record((), ("count", "mean", "missing", "stddev", "sum", "sum_squares"))
    if "status" in parts:
        parts["status"].record((), STATUSES)


def _children(node: Node | None) -> Iterator[Node]:
    for name, value in node.mapping().items() if node else ():
        yield Node(value, f"{node.pointer}/{escape(name)}" if node else "")


def _record_key(value: JsonObject) -> list[JsonValue]:
    return [value.get("id"), value.get("repeat", 1)]


def _point_key(value: JsonObject) -> list[JsonValue]:
    return [value.get("name"), value.get("step")]


def _refuse_twins(run: LooseRun, files: list[str], key: Callable[[JsonObject], list[JsonValue]]) -> None:
    """Name the places of two lines with one key, if there are any: a second look, for the message alone."""
    with TemporaryDirectory(prefix="runstore-") as folder:
        sorter = LineSorter(Path(folder), _twin_order)
        for path in files:
            for line in run.lines(path):
                entry = canonical.encode([*key(line.value), line.path, line.number])
                sorter.add(_twin_order(entry), entry)
        for one, other in pairwise(map(_twin_order, sorter)):
            if one[:2] == other[:2]:
                raise InvalidRunError(
                    f"the key of {one[2]}:{one[3]} stands here again",
                    where=run.where(other[2], other[3]),
                    hint="ids are unique; number trials with `repeat`",
                )


def _twin_order(entry: bytes) -> tuple[bytes, int, str, int]:
    name, number, path, line = cast("tuple[str, int | None, str, int]", canonical.loads(entry))
    return name.encode(), -1 if number is None else number, path, line


def without_summary(folder: Path, label: str) -> Run:
    """Open a run whose `summary.json` may say anything, or be gone. Raises InvalidDataError if more is amiss.

    Records and series are checked as they are read; artifacts are not looked at.
    """
    run = LooseRun(folder, label)
    data = run.read("manifest.json")
    try:
        described = manifest.from_json(canonical.decode_document(data))
        needed = [*shards.record_files(described.files), *({series.FILE} & described.files.keys())]
    except InvalidDataError as error:
        raise _at(run.where("manifest.json"), error) from error
    for path in needed:
        if path not in run.files:
            raise InvalidRunError("is listed in the manifest and missing", where=run.where(path))
    return Run(source=FolderSource(folder, label), manifest=described, digest=canonical.sha256(data))
