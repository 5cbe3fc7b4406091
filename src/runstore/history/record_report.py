"""The ancestry of a record: text, or JSON (schemas/v1/blame.schema.json). Every text of data is made safe."""

from __future__ import annotations

from collections.abc import Iterator

from runstore.canonical import JsonValue
from runstore.git.log import Commit
from runstore.history.ancestry import Ancestry, Step
from runstore.history.tables import commit_json
from runstore.history.wording import AT_MOST, cut, day, folder, short
from runstore.reports import numbers
from runstore.reports.text.paper import Paper
from runstore.reports.text_safety import anchored, columns, fitted, one_line

FORMAT = 1
_AUTHOR = 20
_FIELDS = 12
_LEAST = 20


def to_json(found: Ancestry) -> dict[str, JsonValue]:
    """Every change of the record, newest first, and since when its scores have their values."""
    return {
        "format": FORMAT,
        "baseline": found.path,
        "ref": found.ref,
        "commit": found.tip,
        "record": found.record,
        "repeat": found.repeat,
        "changes": [_step(step) for step in found.steps],
        "scores": {
            one.metric: {"value": one.value, "since": commit_json(one.commit), "is_cut": one.is_cut}
            for one in found.since
        },
    }


def _step(step: Step) -> JsonValue:
    return {
        **commit_json(step.commit),
        "kind": step.kind,
        "scores": [{"metric": one.metric, "before": one.before, "after": one.after} for one in step.scores],
        "status": None if step.status is None else {"before": step.status[0], "after": step.status[1]},
        "fields": list(step.others),
        "why": step.why or None,
        "is_cut": step.is_cut,
    }


def text(found: Ancestry, sheet: Paper) -> str:
    """Since when each score has its value, then every change of the record, newest first."""
    repeat = f", repeat {found.repeat}" if found.repeat != 1 else ""
    place = f"{folder(found.path)} at {one_line(found.ref)} ({short(found.tip)})"
    lines = sheet.wrapped(f"{anchored(one_line(found.record))}{repeat}  {place}", "")
    lines += ["", *_since(found, sheet)] if found.since else []
    for step in found.steps:
        lines += ["", _commit(step.commit, sheet), *_told(step, sheet)]
    if found.cut is not None:
        lines += ["", *cut(found.steps[-1].commit, found.cut, sheet)]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _since(found: Ancestry, sheet: Paper) -> Iterator[str]:
    rows = [(one_line(one.metric), numbers.single(one.value)) for one in found.since]
    name = min(max(columns(row[0]) for row in rows), max(_LEAST, sheet.width - 50))
    size = max(len(row[1]) for row in rows)
    for (metric, value), one in zip(rows, found.since, strict=True):
        first = fitted(metric, name)
        start = f"  {anchored(first)}{' ' * (name - columns(first))}  {value:>{size}}"
        before = " or before" if one.is_cut else ""
        yield f"{start}  since {short(one.commit.oid)} of {day(one.commit)}{before}"


def _commit(commit: Commit, sheet: Paper) -> str:
    author = anchored(fitted(one_line(commit.author), _AUTHOR))
    start = f"{short(commit.oid)}  {day(commit)}  {author}  "
    return start + fitted(one_line(commit.subject), max(_LEAST, sheet.width - AT_MOST - 16 - columns(author)))


def _told(step: Step, sheet: Paper) -> Iterator[str]:
    """What a commit did to the record."""
    words = {"added": "added the record", "removed": "removed the record", "unreadable": "cannot be read"}
    if step.kind in words:
        cut = ", or has it from before: the history is cut here" if step.is_cut and step.kind == "added" else ""
        why = f": {one_line(step.why)}" if step.kind == "unreadable" else ""
        yield from sheet.wrapped(f"{words[step.kind]}{cut}{why}", "    ")
    if step.why and step.kind != "unreadable":
        yield from sheet.wrapped(f"what was before cannot be read: {one_line(step.why)}", "    ")
    if step.status is not None:
        yield from sheet.wrapped(f"status: {one_line(step.status[0])} -> {one_line(step.status[1])}", "    ")
    for score in step.scores:
        before, after = numbers.pair(score.before, score.after)
        moved = f"{after}" if score.before is None and step.kind == "added" else f"{before} -> {after}"
        yield from sheet.wrapped(f"{anchored(one_line(score.metric))}: {moved}", "    ")
    if step.others:
        names = ", ".join(map(one_line, step.others[:_FIELDS]))
        more = f" and {len(step.others) - _FIELDS} more" if len(step.others) > _FIELDS else ""
        yield from sheet.wrapped(f"changed: {names}{more}", "    ")
