"""`gate show RUN`: what a run holds, for people; with `--record`, one of its records."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence

import click

from runstore import canonical, large_text, manifest, record, summary, texts
from runstore.canonical import JsonValue
from runstore.cli.locators import Places, locate
from runstore.errors import InvalidDataError, UsageError
from runstore.exact import ExactSum, mean, stddev
from runstore.manifest import Manifest
from runstore.record import JsonObject
from runstore.reports.text_safety import safe_text
from runstore.source import Tree
from runstore.store.reader import Run, read_run
from runstore.summary import Tally

_SLICE_VALUES = 20
_LINE_CHARS = 100
_FIELDS = ("id", "repeat", "status", "reason", "scores", "tags", "input", "target", "output", "metadata")
Row = Sequence[str]


@click.command(name="show")
@click.argument("run", type=click.Path(readable=False))
@click.option("--record", "record_id", metavar="ID", help="Show the record with this id, all its repeats.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(run: str, record_id: str | None, form: str) -> None:
    """Show what RUN holds: what was run, its metrics, its slices, its files. RUN is a folder, or REF:path in git.

    Of a record, large texts are shown whole if they stand beside the run; as JSON it is shown as it is stored.

    \b
    gate show baselines/qa
    gate show baselines/qa --record sample-17
    gate show origin/main:baselines/qa
    """
    with Places() as places:
        text = _shown(places.open(locate(run)), record_id, form)
    # Whoever reads the JSON from a pipe gets its exact bytes; a terminal never sees a control character.
    click.echo(safe_text(text) if form == "text" or sys.stdout.isatty() else text.encode(), nl=False)


def _shown(tree: Tree, record_id: str | None, form: str) -> str:
    opened = read_run(tree)
    if record_id is not None:
        found = _records(opened, record_id)
        if form == "json":
            return _document([*found])
        return "\n\n".join(_record_text(_whole(one, tree)) for one in found) + "\n"
    totals = opened.document("summary.json")
    if form == "json":
        return _document({"manifest": manifest.to_json(opened.manifest), "summary": totals})
    return _text(opened, totals)


def _document(value: JsonValue) -> str:
    return canonical.encode_document(value).decode()


def _records(run: Run, record_id: str) -> list[JsonObject]:
    """The records with an id, checked; the file they stand in is read to its end, so its digest is too.

    Raises UsageError if there is none.
    """
    key = record_id.encode(errors="surrogateescape")
    found = []
    for batch in run.batches([_file_of(run, key)]):
        for number, line in enumerate(batch.lines, start=batch.first_line):
            try:
                if record.line_id(line) == key:
                    found.append(record.read(line, run.manifest.ranges))
            except InvalidDataError as error:
                raise run.located(error, batch.path, number) from error
    if not found:
        raise UsageError(f"{run.label} has no record {record_id!r}", hint="ids are compared exactly")
    return found


def _whole(values: JsonObject, tree: Tree) -> JsonObject:
    """The record with its large texts in their places; one that is not beside the run is told to be cut."""
    whole = large_text.replaced(values, texts.whole_texts(values, tree))
    missing = {
        pointer: f"{text}\n[its file is not beside the run]" for pointer, text in large_text.told_texts(whole).items()
    }
    return large_text.replaced(whole, missing)


def _file_of(run: Run, key: bytes) -> str:
    """The file that a record would stand in: the last one that does not start after it."""
    first, *others = run.record_files
    return next((path for path in reversed(others) if (run.manifest.files[path].first or "").encode() <= key), first)


def _text(run: Run, totals: JsonValue) -> str:
    try:
        tally, points = summary.from_json(totals)
    except InvalidDataError as error:
        raise run.located(error, "summary.json") from error
    described = run.manifest
    counts = ", ".join(f"{tally.status[status]} {status}" for status in record.STATUSES)
    parts = [
        [*_facts(described), ("records", f"{tally.records} ({counts})")],
        _table(("metric", "better", "unit", "count", "missing", "mean", "stddev"), _metrics(described, tally)),
        _table(("series", "better", "unit", "points"), _series(described, points)),
        *(_table((tag, "records", *sorted(tally.metrics)), _slice(tally, tag)) for tag in described.slices),
        _table(("file", "bytes", "lines", "sha256"), _files(described)),
        _table(("volatile", "value"), ((name, str(value)) for name, value in run.volatile_measures().items())),
    ]
    return "\n".join("".join(f"{line}\n" for line in _aligned(rows)) for rows in parts if rows)


def _facts(described: Manifest) -> Iterator[Row]:
    identity, provenance = described.identity, described.provenance
    yield "run", f"{identity.project} / {identity.suite} / {identity.name}"
    yield "run id", described.run_id
    yield "status", described.status
    if identity.parent:
        yield "parent", identity.parent
    for dataset in identity.datasets:
        yield "data set", " ".join(filter(None, (dataset.name, dataset.version, dataset.digest)))
    for name, value in identity.params.items():
        yield "param", f"{name} = {_json(value)}"
    for name, tag in described.tags.items():
        yield "tag", f"{name} = {tag}"
    if provenance.commit:
        yield "commit", provenance.commit + (" (dirty)" if provenance.dirty else "")
    if provenance.environment:
        yield "environment", provenance.environment
    if provenance.attempt:
        yield "attempt", str(provenance.attempt)
    if isinstance(described.origin, dict):
        yield "origin", _json(described.origin)
    if described.notes:
        yield "notes", described.notes


def _metrics(described: Manifest, tally: Tally) -> Iterator[Row]:
    for name, sums in tally.metrics.items():
        declared = described.metrics.get(name)
        deviation = canonical.number_text(stddev(sums.count, sums.sum, sums.squares)) if sums.count > 1 else "-"
        yield (
            name,
            declared.direction if declared else "?",
            (declared.unit if declared else None) or "-",
            str(sums.count),
            str(tally.records - sums.count),
            _mean(sums),
            deviation,
        )


def _mean(sums: ExactSum | None) -> str:
    return canonical.number_text(mean(sums.count, sums.sum)) if sums else "-"


def _series(described: Manifest, points: Mapping[str, int]) -> Iterator[Row]:
    for name, count in points.items():
        declared = described.metrics.get(name)
        yield name, declared.direction if declared else "?", (declared.unit if declared else None) or "-", str(count)


def _slice(tally: Tally, tag: str) -> Iterator[Row]:
    values = tally.slices.get(tag, {})
    for value in list(values)[:_SLICE_VALUES]:
        part = values[value]
        yield value, str(part.records), *(_mean(part.metrics.get(name)) for name in sorted(tally.metrics))
    if len(values) > _SLICE_VALUES:
        yield f"… and {len(values) - _SLICE_VALUES} more", ""


def _files(described: Manifest) -> Iterator[Row]:
    for path, entry in described.files.items():
        yield path, str(entry.size), "-" if entry.lines is None else str(entry.lines), entry.sha256[:12]


def _table(head: Row, rows: Iterator[Row]) -> list[Row]:
    """Head and rows; nothing if there are no rows."""
    found = list(rows)
    return [head, *found] if found else []


def _aligned(rows: Sequence[Row]) -> Iterator[str]:
    """The rows as lines of columns. A line feed in a cell is shown as an escape: no cell can look like a row."""
    cells = [[safe_text(cell).replace("\n", "\\n") for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells if column < len(row)) for column in range(max(map(len, cells)))]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()


def _json(value: JsonValue) -> str:
    return canonical.encode(value).decode()


def _record_text(values: JsonObject) -> str:
    return "\n".join(_field_text(name, values[name]) for name in _FIELDS if name in values)


def _field_text(name: str, value: JsonValue) -> str:
    """One field: short ones on the line of their name, long ones indented below it."""
    text = value if isinstance(value, str) else _json(value)
    if not isinstance(value, str) and len(text) > _LINE_CHARS:
        text = _document(value).rstrip("\n")
    if "\n" not in text:
        return f"{name}: {text}"
    return f"{name}:\n" + "\n".join(f"    {line}" for line in text.split("\n"))
