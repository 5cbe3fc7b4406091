"""Markdown for a pull request comment or a step summary: it fits GitHub's limit, and says what it left out.

Text of data stands in code and nowhere else (see `code`); the rest is ours. What matters most comes first and is
given room first: the verdict and why, metrics, the worst records, then everything else, folded away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstore.canonical import JsonValue
from runstore.reports import advice, numbers, outline
from runstore.reports.markdown import records
from runstore.reports.markdown.code import LONG, MIDDLE, code, line, marker
from runstore.reports.markdown.metrics import tables
from runstore.reports.outline import Group, Outline
from runstore.reports.text_safety import one_line

if TYPE_CHECKING:
    from runstore.reports.shapes import ChangeClass

LIMIT_BYTES = 65_536
"""A comment or a description on GitHub may have 65,536 characters, in some places more: counted in bytes of UTF-8 this
is under the limit however they count. A step summary may have 1 MiB."""
_SIGN = {"PASS": "✅", "FAIL": "❌", "INVALID": "⛔", "REVIEW": "👀", "INCONCLUSIVE": "❔"}
_ALIKE = 10
_NAMED = 5
_COMMIT = 12
_NOTE_ROOM = 200
_FOLD, _FOLD_END = "\n<details><summary>{}</summary>\n", "\n</details>\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Section:
    """Rows of one kind, the most important first; what does not fit in `share` of the room is left out and counted."""

    rows: Sequence[str]
    share: float
    noun: str
    head: str = ""
    fold: str = ""
    """What the section is called where it is folded away; if empty it stands in the open."""


def render(view: Mapping[str, JsonValue], *, color: bool = False, width: int = 100) -> str:  # noqa: ARG001  # the protocol
    """The report for a pull request, in at most `LIMIT_BYTES` bytes of UTF-8."""
    contents = outline.make(view)
    verdict = contents.view["verdict"]
    first = f"{marker(*contents.identity())}\n## {_SIGN[verdict]} {verdict}: {contents.headline}\n"
    steps = "".join(f"- {why.capitalize()}: {line(one_line(text))}\n" for why, text in advice.steps(contents))
    last = f"\n{steps}" if steps else ""
    room = LIMIT_BYTES - _size(first) - _size(last) - _NOTE_ROOM
    body, left_out = "", Counter[str]()
    for section in _sections(contents):
        text, missing = _fitted(section, min(int(LIMIT_BYTES * section.share), room - _size(body)))
        body += text
        left_out[section.noun] += missing
    return first + body + _note(left_out) + last


def _note(left_out: Counter[str]) -> str:
    """What there was no room for."""
    said = [numbers.counted(number, noun) for noun, number in left_out.items() if number]
    return f"\n**Left out for want of room:** {', '.join(said)}.\n" if said else ""


def _size(text: str) -> int:
    return len(text.encode())


def _sections(contents: Outline) -> Iterator[_Section]:
    """By priority, which is also the order of reading."""
    yield _Section(rows=list(_findings(contents)), share=0.3, noun="finding")
    if contents.judged:
        yield _Section(rows=[_counts(contents)], share=0.1, noun="line")
    for fold, head, rows in tables(contents):
        yield _Section(head=head, rows=rows, share=0.15 if fold else 0.2, noun="slice" if fold else "metric", fold=fold)
    shown = records.shown(contents)
    directions = contents.directions()
    for kind, changes in shown.items():
        total = numbers.count(contents.view["counts"][kind])
        blocks = [records.block(change, directions) for change in changes]
        title = f"### {kind.capitalize()}: {len(changes)} of {total}\n"
        yield _Section(head=title, rows=blocks, share=0.25, noun="record")
    for kind in outline.CLASSES:
        yield from _rest(contents, kind, len(shown.get(kind, ())))


def _rest(contents: Outline, kind: ChangeClass, shown: int) -> Iterator[_Section]:
    """The records of a class that do not stand in the open."""
    changes = contents.listed(kind)[shown : shown + records.ROWS[kind]]
    if not changes:
        return
    more = contents.view["counts"][kind] - shown
    listed = "" if more == len(changes) else f", {numbers.count(len(changes))} of them listed"
    fold = f"{numbers.counted(more, f'more {kind} record' if shown else f'{kind} record')}{listed}"
    if kind in ("removed", "added"):
        yield _Section(rows=[records.item(change) for change in changes], share=0.1, noun="record", fold=fold)
        return
    rows = [records.row(change, contents.directions()) for change in changes]
    yield _Section(head=records.TABLE_HEAD, rows=rows, share=0.3, noun="record", fold=fold)


def _fitted(section: _Section, room: int) -> tuple[str, int]:
    """The section in at most `room` bytes, and how many of its rows it lacks."""
    opening = (_FOLD.format(section.fold) if section.fold else "") + "\n" + section.head
    closing = _FOLD_END if section.fold else ""
    left = room - _size(opening) - _size(closing)
    kept: list[str] = []
    for row in section.rows:
        left -= _size(row)
        if left < 0:
            break
        kept.append(row)
    return opening + "".join(kept) + closing if kept else "", len(section.rows) - len(kept)


def _findings(contents: Outline) -> Iterator[str]:
    hints: set[str] = set()
    for group, more in contents.folded(_ALIKE):
        yield _group(group, more, is_new=group.head["hint"] not in hints)
        hints.add(group.head["hint"] or "")


def _group(group: Group, more: int, *, is_new: bool) -> str:
    """A finding and the first records it is about; `is_new`: its hint was not given before."""
    head = group.head
    run = f"{code(head['run'])} " if head["run"] else ""
    lines = [f"- **{head['level']}** {head['rule']}: {run}{code(head['message'], LONG)}"]
    if head["hint"] and is_new:
        lines.append(f"  - hint: {code(head['hint'], LONG)}")
    named = group.records[:_NAMED]
    lines += [f"  - {code(outline.record_name(one['record'] or '', one['repeat'], ''))}" for one in named]
    if named and group.total > len(named):
        lines.append(f"  - and {numbers.count(group.total - len(named))} more")
    if more:
        lines.append(f"- and {numbers.count(more)} more of {head['rule']}")
    return "".join(f"{one}\n" for one in lines)


def _counts(contents: Outline) -> str:
    counts = contents.view["counts"]
    parts = [f"{counts['added']:,} added", f"{counts['removed']:,} removed"]
    parts += [f"{counts[name]:,} {name}" for name in outline.COMMON_CLASSES]
    parts += [f"{number:,} {words}" for number, words in outline.special(counts)]
    sizes = f"{numbers.count(counts['baseline'])} → {numbers.count(counts['current'])}"
    told = f"Records: **{sizes}**, {numbers.count(counts['common'])} in common; {', '.join(parts)}.\n"
    return f"Compared: {_compared(contents)}.\n\n{told if counts['baseline'] or counts['current'] else ''}"


def _compared(contents: Outline) -> str:
    """What was compared, and by which rules."""
    runs, policy = contents.view["runs"], f"by {code(contents.view['policy'], MIDDLE)}"
    if contents.is_suite:
        return f"{numbers.counted(len(runs), 'run')}, {policy}"
    sides = [side for pair in runs for side in (pair["baseline"], pair["current"]) if side]
    names = "/".join(part for part in (*contents.identity(), *(side["name"] for side in sides[:1])) if part)
    commits = dict.fromkeys(code((side["commit"] or "none")[:_COMMIT]) for side in sides)
    moved = f", commit {' to '.join(commits)}" if any(side["commit"] for side in sides) else ""
    return f"{code(names) if names else 'two runs'}{moved}, {policy}"
