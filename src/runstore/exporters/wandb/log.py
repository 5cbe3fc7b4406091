"""W&B's log of transactions: messages in, the bytes of a `.wandb` file out, and back.

The file begins with seven bytes that say what it is. Then come blocks of 32 KiB; a message stands in one chunk, or in
several where it crosses the end of a block. A chunk is checksum (CRC-32 of kind and data), size, kind, data; where
fewer than seven bytes are left in a block they are zero. Source: the log format of LevelDB
(https://github.com/google/leveldb/blob/main/doc/log_format.md), with another checksum, as W&B's own files have it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator

HEADER = b":W&B\xe1\xbe\x00"
_BLOCK = 32 * 1024
_CHUNK = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


def write(messages: Iterable[bytes]) -> bytes:
    """The bytes of a log that holds these messages."""
    out = bytearray(HEADER)
    for message in messages:
        _append(out, message)
    return bytes(out)


def _append(out: bytearray, message: bytes) -> None:
    start, begun = 0, False
    while True:
        left = _BLOCK - len(out) % _BLOCK
        if left < _CHUNK.size:
            out += bytes(left)
            left = _BLOCK
        data = message[start : start + left - _CHUNK.size]
        ends = start + len(data) == len(message)
        kind = (_LAST if ends else _MIDDLE) if begun else (_FULL if ends else _FIRST)
        out += _CHUNK.pack(_checksum(kind, data), len(data), kind)
        out += data
        start, begun = start + len(data), True
        if ends:
            return


def read(data: bytes) -> Iterator[bytes]:
    """The messages of a log. Raises ValueError, in words, where it is damaged or cut off."""
    if not data.startswith(HEADER):
        raise ValueError("does not begin as a W&B log does")
    held: list[bytes] = []
    for kind, chunk in _chunks(data):
        if (kind in (_FULL, _FIRST)) == bool(held):
            raise ValueError("a message is torn")
        held.append(chunk)
        if kind in (_FULL, _LAST):
            yield b"".join(held)
            held.clear()
    if held:
        raise ValueError("the last message is cut off")


def _chunks(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = len(HEADER)
    while place < len(data):
        left = _BLOCK - place % _BLOCK
        if left < _CHUNK.size:
            place += left
            continue
        if place + _CHUNK.size > len(data):
            raise ValueError("is cut off")
        checksum, size, kind = _CHUNK.unpack_from(data, place)
        place += _CHUNK.size
        chunk = data[place : place + size]
        if len(chunk) < size or checksum != _checksum(kind, chunk):
            raise ValueError(f"is damaged at byte {place}")
        yield kind, chunk
        place += size


def _checksum(kind: int, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(bytes((kind,))))
