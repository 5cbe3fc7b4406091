"""HTML: one file that needs nothing else, for the reviewer: verdict and reasons first, then numbers, then every record.

Safe against any text: Jinja escapes every value, nothing of data becomes a tag, an attribute or a link, there is no
script, and a content security policy allows the one style sheet by its digest and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib import resources
from typing import TYPE_CHECKING, cast

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from runstore.canonical import JsonValue
from runstore.reports import marks, numbers, outline, text_safety
from runstore.reports.outline import Outline
from runstore.reports.text_safety import visible

if TYPE_CHECKING:
    from runstore.reports.shapes import Change, ChangeClass, Field, Finding, Measure, Score

_TEMPLATES = resources.files(__package__) / "templates"
_LISTED_RECORDS = 10
_OPEN_RECORDS = 5
_COUNTS = ("baseline", "current", "common", "regressed", "improved", "changed", "unchanged", "added", "removed")
_FIELDS = 50
_CONTEXT = ("input", "target", "output", "reason")
_MARKED_RECORDS = 300
"""In so many records differing words are marked one by one; in the others the stretch that differs."""
_ROOM = 4000
_LITTLE_ROOM = 600
"""Characters of a value that are shown, in records that are marked word by word and in the others."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Field:
    path: str
    has_before: bool
    has_after: bool
    before: marks.Pieces
    after: marks.Pieces


@dataclass(frozen=True, kw_only=True, slots=True)
class _Score:
    name: str
    baseline: str
    current: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Record:
    """A record as the template shows it. `index` is its place in the view: ids on the page are never text of data."""

    index: int
    name: str
    is_open: bool
    scores: list[_Score]
    context: list[tuple[str, str]]
    fields: list[_Field]
    more_fields: int


def render(view: Mapping[str, JsonValue], *, color: bool = False, width: int = 100) -> str:  # noqa: ARG001  # the protocol
    """The page. The same view gives the same bytes."""
    contents = outline.make(view)
    places = {_key(change): index for index, change in enumerate(contents.view["changes"])}
    style = _TEMPLATES.joinpath("report.css").read_text(encoding="utf-8")
    page = _template().render(
        classes=_classes(contents, places),
        counts=_counts(contents),
        listed=_LISTED_RECORDS,
        outline=contents,
        place=partial(_place, places),
        style=Markup(style),  # our own file, without text of data
        style_hash=f"sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}",
        view=contents.view,
    )
    return f"{text_safety.COMMAND.sub(_character_reference, page)}\n"


def _character_reference(match: re.Match[str]) -> str:
    """What a CI runner would take for a command, in a page that is printed to a log, written so that it does not."""
    return "&#35;" if match[0] == "#" else f"{match[1]}&#58;"


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(
        count=numbers.count,
        effect=outline.effect,
        name=_finding_name,
        pair=_pair,
        signed=numbers.signed,
        visible=visible,
    )
    return environment.from_string(_TEMPLATES.joinpath("report.html.jinja").read_text(encoding="utf-8"))


def _pair(measure: Measure) -> tuple[str, str]:
    return numbers.means(measure["baseline"], measure["current"])


def _key(change: Change) -> tuple[str, str, int]:
    return change["run"], change["id"], change["repeat"]


def _place(places: Mapping[tuple[str, str, int], int], finding: Finding) -> int | None:
    """Where on the page the record of a finding is; None if it is not listed."""
    return places.get((finding["run"], finding["record"] or "", finding["repeat"] or 1))


def _finding_name(finding: Finding) -> str:
    return visible(outline.record_name(finding["record"] or "", finding["repeat"], ""))


def _counts(contents: Outline) -> list[tuple[str, int]]:
    counts = cast(Mapping[str, int], contents.view["counts"])
    return [(name, counts[name]) for name in _COUNTS] + [
        (words, number) for number, words in outline.special(contents.view["counts"])
    ]


def _classes(
    contents: Outline, places: Mapping[tuple[str, str, int], int]
) -> Iterator[tuple[ChangeClass, int, Iterator[_Record], int]]:
    """Class, number of its records, those that are listed, and how many are not; the worst class first."""
    omitted = contents.view["changes_omitted"]
    for kind in outline.CLASSES:
        if total := contents.view["counts"][kind]:
            records = (_record(places[_key(change)], change) for change in contents.listed(kind))
            yield kind, total, records, omitted[kind]


def _record(index: int, change: Change) -> _Record:
    fields = outline.other_fields(change)
    changed = {field["path"].split("/")[1] for field in fields if field["path"]}
    room = _ROOM if index < _MARKED_RECORDS else _LITTLE_ROOM
    return _Record(
        index=index,
        name=visible(outline.record_name(change["id"], change["repeat"], change["run"])),
        is_open=index < _OPEN_RECORDS,
        scores=[_score(score) for score in change["scores"]],
        context=[
            (f"/{name}", _shortened(outline.value_text(change["record"][name]), room))
            for name in _CONTEXT
            if name in change["record"] and name not in changed
        ],
        fields=[_field(field, index, room) for field in fields[:_FIELDS]],
        more_fields=max(0, len(fields) - _FIELDS),
    )


def _score(score: Score) -> _Score:
    baseline, current = numbers.pair(score["baseline"], score["current"])
    return _Score(name=visible(score["metric"]), baseline=baseline, current=current)


def _field(field: Field, index: int, room: int) -> _Field:
    words = marks.WORDS if index < _MARKED_RECORDS else 0
    before, after = marks.compare(*outline.sides(field), visible, words=words)
    return _Field(
        path=visible(field["path"]),
        has_before="before" in field,
        has_after="after" in field,
        before=marks.shortened(before, room),
        after=marks.shortened(after, room),
    )


def _shortened(text: str, room: int) -> str:
    return "".join(piece.text for piece in marks.shortened([marks.Piece(visible(text))], room))
