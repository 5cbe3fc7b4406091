"""What a merge has left undecided in a run: its files in; the first conflict, by place and record, out."""

from __future__ import annotations

from collections.abc import Iterator

from runstore import series, shards
from runstore.errors import InvalidDataError, InvalidRunError
from runstore.merging.lines import RECORDS, SERIES
from runstore.rebuilding import marks
from runstore.source import Source
from runstore.store.reader import LINE_BYTES

_DOCUMENTS = ("manifest.json", "summary.json")


def unmerged(source: Source) -> InvalidRunError | None:
    """The error for a run in which the marks of a merge stand; None if there are none. Records come first.

    Raises InvalidRunError if the files cannot be listed.
    """
    paths = sorted(source.sizes())
    of_lines = [path for path in paths if path == shards.SINGLE or shards.is_shard(path)]
    of_lines += [path for path in paths if path == series.FILE]
    for path in [*of_lines, *(path for path in _DOCUMENTS if path in paths)]:
        numbered = _lines(source, path)
        for number, line in numbered:
            if marks.mark_of(line) is not None:
                return _error(source, path, number, _about(numbered) if path in of_lines else "")
    return None


def _lines(source: Source, path: str) -> Iterator[tuple[int, bytes]]:
    with source.open(path) as file:
        number, rest = 0, b""
        while block := file.read(LINE_BYTES):
            *whole, rest = (rest + block).split(b"\n")
            for line in whole:
                number += 1
                yield number, line
        yield number + 1, rest


def _about(numbered: Iterator[tuple[int, bytes]]) -> str:
    """The name of the first record between the marks."""
    for _, line in numbered:
        form = SERIES if line.startswith(SERIES.prefix) else RECORDS
        try:
            return f" about {form.name(form.key(line))!r}"
        except (InvalidDataError, AssertionError, KeyError):
            continue
    return ""


def _error(source: Source, path: str, number: int, about: str) -> InvalidRunError:
    hint = "`gate rebuild` derives it again once the records are settled"
    if path not in _DOCUMENTS:
        hint = "keep the line you want, remove the marks, and call `gate rebuild`"
    return InvalidRunError(f"a merge has left a conflict{about}", where=f"{source.label}/{path}:{number}", hint=hint)
