"""A second writer of the run format, made from docs/format.md alone, without `runstore`.

In: records in order of their keys, points of a series, and the facts of a manifest. Out: a run folder in canonical
form, streamed: what is held for a record is its size and 32 bits of a digest. The benchmarks can make their runs with
it, and what two writers made apart from each other must be the same bytes: the check that the page is enough.

    python benchmarks/second_writer.py RUN OUTPUT     # write the content of RUN again, as a second writer would
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
import sys
import unicodedata
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import orjson

LARGEST_INTEGER = 2**53 - 1
DEEPEST_NESTING = 64
LONGEST_LINE = 16 * 1024 * 1024
LARGEST_FILE = 32 * 1024 * 1024
SHARD_SIZE = 8 * 1024 * 1024
MOST_SHARDS = 9_999
NO_START = 1 << 32  # no head is that large, so no shard starts there
COPY_SIZE = 1024 * 1024

RECORD_FIELDS = {"id", "input", "metadata", "output", "reason", "repeat", "scores", "status", "tags", "target"}
STATUSES = ("error", "ok", "skipped")


class FormatError(ValueError):
    """What was given has no place in a run."""


# Section 2: canonical bytes


def canonical(value: object, depth: int = 0) -> object:
    """The value as orjson must have it to print JCS: keys in UTF-16 order, numbers both print alike, or as text."""
    if isinstance(value, str) or value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if abs(value) > LARGEST_INTEGER:
            raise FormatError(f"integer beyond 2^53-1: {value}")
        return value
    if isinstance(value, float):
        return _canonical_float(value)
    if depth == DEEPEST_NESTING:
        raise FormatError(f"nested deeper than {DEEPEST_NESTING}")
    if isinstance(value, Mapping):
        keys = list(value)
        if not all(isinstance(key, str) for key in keys):
            raise FormatError("a key is not a string")
        keys.sort(key=None if all(map(str.isascii, keys)) else _utf16)
        return {key: canonical(value[key], depth + 1) for key in keys}
    if isinstance(value, list | tuple):
        return [canonical(element, depth + 1) for element in value]
    raise FormatError(f"not a JSON value: {type(value).__name__}")


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")


def _canonical_float(value: float) -> object:
    if not math.isfinite(value):
        raise FormatError(f"not a finite number: {value}")
    if value == int(value) and abs(value) < 1e21:
        return canonical(int(value))
    if 1e-4 <= abs(value) < 1e15:
        return value  # both print plain shortest decimals here
    return orjson.Fragment(_number_text(value))


def _number_text(value: float) -> str:
    """Number::toString of ECMAScript: repr has the same shortest digits, laid out another way."""
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text = "".join(map(str, digits))
    point = len(text) + int(exponent)  # value = 0.text x 10^point
    minus = "-" if sign else ""
    if -6 < point <= 0:
        return f"{minus}0.{'0' * -point}{text}"
    if 0 < point < len(text):
        return f"{minus}{text[:point]}.{text[point:]}"
    fraction = f".{text[1:]}" if len(text) > 1 else ""
    return f"{minus}{text[0]}{fraction}e{point - 1:+d}"


def line(value: object) -> bytes:
    """Plain JCS, without LF."""
    try:
        return orjson.dumps(canonical(value))
    except orjson.JSONEncodeError as error:
        raise FormatError(str(error)) from error


def document(value: object) -> bytes:
    """The layout for people, with its LF."""
    try:
        return orjson.dumps(canonical(value), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError as error:
        raise FormatError(str(error)) from error


# Section 6: totals that add


def scaled(text: str) -> tuple[int, int]:
    """(n, places) of a number's canonical text: its value is n / 10^places."""
    if "e" in text:
        sign, digits, exponent = Decimal(text).as_tuple()
        n = int("".join(map(str, digits))) * (-1 if sign else 1)
        places = -int(exponent)
        return (n, places) if places >= 0 else (n * 10**-places, 0)
    whole, _, fraction = text.partition(".")
    return int(whole + fraction), len(fraction)


def plain(sums: Mapping[int, int]) -> tuple[int, int]:
    """The sum over places → n, as one n / 10^places."""
    places = max(sums, default=0)
    return sum(n * 10 ** (places - at) for at, n in sums.items()), places


