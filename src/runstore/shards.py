"""Shards: where a large run's records are cut, from the ids alone (docs/format.md, section 7)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from runstore.errors import InvalidRunError

SINGLE = "records.jsonl"
SHARDED_ABOVE = 32 * 1024 * 1024
_TARGET_BYTES = 8 * 1024 * 1024
_MOST = 9999
_NAME = re.compile(r"records-([0-9]{4})\.jsonl\Z")


def rank(total_bytes: int, records: int) -> int | None:
    """Leading zero bits an id's digest needs to start a shard; None when all records stand in one file.

    The mean shard holds 2^bits records: as many as take at most 8 MiB at the run's mean record size.
    """
    if total_bytes <= SHARDED_ABOVE:
        return None
    return (_TARGET_BYTES * records // total_bytes).bit_length() - 1 if total_bytes <= _TARGET_BYTES * records else 0


def starts_shard(record_id: bytes, bits: int) -> bool:
    """Whether a record with this id starts a shard, if it is not in one with its predecessor's id."""
    return int.from_bytes(hashlib.sha256(record_id).digest()[:8]) >> (64 - min(bits, 64)) == 0


def name(number: int) -> str:
    """The file name of shard `number`, counted from 1. Raises InvalidRunError past 9,999."""
    if number > _MOST:
        raise InvalidRunError(f"more than {_MOST} shards", hint="split the run into several")
    return f"records-{number:04d}.jsonl"


def is_shard(path: str) -> bool:
    """Whether this is the name of a shard."""
    return _NAME.match(path) is not None


def record_files(paths: Iterable[str]) -> list[str]:
    """The files of a run that hold records, in key order. Raises InvalidRunError on a gap or a mixture."""
    listed = set(paths)
    shards = sorted(path for path in listed if _NAME.match(path))
    if SINGLE in listed and not shards:
        return [SINGLE]
    if SINGLE in listed or not shards:
        raise InvalidRunError("a run has either records.jsonl or shards records-0001.jsonl …", where="/files")
    if shards != [name(number) for number in range(1, len(shards) + 1)]:
        raise InvalidRunError("the shards are not numbered 0001, 0002, … without a gap", where="/files")
    return shards
