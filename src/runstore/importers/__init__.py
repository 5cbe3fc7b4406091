"""Importers: foreign files in, a run out. This is the table of formats; a module is loaded when its format is named.

To add a format: one module in `importers/formats/`, one row here, tests. docs/importing.md says what a module offers.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from runstore.errors import UsageError

if TYPE_CHECKING:
    from runstore.importers.rows import Format


@dataclass(frozen=True, kw_only=True, slots=True)
class FormatEntry:
    """A row of the table: the module, and the file endings that stand for the format when `--format` is not given."""

    module: str
    endings: tuple[str, ...] = ()


FORMATS = {
    "csv": FormatEntry(module="runstore.importers.formats.csv_table", endings=(".csv",)),
    "json": FormatEntry(module="runstore.importers.formats.json_document", endings=(".json",)),
    "jsonl": FormatEntry(module="runstore.importers.formats.jsonl", endings=(".jsonl", ".ndjson")),
}


def format_of(source: Path) -> str:
    """The format that the ending of a file stands for, `.gz` put aside. Raises UsageError if no format has it."""
    plain = source.with_suffix("") if source.suffix.lower() == ".gz" else source
    for name, entry in FORMATS.items():
        if plain.suffix.lower() in entry.endings:
            return name
    known = ", ".join(f"{ending} ({name})" for name, entry in FORMATS.items() for ending in entry.endings)
    raise UsageError(
        f"the ending of {source} stands for no format; known are {known}, each also with .gz",
        hint=f"say --format {'|'.join(FORMATS)}",
    )


def load_format(name: str) -> Format:
    """The module of a format in the table."""
    return cast("Format", import_module(FORMATS[name].module))
