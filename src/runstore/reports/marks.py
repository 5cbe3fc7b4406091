"""What differs between two texts: two texts in, stretches of text out, each with whether the other side has it.

Bounded in cost: equal ends are cut off first, and a middle of too many words counts as different as a whole.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from runstore import canonical
from runstore.reports import text_safety

# An escape is one word, and so is a number. Long words come in chunks, so that what is shown of them begins close to
# where they differ.
_WORD = re.compile(
    r"\\(?:[nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})|[0-9]{1,16}\.[0-9]{1,16}(?!\w)|\w{1,16}|\s{1,16}|[^\w\s]"
)
# Joiners and variation selectors: they change how a character looks, or nothing.
_UNSEEN = re.compile("[\u034f\u180b-\u180d\u180f\u200c\u200d\ufe00-\ufe0f]")
WORDS = 200
"""So many words on each side are aligned; more are not."""
OMITTED = " [...] "
OLD, NEW = ("[-", "-]"), ("{+", "+}")
"""Brackets around words that differ, as `git diff --word-diff` prints them."""
_CUT = 16
"""So much of a text is given up rather than a word cut in two."""
_WORTH = 8
"""So many columns of a long word are worth being begun on a line."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text; `differs` if the other side does not have it."""

    text: str
    differs: bool = False


Pieces = Sequence[Piece]


def compare(
    before: str, after: str, show: Callable[[str], str] = text_safety.one_line, *, words: int = WORDS
) -> tuple[list[Piece], list[Piece]]:
    """Both texts in pieces, as `show` makes them safe. Texts that differ never come out looking the same."""
    old_text, new_text = show(before), show(after)
    if before != after and _look(old_text) == _look(new_text):
        old_text, new_text = _spelled_out(before), _spelled_out(after)
    old, new = _WORD.findall(old_text), _WORD.findall(new_text)
    head = _shared(old, new)
    tail = _shared(old[head:][::-1], new[head:][::-1])
    middles = _middles(old[head : len(old) - tail], new[head : len(new) - tail], words)
    first, last = Piece("".join(old[:head])), Piece("".join(old[len(old) - tail :]))
    left, right = (_joined([first, *middle, last]) for middle in middles)
    return left, right


def _look(text: str) -> str:
    return text if text.isascii() else _UNSEEN.sub("", unicodedata.normalize("NFKC", text))


def _spelled_out(text: str) -> str:
    """A JSON string of ASCII characters: unlike for texts that are unlike."""
    return text_safety.one_line(text_safety.ascii_only(canonical.encode(text).decode()))


def _shared(old: list[str], new: list[str]) -> int:
    """How many words two texts begin with together."""
    pairs = enumerate(zip(old, new, strict=False))
    return next((index for index, (left, right) in pairs if left != right), min(len(old), len(new)))


def _middles(old: list[str], new: list[str], words: int) -> tuple[list[Piece], list[Piece]]:
    if max(len(old), len(new)) > words:
        return [Piece("".join(old), True)], [Piece("".join(new), True)]
    left, right = [], []
    for operation, start, end, first, last in SequenceMatcher(None, old, new, False).get_opcodes():
        left.append(Piece("".join(old[start:end]), operation != "equal"))
        right.append(Piece("".join(new[first:last]), operation != "equal"))
    return left, right


def _joined(pieces: Pieces) -> list[Piece]:
    """Neighbours of one kind as one piece, without empty ones."""
    joined: list[Piece] = []
    for piece in pieces:
        if joined and joined[-1].differs == piece.differs:
            joined[-1] = Piece(joined[-1].text + piece.text, piece.differs)
        elif piece.text:
            joined.append(piece)
    return joined


def length(pieces: Pieces) -> int:
    """How many characters the pieces have."""
    return sum(len(piece.text) for piece in pieces)


