"""The forest: of a metric the difference in each slice, with its interval, the worst slice first.

Above the slices stands the whole. A row's short upright stroke is where a rule of that row begins to break.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from runstore.reports import numbers
from runstore.reports.plots import axes, bounds, lettering, scale, spread, svg
from runstore.reports.plots.axes import SIZE, WIDTH
from runstore.reports.plots.bounds import Checks
from runstore.reports.plots.panel import Panel, name_of
from runstore.reports.plots.scale import Scale
from runstore.reports.plots.spread import Spread
from runstore.reports.plots.symbols import State, dot, state

if TYPE_CHECKING:
    from runstore.reports.shapes import Measure

MOST_ROWS = 30
_ROW, _TOP, _BOTTOM = 20, 22, 26
_LABEL, _NUMBER = 120, 76
"""The widest that a label and a number are, so that the picture has a fifth of the width at least."""
_GAP = 8
_REACH = 2
"""An interval ends where it leaves the differences by more than so many times their range."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    label: str
    delta: float
    spread: Spread | None
    limits: Sequence[float]
    looks: State
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Columns:
    """Where the columns end."""

    label: float
    left: float
    right: float
    delta: float


def is_drawn(whole: Measure, slices: Sequence[Measure]) -> bool:
    """Whether there is a slice in which something was compared."""
    compared = any(part["delta"] is not None for part in slices)
    return whole["kind"] == "records" and whole["delta"] is not None and compared


def draw(whole: Measure, slices: Sequence[Measure], checks: Checks, most: int = MOST_ROWS) -> Panel:
    """The forest of a metric that `is_drawn`."""
    judged = [part for part in slices if part["delta"] is not None]
    shown = sorted(judged, key=_rise)[:most]
    rows = [_row(measure, checks) for measure in (whole, *shown)]
    columns = _columns(rows)
    axis = _scale(rows, columns)
    height = _TOP + _ROW * len(rows) + _BOTTOM
    parts = [*_frame(rows, columns, axis), *_rows(rows, columns, axis)]
    picture = svg.drawing(
        WIDTH, height, "plot-forest", f"{name_of(whole)}: difference by slice", _described(rows), *parts
    )
    words = _words(rows, len(judged) - len(shown), len(slices) - len(judged))
    return Panel(name=name_of(whole), words=words, picture=picture)


def _rise(measure: Measure) -> float:
    return (measure["delta"] or 0.0) * (1 if measure["direction"] == "higher" else -1)


def _row(measure: Measure, checks: Checks) -> _Row:
    asked = bounds.checks_of(measure, checks)
    found = bounds.of_measure(measure, asked)
    part = measure["slice"]
    assert measure["delta"] is not None
    return _Row(
        label="all" if part is None else svg.said(f"{part['tag']} = {part['value']}"),
        delta=scale.finite(measure["delta"]),
        spread=spread.of_change(measure, asked),
        limits=[scale.finite(bound.at) - scale.finite(measure["baseline"] or 0.0) for bound in found],
        looks=state([bound.outcome for bound in found]),
        count=measure["n"],
    )


def _columns(rows: Sequence[_Row]) -> _Columns:
    counts = max(lettering.width(_count(row), SIZE) for row in rows)
    deltas = max(lettering.width(_delta(row), SIZE) for row in rows)
    labels = min(_LABEL, max(lettering.width(row.label, SIZE) for row in rows) * 1.08)  # the whole's is bold
    right = WIDTH - counts - deltas - 2 * _GAP
    return _Columns(label=labels, left=labels + _GAP, right=right - _GAP, delta=right + deltas)


def _scale(rows: Sequence[_Row], columns: _Columns) -> Scale:
    """All differences and zero, limits and intervals as far as they leave room to see the differences."""
    core = [0.0, *(row.delta for row in rows)]
    whole = rows[0].spread
    core += [scale.finite(whole.low), scale.finite(whole.high)] if whole else []
    low, high = min(core), max(core)
    reach = (high - low) * _REACH if high > low else math.inf
    ends = [end for row in rows if row.spread for end in (row.spread.low, row.spread.high)]
    ends += [limit for row in rows for limit in row.limits]
    values = [*core, *(max(low - reach, min(high + reach, scale.finite(end))) for end in ends)]
    return scale.spanning(values, start=columns.left, end=columns.right)


