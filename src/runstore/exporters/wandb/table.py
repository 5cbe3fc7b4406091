"""The table of records that W&B shows: records in, the JSON text of a W&B table out.

A row is a record, a column a field of it: `id`, `repeat`, `status`, `score/NAME`, `tag/NAME`, then `input`, `output`,
`target`, `reason`, `metadata`. A column is there if a record has it. Numbers stay numbers, texts texts; other values
are their canonical text. W&B shows 10,000 rows at most, and long cells badly: what is left out is counted, and the
records travel whole in a file beside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.exporters.contract import Change
from runstore.exporters.redaction import Globs, is_redacted, without
from runstore.record import JsonObject
from runstore.store.reader import Run

MOST_ROWS = 10_000
"""What W&B's own client takes for a table that is logged (`wandb.Table.MAX_ROWS`)."""
MOST_CHARACTERS = 4_000
_FIRST = ("id", "repeat", "status")
_TEXTS = ("input", "output", "target", "reason", "metadata")
Row = dict[str, JsonValue]


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table: its text in JSON, its size, and what it does not show of the records."""

    content: bytes
    rows: int
    columns: int
    changes: list[Change]
    redacted: list[str]
    """The columns that were left out, wholly or in part, because a glob names them."""


def make_table(run: Run, globs: Globs) -> Table:
    """The table of a run's records, without what a glob names. Raises InvalidDataError for damaged records."""
    rows, cut, hidden = [], Counter[str](), set[str]()
    for record in _records(run):
        row = _shown(_row(record), globs, hidden) if globs else _row(record)
        rows.append({name: _cell(name, value, cut) for name, value in row.items()})
    columns = _columns(rows)
    data: list[JsonValue] = [[row.get(name) for name in columns] for row in rows]
    content = canonical.jcs({"columns": list(columns), "data": data})
    changes = _changes(run.record_count, len(rows), cut, columns)
    return Table(content=content, rows=len(rows), columns=len(columns), changes=changes, redacted=sorted(hidden))


def _records(run: Run) -> Iterator[JsonObject]:
    """The first records, as many as the table takes."""
    left = MOST_ROWS
    for batch in run.batches():
        for record in canonical.loads_all(batch.lines[:left]):
            assert isinstance(record, dict)
            yield record
        left -= len(batch.lines)
        if left <= 0:
            return


def _shown(row: Row, globs: Globs, hidden: set[str]) -> Row:
    """A row without what must not leave, at any depth. A column goes by its name or by that of its score or tag."""
    shown: Row = {}
    for column, value in row.items():
        names = (column, column.partition("/")[2], column.replace("/", "s.", 1))  # tag/lang: `lang`, `tags.lang`
        if any(name and is_redacted(name, globs) for name in names):
            hidden.add(column)
            continue
        shown[column] = without(value, globs, f"{column}.")
        if shown[column] != value:
            hidden.add(f"{column} (parts of it)")
    return shown


def _row(record: JsonObject) -> Row:
    row: Row = {name: record[name] for name in (*_FIRST, *_TEXTS) if name in record}
    for field, prefix in (("scores", "score"), ("tags", "tag")):
        members = record.get(field)
        if isinstance(members, dict):
            row.update((f"{prefix}/{name}", value) for name, value in members.items())
    return row


def _cell(column: str, value: JsonValue, cut: Counter[str]) -> JsonValue:
    if isinstance(value, dict | list):
        value = canonical.jcs(value).decode()
    if isinstance(value, str) and len(value) > MOST_CHARACTERS:
        cut[column] += 1
        return f"{value[:MOST_CHARACTERS]}…"
    return value


def _columns(rows: list[Row]) -> list[str]:
    found = {name for row in rows for name in row}
    members = sorted(found.difference(_FIRST, _TEXTS), key=str.encode)
    return [*(name for name in _FIRST if name in found), *members, *(name for name in _TEXTS if name in found)]


def _changes(records: int, rows: int, cut: Counter[str], columns: list[str]) -> list[Change]:
    changes = []
    if rows < records:
        told = f"the table shows the first {MOST_ROWS} records of {records}"
        changes.append(Change(kind="record", name="table", deed="truncated", sent=f"{rows} rows", reason=told))
    for column in columns:
        if cut[column]:
            told = f"longer than {MOST_CHARACTERS} characters in {cut[column]} of {rows} rows"
            changes.append(Change(kind="record", name=column, deed="truncated", sent=column, reason=told))
    return changes
