"""The distribution of score differences: moves of a metric in, bars of how many pairs differ by how much out.

Zero is the edge of two bars, so that none holds worse and better at once; pairs that did not move are said in words.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from markupsafe import Markup

from runstore.reports import numbers
from runstore.reports.plots import axes, lettering, scale, svg
from runstore.reports.plots.axes import SIZE, WIDTH
from runstore.reports.plots.panel import Panel, name_of
from runstore.reports.plots.scale import Scale

if TYPE_CHECKING:
    from runstore.reports.shapes import Measure, Moves

_HEIGHT, _TOP, _BOTTOM = 190, 28, 166
_BARS = 12
"""At most so many bars on each side of zero."""
_NEARLY_ALL = 0.98
_WIDE = 4
"""If that share of the pairs fills less than a quarter of the width, the others stand in the outermost bars."""
_LEAST_STEP = 1e-300
_ROUNDING = 1e-9
Bars = Mapping[int, int]
"""k → pairs: those that differ by more than k - 1 steps and at most k, and the same below zero with -k. Never 0."""


def is_drawn(measure: Measure) -> bool:
    """Whether a pair moved."""
    return measure["moves"] is not None and bool(measure["moves"]["pairs"])


def draw(measure: Measure) -> Panel:
    """The distribution of a metric of which a pair moved."""
    moves = measure["moves"]
    assert moves is not None
    differences = _differences(moves)
    reach = _reach(differences)
    step = max(scale.step_for(reach, _BARS), _LEAST_STEP)
    most = math.ceil(reach / step - _ROUNDING)
    bars = _bars(measure, differences, step, most)
    beyond = sum(times for value, times in differences if abs(value) / step > most + _ROUNDING)
    words = _words(measure, sum(moves["pairs"]), beyond)
    title = f"{name_of(measure)}: how much scores differ"
    parts = _picture(measure, bars, step)
    picture = svg.drawing(WIDTH, _HEIGHT, "plot-histogram", title, "; ".join([words, *_said(bars, step)]), *parts)
    return Panel(name=name_of(measure), words=words, picture=picture)


def _differences(moves: Moves) -> list[tuple[float, int]]:
    """Each difference and its pairs. On a grid, that of the edges of two cells; 0 of pairs within one cell."""
    cells = zip(moves["before"], moves["after"], moves["pairs"], strict=True)
    return [(scale.finite(after) - scale.finite(before), times) for before, after, times in cells]


def _reach(differences: Sequence[tuple[float, int]]) -> float:
    """How far from zero the bars go; more than 0."""
    sizes = sorted((abs(value), times) for value, times in differences)
    seen = [*accumulate(times for _, times in sizes)]
    inner = sizes[bisect_left(seen, _NEARLY_ALL * seen[-1])][0]
    largest = sizes[-1][0]
    return max(inner if 0 < inner * _WIDE < largest else largest, _LEAST_STEP * _BARS)


def _bars(measure: Measure, differences: Sequence[tuple[float, int]], step: float, most: int) -> Bars:
    bars: Counter[int] = Counter()
    undecided = 0
    for value, times in differences:
        if value:
            ratio = abs(value) / step  # may be infinite
            place = most if ratio >= most else max(1, math.ceil(ratio - _ROUNDING))
            bars[place if value > 0 else -place] += times
        else:
            undecided += times
    if undecided:  # they moved by less than a cell, and the measure says how many of all moved which way
        rises = measure["improved"] if measure["direction"] == "higher" else measure["regressed"] - measure["lost"]
        up = max(0, min(undecided, rises - sum(times for place, times in bars.items() if place > 0)))
        bars[1] += up
        bars[-1] += undecided - up
    return {place: bars[place] for place in sorted(bars) if bars[place]}


def _words(measure: Measure, moved: int, beyond: int) -> str:
    lost = measure["lost"]
    words = f"{numbers.count(measure['regressed'] - lost)} worse, {numbers.count(measure['improved'])} better"
    words += f", {numbers.count(max(0, measure['n'] - moved))} of {numbers.counted(measure['n'], 'pair')} did not move"
    words += f"; {numbers.counted(lost, 'pair')} lost the score" if lost else ""
    return words + (f"; {numbers.counted(beyond, 'pair')} further off, in the outermost bar" if beyond else "")


def _picture(measure: Measure, bars: Bars, step: float) -> Iterator[Markup]:
    upright = Scale(low=0.0, high=float(max(bars.values())), start=_BOTTOM, end=_TOP)
    counts = scale.ticks(upright, 4, least=1)
    left = axes.room_beside(counts)
    ends = [0.0, *(place * step for place in bars)]
    across = scale.spanning(ends, start=left, end=WIDTH - 4)
    yield from axes.beside(upright, counts, left, WIDTH)
    for place, times in bars.items():
        yield _bar(across, upright, place, times, step, is_worse=(place < 0) == (measure["direction"] == "higher"))
    for tick in scale.fitting(across, SIZE):
        half = lettering.width(tick.text, SIZE) / 2
        x = max(half, min(WIDTH - half, across.place(tick.value)))
        yield svg.text(x, _BOTTOM + SIZE + 4, tick.text, anchor="middle")
    yield svg.line(left, _BOTTOM, WIDTH, _BOTTOM, "plot-rule")
    yield svg.line(across.place(0), _TOP, across.place(0), _BOTTOM + 4, "plot-zero")
    yield from _sides(measure, bars, across.place(0), left)


def _bar(across: Scale, upright: Scale, place: int, times: int, step: float, *, is_worse: bool) -> Markup:
    inner, outer = across.place((place - (1 if place > 0 else -1)) * step), across.place(place * step)
    top = min(upright.place(times), _BOTTOM - 1)
    gap = min(1.0, abs(outer - inner) / 4)
    return svg.element(
        "rect",
        class_="plot-worse" if is_worse else "plot-better",
        x=min(inner, outer) + gap / 2,
        y=top,
        width=abs(outer - inner) - gap,
        height=_BOTTOM - top,
    )


def _sides(measure: Measure, bars: Bars, zero: float, left: float) -> Iterator[Markup]:
    """Which side is worse, above the bars; a side without room beside the zero line has no bars either."""
    below, above = ("worse", "better") if measure["direction"] == "higher" else ("better", "worse")
    for word, is_there, x, anchor in (
        (below, min(bars) < 0, zero - 6, "end"),
        (above, max(bars) > 0, zero + 6, "start"),
    ):
        room = zero - left if anchor == "end" else WIDTH - zero
        if is_there and room > lettering.width(word, SIZE) + 8:
            yield svg.text(x, _TOP - 12, word, f"plot-word-{word}", anchor)


def _said(bars: Bars, step: float) -> Iterator[str]:
    for place, times in bars.items():
        inner, outer = numbers.means((place - (1 if place > 0 else -1)) * step, place * step)
        yield f"from {inner} to {outer}: {numbers.count(times)}"
