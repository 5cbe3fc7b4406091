"""The per-sample results of a run that goes on: records in, lines of the journal out, each key once."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from runstore import canonical, record
from runstore.errors import InvalidDataError, InvalidRunError, RunstoreError
from runstore.record import JsonObject, Ranges
from runstore.store.reader import LINE_BYTES
from runstore.tracking import finishing, values
from runstore.tracking.journal import Journal
from runstore.tracking.story import Story

_AT_ONCE = 1000
"""So many records are written by one call."""
_BYTES_AT_ONCE = 16 * 1024 * 1024
_ANY = (-math.inf, math.inf)
_ENTRY = (b'{"op":"record","record":', b"}")


class Samples:
    """The records of one run. Its keys and their digests are held in memory, about 200 bytes a record."""

    def __init__(self, journal: Journal, story: Story, ranges: Ranges, tell: Callable[..., None]) -> None:
        """`ranges` are those that are declared, now and later; records that the journal holds are known."""
        self._journal = journal
        self._story = story
        self._ranges = ranges
        self._tell = tell
        logged = finishing.records(journal.path, story) if story.records else ()
        self._keys = {record.record_key(fields): _digest(canonical.encode(fields)) for fields in logged}

    def log(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Log records; see TrackedRun.log_records."""
        if isinstance(records, Mapping | str | bytes) or not isinstance(records, Iterable):
            raise InvalidRunError(f"a {type(records).__qualname__} is no list of records", hint="pass a list of them")
        lines: list[bytes] = []
        taken: list[JsonObject] = []
        size = 0
        try:
            for one in records:
                fields, line = self._checked(one)
                if self._is_new(fields, line):
                    lines.append(line)
                    taken.append(fields)
                    size += len(line)
                if len(lines) >= _AT_ONCE or size >= _BYTES_AT_ONCE:
                    ready = lines, taken
                    lines, taken, size = [], [], 0
                    self._write(*ready)
        finally:
            self._write(lines, taken)

    def _checked(self, one: Mapping[str, Any]) -> tuple[JsonObject, bytes]:
        """A record and its canonical line. Raises InvalidRunError."""
        if not isinstance(one, Mapping):
            raise InvalidRunError(f"{one!r:.80} is no record", hint="a record is a mapping with an `id`")
        fields: JsonObject = dict(one)
        try:
            scores = one.get("scores")
            names = scores if isinstance(scores, Mapping) else {}
            if names:
                fields["scores"] = {
                    values.name(name, "the name of a score"): values.number(name, score)
                    for name, score in names.items()
                }
            line = record.write(fields, {name: self._ranges.get(name, _ANY) for name in names})
            if len(line) + len(b"".join(_ENTRY)) >= LINE_BYTES:
                raise InvalidRunError(f"the record takes {len(line)} bytes; a line holds {LINE_BYTES - 1}")
        except InvalidDataError as error:
            where = f"record {fields.get('id')!r:.80} {error.where}".strip()
            raise InvalidRunError(error.message, where=where, hint=error.hint) from error
        return fields, line

    def _is_new(self, fields: JsonObject, line: bytes) -> bool:
        """Whether a record is not logged yet; it counts as logged from here. Raises InvalidRunError for a twin."""
        key, digest = record.record_key(fields), _digest(line)
        with self._journal.lock:
            known = self._keys.setdefault(key, digest)
        if known != digest:
            raise InvalidRunError(
                "another record with this id and repeat is logged already",
                where=f"record {record.key_text(key)!r:.80}",
                hint="ids are unique in a run; number trials with `repeat`",
            )
        return known is digest

    def _write(self, lines: Sequence[bytes], taken: Sequence[JsonObject]) -> None:
        if not lines:
            return
        with self._journal.lock:
            try:
                self._journal.append(*(line.join(_ENTRY) for line in lines))
            except RunstoreError:
                for fields in taken:
                    del self._keys[record.record_key(fields)]
                raise
            for fields in taken:
                self._story.apply({"op": "record", "record": fields})
            self._tell("records", taken)


def _digest(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=16).digest()
