"""The large texts of accepted records: what stands beside the current run is copied to beside the new baseline."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from runstore import canonical, large_text
from runstore.errors import InvalidRunError
from runstore.record import key_text, line_key
from runstore.source import FolderSource
from runstore.store.text_folder import TextFolder


def bring(lines: Iterable[bytes], current: FolderSource, known: Path, target: Path) -> None:
    """Have every large text that verified record lines name stand beside a new run at `target`.

    Those in the folder of texts in `known` need no copy. Raises InvalidRunError for one that stands neither there nor
    beside the current run, or is another text.
    """
    texts = TextFolder(known, target.parent / large_text.FOLDER)
    try:
        for line in lines:
            if large_text.MARK in line:
                _bring(line, current, texts)
        texts.flush()
    finally:
        texts.close()


def _bring(line: bytes, current: FolderSource, texts: TextFolder) -> None:
    record = canonical.loads(line)
    assert isinstance(record, dict)
    for pointer, reference in large_text.references(record).items():
        if texts.has(reference):
            continue
        file = current.open_text(reference.sha256)
        where = f"{current.label}, record {key_text(line_key(line))!r} {pointer}"
        if file is None:
            raise InvalidRunError(
                f"the large text {reference.sha256[:12]}… is not beside the run",
                where=where,
                hint=f"bring the folder {large_text.FOLDER} that stands beside it where it was made, or run again",
            )
        with file:
            texts.copy(reference, file, where)
