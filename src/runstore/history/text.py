"""A history for the terminal: rows newest first, below a line that says what is shown; every text of data made safe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runstore.history.sparkline import sparkline
from runstore.history.timeline import Change, History, Row
from runstore.history.wording import AT_MOST, about, day, end, gap, place, short
from runstore.reports import numbers
from runstore.reports.text.paper import Paper
from runstore.reports.text_safety import anchored, columns, fitted, one_line

_SPARK = 60
_LEAST_SUBJECT = 20
_HEADS = {"records": "mean", "series": "figure"}
_STYLES = {True: "32", False: "31"}
Cells = Sequence[str]


def of_metric(found: History, metric: str, sheet: Paper) -> str:
    """The history of one metric, a row a commit."""
    declared = found.declared[metric]
    values = [None if value is None else value.mean for value in reversed(found.values(metric))]
    line = sparkline(values, min(_SPARK, sheet.width - 2), lower_is_better=declared.direction == "lower")
    lines = [
        *sheet.wrapped(f"{about(metric, declared)}  {place(found)}, newest first", ""),
        f"  {line}",
        "",
        *_metric_rows(found, metric, sheet),
        "",
        *end(found, sheet),
    ]
    return _joined(lines)


def of_all(found: History, sheet: Paper) -> str:
    """All metrics of a baseline, a line each."""
    rows = [("metric", "n", "value", "delta", "history"), *(_summary(found, name) for name in found.declared)]
    lines = [*sheet.wrapped(place(found), ""), "", *_table(rows, sheet), "", *end(found, sheet)]
    return _joined(lines)


def _joined(lines: Sequence[str]) -> str:
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _summary(found: History, metric: str) -> Cells:
    declared = found.declared[metric]
    values = [None if value is None else value.mean for value in reversed(found.values(metric))]
    line = sparkline(values, _SPARK // 2, lower_is_better=declared.direction == "lower")
    newest = found.rows[0].changes.get(metric)
    cells = _cells(newest, None) if newest else ("", numbers.NONE, "")
    return (about(metric, declared), *cells, line)


def _table(rows: Sequence[Cells], sheet: Paper) -> Iterator[str]:
    """Names to the left, numbers to the right, what is drawn last."""
    sizes = [max(columns(row[index]) for row in rows) for index in range(len(rows[0]))]
    name = max(12, min(sizes[0], sheet.width - sum(sizes[1:]) - 2 * (len(sizes) - 1)))
    for row in rows:
        first = fitted(row[0], name)
        cells = [f"{cell:>{size}}" for cell, size in zip(row[1:-1], sizes[1:-1], strict=True)]
        yield "  ".join([anchored(first) + " " * (name - columns(first)), *cells, row[-1]])


def _metric_rows(found: History, metric: str, sheet: Paper) -> Iterator[str]:
    changes = [row.changes.get(metric) for row in found.rows]
    newer = [None, *changes[:-1]]
    kind = next(change.value.kind for change in changes if change is not None)
    cells = [("n", _HEADS[kind], "delta"), *(_cells(one, two) for one, two in zip(changes, newer, strict=True))]
    sizes = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lower = found.declared[metric].direction == "lower"
    head = [f"{'commit':<{AT_MOST}}", f"{'date':<10}", *(f"{c:>{s}}" for c, s in zip(cells[0], sizes, strict=True))]
    yield "  ".join([*head, "subject"])
    for row, change, texts in zip(found.rows, changes, cells[1:], strict=True):
        shown = [f"{text:>{size}}" for text, size in zip(texts, sizes, strict=True)]
        start = [f"{short(row.commit.oid):<{AT_MOST}}", f"{day(row.commit):<10}"]
        room = max(_LEAST_SUBJECT, sheet.width - AT_MOST - 10 - sum(sizes) - 2 * 5)
        if change is not None and change.delta:
            shown[2] = sheet.styled(shown[2], _STYLES[(change.delta < 0) == lower])
        yield "  ".join([*start, *shown, fitted(one_line(row.commit.subject), room)])
        yield from _notes(row, change, sheet)


def _cells(change: Change | None, newer: Change | None) -> tuple[str, str, str]:
    """Count, value and delta; the value with digits enough to tell it from those of both neighbours."""
    if change is None:
        return "", "-", ""
    value = change.value.mean
    texts = [numbers.means(value, change.before.mean)[0]] if change.before else []
    texts += [numbers.means(newer.value.mean, value)[1]] if newer is not None and newer.before else []
    text = max(texts, key=len) if texts else numbers.means(value, value)[0]
    delta = "" if change.delta is None else numbers.signed(change.delta)
    return numbers.count(change.value.count), text, delta


def _notes(row: Row, change: Change | None, sheet: Paper) -> Iterator[str]:
    """What stands below a row: why it has no value, and the reasons that were recorded."""
    indent = " " * (AT_MOST + 2)
    if row.gap is not None:
        yield from sheet.wrapped(f"gap: {gap(row.gap)}", indent)
    elif change is None:
        yield from sheet.wrapped("gap: the run that stood there has no such value", indent)
    for reason in row.reasons:
        yield from sheet.wrapped(f"reason: {one_line(reason)}", indent)
