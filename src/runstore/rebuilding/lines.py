"""The lines of a merged run, taken as they stand: canonical, in order, each key once, no conflict, or refused.

What `gate fmt` would put right silently (an order, a form) is refused here: after a merge it means that lines met which
do not belong together, and a person must look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

from runstore import canonical, record, series
from runstore.errors import InvalidDataError, InvalidRunError
from runstore.loose import LooseRun
from runstore.rebuilding import marks
from runstore.store.reader import LINE_BYTES

_SHOWN = 5
_Key = tuple[bytes, float]
_Lines = Iterator[tuple[str, int, bytes]]


def check_lines(run: LooseRun) -> None:
    """Refuse records or points that a merge has left in doubt. Raises InvalidRunError with file and line."""
    points = [path for path in run.files if path == series.FILE]
    for path in [*run.record_files, *points]:
        _check_unmarked(run, path)
    _check_order(run, run.record_files, record.line_key, record.key_text)
    _check_order(run, points, series.line_key, series.key_text)


def _check_unmarked(run: LooseRun, path: str) -> None:
    found = marks.places((number, line) for _, number, line in _lines(run, path))
    if found:
        shown = ", ".join(f"{first}-{last}" for first, last in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
        raise InvalidRunError(
            f"a merge has left conflicts here: lines {shown}{more}",
            where=run.where(path, found[0][0]),
            hint="of each record keep the line you want, remove the marks, and call `gate rebuild` again",
        )


def _lines(run: LooseRun, path: str) -> _Lines:
    """Path, number from 1 and bytes without LF of each line. Raises InvalidRunError for one too long or cut off."""
    with (run.folder / path).open("rb") as file:
        number = 0
        while line := file.readline(LINE_BYTES + 1):
            number += 1
            if len(line) > LINE_BYTES:
                raise InvalidRunError(f"the line is longer than {LINE_BYTES} bytes", where=run.where(path, number))
            if not line.endswith(b"\n"):
                raise InvalidRunError(
                    "the last line does not end with a line feed",
                    where=run.where(path, number),
                    hint="see that nothing is cut off, and add it",
                )
            yield path, number, line[:-1]


def _check_order(
    run: LooseRun, files: list[str], key: Callable[[bytes], _Key], describe: Callable[[tuple[bytes, int]], str]
) -> None:
    before: _Key | None = None
    for path, number, line in chain.from_iterable(_lines(run, path) for path in files):
        this = _key(run, path, number, line, key)
        if before is not None and this <= before:
            _check_twins(run, files, key, describe)
            raise InvalidRunError(
                f"the lines are not sorted: {describe(_shown(this))!r} stands after {describe(_shown(before))!r}",
                where=run.where(path, number),
                hint="see that the merge took what it should; then `gate fmt` sorts them",
            )
        before = this


def _key(run: LooseRun, path: str, number: int, line: bytes, key: Callable[[bytes], _Key]) -> _Key:
    """The key of a line that obeys the law. Raises InvalidRunError."""
    try:
        value = canonical.decode(line)
        if not isinstance(value, dict) or not isinstance(value.get("id", value.get("name")), str):
            raise InvalidRunError("neither a record nor a point")
        return key(line)
    except InvalidDataError as error:
        where = f"{run.where(path, number)} {error.where}".rstrip()
        hint = error.hint or "see what the merge has made of it; `gate fmt` rewrites loose lines"
        raise InvalidRunError(error.message, where=where, hint=hint) from error


def _check_twins(
    run: LooseRun, files: list[str], key: Callable[[bytes], _Key], describe: Callable[[tuple[bytes, int]], str]
) -> None:
    """Name the places of two lines with one key, if there are any: a second look, for the message alone."""
    seen: dict[_Key, tuple[str, int]] = {}
    for path, number, line in chain.from_iterable(_lines(run, path) for path in files):
        this = _key(run, path, number, line, key)
        if this in seen:
            other, first = seen[this]
            raise InvalidRunError(
                f"the key {describe(_shown(this))!r} stands twice: in {other}:{first}, and here",
                where=run.where(path, number),
                hint="both sides of the merge had a line for it: remove the one you do not want, and call again",
            )
        seen[this] = path, number


def _shown(key: _Key) -> tuple[bytes, int]:
    return key  # type: ignore[return-value]  # a step is a whole number or infinite, and both are described
