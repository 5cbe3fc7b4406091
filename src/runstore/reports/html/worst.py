"""The worst records as the page writes them out for a reader without script: records in, texts for the template out.

Every text comes out `visible`; the template escapes it. Words that differ are marked here, with a bounded cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from runstore.canonical import JsonValue
from runstore.reports import marks, outline
from runstore.reports.html import reasons, records
from runstore.reports.html.reasons import Asked, Reasons
from runstore.reports.html.records import Known
from runstore.reports.text_safety import visible

if TYPE_CHECKING:
    from runstore.reports.shapes import Change, Field

ALIGNED = 400
"""So many words on each side are aligned, here and by the script of the page (words.js)."""
_OPEN = 3
_FIELDS = 50
_ROOM = 4000
"""Characters of a value that are shown."""
_GIST = 120
_QUESTION = ("input", "target")
"""Context that stands before what changed; tags stand by themselves, and the rest after it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownField:
    """A place that changed; a side that had nothing is not there."""

    name: str
    has_before: bool
    has_after: bool
    before: marks.Pieces
    after: marks.Pieces


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownScore:
    """A score that changed. `effect`: `worse`, `better` or empty."""

    name: str
    baseline: str
    current: str
    delta: str
    effect: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownRecord:
    """A record as the template shows it.

    `anchor` is its id on the page, made from its place in the view: no text of data is an id.
    """

    anchor: str
    kind: str
    name: str
    is_open: bool
    scores: Sequence[ShownScore]
    gist: tuple[str, str] | None
    """The words that differ in what changed first, for the closed row."""
    question: Sequence[tuple[str, str]]
    context: Sequence[tuple[str, str]]
    fields: Sequence[ShownField]
    more_fields: int
    tags: Sequence[tuple[str, str]]
    reasons: Reasons


def shown(changes: Sequence[Change], known: Known, asked: Asked, most: int) -> Iterator[ShownRecord]:
    """The first records of the order, at most `most`."""
    for rank, place in enumerate(known.order[:most]):
        yield _record(changes[place], place, known, asked, is_open=rank < _OPEN)


def anchor(place: int) -> str:
    """The id on the page of the record at a place in the view."""
    return f"record-{place}"


def _record(change: Change, place: int, known: Known, asked: Asked, *, is_open: bool) -> ShownRecord:
    fields = outline.other_fields(change)
    members = records.context(change)
    tags = cast(dict[str, str], members.pop("tags", {}))
    shown_fields = [_field(field) for field in fields[:_FIELDS]]
    return ShownRecord(
        anchor=anchor(place),
        kind=change["class"],
        name=visible(outline.record_name(change["id"], change["repeat"], change["run"])),
        is_open=is_open,
        scores=list(_scores(change, known)),
        gist=_gist(shown_fields),
        question=list(_texts(members, [name for name in _QUESTION if name in members])),
        context=list(_texts(members, [name for name in members if name not in _QUESTION])),
        fields=shown_fields,
        more_fields=max(0, len(fields) - _FIELDS),
        tags=[(visible(name), visible(value)) for name, value in tags.items()],
        reasons=reasons.of_record(change, known, asked),
    )


def _texts(members: Mapping[str, JsonValue], names: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        yield visible(name), _shortened(records.value_text(members[name]))


def _gist(fields: Sequence[ShownField]) -> tuple[str, str] | None:
    """What differs in the output or, if that did not change, in the first field that did."""
    if not fields:
        return None
    field = next((field for field in fields if field.name == "output"), fields[0])
    old, new = (
        " … ".join(piece.text.strip() for piece in side if piece.differs)[:_GIST]
        for side in (field.before, field.after)
    )
    return old, new


def _scores(change: Change, known: Known) -> Iterator[ShownScore]:
    for score in change["scores"]:
        baseline, current, delta = records.score_texts(score)
        effect = records.effect(score, change["run"], known.lower)
        yield ShownScore(name=visible(score["metric"]), baseline=baseline, current=current, delta=delta, effect=effect)


def _field(field: Field) -> ShownField:
    before, after = marked(*records.sides(field))
    return ShownField(
        name=visible(field_name(field["path"])),
        has_before="before" in field,
        has_after="after" in field,
        before=marks.shortened(before, _ROOM),
        after=marks.shortened(after, _ROOM),
    )


def marked(before: str, after: str) -> tuple[marks.Pieces, marks.Pieces]:
    """Both texts in pieces as the page marks them: a blank between two words that differ is marked with them."""
    left, right = (_bridged(pieces) for pieces in marks.compare(before, after, visible, words=ALIGNED))
    return left, right


def _bridged(pieces: marks.Pieces) -> list[marks.Piece]:
    found: list[marks.Piece] = []
    for place, piece in enumerate(pieces):
        differs = piece.differs or (0 < place < len(pieces) - 1 and piece.text.isspace())
        if found and found[-1].differs == differs:
            found[-1] = marks.Piece(found[-1].text + piece.text, differs)
        else:
            found.append(marks.Piece(piece.text, differs))
    return found


def field_name(path: str) -> str:
    """`output` for `/output`; a place further inside keeps its JSON pointer."""
    return path[1:] if path.count("/") == 1 and "~" not in path else path


def _shortened(text: str) -> str:
    return "".join(piece.text for piece in marks.shortened([marks.Piece(visible(text))], _ROOM))