def decimal_text(n: int, places: int) -> str:
    """Plain decimal: no leading zeros, no trailing zeros of a fraction, zero is 0."""
    digits = str(abs(n)).rjust(places + 1, "0")
    whole, fraction = (digits[:-places], digits[-places:].rstrip("0")) if places else (digits, "")
    return ("-" if n < 0 else "") + whole + (f".{fraction}" if fraction else "")


def nearest_root(square: Fraction) -> float:
    """The double nearest to the square root: 64 bits and a sticky one, rounded once by the division."""
    if not square:
        return 0.0
    shift = 66 - (square.numerator.bit_length() - square.denominator.bit_length()) // 2
    shift = max(shift, 0)
    root = math.isqrt((square.numerator << 2 * shift) // square.denominator)
    exact = Fraction(root * root, 1 << 2 * shift) == square
    return (2 * root + (not exact)) / (1 << shift + 1)


@dataclass(slots=True)
class MetricTotals:
    count: int = 0
    sums: dict[int, int] = field(default_factory=dict)
    squares: dict[int, int] = field(default_factory=dict)

    def add(self, n: int, places: int) -> None:
        self.count += 1
        self.sums[places] = self.sums.get(places, 0) + n
        self.squares[2 * places] = self.squares.get(2 * places, 0) + n * n

    def to_json(self, records: int) -> dict[str, object]:
        total, places = plain(self.sums)
        square, square_places = plain(self.squares)
        found: dict[str, object] = {
            "count": self.count,
            "mean": total / (self.count * 10**places),  # int / int is rounded once, ties to even
            "missing": records - self.count,
            "sum": decimal_text(total, places),
            "sum_squares": decimal_text(square, square_places),
        }
        if self.count >= 2:
            spread = Fraction(square, 10**square_places) - Fraction(total, 10**places) ** 2 / self.count
            found["stddev"] = nearest_root(spread / (self.count - 1))
        return found


@dataclass(slots=True)
class Totals:
    records: int = 0
    status: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATUSES, 0))
    metrics: dict[str, MetricTotals] = field(default_factory=dict)

    def add(self, status: str, numbers: Iterable[tuple[str, int, int]]) -> None:
        self.records += 1
        self.status[status] += 1
        for name, n, places in numbers:
            metric = self.metrics.get(name)
            if metric is None:
                metric = self.metrics[name] = MetricTotals()
            if status == "ok":
                metric.add(n, places)

    def to_json(self) -> dict[str, object]:
        metrics = {name: totals.to_json(self.records) for name, totals in self.metrics.items() if totals.count}
        return {"metrics": metrics, "records": self.records, "status": self.status}


@dataclass(slots=True)
class Summary:
    tags: list[str]
    whole: Totals = field(default_factory=Totals)
    slices: dict[str, dict[str, Totals]] = field(default_factory=dict)
    points: dict[str, int] = field(default_factory=dict)

    def add(self, record: Mapping[str, Any]) -> None:
        status = record.get("status", "ok")
        scores = record.get("scores", {})
        numbers = [(name, *scaled(_score_text(value))) for name, value in scores.items()]
        self.whole.add(status, numbers)
        tags = record.get("tags", {})
        for tag in self.tags:
            if tag in tags:
                values = self.slices.setdefault(tag, {})
                if tags[tag] not in values:
                    values[tags[tag]] = Totals()
                values[tags[tag]].add(status, numbers)

    def to_json(self) -> dict[str, object]:
        sliced = {
            tag: {value: totals.to_json() for value, totals in self.slices.get(tag, {}).items()} for tag in self.tags
        }
        series = {name: {"points": count} for name, count in self.points.items()}
        return {"format": 1, "series": series, "slices": sliced, **self.whole.to_json()}


