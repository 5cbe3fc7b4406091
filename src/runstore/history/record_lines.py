"""The lines of one record in a file of records: blocks of bytes in, the lines with its id out; no other line is parsed.

Every canonical line begins with `{"id":"`, so the record is found by the bytes of its id at the start of a line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from runstore import canonical
from runstore.errors import InvalidDataError, InvalidRunError
from runstore.manifest import FileEntry
from runstore.record import JsonObject, line_key


def file_of(files: Mapping[str, FileEntry], names: list[str], record_id: str) -> str:
    """The file that a record stands in if it is there: the last one that does not start after it."""
    key = record_id.encode(errors="surrogatepass")
    first, *others = names
    return next((name for name in reversed(others) if (files[name].first or "").encode() <= key), first)


def find(blocks: Iterable[bytes], sha256: str, record_id: str) -> dict[int, bytes]:
    """Repeat → line of a record, without LF. The blocks are read to their end.

    Raises InvalidDataError if they have not that digest, or a line that is found is no record.
    """
    start = canonical.encode({"id": record_id})[:-1]
    digest = hashlib.sha256()
    lines: list[bytes] = []
    rest = b"\n"
    for block in blocks:
        digest.update(block)
        rest = _taken(rest + block, b"\n" + start, lines)
    if digest.hexdigest() != sha256:
        raise InvalidRunError("its digest is not the one in the manifest")
    found = {line_key(line)[1]: line for line in lines}
    if len(found) < len(lines):
        raise InvalidRunError("the record stands there twice")
    return found


def _taken(data: bytes, mark: bytes, lines: list[bytes]) -> bytes:
    """Take the whole lines that begin as asked; what may be the start of another one is left over."""
    at = data.find(mark)
    while at >= 0:
        end = data.find(b"\n", at + 1)
        if end < 0:
            return data[at:]
        lines.append(data[at + 1 : end])
        at = data.find(mark, end)
    return data[max(0, len(data) - len(mark)) :]


def parsed(line: bytes) -> JsonObject:
    """The record of a line. Raises InvalidDataError if it is not canonical, or no object."""
    value = canonical.decode(line)
    if not isinstance(value, dict):
        raise InvalidDataError("a record must be a JSON object")
    return value
