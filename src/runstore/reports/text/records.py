"""The worst records of a text report: their scores, what was asked, and the words that changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from runstore.reports import marks, numbers, outline
from runstore.reports.outline import Outline
from runstore.reports.text.paper import Paper
from runstore.reports.text_safety import anchored, columns, fitted, one_line, start, without_commands

if TYPE_CHECKING:
    from runstore.reports.shapes import Change, ChangeClass, Field

_RECORDS = 5
_SCORES = 6
_FIELDS = 4
_LINES = 3
"""A side of a field takes so many lines."""
_SHORT = 24
_CONTEXT = ("input", "target")
_SHOWN_AT_ONCE = ("regressed", "removed")
_OLD_STYLE, _NEW_STYLE, _QUIET = "31", "32", "2"
_EFFECT_STYLE = {"worse": "31", "better": "32"}


def lines(contents: Outline, sheet: Paper) -> Iterator[str]:
    """The worst records of the worst classes."""
    left = _RECORDS
    for kind in outline.CLASSES:
        if kind not in _SHOWN_AT_ONCE and left < _RECORDS:
            break  # what got worse or went missing comes first, and is enough to look at
        changes = contents.listed(kind)[:left]
        yield from _class(contents, kind, changes, sheet)
        left -= len(changes)


def _class(contents: Outline, kind: ChangeClass, changes: Sequence[Change], sheet: Paper) -> Iterator[str]:
    if not changes:
        return
    directions = contents.directions()
    yield f"{kind.capitalize()}: {len(changes)} of {numbers.count(contents.view['counts'][kind])}"
    for change in changes:
        name = one_line(outline.record_name(change["id"], change["repeat"], change["run"]))
        yield f"  - {sheet.styled(fitted(name, sheet.width - 4).rstrip(' '), '1')}"
        yield from _scores(change, directions, sheet)
        yield from _context(change, sheet)
        yield from _fields(change, sheet)


def _scores(change: Change, directions: dict[tuple[str, str], str], sheet: Paper) -> Iterator[str]:
    scores = outline.worst_scores(change, directions)
    for score, effect in scores[:_SCORES]:
        before, after = numbers.pair(score["baseline"], score["current"])
        delta = "" if score["delta"] is None else f" ({numbers.signed(score['delta'])})"
        name = anchored(fitted(one_line(score["metric"]), sheet.width))
        first, *rest = sheet.wrapped(f"{name}: {before} -> {after}{delta}", "      ")
        moved = f"-> {after}"
        yield first.replace(moved, f"-> {sheet.styled(after, _EFFECT_STYLE.get(effect, ''))}", 1)
        yield from rest
    if len(scores) > _SCORES:
        yield f"      and {numbers.counted(len(scores) - _SCORES, 'more score')}"


def _context(change: Change, sheet: Paper) -> Iterator[str]:
    """What was asked and wanted, on a line each, where it did not change."""
    changed = {field["path"].split("/")[1] for field in change["fields"] if field["path"]}
    for name in _CONTEXT:
        if name in change["record"] and name not in changed:
            text = f"{name}: {one_line(outline.value_text(change['record'][name]))}"
            if columns(text) > sheet.width - 6:
                text = f"{start(text, sheet.width - 9)}..."
            yield f"      {sheet.styled(text.rstrip(' '), _QUIET)}"


def _fields(change: Change, sheet: Paper) -> Iterator[str]:
    fields = outline.telling_fields(change)
    for field in fields[:_FIELDS]:
        yield from _field(field, sheet)
    if len(fields) > _FIELDS:
        yield f"      and {numbers.counted(len(fields) - _FIELDS, 'more field')}"


def _field(field: Field, sheet: Paper) -> Iterator[str]:
    """A field that changed: on one line if both sides are short, else each side on its own."""
    path = one_line(field["path"])
    texts = outline.sides(field)
    if "before" in field and "after" in field and _is_short(path, texts, sheet):
        old, new = (sheet.styled(text, style) for text, style in zip(texts, (_OLD_STYLE, _NEW_STYLE), strict=True))
        yield f"      {path}: {old} -> {new}"
        return
    yield f"      {fitted(path, sheet.width - 6)}"
    before, after = marks.compare(*texts)
    if "before" in field:
        yield from _side("-", marks.bracketed(before, marks.OLD), _OLD_STYLE, sheet)
    if "after" in field:
        yield from _side("+", marks.bracketed(after, marks.NEW), _NEW_STYLE, sheet)


def _is_short(path: str, texts: tuple[str, str], sheet: Paper) -> bool:
    """Whether both sides can stand on a line, and nothing in them has to be made safe or told apart."""
    plain = all(text.isascii() and text.isprintable() and text.strip() == text != "" for text in texts)
    if not plain or max(map(len, texts)) > _SHORT or any("->" in text or "##" in text for text in texts):
        return False
    return path.isascii() and len(path) + sum(map(len, texts)) + 12 <= sheet.width


def _side(sign: str, pieces: marks.Pieces, style: str, sheet: Paper) -> Iterator[str]:
    """One side of a field, with what differs in brackets and in colour."""
    width = sheet.width - 10
    if not "".join(piece.text for piece in pieces).strip(" "):
        pieces = [marks.Piece('"'), *pieces, marks.Piece('"')]  # nothing, or blanks: else one would not see it
    found = marks.lines(marks.shortened(pieces, (width - 8) * _LINES, columns), width)
    for index, line in enumerate(found):
        text = "".join(sheet.styled(piece.text, style if piece.differs else "") for piece in _uncommanded(line))
        yield f"        {sheet.styled(sign, style) if index == 0 else ' '} {text}"


def _uncommanded(line: list[marks.Piece]) -> list[marks.Piece]:
    """A line that begins no command of a CI runner, with colour as without."""
    text = "".join(piece.text for piece in line)
    if without_commands(text) == text or not text.lstrip().startswith("::"):
        return line
    first = next(index for index, piece in enumerate(line) if piece.text.strip())
    changed = marks.Piece(line[first].text.replace(":", "\\x3a", 1), line[first].differs)
    return [*line[:first], changed, *line[first + 1 :]]
