"""A saved comparison: the file that `gate compare --format json` wrote in, the view that every report is made from out.

What is read is held to its word before anything is rendered: the form (docs/format.md, section 2), the schema, and what
a schema cannot say: the verdict is the one its findings lead to, counts add up, and nothing is about a run that was not
compared. So a file that was cut short, merged or edited is refused, and a verdict cannot be changed by itself. Whoever
edits everything that belongs together is not found out: a saved report is as trustworthy as the place it was kept in.
"""

from __future__ import annotations

import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from runstore.canonical import JsonValue
from runstore.cli.saved.form import AGAIN, check_form
from runstore.cli.saved.sense import check_sense
from runstore.cli.saved.text import decoded
from runstore.errors import InvalidDataError, UsageError
from runstore.reports.shapes import View

STDIN = Path("-")
MAX_BYTES = 512 * 2**20
"""A larger file is refused: a report that people read lists some thousands of records at most."""


def load_view(path: Path) -> Mapping[str, JsonValue]:
    """The view that a file holds; `-` is standard input.

    Raises UsageError if there is no such file, or one too large; InvalidDataError if it is not what `gate compare`
    wrote. System errors pass.
    """
    label = "standard input" if path == STDIN else str(path)
    try:
        found = decoded(_bytes(path, label))
        check_form(found)
        check_sense(cast(View, found))
    except InvalidDataError as error:
        raise _at(label, error) from None
    return found


def _at(label: str, error: InvalidDataError) -> InvalidDataError:
    place = f"{label}{'' if error.where.startswith(':') else ' '}{error.where}" if error.where else label
    return InvalidDataError(error.message, where=place, hint=error.hint or AGAIN)


def _bytes(path: Path, label: str) -> bytes:
    """All of a file, a pipe or standard input, if it is not too large."""
    if path == STDIN:
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
    else:
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            raise UsageError(f"{label}: no such file", hint="name the report that `--format json:FILE` wrote") from None
        if stat.S_ISDIR(mode):
            raise UsageError(f"{label} is a folder", hint="name the JSON report of a comparison")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise UsageError(f"{label} is larger than {MAX_BYTES:,} bytes", hint="compare again with a smaller --limit")
    return data
