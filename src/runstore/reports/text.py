"""Text for a terminal or a CI log: the verdict first, then why, then numbers, the worst records, and what to do next.

Every text of data is made safe, and so is the whole once more, because what is safe in pieces may not be when joined.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

from runstore.canonical import JsonValue
from runstore.reports import marks, numbers, outline
from runstore.reports.outline import Group, Outline
from runstore.reports.text_safety import columns, fitted, one_line, without_commands

if TYPE_CHECKING:
    from runstore.reports.shapes import Change, ChangeClass, Field, Measure

_LISTED_RECORDS = 3
_WORST_RECORDS = 5
_FIELDS = 4
_MIN_WIDTH = 40
_VERDICT_STYLE = {"PASS": "1;32", "FAIL": "1;31", "INVALID": "1;31", "REVIEW": "1;33", "INCONCLUSIVE": "1;33"}
_LEVEL_STYLE = {"invalid": "31", "error": "31", "review": "33", "inconclusive": "33", "warning": "33", "notice": "2"}
_OLD_STYLE, _NEW_STYLE = "31", "32"
_SHOWN_AT_ONCE = ("regressed", "removed")
_EFFECT_STYLE = {"worse": "31", "better": "32"}
_DELTA = 2
_HEADS = ("Metric", "baseline", "current", "delta", "n", "regressed", "improved", "lost")


def render(view: Mapping[str, JsonValue], *, color: bool = False, width: int = 100) -> str:
    """The report for people at a terminal."""
    page = _Page(outline.make(view), color, max(width, _MIN_WIDTH))
    sections = [page.verdict(), page.findings(), page.counts(), page.metrics(), page.worst(), page.next()]
    texts = ["\n".join(line.rstrip() for line in section) for section in sections]
    return without_commands("\n\n".join(text for text in texts if text)) + "\n"


class _Row(NamedTuple):
    """A line of the table of metrics: its cells, and whether the current run is `worse`, `better` or neither."""

    cells: tuple[str, ...]
    effect: str


class _Page:
    """The sections of one report, each as lines."""

    def __init__(self, contents: Outline, color: bool, width: int) -> None:
        self._outline = contents
        self._view = contents.view
        self._color = color
        self._width = width

    def _styled(self, text: str, style: str | None) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._color and style and text else text

    def _wrapped(self, text: str, indent: str) -> list[str]:
        """Safe text on as many lines as it takes; those that go on are indented more."""
        width = max(self._width, 2 * len(indent) + 8)
        return wrap(text, width, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False)

    def verdict(self) -> Iterator[str]:
        verdict = self._view["verdict"]
        yield f"{self._styled(verdict, _VERDICT_STYLE[verdict])}  {self._outline.headline}"

    def findings(self) -> Iterator[str]:
        for group in self._outline.groups:
            yield from self._group(group)

    def _group(self, group: Group) -> Iterator[str]:
        head = group.head
        run = f"{one_line(head['run'])}: " if head["run"] else ""
        first, *rest = self._wrapped(f"{head['level']}: {head['rule']}: {run}{one_line(head['message'])}", "  ")
        yield first.replace(head["level"], self._styled(head["level"], _LEVEL_STYLE[head["level"]]), 1)
        yield from rest
        for finding in group.records[:_LISTED_RECORDS]:
            name = one_line(outline.record_name(finding["record"] or "", finding["repeat"], ""))
            yield f"    - {fitted(name, self._width - 6)}"
        if group.records and group.total > _LISTED_RECORDS:
            yield f"    and {numbers.count(group.total - min(len(group.records), _LISTED_RECORDS))} more"
        if head["hint"]:
            yield from self._wrapped(f"hint: {one_line(head['hint'])}", "    ")

    def counts(self) -> Iterator[str]:
        if not self._outline.judged:
            return
        counts = self._view["counts"]
        if not counts["baseline"] and not counts["current"]:
            return
        parts = [f"{numbers.count(counts[name])} {name}" for name in outline.COMMON_CLASSES]
        sizes = f"{numbers.count(counts['baseline'])} -> {numbers.count(counts['current'])}"
        yield f"Records: {sizes}; {numbers.count(counts['added'])} added, {numbers.count(counts['removed'])} removed"
        yield from self._wrapped(f"of {numbers.count(counts['common'])} in common: {', '.join(parts)}", "  ")
        if special := outline.special(counts):
            yield f"  {', '.join(f'{numbers.count(number)} {words}' for number, words in special)}"

    def metrics(self) -> Iterator[str]:
        rows = [_Row(_HEADS, ""), *self._rows()]
        if len(rows) > 1:
            widths = [max(columns(row.cells[index]) for row in rows) for index in range(len(_HEADS))]
            widths[0] = min(widths[0], max(12, self._width - sum(widths[1:]) - 2 * (len(widths) - 1)))
            shown = len(_HEADS) - (not any(measure["lost"] for measure in self._view["metrics"]))
            for row in rows:
                yield self._table_line(row, widths[:shown])

    def _table_line(self, row: _Row, widths: Sequence[int]) -> str:
        """The first cell to the left, shortened if need be; numbers to the right."""
        name = fitted(row.cells[0], widths[0])
        cells = [f"{cell:>{size}}" for cell, size in zip(row.cells[1:], widths[1:], strict=False)]
        cells[_DELTA] = self._styled(cells[_DELTA], _EFFECT_STYLE.get(row.effect))
        return "  ".join([name + " " * (widths[0] - columns(name)), *cells])

    def _rows(self) -> Iterator[_Row]:
        indent = "  " if self._outline.is_suite else ""
        run = ""
        for measure, slices, more in self._outline.metrics_with_slices():
            if measure["run"] != run:
                run = measure["run"]
                yield _Row((one_line(run), *[""] * (len(_HEADS) - 1)), "")
            yield _row(indent + _metric_name(measure), measure)
            for part in slices:
                assert part["slice"] is not None
                yield _row(f"{indent}  {one_line(part['slice']['tag'])} = {one_line(part['slice']['value'])}", part)
            if more:
                yield _Row((f"{indent}  and {numbers.counted(more, 'more slice')}", *[""] * (len(_HEADS) - 1)), "")

    def worst(self) -> Iterator[str]:
        left = _WORST_RECORDS
        for kind in outline.CLASSES:
            if kind not in _SHOWN_AT_ONCE and left < _WORST_RECORDS:
                break  # what got worse or went missing comes first, and is enough to look at
            changes = self._outline.listed(kind)[:left]
            yield from self._records(kind, changes)
            left -= len(changes)

    def _records(self, kind: ChangeClass, changes: Sequence[Change]) -> Iterator[str]:
        if changes:
            yield f"{kind.capitalize()}: {len(changes)} of {numbers.count(self._view['counts'][kind])}"
        for change in changes:
            name = one_line(outline.record_name(change["id"], change["repeat"], change["run"]))
            yield f"  - {self._styled(fitted(name, self._width - 4), '1')}"
            yield from self._record(change)

    def _record(self, change: Change) -> Iterator[str]:
        for score in change["scores"]:
            before, after = numbers.pair(score["baseline"], score["current"])
            yield from self._wrapped(f"{one_line(score['metric'])}: {before} -> {after}", "      ")
        fields = outline.other_fields(change)
        for field in fields[:_FIELDS]:
            yield f"      {fitted(one_line(field['path']), self._width - 6)}"
            yield from self._field(field)
        if len(fields) > _FIELDS:
            yield f"      and {numbers.counted(len(fields) - _FIELDS, 'field')} more"

    def _field(self, field: Field) -> Iterator[str]:
        before, after = marks.compare(*outline.sides(field))
        if "before" in field:
            yield f"        {self._styled('-', _OLD_STYLE)} {self._pieces(before, _OLD_STYLE)}"
        if "after" in field:
            yield f"        {self._styled('+', _NEW_STYLE)} {self._pieces(after, _NEW_STYLE)}"

    def _pieces(self, pieces: marks.Pieces, style: str) -> str:
        """One side of a field on one line, with what differs in colour."""
        room = self._width - 10
        is_wide = columns("".join(piece.text for piece in pieces)) > marks.length(pieces)
        short = marks.shortened(pieces, room // 2 if is_wide else room)
        return "".join(self._styled(piece.text, style if piece.differs else None) for piece in short)

    def next(self) -> Iterator[str]:
        steps = self._outline.steps()
        for index, (why, line) in enumerate(steps):
            yield f"{'Next: ' if index == 0 else '      '}{why}: {one_line(line)}"


def _metric_name(measure: Measure) -> str:
    notes = [one_line(measure["unit"])] if measure["unit"] else []
    notes += ["lower is better"] if measure["direction"] == "lower" else []
    notes += ["series"] if measure["kind"] == "series" else []
    return one_line(measure["metric"]) + (f" ({', '.join(notes)})" if notes else "")


def _row(name: str, measure: Measure) -> _Row:
    baseline, current = numbers.means(measure["baseline"], measure["current"])
    counted = map(numbers.count, (measure["n"], measure["regressed"], measure["improved"], measure["lost"]))
    return _Row((name, baseline, current, numbers.signed(measure["delta"]), *counted), outline.effect(measure))
