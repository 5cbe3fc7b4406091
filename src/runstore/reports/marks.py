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

# Long words in chunks, so that what is shown of them begins close to where they differ.
_WORD = re.compile(r"\w{1,16}|\s{1,16}|[^\w\s]")
WORDS = 200
"""So many words on each side are aligned; more are not."""
OMITTED = " [...] "


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
    return unicodedata.normalize("NFKC", text)


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


def shortened(pieces: Pieces, room: int) -> list[Piece]:
    """The pieces in at most `room` characters (20 or more): what is equal is cut first, then the end."""
    if length(pieces) <= room:
        return list(pieces)
    differing = length([piece for piece in pieces if piece.differs])
    equal = sum(not piece.differs for piece in pieces)
    context = max(4, (room - min(differing, room * 3 // 4)) // max(1, equal) - len(OMITTED))
    left = room - len(OMITTED)
    result: list[Piece] = []
    for index, piece in enumerate(pieces):
        text = piece.text if piece.differs else _context(piece.text, context, index == 0, index == len(pieces) - 1)
        if len(text) > left:
            return [*result, Piece(text[:left], piece.differs), Piece(OMITTED.rstrip())]
        result.append(Piece(text, piece.differs))
        left -= len(text)
    return result


def _context(text: str, room: int, is_first: bool, is_last: bool) -> str:
    """Of a text that does not differ, what stands next to what does."""
    if len(text) <= room + len(OMITTED):
        return text
    if is_last:
        return text[:room] + OMITTED.rstrip()
    if is_first:
        return OMITTED.lstrip() + text[-room:]
    return text[: room - room // 2] + OMITTED + text[-(room // 2) :]
