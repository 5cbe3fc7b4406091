"""What a line of records names: bytes in, the digests of large texts out."""

from __future__ import annotations

import math

from runstore import canonical, large_text
from runstore.errors import InvalidRunError
from runstore.record import PREFIX, Ranges, check


def named_texts(line: bytes, ranges: Ranges | None = None) -> set[str]:
    """The SHA-256s of the texts that a record line names; without `ranges`, any score will do.

    Raises InvalidDataError if it is no record.
    """
    if not line.startswith(PREFIX):
        raise InvalidRunError("is no record")
    if large_text.MARK not in line:
        return set()
    record = canonical.decode(line)
    if ranges is None:
        scores = record.get("scores") if isinstance(record, dict) else None
        ranges = dict.fromkeys(scores, (-math.inf, math.inf)) if isinstance(scores, dict) else {}
    check(record, ranges)
    assert isinstance(record, dict)
    return {reference.sha256 for reference in large_text.references(record).values()}
