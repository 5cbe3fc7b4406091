"""The metrics of a text report: a table whose columns are as many as fit, the most telling first.

On paper too narrow for baseline, current and delta beside a name, each metric has its numbers on a line below its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runstore.reports import numbers, outline
from runstore.reports.outline import Interval, Outline
from runstore.reports.text.paper import Paper
from runstore.reports.text_safety import anchored, columns, fitted, one_line

if TYPE_CHECKING:
    from runstore.reports.shapes import Measure

_METRICS = 20
_ROWS = 60
_FEW = 6
"""Of so many metrics each says how many slices it has that are not shown."""
_HEADS = ("baseline", "current", "delta", "interval", "std error", "n", "regressed", "improved", "lost")
_NEEDED = (0, 1, 2)
_WISHED = (6, 3, 8, 5, 7, 4)
"""The other columns, the most telling first."""
_DELTA = 2
_NAME = 32
"""A name has so many columns before another column of numbers has any."""
_LEAST_NAME = 12
_EFFECT_STYLE = {"worse": "31", "better": "32"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """A line of the table: a name that begins it, and cells of numbers; none for a line that is only a name."""

    name: str
    cells: tuple[str, ...] = ()
    effect: str = ""


def lines(contents: Outline, sheet: Paper) -> Iterator[str]:
    """The table; nothing if nothing was measured."""
    rows = [_Row(name="Metric", cells=_HEADS), *_rows(contents)]
    if len(rows) == 1:
        return
    filled = [index for index, column in enumerate(_columns(rows)) if any(column)]
    sizes = [max(columns(cell) for cell in (_HEADS[index], *column)) for index, column in enumerate(_columns(rows))]
    longest = max(columns(row.name) for row in rows)
    shown = _shown(filled, sizes, min(longest, _NAME), sheet.width)
    room = sheet.width - sum(sizes[index] + 2 for index in shown)
    if room < min(longest, _LEAST_NAME):
        yield from _stacked(rows, sheet)
        return
    size = min(longest, room)
    for row in rows:
        yield _line(row, size, [(index, sizes[index]) for index in shown], sheet)


def _columns(rows: Sequence[_Row]) -> Iterator[list[str]]:
    """The cells of each column, below its head."""
    for index in range(len(_HEADS)):
        yield [row.cells[index] for row in rows[1:] if row.cells]


def _shown(filled: Sequence[int], sizes: Sequence[int], name: int, width: int) -> list[int]:
    """The columns that fit beside a name of `name` columns."""
    shown = [index for index in _NEEDED if index in filled]
    left = width - name - sum(sizes[index] + 2 for index in shown)
    for index in _WISHED:
        if index in filled and sizes[index] + 2 <= left:
            shown.append(index)
            left -= sizes[index] + 2
    return sorted(shown)


def _line(row: _Row, size: int, shown: Sequence[tuple[int, int]], sheet: Paper) -> str:
    """The name to the left, shortened if need be; numbers to the right."""
    if not row.cells:
        return fitted(row.name, sheet.width)
    name = fitted(row.name, size)
    cells = [f"{row.cells[index]:>{width}}" for index, width in shown]
    place = next((place for place, (index, _) in enumerate(shown) if index == _DELTA), None)
    if place is not None:
        cells[place] = sheet.styled(cells[place], _EFFECT_STYLE.get(row.effect, ""))
    return "  ".join([anchored(name) + " " * (size - columns(name)), *cells])


def _stacked(rows: Sequence[_Row], sheet: Paper) -> Iterator[str]:
    """Each metric's numbers below its name."""
    yield "Metrics"
    for row in rows[1:]:
        yield f"  {fitted(row.name, sheet.width - 2)}"
        if row.cells:
            baseline, current, delta = (row.cells[index] for index in _NEEDED)
            indent = " " * (len(row.name) - len(row.name.lstrip(" ")) + 6)
            first, *rest = sheet.wrapped(f"{baseline} -> {current} {delta}", indent[: sheet.width // 2])
            yield first.replace(f" {delta}", f" {sheet.styled(delta, _EFFECT_STYLE.get(row.effect, ''))}", 1)
            yield from rest


def _rows(contents: Outline) -> Iterator[_Row]:
    found, left_out = contents.ranked_metrics(_METRICS, _ROWS)
    intervals = contents.intervals()
    indent = "  " if contents.is_suite else ""
    run, slices_left = "", 0
    for measure, slices, more in found:
        if measure["run"] != run:
            run = measure["run"]
            yield _Row(name=one_line(run))
        yield _row(indent + _metric_name(measure), measure, intervals)
        for part in slices:
            assert part["slice"] is not None
            name = f"{one_line(part['slice']['tag'])} = {one_line(part['slice']['value'])}"
            yield _row(f"{indent}  {name}", part, intervals)
        if more and len(found) <= _FEW:
            yield _Row(name=f"{indent}  and {numbers.counted(more, 'more slice')}")
        else:
            slices_left += more
    rest = [(left_out, "more metric"), (slices_left, "more slice")]
    if said := [numbers.counted(number, noun) for number, noun in rest if number]:
        yield _Row(name=f"and {', '.join(said)}; all of them: --format json")


def _metric_name(measure: Measure) -> str:
    notes = [one_line(measure["unit"])] if measure["unit"] else []
    notes += ["lower is better"] if measure["direction"] == "lower" else []
    notes += ["series"] if measure["kind"] == "series" else []
    return one_line(measure["metric"]) + (f" ({', '.join(notes)})" if notes else "")


def _row(name: str, measure: Measure, intervals: dict[outline.MeasureKey, Interval]) -> _Row:
    baseline, current = numbers.means(measure["baseline"], measure["current"])
    sure = intervals.get(outline.measure_key(measure))
    error = measure["standard_error"]
    cells = (
        baseline,
        current,
        numbers.signed(measure["delta"]),
        numbers.interval(*sure) if sure else "",
        numbers.single(error) if error else "",
        numbers.count(measure["n"]),
        numbers.count(measure["regressed"]),
        numbers.count(measure["improved"]),
        numbers.count(measure["lost"]) if measure["lost"] else "",
    )
    return _Row(name=name, cells=cells, effect=outline.effect(measure))
