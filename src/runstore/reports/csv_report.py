"""CSV (RFC 4180) for spreadsheets and data frames: one table of everything, a `kind` a row, numbers as they are.

Kinds: `verdict`; a `check` each; a `finding` each; a `metric` each, whole and by slice; a `record` for each score that
differs in a record that changed; `omitted` for the records of a class that the view counts and does not list.

Lines end with LF alone: every reader takes it, and what reads lines keeps no CR. No text spans lines. No cell that is
text can be a formula: a `'` stands before what would begin one, at its start or after what some program takes for the
end of a cell (OWASP, CSV Injection). Cells of numbers hold numbers and nothing else, so a negative one stays a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.reports import outline
from runstore.reports.text_safety import one_line

if TYPE_CHECKING:
    from runstore.reports.outline import Outline
    from runstore.reports.shapes import Change, Slice

COLUMNS = (
    "kind",
    "run",
    "rule",
    "result",
    "metric",
    "tag",
    "value",
    "record",
    "repeat",
    "baseline",
    "current",
    "delta",
    "n",
    "observed",
    "limit",
    "text",
)
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_FORMULA = re.compile("(^|[,;|\"'])(\\s*)(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])")
_QUOTED = re.compile('[,;"]|^\\s|\\s$')
_FIELDS = 20
Cell = str | float | None


def render(view: Mapping[str, JsonValue], *, color: bool = False, width: int = 100) -> str:  # noqa: ARG001  # the protocol
    """The table, with a line of names first."""
    contents = outline.make(view)
    lines = [",".join(COLUMNS)]
    lines += [",".join(row.get(name, "") for name in COLUMNS) for row in _rows(contents)]
    return "".join(f"{line}\n" for line in lines)


def _rows(contents: Outline) -> Iterator[dict[str, str]]:
    """Every row, column → cell as it is written."""
    view = contents.view
    yield _row(kind="verdict", result=view["verdict"], text=contents.headline)
    for check in view["checks"]:
        yield _row(
            kind="check",
            run=check["run"],
            rule=check["rule"],
            result=check["outcome"],
            metric=check["metric"],
            text=check["why"] or check["read"],
            **_group(check["slice"]),
        ) | _exact(check["observed"], check["limit"])
    for finding in view["findings"]:
        yield _row(
            kind="finding",
            run=finding["run"],
            rule=finding["rule"],
            result=finding["level"],
            metric=finding["metric"],
            record=finding["record"],
            repeat=finding["repeat"],
            text=finding["message"],
            **_group(finding["slice"]),
        ) | _exact(finding["observed"], finding["limit"])
    yield from _metrics(contents)
    for change in view["changes"]:
        yield from _record(change)
    for kind in outline.CLASSES:
        if view["changes_omitted"][kind]:
            yield _row(kind="omitted", result=kind, n=view["changes_omitted"][kind])


def _metrics(contents: Outline) -> Iterator[dict[str, str]]:
    for measure in contents.view["metrics"]:
        yield _row(
            kind="metric",
            run=measure["run"],
            result=outline.effect(measure),
            metric=measure["metric"],
            baseline=measure["baseline"],
            current=measure["current"],
            delta=measure["delta"],
            n=measure["n"],
            text=measure["unit"],
            **_group(measure["slice"]),
        )


def _record(change: Change) -> Iterator[dict[str, str]]:
    """A row for each score that differs; one without a metric if none does. Both name the other fields that differ."""
    paths = [field["path"] for field in outline.other_fields(change)]
    named = ", ".join(paths[:_FIELDS]) + (f", and {len(paths) - _FIELDS} more" if len(paths) > _FIELDS else "")
    row = _row(
        kind="record",
        run=change["run"],
        result=change["class"],
        record=change["id"],
        repeat=change["repeat"],
        text=named,
    )
    for score in change["scores"]:
        yield row | _row(
            metric=score["metric"], baseline=score["baseline"], current=score["current"], delta=score["delta"]
        )
    if not change["scores"]:
        yield row


def _group(group: Slice | None) -> dict[str, Cell]:
    return {} if group is None else {"tag": group["tag"], "value": group["value"]}


def _exact(observed: str | None, limit: str | None) -> dict[str, str]:
    """Texts of numbers as numbers, and as text if they are none."""
    given = {"observed": observed, "limit": limit}
    return {name: text if _NUMBER.fullmatch(text) else _text(text) for name, text in given.items() if text is not None}


def _row(**cells: Cell) -> dict[str, str]:
    """Column → cell as it is written, of those that are not empty."""
    return {name: _cell(value) for name, value in cells.items() if value is not None}


def _cell(value: Cell) -> str:
    return _text(value) if isinstance(value, str) else canonical.jcs(value).decode()


def _text(text: str) -> str:
    """Text that is no formula in any cell that a program may cut from it, quoted if it has to be."""
    safe = _FORMULA.sub(r"\1\2'", one_line(text))
    return '"' + safe.replace('"', '""') + '"' if _QUOTED.search(safe) else safe
