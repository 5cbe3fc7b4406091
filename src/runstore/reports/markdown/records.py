"""Records in Markdown: the worst few with their words that changed, the others as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from runstore.reports import marks, numbers, outline
from runstore.reports.markdown.code import MIDDLE, SHORT, code, fenced, span
from runstore.reports.outline import Outline
from runstore.reports.text_safety import one_line

if TYPE_CHECKING:
    from runstore.reports.shapes import Change, ChangeClass, Field

OPEN = 4
"""So many records stand in the open, with their words."""
ROWS: dict[ChangeClass, int] = {"regressed": 50, "removed": 20, "added": 10, "improved": 20, "changed": 20}
TABLE_HEAD = "| record | scores | fields |\n|---|---|---|\n"
_SHOWN_AT_ONCE = ("regressed", "removed")
_SCORES = 5
_FIELDS = 3
_ROOM = 300
_CONTEXT = ("input", "target")
Directions = Mapping[tuple[str, str], str]


def shown(contents: Outline) -> dict[ChangeClass, list[Change]]:
    """Class → the records that stand in the open: what got worse or went missing, else the first class there is."""
    found: dict[ChangeClass, list[Change]] = {}
    left = OPEN
    for kind in outline.CLASSES:
        if left == OPEN or kind in _SHOWN_AT_ONCE:
            if changes := contents.listed(kind)[:left]:
                found[kind] = changes
            left -= len(changes)
    return found


def block(change: Change, directions: Directions) -> str:
    """A record with its scores and the words that changed."""
    scores = _scores(change, directions)
    lines = [*_context(change), *(line for field in _first(change) for line in _diff(field))]
    more = "".join(f", {text}" for text in _more(len(outline.other_fields(change)) - _FIELDS, "field"))
    head = f"\n**{name(change)}**{': ' if scores else ''}{', '.join(scores)}{more}\n"
    return f"{head}\n{fenced('diff', lines)}" if lines else head


def _context(change: Change) -> Iterator[str]:
    """What was asked and wanted, where it did not change."""
    changed = {field["path"].split("/")[1] for field in change["fields"] if field["path"]}
    for member in _CONTEXT:
        if member in change["record"] and member not in changed:
            text = one_line(outline.value_text(change["record"][member]))
            yield f"  {member}: {text if len(text) <= _ROOM else text[:_ROOM] + '...'}"


def _diff(field: Field) -> Iterator[str]:
    """A field as lines of a diff, with brackets around the words that differ."""
    yield f"@@ {_cut(one_line(field['path']), MIDDLE)} @@"
    before, after = marks.compare(*outline.sides(field))
    if "before" in field:
        yield f"- {_side(marks.bracketed(before, marks.OLD))}"
    if "after" in field:
        yield f"+ {_side(marks.bracketed(after, marks.NEW))}"


def _side(pieces: marks.Pieces) -> str:
    text = "".join(piece.text for piece in marks.shortened(pieces, _ROOM))
    return text if text.strip(" ") else f'"{text}"'


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[:room]}..."


def row(change: Change, directions: Directions) -> str:
    """A record as a row of a table."""
    shown = [_field(field) for field in _first(change)]
    shown += _more(len(outline.other_fields(change)) - _FIELDS, "field")
    return f"| {name(change)} | {', '.join(_scores(change, directions))} | {'<br>'.join(shown)} |\n"


def item(change: Change) -> str:
    """A record that only one side has as an item of a list."""
    return f"- {name(change)}\n"


def name(change: Change) -> str:
    """What a record is called."""
    return code(outline.record_name(change["id"], change["repeat"], change["run"]), MIDDLE)


def _first(change: Change) -> Sequence[Field]:
    return outline.telling_fields(change)[:_FIELDS]


def _scores(change: Change, directions: Directions) -> list[str]:
    """The scores that differ. Words stand between a name and its numbers: see `text_safety.anchored`."""
    found = [
        f"{code(score['metric'], SHORT)} from {' to '.join(numbers.pair(score['baseline'], score['current']))}"
        for score, _ in outline.worst_scores(change, directions)[:_SCORES]
    ]
    return [*found, *_more(len(change["scores"]) - _SCORES, "score")]


def _field(field: Field) -> str:
    pieces = marks.compare(*outline.sides(field))
    before, after = ("".join(piece.text for piece in marks.shortened(side, MIDDLE)) for side in pieces)
    old = span(before) if "before" in field else numbers.NONE
    new = span(after) if "after" in field else numbers.NONE
    return f"{code(field['path'], SHORT)} from {old} to {new}"


def _more(number: int, noun: str) -> list[str]:
    return [f"and {numbers.counted(number, f'more {noun}')}"] if number > 0 else []
