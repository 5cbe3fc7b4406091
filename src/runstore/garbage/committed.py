"""What git holds of the runs below a folder: in its index, at HEAD and at other commits; the texts they name out.

What is committed comes back with the history, but a run may be staged or committed while its texts are not yet.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from runstore.errors import InvalidDataError, InvalidRunError, UsageError
from runstore.garbage.naming import named_texts
from runstore.git import process
from runstore.git.blobs import Blobs
from runstore.git.place import read_ref
from runstore.store.reader import LINE_BYTES

_RECORDS = re.compile(rb"(?:.*/)?records(?:-[0-9]{4})?\.jsonl\Z", re.DOTALL)
_BLOCK_BYTES = 256 * 1024
_FILE = b"100"


def named_in_git(folder: Path, refs: Sequence[str]) -> set[str]:
    """The SHA-256 of every text that records below a folder of a work tree name, as git has them.

    Raises UsageError for a ref that does not exist, or what is not in this clone; InvalidRunError for what cannot be
    read.
    """
    where = ("-C", os.fspath(folder))
    found = _indexed(where)
    for ref in ("HEAD", *refs):
        found |= _at(where, ref)
    named: set[str] = set()
    blobs = Blobs(*where)
    try:
        for oid, name in sorted(found.items()):
            named |= _named_by(blobs, oid, name)
    finally:
        blobs.close()
    return named


def _indexed(where: Sequence[str]) -> dict[str, str]:
    """Object id → name of each file of records in the index, every side of a conflict."""
    lines = process.run(*where, "ls-files", "-s", "-z", "--", ".").split(b"\0")[:-1]
    return dict(_files(lines, 1, "the index"))


def _at(where: Sequence[str], ref: str) -> dict[str, str]:
    """The same at a commit; nothing at a HEAD that has none yet."""
    read_ref(ref)
    words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    commit = process.run(*where, *words, codes=(0, 1, 128)).decode().strip()
    if not commit:
        if ref == "HEAD":
            return {}
        raise UsageError(f"{ref}: no such commit in this clone", hint="fetch it, or leave out --ref")
    return dict(_files(process.run(*where, "ls-tree", "-r", "-z", commit).split(b"\0")[:-1], 2, ref))


def _files(lines: Sequence[bytes], at: int, place: str) -> Iterator[tuple[str, str]]:
    """Of lines `mode … oid …<TAB>path` those of files of records; `at` is where among the words the object id is."""
    for line in lines:
        head, _, path = line.partition(b"\t")
        words = head.split()
        if _RECORDS.match(path) and words[0].startswith(_FILE):
            yield words[at].decode(), f"{place}:{os.fsdecode(path)}"


def _named_by(blobs: Blobs, oid: str, name: str) -> set[str]:
    named: set[str] = set()
    for number, line in enumerate(_lines(blobs, oid, name), start=1):
        try:
            named |= named_texts(line)
        except InvalidDataError as error:
            raise InvalidRunError(
                f"{error.message}; records that cannot be read may name any text, so none is removed",
                where=f"{name!a}:{number} {error.where}".rstrip(),
                hint=error.hint or "put the file right in git, or take it out, and call again",
            ) from error
    return named


def _lines(blobs: Blobs, oid: str, name: str) -> Iterator[bytes]:
    rest = b""
    with blobs.open(oid, name) as file:
        while block := file.read(_BLOCK_BYTES):
            *lines, rest = (rest + block).split(b"\n")
            yield from lines
            if len(rest) > LINE_BYTES:
                raise InvalidRunError(f"a line is longer than {LINE_BYTES} bytes", where=name)
    if rest:
        yield rest
