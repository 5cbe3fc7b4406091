"""JSON lines: each line is a JSON object, a row. Blank lines mean nothing; CRLF is fine.

Bare NaN, Infinity and numbers beyond the doubles are read as such, for the mapping to name where they matter.
"""

from __future__ import annotations

from runstore.canonical import parse_loose
from runstore.errors import CanonicalError, UsageError
from runstore.importers.rows import BadRow, Row, Rows
from runstore.importers.source_file import SourceFile
from runstore.shape import kind

TEXT_CELLS = False
_WHITE = b" \t\r\n"


def rows(source: SourceFile, records: str | None) -> Rows:
    """The lines of the source that are objects. See `rows.Format`."""
    if records is not None:
        raise UsageError("--records is for a JSON document; in JSONL each line is a record")
    return _rows(source)


def _rows(source: SourceFile) -> Rows:
    for number, line in source.lines():
        place = f"line {number}"
        if line is None:
            yield BadRow(place, f"longer than {source.limits.line_bytes:,} bytes")
        elif line.strip(_WHITE):
            yield _row(place, line)


def _row(place: str, line: bytes) -> Row | BadRow:
    try:
        value = parse_loose(line, non_finite=True)
    except CanonicalError as error:
        return BadRow(place, f"{error.message} ({error.where})" if error.where else error.message)
    return Row(place, value) if isinstance(value, dict) else BadRow(place, f"expected an object, found {kind(value)}")