def _score_text(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e21 else repr(value)


# Sections 3 and 4: what a line may say


def check_record(record: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
    unknown = record.keys() - RECORD_FIELDS
    if unknown:
        raise FormatError(f"unknown fields: {sorted(unknown)}")
    if not isinstance(record.get("id"), str) or not record["id"]:
        raise FormatError("id: not a string, or empty")
    repeat = record.get("repeat", 1)
    if type(repeat) is not int or repeat < 1:
        raise FormatError(f"{record['id']}: repeat is no integer from 1")
    if record.get("status", "ok") not in STATUSES:
        raise FormatError(f"{record['id']}: unknown status {record['status']!r}")
    if not isinstance(record.get("metadata", {}), Mapping):
        raise FormatError(f"{record['id']}: metadata is no object")
    _check_scores(record["id"], record.get("scores", {}), metrics)
    _check_strings(record["id"], record.get("tags", {}))
    if "reason" in record:
        _check_strings(record["id"], record["reason"])
        if record["reason"].keys() != {"message", "type"}:
            raise FormatError(f"{record['id']}: reason has type and message")


def _check_scores(where: str, scores: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
    for name, value in scores.items():
        if name not in metrics or not name:
            raise FormatError(f"{where}: score {name!r} is not declared")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise FormatError(f"{where}: score {name!r} is no number")
        low, high = metrics[name].get("range", (-math.inf, math.inf))
        if not low <= value <= high:
            raise FormatError(f"{where}: score {name!r} is outside its range")


def _check_strings(where: str, members: Mapping[str, Any]) -> None:
    for name, value in members.items():
        if not name or not isinstance(value, str):
            raise FormatError(f"{where}: {name!r} is no string, or has no name")


# Section 5: paths

_SEGMENT = re.compile(r"[\w.+=@, -]+")
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE | re.DOTALL)


def check_path(path: str) -> None:
    if len(path.encode()) > 1024 or not unicodedata.is_normalized("NFC", path):
        raise FormatError(f"{path!r}: too long, or not in NFC")
    for segment in path.split("/"):
        fits = _SEGMENT.fullmatch(segment) and len(segment.encode()) <= 255
        if not fits or segment[0] == " " or segment[-1] in " ." or _DEVICE.fullmatch(segment):
            raise FormatError(f"{path!r} is not portable")


# Sections 1, 7 and 9: the folder


@dataclass(slots=True)
class Spool:
    """The records in one file as long as nobody knows how large they get, with what is needed to cut it into shards."""

    stream: BinaryIO
    sizes: array[int] = field(default_factory=lambda: array("I"))
    heads: array[int] = field(default_factory=lambda: array("Q"))
    """The first 32 bits of the SHA-256 of the id; NO_START where the id is that of the record before."""
    total: int = 0

    def add(self, record_id: str, repeats_id: bool, text: bytes) -> None:
        self.stream.write(text)
        self.sizes.append(len(text))
        head = hashlib.sha256(record_id.encode()).digest()[:4]
        self.heads.append(NO_START if repeats_id else int.from_bytes(head, "big"))
        self.total += len(text)

    def shards(self) -> Iterator[tuple[int, int]]:
        """(bytes, lines) of each shard in order."""
        bound = 1 << 32 - self._leading_bits()
        size = lines = 0
        for at, head in enumerate(self.heads):
            if lines and head < bound:
                yield size, lines
                size = lines = 0
            size += self.sizes[at]
            lines += 1
        yield size, lines

    def _leading_bits(self) -> int:
        r = 0
        while 2 ** (r + 1) * self.total <= SHARD_SIZE * len(self.sizes):
            r += 1
        return r


@dataclass(slots=True)
class RunFolder:
    """The folder in the making and the entries of `files`."""

    folder: Path
    files: dict[str, dict[str, object]] = field(default_factory=dict)

    def write(self, path: str, content: bytes, **facts: object) -> None:
        check_path(path)
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "xb") as stream:
            stream.write(content)
            _flush(stream)
        self._enter(path, hashlib.sha256(content).hexdigest(), len(content), facts)

    def write_records(self, records: Iterable[Mapping[str, Any]], metrics: Mapping[str, Any], summary: Summary) -> None:
        with open(self.folder / "records.jsonl", "x+b", buffering=COPY_SIZE) as stream:
            spool = Spool(stream)
            for record, repeats_id in _in_order(records):
                check_record(record, metrics)
                text = line(record) + b"\n"
                if len(text) > LONGEST_LINE:
                    raise FormatError(f"{record['id']}: the line is longer than {LONGEST_LINE} bytes")
                spool.add(record["id"], repeats_id, text)
                summary.add(record)
            _flush(stream)
            stream.seek(0)
            if spool.total > LARGEST_FILE:
                self._cut(spool)
            else:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
                self._enter("records.jsonl", digest, spool.total, {"lines": len(spool.sizes)})
        if spool.total > LARGEST_FILE:
            (self.folder / "records.jsonl").unlink()

    def _cut(self, spool: Spool) -> None:
        for number, (size, lines) in enumerate(spool.shards(), start=1):
            if number > MOST_SHARDS:
                raise FormatError(f"more than {MOST_SHARDS} shards")
            content = spool.stream.read(size)
            first = json.loads(content[: content.index(b"\n")])["id"]
            self.write(f"records-{number:04d}.jsonl", content, lines=lines, first=first)

    def _enter(self, path: str, digest: str, size: int, facts: Mapping[str, object]) -> None:
        self.files[path] = {"sha256": digest, "size": size, **facts}


def _in_order(records: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Each record, and whether it has the id of the one before."""
    last: tuple[bytes, int] = (b"", 0)
    for record in records:
        key = (record["id"].encode(), record.get("repeat", 1))
        if key <= last:
            raise FormatError(f"{record['id']!r}: records must come in order of their keys, no two with the same")
        yield record, key[0] == last[0]
        last = key


def series_lines(points: Iterable[Mapping[str, Any]], summary: Summary) -> bytes:
    """series.jsonl of the points, in any order."""
    ordered = sorted(points, key=lambda point: (point["name"].encode(), "step" not in point, point.get("step", 0)))
    for point in ordered:
        summary.points[point["name"]] = summary.points.get(point["name"], 0) + 1
    return b"".join(line(point) + b"\n" for point in ordered)


def write_run(
    folder: Path,
    facts: Mapping[str, Any],
    records: Iterable[Mapping[str, Any]],
    *,
    points: Iterable[Mapping[str, Any]] = (),
    artifacts: Mapping[str, bytes] | None = None,
) -> None:
    """Write a run. `facts` is a manifest without `files`, `format` and `run_id`; records come sorted by key."""
    if folder.exists():
        raise FileExistsError(folder)
    building = folder.parent / f".{folder.name}.{os.getpid()}.second"
    building.mkdir(parents=True)
    try:
        run = RunFolder(building)
        summary = Summary(list(facts["slices"]))
        run.write_records(records, facts["metrics"], summary)
        if series := series_lines(points, summary):
            run.write("series.jsonl", series, lines=series.count(b"\n"))
        for path, content in (artifacts or {}).items():
            run.write(f"artifacts/{path}", content)
        run.write("summary.json", document(summary.to_json()))
        run_id = hashlib.sha256(line(facts["identity"])).hexdigest()[:32]
        files = dict(run.files)
        run.write("manifest.json", document({**facts, "files": files, "format": 1, "run_id": run_id}))
        for path in [*(one for one in building.rglob("*") if one.is_dir()), building]:
            _flush_folder(path)
        building.rename(folder)
        _flush_folder(folder.parent)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def _flush(stream: BinaryIO) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def _flush_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# The command: the content of a run, written again


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    with open(path, "rb") as stream:
        for text in stream:
            yield orjson.loads(text)


def rewrite(run: Path, folder: Path) -> None:
    """Read a run and write its content again at `folder`, trusting none of its totals and digests."""
    manifest = orjson.loads((run / "manifest.json").read_bytes())
    facts = {name: value for name, value in manifest.items() if name not in ("files", "format", "run_id")}
    shards = sorted(run.glob("records*.jsonl"))
    records = (record for shard in shards for record in read_lines(shard))
    points = read_lines(run / "series.jsonl") if (run / "series.jsonl").exists() else ()
    kept = {
        str(path.relative_to(run / "artifacts")): path.read_bytes()
        for path in (run / "artifacts").rglob("*")
        if path.is_file()
    }
    write_run(folder, facts, records, points=points, artifacts=kept)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: second_writer.py RUN OUTPUT")
    rewrite(Path(sys.argv[1]), Path(sys.argv[2]))
