"""What is told of exports: `Export`s in, text for people or JSON for programs out. Nothing is rounded.

Text is not yet safe to show: names come from data. The command that prints it makes each line safe, and one line.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Sequence

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.errors import RunstoreError
from runstore.exporters.contract import Attachment, Change, Difference, Plan, PlannedPoint
from runstore.exporters.exporting import Export

FORMAT = 1


def tell(done: Export, *, whole: bool = False) -> Iterator[str]:
    """The lines of one export; with `whole` each change of the plan has one."""
    if done.error is not None:
        error = done.error
        yield f"failed {done.label}  {f'{error.where}: ' if error.where else ''}{error.message}"
        if error.hint:
            yield f"    hint: {error.hint}"
        return
    if done.plan is None:
        return
    plan = done.plan
    yield f"{_word(done)} {done.label}  to {plan.backend} at {plan.target}, as {_quoted(plan.title)}"
    yield f"    {_counts(plan)}"
    if whole:
        yield from (f"    {line}" for line in _facts(plan))
        yield from (f"    {_change(change)}" for change in plan.changes)
    elif plan.changes:
        yield f"    {_changes_counted(plan.changes)}; --dry-run shows each"
    if done.receipt is not None:
        count = done.receipt.requests
        requests = f", {count} request{'' if count == 1 else 's'}" if count else ""
        yield f"    {done.receipt.url or done.receipt.remote_id}{requests}"
    if done.differences is not None:
        yield from (f"    {line}" for line in _read_back(done.differences))


def to_json(backend: str, exports: Sequence[Export]) -> JsonValue:
    """All of several exports (schemas/v1/export.schema.json)."""
    return {"format": FORMAT, "backend": backend, "runs": [_export_json(done) for done in exports]}


def _word(done: Export) -> str:
    if done.receipt is None:
        return "plan  "
    return "sent  " if done.receipt.created else "there "


def _counts(plan: Plan) -> str:
    some = [f"{count:,} {_one(kind) if count == 1 else kind}" for kind, count in plan.counts().items() if count]
    return ", ".join(some) or "nothing but the run itself"


def _one(kind: str) -> str:
    return kind.removesuffix("s")


def _facts(plan: Plan) -> Iterator[str]:
    yield f"key         {plan.key}"
    if plan.previous is not None:
        yield f"previous    {plan.previous}"
    yield f"status      {plan.status}"
    for kind, members in (("param", plan.params), ("tag", plan.tags)):
        yield from (f"{kind:<11} {_quoted(name)} = {_quoted(value)}" for name, value in members.items())
    if plan.note is not None:
        yield f"note        {_quoted(plan.note)}"
    by_name = Counter(point.name for point in plan.points)
    yield from (f"points      {_quoted(name)}: {count:,}" for name, count in by_name.items())
    for kind, value in plan.more().items():
        yield from (f"{_one(kind):<11} {line}" for line in _members(value))
    yield from (f"file        {attachment.path}" for attachment in plan.attachments)


def _members(value: JsonValue) -> Iterator[str]:
    """A line for each member or element; for any other value one, and none for null."""
    if isinstance(value, dict):
        yield from (f"{_quoted(name)} = {_shown(member)}" for name, member in value.items())
    elif isinstance(value, list):
        yield from map(_shown, value)
    elif value is not None:
        yield _shown(value)


def _shown(value: JsonValue) -> str:
    return _quoted(value) if isinstance(value, str) else canonical.jcs(value).decode()


def _change(change: Change) -> str:
    sent = "" if change.sent is None else f" -> {_quoted(change.sent)}"
    return f"{change.deed:<11} {change.kind} {_quoted(change.name)}{sent}  ({change.reason})"


def _quoted(text: str) -> str:
    """A name or value on one line, whatever it holds."""
    return "'" + text.replace("\\", "\\\\").replace("\n", "\\n").replace("'", "\\'") + "'"


def _changes_counted(changes: Sequence[Change]) -> str:
    deeds = [change.deed for change in changes]
    return ", ".join(f"{deeds.count(deed):,} {deed}" for deed in dict.fromkeys(deeds))


def _read_back(differences: Sequence[Difference]) -> Iterator[str]:
    if not differences:
        yield "read back: equal"
        return
    yield f"read back: {len(differences):,} different"
    for one in differences:
        planned, found = (_or_nothing(text) for text in (one.planned, one.found))
        yield f"different   {one.kind} {_quoted(one.name)}: planned {planned}, found {found}"


def _or_nothing(text: str | None) -> str:
    return "nothing" if text is None else text


def _export_json(done: Export) -> JsonValue:
    error, receipt, differences = done.error, done.receipt, done.differences
    return {
        "run": _as_text(done.label),
        "plan": None if done.plan is None else _plan_json(done.plan),
        "receipt": None
        if receipt is None
        else {
            "remote_id": receipt.remote_id,
            "url": None if receipt.url is None else _as_text(receipt.url),
            "requests": receipt.requests,
            "created": receipt.created,
        },
        "differences": None
        if differences is None
        else [{"kind": d.kind, "name": d.name, "planned": d.planned, "found": d.found} for d in differences],
        "error": None if error is None else _error_json(error),
    }


def _error_json(error: RunstoreError) -> JsonValue:
    return {"message": _as_text(error.message), "where": _as_text(error.where), "hint": _as_text(error.hint)}


def _plan_json(plan: Plan) -> JsonValue:
    return {
        "target": plan.target,
        "key": plan.key,
        "previous": plan.previous,
        "run_id": plan.run_id,
        "digest": plan.digest,
        "title": plan.title,
        "status": plan.status,
        "counts": dict(plan.counts()),
        "params": dict(plan.params),
        "tags": dict(plan.tags),
        "note": plan.note,
        "points": [_point_json(point) for point in plan.points],
        "more": plan.more(),
        "attachments": [_attachment_json(attachment) for attachment in plan.attachments],
        "changes": [
            {"kind": c.kind, "name": c.name, "deed": c.deed, "sent": c.sent, "reason": c.reason} for c in plan.changes
        ],
    }


def _as_text(label: str) -> str:
    """The name of a folder may hold bytes that are no text."""
    return label.encode(errors="backslashreplace").decode()


def _point_json(point: PlannedPoint) -> JsonValue:
    told: dict[str, JsonValue] = {"name": point.name, "step": point.step, "value": _number(point.value)}
    return told if point.timestamp is None else {**told, "timestamp": point.timestamp}


def _number(value: float) -> JsonValue:
    """A number as it is; what JSON has no number for as the text that says it."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _attachment_json(attachment: Attachment) -> JsonValue:
    content = attachment.content
    return {
        "path": attachment.path,
        "origin": attachment.origin,
        "size": None if content is None else len(content),
        "sha256": None if content is None else hashlib.sha256(content).hexdigest(),
    }
