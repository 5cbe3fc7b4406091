"""A table of per-sample results, by rows in; records out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from runstore.canonical import JsonValue
from runstore.errors import InvalidDataError, UsageError
from runstore.record import JsonObject
from runstore.tracking.values import number

Row = Mapping[str, JsonValue]


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """Which column of a table is which field of a record; what is named nowhere becomes `metadata`."""

    id: str = "id"
    scores: Sequence[str] = ()
    tags: Sequence[str] = ()
    input: str | None = None
    output: str | None = None
    target: str | None = None


def rows(table: object, columns: Sequence[str] | None) -> Iterator[Row]:
    """The rows of a table: mappings, sequences under `columns`, or a data frame with `to_dict`. Raises UsageError."""
    to_dict = getattr(table, "to_dict", None)
    found = to_dict("records") if callable(to_dict) and not isinstance(table, Mapping) else table
    if not isinstance(found, Iterable) or isinstance(found, str | bytes | Mapping):
        raise UsageError(
            "a table is a sequence of rows", hint="pass a list of mappings, or columns and lists of values"
        )
    if columns is not None and len(set(columns)) != len(columns):
        raise UsageError("two columns have one name", hint="give each its own")
    for row in found:
        if isinstance(row, Mapping):
            yield row
        elif columns is not None and isinstance(row, Sequence) and len(row) == len(columns):
            yield dict(zip(columns, row, strict=True))
        else:
            raise UsageError(f"{row!r:.80} is no row", hint="a row is a mapping, or has a value for each of `columns`")


def record(row: Row, columns: Columns) -> JsonObject:
    """The record of a row. Raises InvalidDataError if a column that is named is not there."""
    fields = {"input": columns.input, "output": columns.output, "target": columns.target}
    for names, what in ((columns.scores, "scores"), (columns.tags, "tags")):
        if isinstance(names, str):
            raise UsageError(f"`{what}` is one text", hint=f"pass a list: [{names!r:.80}]")
    taken = [columns.id, *columns.scores, *columns.tags, *(name for name in fields.values() if name)]
    for name in taken:
        if name not in row:
            raise InvalidDataError(f"a row has no column {name!r}", hint=f"it has {', '.join(map(str, row))}")
    made: JsonObject = {"id": _name(row[columns.id], columns.id)}
    scores = {name: number(name, row[name]) for name in columns.scores if row.get(name) is not None}
    if scores:
        made["scores"] = cast(JsonObject, scores)
    if columns.tags:
        made["tags"] = {name: _name(row[name], name) for name in columns.tags if row[name] is not None}
    for field, column in fields.items():
        if column is not None and column in row:
            made[field] = row[column]
    if rest := {name: value for name, value in row.items() if name not in taken}:
        made["metadata"] = rest
    return made


def _name(value: object, column: str) -> str:
    """The text of an id or a tag; what is none, NaN or bytes names nothing."""
    if value is None or isinstance(value, bytes) or value != value:  # NaN alone is not itself
        raise InvalidDataError(f"{value!r:.80} in the column {column!r:.80} names nothing", hint="give each row a text")
    return str(value)