def shortened(pieces: Pieces, room: int, size: Callable[[str], int] = len) -> list[Piece]:
    """The pieces in at most `room` (20 or more), as `size` counts: what is equal is cut first, then the end.

    `size` is `len`, or `text_safety.columns` for a terminal.
    """
    if _total(pieces, size) <= room:
        return list(pieces)
    differing = _total([piece for piece in pieces if piece.differs], size)
    equal = sum(not piece.differs for piece in pieces)
    left = room - len(OMITTED)
    context = max(4, (left - min(differing, room * 3 // 4)) // max(1, equal) - len(OMITTED))
    result: list[Piece] = []
    for index, piece in enumerate(pieces):
        is_first, is_last = index == 0, index == len(pieces) - 1
        text = piece.text if piece.differs else _context(piece.text, context, size, is_first, is_last)
        if size(text) > left:
            return [*result, Piece(_start(text, left, size), piece.differs), Piece(OMITTED.rstrip())]
        result.append(Piece(text, piece.differs))
        left -= size(text)
    return result


def _total(pieces: Pieces, size: Callable[[str], int]) -> int:
    return sum(size(piece.text) for piece in pieces)


def _context(text: str, room: int, size: Callable[[str], int], is_first: bool, is_last: bool) -> str:
    """Of a text that does not differ, what stands next to what does."""
    if size(text) <= room + len(OMITTED):
        return text
    if is_last:
        return _whole_start(_start(text, room, size)) + OMITTED.rstrip()
    if is_first:
        return OMITTED.lstrip() + _whole_end(_end(text, room, size))
    head, tail = _start(text, room - room // 2, size), _end(text, room // 2, size)
    return _whole_start(head) + OMITTED + _whole_end(tail)


def _whole_start(text: str) -> str:
    """A text without the word that was cut at its end, if it was a short one."""
    place = text.rfind(" ", max(1, len(text) - _CUT))
    return text[:place] if place > 0 else text


def _whole_end(text: str) -> str:
    """A text without the word that was cut at its start, if it was a short one."""
    place = text.find(" ", 0, min(_CUT, len(text) - 1))
    return text[place + 1 :] if place >= 0 else text


def _start(text: str, room: int, size: Callable[[str], int]) -> str:
    return text[:room] if size is len else text_safety.start(text, room)


def _end(text: str, room: int, size: Callable[[str], int]) -> str:
    return text[len(text) - room :] if size is len else text_safety.end(text, room)


def bracketed(pieces: Pieces, brackets: tuple[str, str]) -> list[Piece]:
    """The pieces with brackets around what differs, so that one sees it without colour.

    As they are if all of it differs, or nothing: brackets would say no more than the line they stand in.
    """
    if not any(piece.differs for piece in pieces) or not any(not piece.differs and piece.text for piece in pieces):
        return list(pieces)
    opening, closing = brackets
    return [Piece(f"{opening}{piece.text}{closing}", True) if piece.differs else piece for piece in _bridged(pieces)]


def _bridged(pieces: Pieces) -> list[Piece]:
    """The pieces with blanks between two that differ counted as differing too: one bracket, not two."""
    inner = range(1, len(pieces) - 1)
    return _joined(
        [
            Piece(piece.text, piece.differs or (place in inner and piece.text.isspace()))
            for place, piece in enumerate(pieces)
        ]
    )


def lines(pieces: Pieces, width: int) -> list[list[Piece]]:
    """The pieces on lines of at most `width` columns (2 or more), broken after a space where one is near the end."""
    found: list[list[Piece]] = [[]]
    left = width
    for piece in pieces:
        text = piece.text
        while text_safety.columns(text) > left:
            head = _fitting(text, left, is_fresh=left == width)
            found[-1].append(Piece(head, piece.differs))
            found.append([])
            text, left = text[len(head) :], width
        found[-1].append(Piece(text, piece.differs))
        left -= text_safety.columns(text)
    return [_trimmed([piece for piece in line if piece.text]) for line in found]


def _trimmed(line: list[Piece]) -> list[Piece]:
    """A line without the blanks at its end."""
    while line and not (text := line[-1].text.rstrip(" ")):
        line = line[:-1]
    return [*line[:-1], Piece(text, line[-1].differs)] if line else line


def _fitting(text: str, room: int, *, is_fresh: bool) -> str:
    """The start of a text that goes on a line where `room` columns are left."""
    head = text_safety.start(text, room)
    space = head.rfind(" ") + 1
    if space > len(head) // 2 or (space and not is_fresh):
        return head[:space]
    return head if is_fresh or len(head) > _WORTH else ""
