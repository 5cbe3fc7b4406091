"""What a format yields: rows, each with its place in the source, and what could not be read as a row.

A format module turns a file into rows and knows nothing of ids, scores or decisions; `Format` is all it has to offer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple, Protocol, TypeAlias

from runstore.canonical import JsonValue
from runstore.importers.source_file import SourceFile


class Row(NamedTuple):
    """One row: where it stands, its value, and its key if it is a member of a JSON object."""

    place: str
    value: JsonValue
    key: str | None = None


class BadRow(NamedTuple):
    """Something where a row was due: where it stands, and why it is no row."""

    place: str
    reason: str


Rows: TypeAlias = Iterator[Row | BadRow]


class Format(Protocol):
    """What a module of `importers.formats` offers."""

    @property
    def TEXT_CELLS(self) -> bool:  # noqa: N802  # a constant of the module
        """Whether all values are text (CSV), so that numbers have to be read out of text; empty cells are null."""

    def rows(self, source: SourceFile, records: str | None) -> Rows:
        """The rows of a source, in order.

        `records` is the dotted path of `--records`. Raises UsageError if the format has no use for it or nothing
        stands there, SourceDataError if the source as a whole cannot be read.
        """


def shown(value: object, most: int = 60) -> str:
    """A value as a message may show it: on one line, without control characters, shortened in its middle.

    An object or array is shown by its kind alone: printing it whole could take as much memory as the source.
    """
    if isinstance(value, dict):
        return f"an object of {len(value)}"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    if isinstance(value, int) and value.bit_length() > 200:
        return f"an integer of {value.bit_length()} bits"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, str) and len(value) > 2 * most:
        value = value[:most] + value[-most:]
    text = repr(value)
    return text if len(text) <= most else f"{text[: most // 2 - 2]}...{text[-(most - most // 2 - 1) :]}"
