"""A history for programs: JSON (schemas/v1/history.schema.json) and CSV, newest first, numbers as they are.

CSV is as in docs/reports.md: a row for each commit and metric, no text spans lines, and no cell can be a formula.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from runstore import canonical, exact
from runstore.canonical import JsonValue
from runstore.git.log import Commit
from runstore.history.timeline import Change, History, Row
from runstore.reports.text_safety import one_line

FORMAT = 1
COLUMNS = (
    "commit",
    "date",
    "metric",
    "tag",
    "value",
    "records",
    "count",
    "missing",
    "mean",
    "delta",
    "author",
    "subject",
    "reason",
    "gap",
    "message",
)
_FORMULA = re.compile("(^|[,;|\"'])(\\s*)(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])")
_QUOTED = re.compile('[,;"]|^\\s|\\s$')


def to_json(found: History, metric: str | None) -> dict[str, JsonValue]:
    """The whole history. A commit's `values` has a member for each metric that is shown and that it has."""
    return {
        "format": FORMAT,
        "baseline": found.path,
        "ref": found.ref,
        "commit": found.tip,
        "metric": metric,
        "slice": None if found.group is None else {"tag": found.group[0], "value": found.group[1]},
        "metrics": {
            name: {"direction": declared.direction, "unit": declared.unit} for name, declared in found.declared.items()
        },
        "commits": [_row(row) for row in found.rows],
        "end": found.end,
    }


def commit_json(commit: Commit) -> dict[str, JsonValue]:
    """A commit, as git tells of it."""
    return {
        "commit": commit.oid,
        "date": commit.time or None,
        "author": commit.author,
        "subject": commit.subject,
    }


def _row(row: Row) -> JsonValue:
    return {
        **commit_json(row.commit),
        "gap": None if row.gap is None else {"kind": row.gap.kind, "message": row.gap.message},
        "records": None if row.gap is not None else row.records,
        "reasons": list(row.reasons),
        "values": {name: _value(change) for name, change in row.changes.items()},
    }


def _value(change: Change) -> JsonValue:
    value = change.value
    return {
        "kind": value.kind,
        "count": value.count,
        "missing": value.missing,
        "sum": exact.text(value.total),
        "mean": value.mean,
        "delta": change.delta,
    }


def to_csv(found: History) -> str:
    """The table, with a line of names first. A commit without a value has a row without a metric."""
    lines = [",".join(COLUMNS)]
    for row in found.rows:
        for cells in _cells(found, row):
            lines.append(",".join(cells.get(name, "") for name in COLUMNS))
    return "".join(f"{line}\n" for line in lines)


def _cells(found: History, row: Row) -> Iterator[Mapping[str, str]]:
    texts = {
        "commit": row.commit.oid,
        "date": row.commit.time,
        "author": row.commit.author,
        "subject": row.commit.subject,
        "reason": "; ".join(row.reasons),
    }
    if found.group is not None:
        texts |= {"tag": found.group[0], "value": found.group[1]}
    if row.gap is not None:
        texts |= {"gap": row.gap.kind, "message": row.gap.message}
    common = {name: _text(text) for name, text in texts.items()}
    if row.gap is None:
        common["records"] = str(row.records)
    for name in sorted(row.changes, key=str.encode):
        yield common | {"metric": _text(name)} | _numbers(row.changes[name])
    if not row.changes:
        yield common


def _numbers(change: Change) -> dict[str, str]:
    value = change.value
    found = {"count": value.count, "missing": value.missing, "mean": value.mean, "delta": change.delta}
    return {name: canonical.jcs(number).decode() for name, number in found.items() if number is not None}


def _text(text: str) -> str:
    """Text that is no formula in any cell that a program may cut from it, quoted if it has to be."""
    safe = _FORMULA.sub(r"\1\2'", one_line(text))
    return '"' + safe.replace('"', '""') + '"' if _QUOTED.search(safe) else safe
