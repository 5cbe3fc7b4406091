"""Both sides of a record in full: two records in; text to page through, or to give to a tool, out. All of it safe.

Side by side where there is room for it, else one after the other. Lines are aligned field by field.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from runstore import canonical, large_text
from runstore.canonical import JsonValue
from runstore.record import JsonObject
from runstore.reports.text_safety import anchored, columns, safe_text, start
from runstore.source import Tree
from runstore.texts import whole_texts

_FIRST = ("id", "repeat", "status", "reason", "scores", "tags", "input", "target", "output")
_ROOM = 80
"""On fewer columns the sides stand one after the other."""
_ALIGNED = 2_000
"""So many lines of a field are aligned; more stand beside each other as they come."""
_SAME, _DIFFERS, _GONE, _NEW = " ", "|", "<", ">"


def whole(line: bytes | None, tree: Tree) -> JsonObject:
    """The record of a checked line, with the large texts that stand beside its run; empty without a line.

    Raises InvalidRunError for a large text that is not what its name says.
    """
    if line is None:
        return {}
    record: JsonObject = canonical.loads(line)  # type: ignore[assignment]  # checked when it was compared: an object
    return large_text.told(large_text.replaced(record, whole_texts(record, tree)))


def text_of(record: JsonObject) -> str:
    """A record as text, a field after the other."""
    return "".join(f"{line}\n" for name in _names(record) for line in _field(name, record))


def _names(*sides: JsonObject) -> list[str]:
    known = {name for side in sides for name in side}
    return [*(name for name in _FIRST if name in known), *sorted(known.difference(_FIRST))]


def _field(name: str, record: JsonObject) -> list[str]:
    """A field by name, and its value on indented lines; nothing if the record does not have it."""
    if name not in record:
        return []
    return [f"{name}:", *(f"  {line}" for line in _lines(record[name]))]


def _lines(value: JsonValue) -> list[str]:
    """A value as safe lines: a string line by line, anything else as JSON laid out."""
    text = value if isinstance(value, str) else canonical.encode_document(value).decode().removesuffix("\n")
    return [safe_text(line) for line in text.split("\n")]


def side_by_side(before: JsonObject, after: JsonObject, width: int) -> list[str]:
    """Both sides in lines of at most `width` columns, 40 or more; between them `|` differs, `<` is gone, `>` is new."""
    found: list[str] = []
    for name in _names(before, after):
        rows = list(_rows(_field(name, before), _field(name, after)))
        found += _beside(rows, width) if width >= _ROOM else _below(rows, width)
    return found


Row = tuple[str, str | None, str | None]
"""How the sides differ, and a line of each."""


def _rows(old: Sequence[str], new: Sequence[str]) -> Iterator[Row]:
    """The lines of both sides, those that are equal beside each other."""
    if max(len(old), len(new)) > _ALIGNED:
        yield from _paired(old, new)
        return
    for operation, start_old, end_old, start_new, end_new in SequenceMatcher(None, old, new, False).get_opcodes():
        left, right = old[start_old:end_old], new[start_new:end_new]
        if operation == "equal":
            yield from ((_SAME, one, one) for one in left)
        else:
            yield from _paired(left, right)


def _paired(left: Sequence[str], right: Sequence[str]) -> Iterator[Row]:
    for place in range(max(len(left), len(right))):
        one = left[place] if place < len(left) else None
        other = right[place] if place < len(right) else None
        mark = _SAME if one == other else _GONE if other is None else _NEW if one is None else _DIFFERS
        yield mark, one, other


def _beside(rows: Sequence[Row], width: int) -> Iterator[str]:
    half = (width - 3) // 2
    for mark, left, right in rows:
        ours, theirs = _cut(left or "", half), _cut(right or "", half)
        for place in range(max(len(ours), len(theirs))):
            one = ours[place] if place < len(ours) else ""
            other = theirs[place] if place < len(theirs) else ""
            yield f"{anchored(one)}{' ' * (half - columns(one))} {mark} {anchored(other)}".rstrip(" ")


def _below(rows: Sequence[Row], width: int) -> Iterator[str]:
    """Lines in the order of a diff: what is gone of a stretch, then what is new."""
    new: list[str] = []
    for mark, left, right in rows:
        if mark == _SAME:
            yield from (f"+ {line}".rstrip(" ") for line in new)
            new = []
            yield from (f"  {line}".rstrip(" ") for line in _cut(left or "", width - 2))
            continue
        if left is not None:
            yield from (f"- {line}".rstrip(" ") for line in _cut(left, width - 2))
        new += _cut(right, width - 2) if right is not None else []
    yield from (f"+ {line}".rstrip(" ") for line in new)


def _cut(text: str, width: int) -> list[str]:
    """A safe line in pieces of at most `width` columns, broken after a space where one is near the end."""
    pieces, at = [], 0
    while at < len(text):
        piece = start(text[at : at + 4 * width], width)  # longer only where marks take no column
        if at + len(piece) < len(text):
            space = piece.rfind(" ") + 1
            piece = piece[:space] if space > len(piece) // 2 else piece
        pieces.append(piece)
        at += len(piece)
    return pieces or [""]
