"""A document of two sides that could not be made one: the marks of a conflict around the lines that differ."""

from __future__ import annotations

from itertools import takewhile


def in_conflict(ours: bytes, theirs: bytes, labels: tuple[str, str] = ("ours", "theirs"), size: int = 7) -> bytes:
    """Both texts in one, with marks of `size` characters: each side can be read out of it again, byte for byte.

    There are marks even if the texts are equal: what they are about is not settled.
    """
    one, other = ours.splitlines(keepends=True), theirs.splitlines(keepends=True)
    if one == other:
        return _marked(one, other, labels, size)
    start = _common(one, other)
    end = _common(one[start:][::-1], other[start:][::-1])
    middle = _marked(one[start : len(one) - end], other[start : len(other) - end], labels, size)
    return b"".join(one[:start]) + middle + b"".join(one[len(one) - end :])


def _common(one: list[bytes], other: list[bytes]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _marked(one: list[bytes], other: list[bytes], labels: tuple[str, str], size: int) -> bytes:
    first, last = (label.encode(errors="replace") for label in labels)
    parts = (b"<" * size + b" " + first + b"\n", *map(_ended, one), b"=" * size + b"\n", *map(_ended, other))
    return b"".join(parts) + b">" * size + b" " + last + b"\n"


def _ended(line: bytes) -> bytes:
    return line if line.endswith(b"\n") else line + b"\n"
