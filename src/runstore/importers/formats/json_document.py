"""A JSON document: an array of objects, or an object `{id: value}`, at the top or where `--records` points.

The document is loaded whole, within a limit; JSONL is the form for more than memory holds.
"""

from __future__ import annotations

from runstore.canonical import JsonValue, parse_loose
from runstore.errors import CanonicalError, SourceDataError, UsageError
from runstore.importers.field_path import FieldPath, Missing
from runstore.importers.rows import BadRow, Row, Rows, shown
from runstore.importers.source_file import SourceFile
from runstore.shape import kind

TEXT_CELLS = False


def rows(source: SourceFile, records: str | None) -> Rows:
    """The elements or members of the records in the source. See `rows.Format`."""
    try:
        document = parse_loose(source.content(), non_finite=True)
    except CanonicalError as error:
        raise SourceDataError(error.message, where=f"{source.name} {error.where}".strip(), hint=error.hint) from error
    found = document if records is None else FieldPath.parse(records).find(document)
    if isinstance(found, Missing):
        raise UsageError(f"{source.name} has nothing at --records {records}")
    if isinstance(found, dict):
        return _members(found)
    if isinstance(found, list):
        return _elements(found)
    raise SourceDataError(
        f"expected an array of records or an object of them, found {kind(found)}",
        where=source.name,
        hint="--records PATH says where in the document the records stand",
    )


def _members(members: dict[str, JsonValue]) -> Rows:
    for key, value in members.items():
        yield Row(f"key {shown(key)}", value, key)


def _elements(elements: list[JsonValue]) -> Rows:
    for index, value in enumerate(elements):
        place = f"element {index}"
        if isinstance(value, dict):
            yield Row(place, value)
        else:
            yield BadRow(place, f"expected an object, found {kind(value)}")
