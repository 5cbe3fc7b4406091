"""Protocol buffers by hand, as far as backends need them: fields in, bytes out, and back.

A message is a row of fields; each is a number and a value: an integer, a double, or some bytes (a text, packed doubles,
a message within). Source of the encoding: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5
_FIXED = {_DOUBLE: 8, _FLOAT: 4}
_MORE, _LOW = 0x80, 0x7F
_INTEGER_BITS = 64
_pack_double = struct.Struct("<d").pack


def integer(number: int, value: int) -> bytes:
    """A field that is an integer from 0 to 2^63-1."""
    return varint(number << 3 | _VARINT) + varint(value)


def double(number: int, value: float) -> bytes:
    """A field that is a double."""
    return varint(number << 3 | _DOUBLE) + _pack_double(value)


def doubles(number: int, values: Iterable[float]) -> bytes:
    """A field that holds several doubles, packed."""
    return message(number, *map(_pack_double, values))


def message(number: int, *parts: bytes) -> bytes:
    """A field that is a message of these fields."""
    data = b"".join(parts)
    return varint(number << 3 | _BYTES) + varint(len(data)) + data


def text(number: int, value: str) -> bytes:
    """A field that is a text."""
    return message(number, value.encode())


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message in order: number, and integer or bytes (of a double: its eight).

    Raises ValueError for what is no message.
    """
    place = 0
    while place < len(data):
        key, place = _read_varint(data, place)
        kind = key & 7
        if kind == _VARINT:
            value, place = _read_varint(data, place)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, place = _read_varint(data, place)
        elif kind in _FIXED:
            size = _FIXED[kind]
        else:
            raise ValueError(f"no kind of field: {kind}")
        if place + size > len(data):
            raise ValueError("a field is cut off")
        yield key >> 3, data[place : place + size]
        place += size


def parts(data: bytes, number: int) -> list[bytes]:
    """The values of a field that holds bytes, in order. Raises ValueError."""
    return [value for found, value in fields(data) if found == number and isinstance(value, bytes)]


def part(data: bytes, number: int) -> bytes:
    """The last value of such a field; empty if there is none, as the encoding has it. Raises ValueError."""
    found = parts(data, number)
    return found[-1] if found else b""


def whole(data: bytes, number: int) -> int:
    """The last value of a field that is an integer; 0 if there is none. Raises ValueError."""
    found = [value for one, value in fields(data) if one == number and isinstance(value, int)]
    return found[-1] if found else 0


def read_doubles(data: bytes) -> tuple[float, ...]:
    """The doubles of eight bytes each. Raises ValueError."""
    if len(data) % 8:
        raise ValueError("a double is cut off")
    return struct.unpack(f"<{len(data) // 8}d", data)


def varint(value: int) -> bytes:
    """An integer from 0 on in as few bytes as it takes."""
    if value <= _LOW:
        return bytes((value,))
    out = bytearray()
    while value > _LOW:
        out.append(value & _LOW | _MORE)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(data) and shift < _INTEGER_BITS:
        byte = data[place]
        value |= (byte & _LOW) << shift
        place, shift = place + 1, shift + 7
        if not byte & _MORE:
            return value, place
    raise ValueError("an integer is cut off")
