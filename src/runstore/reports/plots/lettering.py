"""Lettering: how much room a text takes, estimated, since nobody can be asked who has not yet chosen a font.

Widths are those of DejaVu Sans and Verdana, the widest fonts in common use: what fits in them fits in others.
"""

from __future__ import annotations

import unicodedata

# Hundredths of the font size.
_GROUPS = {
    27: "'", 28: "ijl", 29: "IJ", 32: " ,.", 34: "/:;\\|", 35: "f", 36: "-", 39: "()[]t", 40: "!", 41: "r", 46: '"',
    50: "*_`", 52: "sz", 53: "?", 55: "c", 56: "L", 58: "Fk", 59: "vxy", 60: "P", 61: "TYao", 62: "e",
    63: "ESbdghnpqu", 64: "$0123456789{}", 66: "K", 68: "AV", 69: "BRXZ", 70: "C", 73: "U", 75: "HN", 77: "DG", 78: "&",
    79: "OQ", 82: "w", 84: "#+<=>^~", 86: "M", 95: "%", 97: "m", 99: "W", 100: "@",
}  # fmt: skip
_WIDTHS = {character: width for width, characters in _GROUPS.items() for character in characters}
_WIDE, _OTHER = 100, 80
_DOTS = "..."


def width(text: str, size: float) -> float:
    """The width of a line of text in a font of a size, in the unit of the size."""
    return sum(map(_hundredths, text)) * size / 100


def _hundredths(character: str) -> int:
    known = _WIDTHS.get(character)
    if known is not None:
        return known
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return _WIDE if unicodedata.east_asian_width(character) in "WF" else _OTHER


def fitted(text: str, room: float, size: float) -> str:
    """The text in at most `room`, shortened in the middle if it is wider. Work depends on the room, not on the text."""
    if len(text) * size * 0.27 <= room and width(text, size) <= room:
        return text
    left = room - width(_DOTS, size)
    head = _prefix(text, left / 2, size)
    tail = _prefix(text[: -len(text) - 1 : -1][: len(head) * 4 + 4], left - width(head, size), size)[::-1]
    return f"{head}{_DOTS}{tail}"


def _prefix(text: str, room: float, size: float) -> str:
    """As much of the start as fits, without a combining character cut from its letter."""
    used = 0.0
    for index, character in enumerate(text):
        used += _hundredths(character) * size / 100
        if used > room:
            return text[:index]
    return text
