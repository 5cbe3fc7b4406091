"""A CSV table (RFC 4180): the first row names the columns, each other row is a row. Every cell is text, or empty: null.

Comma and double quote only, nothing is sniffed. A UTF-8 byte order mark, which spreadsheets write, is passed over.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence

from runstore.errors import SourceDataError, UsageError
from runstore.importers.rows import BadRow, Row, Rows, shown
from runstore.importers.source_file import SourceFile

TEXT_CELLS = True
_BOM = "\ufeff"


class _Text:
    """The lines of a source as the csv module wants them, with the number of the last and the size of the row so far.

    An iterator of its own, not a generator: it goes on after it has raised.
    """

    def __init__(self, source: SourceFile) -> None:
        self._lines = source.lines()
        self._limit = source.limits.line_bytes
        self.number = 0
        self.row_bytes = 0

    def __iter__(self) -> _Text:
        return self

    def __next__(self) -> str:
        self.number, line = next(self._lines)
        self.row_bytes += self._limit + 1 if line is None else len(line)
        if line is None or self.row_bytes > self._limit:
            raise csv.Error(f"longer than {self._limit:,} bytes (a quote that is not closed?)")
        # Bytes that are not UTF-8 come through as lone surrogates, so that the row they stand in can be named.
        text = line.decode(errors="surrogateescape")
        return text.removeprefix(_BOM) if self.number == 1 else text


def rows(source: SourceFile, records: str | None) -> Rows:
    """The rows of the table. See `rows.Format`."""
    if records is not None:
        raise UsageError("--records is for a JSON document; a CSV table has its records in its rows")
    return _rows(source)


def _rows(source: SourceFile) -> Rows:
    text = _Text(source)
    reader = csv.reader(text, strict=True)
    columns: list[str] | None = None
    while True:
        place, text.row_bytes = f"line {text.number + 1}", 0
        try:
            cells = _next(reader, source.limits.line_bytes)
        except csv.Error as error:
            if columns is None:
                raise SourceDataError(str(error), where=f"{source.name} {place}") from error
            yield BadRow(place, str(error))
            continue
        if cells is None:
            return
        if columns is None:
            columns = _columns(cells, source)
        elif cells:
            yield _row(place, columns, cells)


def _next(reader: Iterator[list[str]], cell_limit: int) -> list[str] | None:
    """The next row, or None. The csv module's own limit of a cell belongs to the process: it is put back."""
    before = csv.field_size_limit(cell_limit)
    try:
        return next(reader, None)
    finally:
        csv.field_size_limit(before)


def _columns(cells: list[str], source: SourceFile) -> list[str]:
    twice = sorted({name for name in cells if cells.count(name) > 1})
    if twice:
        raise SourceDataError(f"the column {shown(twice[0])} stands twice", where=f"{source.name} line 1")
    if not _is_utf8(cells):
        raise SourceDataError("not UTF-8", where=f"{source.name} line 1", hint="save the table as UTF-8")
    return cells


def _row(place: str, columns: Sequence[str], cells: list[str]) -> Row | BadRow:
    if len(cells) != len(columns):
        return BadRow(place, f"{len(cells)} cells under {len(columns)} columns")
    if not _is_utf8(cells):
        return BadRow(place, "not UTF-8")
    return Row(place, {name: cell or None for name, cell in zip(columns, cells, strict=True)})


def _is_utf8(cells: Sequence[str]) -> bool:
    return all(cell.isascii() or not any("\ud800" <= char <= "\udfff" for char in cell) for cell in cells)