def _frame(rows: Sequence[_Row], columns: _Columns, axis: Scale) -> Iterator[Markup]:
    bottom = float(_TOP + _ROW * len(rows))
    yield from axes.below(axis, scale.fitting(axis, SIZE, 5), _TOP, bottom)
    yield svg.line(axis.place(0), _TOP, axis.place(0), bottom, "plot-zero")
    yield svg.line(0, _TOP + _ROW, WIDTH, _TOP + _ROW, "plot-rule")
    yield svg.text(columns.delta, _TOP - 8, "delta", anchor="end")
    yield svg.text(WIDTH, _TOP - 8, "n", anchor="end")


def _rows(rows: Sequence[_Row], columns: _Columns, axis: Scale) -> Iterator[Markup]:
    for index, row in enumerate(rows):
        y = _TOP + _ROW * (index + 0.5)
        strong = "plot-strong" if index else "plot-strong plot-bold"
        label = lettering.fitted(row.label, columns.label, SIZE)
        yield svg.text(columns.label, y + SIZE / 3, label, strong, "end")
        for limit in row.limits:
            if axis.holds(limit):
                yield svg.line(axis.place(limit), y - _ROW / 2, axis.place(limit), y + _ROW / 2, "plot-limit")
        if row.spread is not None:
            yield from _whisker(row.spread, y, axis)
        yield dot(axis.place(row.delta), y, 4, row.looks)
        yield svg.text(columns.delta, y + SIZE / 3, _delta(row), strong, "end")
        yield svg.text(WIDTH, y + SIZE / 3, _count(row), "", "end")


def _delta(row: _Row) -> str:
    text = numbers.signed(row.delta)
    return text if lettering.width(text, SIZE) <= _NUMBER else f"{row.delta:+.2e}"


def _count(row: _Row) -> str:
    text = numbers.count(row.count)
    return text if lettering.width(text, SIZE) <= _NUMBER else f"{row.count:.2e}"


def _whisker(found: Spread, y: float, axis: Scale) -> Iterator[Markup]:
    """The interval; an end that lies off the picture is an arrow."""
    low, high = axis.place(found.low), axis.place(found.high)
    yield svg.line(low, y, high, y, "plot-whisker")
    for end, x, way in ((found.low, low, 1), (found.high, high, -1)):
        if axis.holds(end):
            yield svg.line(x, y - 4, x, y + 4, "plot-cap")
        else:
            back = svg.number(x + 5 * way)
            path = f"M{back} {svg.number(y - 4)}L{svg.number(x)} {svg.number(y)}L{back} {svg.number(y + 4)}"
            yield svg.element("path", class_="plot-cap", d=path)


def _words(rows: Sequence[_Row], hidden: int, empty: int) -> str:
    """What the picture leaves out."""
    slices = numbers.counted(len(rows) - 1, "slice")
    parts = [f"the worst {slices}, and {numbers.count(hidden)} more in the JSON report" if hidden else slices]
    if empty:
        parts.append(f"{numbers.counted(empty, 'slice')} without a difference to draw")
    if bare := sum(row.spread is None for row in rows):
        parts.append(f"{numbers.counted(bare, 'row')} without interval: one pair, or all pairs differ by the same")
    return "; ".join(parts)


def _described(rows: Sequence[_Row]) -> str:
    return "; ".join(_said(row) for row in rows)


def _said(row: _Row) -> str:
    interval = ""
    if row.spread is not None:
        low, high = numbers.means(row.spread.low, row.spread.high)
        interval = f", {row.spread.words} {low} to {high}"
    return f"{row.label}: {numbers.signed(row.delta)}{interval}, n = {numbers.count(row.count)}"
