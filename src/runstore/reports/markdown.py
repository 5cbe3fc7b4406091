"""Markdown for a pull request comment or a step summary: it fits GitHub's limit, and says what it left out.

Text of data stands in code spans only, on one line, fenced by more backticks than it holds: there nothing pings, links,
loads or formats (GitHub Flavored Markdown, section 6.3, https://github.github.com/gfm/#code-spans). A `|` is escaped
as `\\x7c`: a table splits its cells at one even in a code span, and renderers do not agree on `\\|` after a `\\`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstore.canonical import JsonValue
from runstore.reports import marks, numbers, outline
from runstore.reports.outline import Group, Outline
from runstore.reports.text_safety import one_line

if TYPE_CHECKING:
    from runstore.reports.shapes import Change, ChangeClass, Field, Measure

MARKER = "<!-- runstore:gate -->"
"""The first line: how a comment is found again to be replaced."""
LIMIT_BYTES = 65_536
"""A comment on GitHub holds so many characters; counted in bytes of UTF-8 it is under the limit however they count."""
_SIGN = {"PASS": "✅", "FAIL": "❌", "INVALID": "⛔", "REVIEW": "👀", "INCONCLUSIVE": "❔"}
_LISTED_RECORDS = 5
_ROWS: dict[ChangeClass, int] = {"regressed": 20, "removed": 10, "added": 5, "improved": 5, "changed": 5}
_LONG, _MIDDLE, _SHORT = 400, 120, 60
_FIELDS = 3
_METRICS_HEAD = "| metric | baseline | current | delta | n | regressed | improved |\n|---|--:|--:|--:|--:|--:|--:|\n"
_RECORDS_HEAD = "| record | scores | fields |\n|---|---|---|\n"
_BACKTICKS = re.compile("`+")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Section:
    """Lines of one kind, the most important first; what does not fit in `share` of the room is left out and counted."""

    head: str
    rows: Sequence[str]
    share: float
    noun: str


def render(view: Mapping[str, JsonValue], *, color: bool = False, width: int = 100) -> str:  # noqa: ARG001  # the protocol
    """The report for a pull request."""
    contents = outline.make(view)
    first = f"{MARKER}\n## {_SIGN[contents.view['verdict']]} {contents.view['verdict']}: {contents.headline}\n"
    last = "".join(f"\n{why.capitalize()}: {_code(line, _MIDDLE)}\n" for why, line in contents.steps())
    room = LIMIT_BYTES - _size(first) - _size(last)
    body = ""
    for section in _sections(contents):
        body += _fitted(section, min(int(LIMIT_BYTES * section.share), room - _size(body)))
    return first + body + last


def _size(text: str) -> int:
    return len(text.encode())


def _sections(contents: Outline) -> Iterator[_Section]:
    """By priority, which is also the order of reading."""
    # A findings list is what a reviewer needs most, so it may take most.
    yield _Section(head="", rows=[_group(group) for group in contents.groups], share=0.4, noun="finding")
    if contents.judged:
        yield _Section(head="", rows=[_counts(contents)], share=0.05, noun="line")
    metrics = [row for shown in contents.metrics_with_slices() for row in _metric_rows(*shown)]
    yield _Section(head=_METRICS_HEAD, rows=metrics, share=0.25, noun="metric")
    for kind in outline.CLASSES:
        listed = contents.listed(kind)[: _ROWS[kind]]
        total = numbers.count(contents.view["counts"][kind])
        title = f"### {kind.capitalize()}: {len(listed)} of {total}\n\n"
        if kind in ("removed", "added"):
            yield _Section(head=title, rows=[f"- {_name(change)}\n" for change in listed], share=0.1, noun="record")
        else:
            yield _Section(
                head=title + _RECORDS_HEAD, rows=[_record(change) for change in listed], share=0.3, noun="record"
            )


def _fitted(section: _Section, room: int) -> str:
    """The section in at most `room` bytes; empty if nothing of it fits or there is nothing."""
    note = "\nLeft out for want of room: {}.\n"
    left = room - _size(section.head) - len(note) - 40
    kept: list[str] = []
    for row in section.rows:
        left -= _size(row)
        if left < 0:
            break
        kept.append(row)
    missing = len(section.rows) - len(kept)
    said = note.format(numbers.counted(missing, section.noun)) if missing and room > len(note) + 40 else ""
    return ("\n" + section.head + "".join(kept) if kept else "") + said


def _code(text: str, room: int) -> str:
    """Text of data as a code span, shortened to `room` characters in the middle."""
    return _span(_shortened(one_line(text), room))


def _span(safe: str) -> str:
    safe = safe.replace("|", "\\x7c")
    if not safe.strip(" "):
        safe = safe.replace(" ", "\\x20") or '""'
    fence = "`" * (1 + max((len(run) for run in _BACKTICKS.findall(safe)), default=0))
    pad = " " if safe[0] in "` " or safe[-1] in "` " else ""
    return f"{fence}{pad}{safe}{pad}{fence}"


def _shortened(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - room // 3]}...{text[-(room // 3) :]}"


def _group(group: Group) -> str:
    head = group.head
    run = f"{_code(head['run'], _MIDDLE)} " if head["run"] else ""
    lines = [f"- **{head['level']}** {head['rule']}: {run}{_code(head['message'], _LONG)}"]
    if head["hint"]:
        lines.append(f"  - hint: {_code(head['hint'], _LONG)}")
    named = group.records[:_LISTED_RECORDS]
    lines += [f"  - {_code(outline.record_name(one['record'] or '', one['repeat'], ''), _MIDDLE)}" for one in named]
    if named and group.total > len(named):
        lines.append(f"  - and {numbers.count(group.total - len(named))} more")
    return "".join(f"{line}\n" for line in lines)


def _counts(contents: Outline) -> str:
    counts = contents.view["counts"]
    parts = [f"{counts['added']:,} added", f"{counts['removed']:,} removed"]
    parts += [f"{counts[name]:,} {name}" for name in outline.COMMON_CLASSES]
    parts += [f"{number:,} {words}" for number, words in outline.special(counts)]
    sizes = f"{numbers.count(counts['baseline'])} → {numbers.count(counts['current'])}"
    return f"Records: **{sizes}**, {numbers.count(counts['common'])} in common; {', '.join(parts)}.\n"


def _metric_rows(measure: Measure, slices: Sequence[Measure], more: int) -> Iterator[str]:
    run = f"{_code(measure['run'], _SHORT)} " if measure["run"] else ""
    unit = f" {_code(measure['unit'], _SHORT)}" if measure["unit"] else ""
    note = " (lower is better)" if measure["direction"] == "lower" else ""
    yield _metric_row(f"{run}{_code(measure['metric'], _MIDDLE)}{unit}{note}", measure)
    for part in slices:
        assert part["slice"] is not None
        yield _metric_row(f"· {_code(part['slice']['tag'], _SHORT)} {_code(part['slice']['value'], _SHORT)}", part)
    if more:
        yield f"| · and {numbers.counted(more, 'more slice')} | | | | | | |\n"


def _metric_row(name: str, measure: Measure) -> str:
    baseline, current = numbers.means(measure["baseline"], measure["current"])
    delta = numbers.signed(measure["delta"])
    delta = f"**{delta}**" if outline.effect(measure) == "worse" else delta
    lost = f" ({measure['lost']:,} lost)" if measure["lost"] else ""
    cells = (name, baseline, current, delta, f"{measure['n']:,}", f"{measure['regressed']:,}{lost}")
    return f"| {' | '.join(cells)} | {measure['improved']:,} |\n"


def _record(change: Change) -> str:
    scores = [
        f"{_code(score['metric'], _SHORT)} {' → '.join(numbers.pair(score['baseline'], score['current']))}"
        for score in change["scores"][:_LISTED_RECORDS]
    ]
    scores += _more(len(change["scores"]) - _LISTED_RECORDS)
    fields = outline.other_fields(change)
    shown = [_field(field) for field in fields[:_FIELDS]] + _more(len(fields) - _FIELDS)
    return f"| {_name(change)} | {', '.join(scores)} | {', '.join(shown)} |\n"


def _name(change: Change) -> str:
    return _code(outline.record_name(change["id"], change["repeat"], change["run"]), _MIDDLE)


def _more(number: int) -> list[str]:
    return [f"and {number:,} more"] if number > 0 else []


def _field(field: Field) -> str:
    pieces = marks.compare(*outline.sides(field))
    before, after = ("".join(piece.text for piece in marks.shortened(side, _MIDDLE)) for side in pieces)
    old = _span(before) if "before" in field else numbers.NONE
    new = _span(after) if "after" in field else numbers.NONE
    return f"{_code(field['path'], _SHORT)} {old} → {new}"
