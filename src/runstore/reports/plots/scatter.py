"""Before and after: moves of a metric in, one point a pair of scores out, the larger the more records have it.

On the diagonal nothing moved; which side of it is worse is written outside its corner, and shaded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from runstore.reports import numbers
from runstore.reports.plots import axes, scale, svg
from runstore.reports.plots.axes import SIZE, WIDTH
from runstore.reports.plots.panel import Panel, name_of
from runstore.reports.plots.scale import Scale

if TYPE_CHECKING:
    from runstore.reports.shapes import Measure, Moves

_HEIGHT, _TOP, _BOTTOM = 346, 24, 306
_RADIUS, _LARGEST = 2.6, 10.0
"""The radius of a point of one pair, and of the largest; the area tells the number of pairs as far as both allow."""
Cell = tuple[float, float, int]
"""Before, after, pairs."""


def is_drawn(measure: Measure) -> bool:
    """Whether a pair moved, and scores are not 0 and 1 alone, of which the numbers say all."""
    moves = measure["moves"]
    if moves is None or not moves["pairs"]:
        return False
    return bool(moves["grid"]) or not {*moves["before"], *moves["after"]} <= {0, 1}


def draw(measure: Measure) -> Panel:
    """The scatter of a metric of which a pair moved."""
    moves = measure["moves"]
    assert moves is not None
    cells = _cells(moves)
    words = _words(measure, moves)
    title = f"{name_of(measure)}: before and after"
    picture = svg.drawing(WIDTH, _HEIGHT, "plot-scatter", title, words, *_picture(measure, cells))
    return Panel(name=name_of(measure), words=words, picture=picture)


def _cells(moves: Moves) -> list[Cell]:
    """Middles of cells, or the values where they are exact."""
    half = scale.finite(moves["grid"] / 2)
    columns = zip(moves["before"], moves["after"], moves["pairs"], strict=True)
    return [(scale.finite(before + half), scale.finite(after + half), times) for before, after, times in columns]


def _words(measure: Measure, moves: Moves) -> str:
    side = "below" if measure["direction"] == "higher" else "above"
    words = f"{numbers.counted(sum(moves['pairs']), 'pair')} that moved; {side} the diagonal is worse"
    most = max(moves["pairs"])
    return words + (f"; the largest point stands for {numbers.count(most)}" if most > 1 else "")


def _picture(measure: Measure, cells: Sequence[Cell]) -> Iterator[Markup]:
    values = [value for before, after, _ in cells for value in (before, after)]
    upright = scale.spanning(values, start=_BOTTOM, end=_TOP)
    rows = scale.fitting(Scale(low=upright.low, high=upright.high, start=0, end=_BOTTOM - _TOP), SIZE, 6)
    left = min(axes.room_beside(rows) + SIZE + 4, WIDTH / 2)
    across = scale.spanning(values, start=left, end=WIDTH - 4)
    yield _shade(across, upright, is_below=measure["direction"] == "higher")
    yield from axes.beside(upright, rows, left, WIDTH - 4)
    yield from axes.below(across, scale.fitting(across, SIZE, 6), _TOP, _BOTTOM)
    yield svg.line(left, _BOTTOM, WIDTH - 4, _TOP, "plot-diagonal")
    yield from _points(measure, cells, across, upright)
    yield from _names(measure, left)


def _shade(across: Scale, upright: Scale, *, is_below: bool) -> Markup:
    corner = (across.end, upright.start) if is_below else (across.start, upright.end)
    places = ((across.start, upright.start), corner, (across.end, upright.end))
    path = "L".join(f"{svg.number(x)} {svg.number(y)}" for x, y in places)
    return svg.element("path", class_="plot-shade", d=f"M{path}Z")


def _points(measure: Measure, cells: Sequence[Cell], across: Scale, upright: Scale) -> Iterator[Markup]:
    """One path a size and side: a point is a stroke of no length with round ends."""
    most = max(times for _, _, times in cells)
    places: dict[tuple[float, str], list[str]] = {}
    for before, after, times in cells:
        rise = (after - before) * (1 if measure["direction"] == "higher" else -1)
        side = "plot-worse" if rise < 0 else "plot-better" if rise > 0 else "plot-level"
        place = f"M{svg.number(across.place(before))} {svg.number(upright.place(after))}h0"
        places.setdefault((_radius(times, most), side), []).append(place)
    for (radius, side), path in sorted(places.items(), reverse=True):  # the small ones on top
        yield svg.element("path", class_=f"plot-points {side}", stroke_width=2 * radius, d="".join(path))


def _radius(times: int, most: int) -> float:
    """In steps of half a pixel, so that there are few paths."""
    exact = math.sqrt(times) * min(_RADIUS, _LARGEST / math.sqrt(most))
    return max(2.0, round(2 * exact) / 2)


def _names(measure: Measure, left: float) -> Iterator[Markup]:
    yield svg.text((left + WIDTH) / 2, _HEIGHT - 6, "baseline", anchor="middle")
    middle = (_TOP + _BOTTOM) / 2
    turn = f"rotate(-90 {svg.number(SIZE)} {svg.number(middle)})"
    yield svg.element("text", svg.shown("current"), x=SIZE, y=middle, text_anchor="middle", transform=turn)
    below, above = ("worse", "better") if measure["direction"] == "higher" else ("better", "worse")
    yield svg.text(WIDTH - 4, _HEIGHT - 6, f"{below} \u2198", f"plot-word-{below}", "end")
    yield svg.text(left, _TOP - 10, f"\u2196 {above}", f"plot-word-{above}", "start")
