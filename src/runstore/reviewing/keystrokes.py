"""Keystrokes: bytes from a terminal in; single keys out, and what is left of the bytes.

What an arrow or a function key sends is several bytes, some of them letters. It is one key without a meaning here, for
the `A` of an arrow must not accept anything (ECMA-48, sections 5.4 and 8.3.16; SS3 of xterm's keypad).
"""

from __future__ import annotations

import re

END = "\x04"
"""Ctrl-D."""
OTHER = "\x1b"
"""Stands for every key that sends more than a character."""
_SEQUENCE = re.compile(rb"\x1b+(?:\[[\x20-\x3f]*[\x40-\x7e]|O[\x20-\x7e]|[^\x1b\[O])")
_LEADS = ((0xF8, 1), (0xF0, 4), (0xE0, 3), (0xC0, 2))


def next_key(data: bytes) -> tuple[str | None, bytes]:
    """The first key of some bytes, and the rest; None if more bytes are needed to tell.

    A key that is not a character, and bytes that are not UTF-8, are `OTHER`.
    """
    if not data:
        return None, data
    if data[0] == 0x1B:
        found = _SEQUENCE.match(data)
        if found:
            return OTHER, data[found.end() :]
        is_open = re.fullmatch(rb"\x1b+(?:O|\[[\x20-\x3f]*)?", data) is not None
        return (None, data) if is_open else (OTHER, data[1:].lstrip(b"\x1b[O0123456789;?"))
    size = next((size for lead, size in _LEADS if data[0] >= lead), 1)
    if len(data) < size:
        return None, data
    try:
        return data[:size].decode(), data[size:]
    except UnicodeDecodeError:
        return OTHER, data[1:]


def next_line(data: bytes) -> tuple[str | None, bytes]:
    """The first typed line of some bytes, without its line feed, and the rest; None if its end is not there yet.

    Bytes that are not UTF-8 become lone surrogates, which no answer may hold.
    """
    line, feed, rest = data.partition(b"\n")
    return (line.decode(errors="surrogateescape"), rest) if feed else (None, data)
