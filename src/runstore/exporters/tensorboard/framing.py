"""The file that TensorBoard reads: messages in, the bytes of a TFRecord file out, and back.

A message stands behind its length (8 bytes) and the checksum of that, and before its own checksum. A checksum is
CRC-32C (Castagnoli), turned by 15 bits, and a constant added. Source: "TFRecord and tf.train.Example" of TensorFlow's
documentation (https://www.tensorflow.org/tutorials/load_data/tfrecord), and RFC 3720, appendix B.4, for CRC-32C.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache

_POLYNOMIAL = 0x82F63B78  # of CRC-32C, bits in reverse
_MASK = 0xA282EAD8
_HEAD, _TAIL = struct.Struct("<QI"), struct.Struct("<I")
_pack_length = struct.Struct("<Q").pack


def _table() -> tuple[int, ...]:
    found = []
    for byte in range(256):
        rest = byte
        for _ in range(8):
            rest = rest >> 1 ^ (_POLYNOMIAL if rest & 1 else 0)
        found.append(rest)
    return tuple(found)


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """CRC-32C of some bytes."""
    found, table = 0xFFFFFFFF, _TABLE
    for byte in data:
        found = table[(found ^ byte) & 0xFF] ^ found >> 8
    return found ^ 0xFFFFFFFF


def _masked(data: bytes) -> int:
    found = crc32c(data)
    return ((found >> 15 | found << 17) + _MASK) & 0xFFFFFFFF


@cache
def _head(length: int) -> bytes:
    return _HEAD.pack(length, _masked(_pack_length(length)))


def frame(message: bytes) -> bytes:
    """The bytes of one message in the file."""
    return b"".join((_head(len(message)), message, _TAIL.pack(_masked(message))))


def read(data: bytes) -> Iterator[bytes]:
    """The messages of a file. Raises ValueError, in words, where it is damaged or cut off."""
    place = 0
    while place < len(data):
        if place + _HEAD.size > len(data):
            raise ValueError(f"cut off at byte {place}")
        length, check = _HEAD.unpack_from(data, place)
        if check != _masked(data[place : place + 8]):
            raise ValueError(f"a wrong checksum of a length at byte {place}")
        start = place + _HEAD.size
        end = start + length
        if end + _TAIL.size > len(data):
            raise ValueError(f"cut off at byte {place}")
        if _TAIL.unpack_from(data, end)[0] != _masked(data[start:end]):
            raise ValueError(f"a wrong checksum at byte {start}")
        yield data[start:end]
        place = end + _TAIL.size


def whole_bytes(data: bytes) -> int:
    """How many bytes of a file, from its start, are whole messages."""
    whole = 0
    try:
        for message in read(data):
            whole += _HEAD.size + len(message) + _TAIL.size
    except ValueError:
        pass
    return whole
