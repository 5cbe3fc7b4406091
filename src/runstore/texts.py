"""The large texts of a run: a run and what stands beside it in; the whole texts out, or which of them are missing.

A record names a text by its digest. The bytes that stand under that name are taken only if they are that text: their
SHA-256, their number, and their beginning, which the record holds. What is not there is said, never made up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache

from runstore import canonical, large_text
from runstore.errors import InvalidRunError
from runstore.large_text import MARK, PREVIEW_BYTES, Reference
from runstore.record import JsonObject, key_text, line_key
from runstore.source import Tree
from runstore.store.reader import Run
from runstore.verification import Progress, no_progress

_BLOCK_BYTES = 1024 * 1024
_REMEMBERED = 4096
_HINT = "bring the folder {folder} that stands beside the run where it was made, or run again"


def check_texts(run: Run, tree: Tree, progress: Progress = no_progress) -> int:
    """Check that every text that the records of a run name stands beside it; how often one is named.

    `tree` is where the run stands. Raises InvalidRunError for the first text that is not what its name says, or,
    when all were looked at, for those that are missing: how many, and the first record.
    """
    look = lru_cache(_REMEMBERED)(lambda sha256: _look(tree, sha256))
    count, missing = 0, 0
    first = name = ""
    for where, pointer, reference, beginning in _named(run, progress):
        found = look(reference.sha256)
        if found is None:
            missing += 1
            if missing == 1:
                first, name = f"{where} {pointer}", "/".join((large_text.FOLDER, *large_text.path_of(reference.sha256)))
            continue
        if found != (reference.sha256, reference.size, beginning):
            raise _unlike(reference, found, beginning, f"{where} {pointer}")
        count += 1
    if missing:
        what = "a large text is missing" if missing == 1 else f"{missing:,} large texts are missing, the first here"
        raise InvalidRunError(
            f"{what}: there is no file {name} beside the run",
            where=first,
            hint=_HINT.format(folder=large_text.FOLDER),
        )
    return count


def _named(run: Run, progress: Progress) -> Iterator[tuple[str, str, Reference, bytes]]:
    """Place of the record, JSON pointer, and what is named there, with its beginning; of verified records."""
    for batch in run.batches():
        for number, line in enumerate(batch.lines, start=batch.first_line):
            if MARK not in line:
                continue
            record = canonical.loads(line)
            assert isinstance(record, dict)
            named = large_text.references(record)
            where = f"{run.where(batch.path, number)} record {key_text(line_key(line))!r}" if named else ""
            for pointer, reference in named.items():
                yield where, pointer, reference, large_text.text_at(record, pointer).encode()
        progress(len(batch.lines))


def _look(tree: Tree, sha256: str) -> tuple[str, int, bytes] | None:
    """SHA-256, size and beginning of what stands under the name of a text; None if nothing does."""
    file = tree.open_text(sha256)
    if file is None:
        return None
    digest, size, head = hashlib.sha256(), 0, b""
    with file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            size += len(block)
            if len(head) <= PREVIEW_BYTES:
                head += block[: PREVIEW_BYTES + 1]
    return digest.hexdigest(), size, large_text.preview(head)


def _unlike(reference: Reference, found: tuple[str, int, bytes], beginning: bytes, where: str) -> InvalidRunError:
    sha256, size, head = found
    if sha256 != reference.sha256:
        message = f"the large text was changed: what stands under its name has the sha256 {sha256[:12]}…"
        hint = f"restore it; git converts line ends unless {large_text.FOLDER}/** is marked -text in .gitattributes"
        return InvalidRunError(message, where=where, hint=hint)
    if size != reference.size:
        message = f"says that the large text takes {reference.size} bytes; it takes {size}"
    else:
        assert head != beginning
        message = "the beginning in the record is not that of the large text"
    return InvalidRunError(message, where=where, hint="the record was changed by hand; run again")


def whole_texts(record: JsonObject, tree: Tree) -> Mapping[str, str]:
    """JSON pointer → whole text, of those that a checked record names and that stand beside its run.

    Raises InvalidRunError for one that is not what its name says.
    """
    found = {}
    for pointer, reference in large_text.references(record).items():
        file = tree.open_text(reference.sha256)
        if file is None:
            continue
        with file:
            data = b"".join(_at_most(iter(lambda: file.read(_BLOCK_BYTES), b""), reference.size))  # noqa: B023
        beginning = large_text.text_at(record, pointer).encode()
        if large_text.reference_of(data) != reference or large_text.preview(data) != beginning:
            is_of = (large_text.reference_of(data).sha256, len(data), large_text.preview(data))
            raise _unlike(reference, is_of, beginning, f"record {record['id']!r} {pointer}")
        found[pointer] = data.decode(errors="replace")
    return found


def _at_most(blocks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The blocks, until they are more than a text may take."""
    for block in blocks:
        yield block
        size -= len(block)
        if size < 0:
            return
