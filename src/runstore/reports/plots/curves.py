"""Training curves: the points of a series of both runs in, one picture with both lines out.

The last point of each line is filled, the best one ringed. Values are on a logarithmic scale, and the picture says so,
only where they must be: none is 0 or less, and the lines end so close to the bottom that no difference could be seen.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from markupsafe import Markup

from runstore.reports import numbers
from runstore.reports.plots import axes, lettering, scale, svg
from runstore.reports.plots.axes import SIZE, WIDTH
from runstore.reports.plots.panel import Panel, name_of
from runstore.reports.plots.scale import Scale, Tick

if TYPE_CHECKING:
    from runstore.reports.shapes import Series

_HEIGHT, _TOP, _BOTTOM = 220, 30, 178
_TIMES = 20
"""On a logarithmic scale the largest value is at least so many times the smallest,"""
_FLOOR = 0.05
"""and on another all lines would end in so low a share of the picture."""
_CONTEXT = decimal.Context(prec=12)
_KEY = 18
Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Curve:
    """One run's line; `best` and the last point are (step, value)."""

    side: Literal["baseline", "current"]
    points: Sequence[Point]
    best: Point


def is_drawn(series: Series) -> bool:
    """Whether a run has a point."""
    return bool(series["baseline"] or series["current"])


def draw(series: Series) -> Panel:
    """The curves of a series of which a run has a point."""
    curves = [*_curves(series)]
    values = [value for curve in curves for _, value in curve.points]
    is_log = _needs_logarithm(values, [curve.points[-1][1] for curve in curves])
    words = _words(curves, is_log=is_log)
    parts = _picture(curves, values, is_log=is_log)
    picture = svg.drawing(WIDTH, _HEIGHT, "plot-curves", f"{name_of(series)} by step", words, *parts)
    return Panel(name=name_of(series), words=words, picture=picture)


def _needs_logarithm(values: Sequence[float], last: Sequence[float]) -> bool:
    low, high = min(values), max(values)
    return 0 < low <= high / _TIMES and max(last) <= low + _FLOOR * (high - low)


def _curves(series: Series) -> Iterator[_Curve]:
    sides: tuple[tuple[Literal["baseline", "current"], Sequence[Point] | None], ...]
    sides = (("baseline", series["baseline"]), ("current", series["current"]))
    choose = max if series["direction"] == "higher" else min
    for side, points in sides:
        if points:
            cut = [(scale.finite(step), scale.finite(value)) for step, value in points]
            yield _Curve(side=side, points=cut, best=choose(cut, key=lambda point: point[1]))


def _words(curves: Sequence[_Curve], *, is_log: bool) -> str:
    parts = [_said(curve) for curve in curves]
    missing = {"baseline", "current"} - {curve.side for curve in curves}
    parts += [f"the {side} has no such series" for side in sorted(missing)]
    return "; ".join([*parts, *(["values on a logarithmic scale"] if is_log else [])])


def _said(curve: _Curve) -> str:
    (step, value), (last_step, last) = curve.best, curve.points[-1]
    best_text, last_text = numbers.means(value, last)
    said = f"{curve.side}: last {last_text} at step {numbers.single(last_step)}"
    return said if curve.best == curve.points[-1] else f"{said}, best {best_text} at step {numbers.single(step)}"


def _picture(curves: Sequence[_Curve], values: Sequence[float], *, is_log: bool) -> Iterator[Markup]:
    as_drawn = _logarithm if is_log else float
    upright = scale.spanning(map(as_drawn, values), start=_BOTTOM, end=_TOP)
    rows = _powers(upright) if is_log else scale.ticks(upright, 5)
    left = min(axes.room_beside(rows), WIDTH / 2)
    across = scale.spanning(
        (step for curve in curves for step, _ in curve.points), start=left, end=WIDTH - 8, margin=0.0
    )
    yield from axes.beside(upright, rows, left, WIDTH)
    yield from axes.below(across, scale.fitting(across, SIZE, 6, least=1), _BOTTOM, _BOTTOM + 4)
    yield svg.text((left + WIDTH) / 2, _HEIGHT - 6, "step", anchor="middle")
    for curve in curves:
        yield from _line(curve, across, upright, as_drawn)
    yield from _key(curves, left)


def _logarithm(value: float) -> float:
    """Rounded alike everywhere, which the C library's is not."""
    return float(Decimal(value).log10(_CONTEXT))


def _powers(upright: Scale) -> list[Tick]:
    """Whole powers of ten, at most six of them."""
    return [Tick(value=tick.value, text=_power(int(tick.value))) for tick in scale.ticks(upright, 5, least=1)]


def _power(exponent: int) -> str:
    if exponent < 0:
        return f"{Decimal(1).scaleb(exponent):f}" if exponent >= -4 else f"1e{exponent}"
    return f"{10**exponent:,}" if exponent < 6 else f"1e{exponent}"


def _line(curve: _Curve, across: Scale, upright: Scale, as_drawn: Callable[[float], float]) -> Iterator[Markup]:
    places = [(across.place(step), upright.place(as_drawn(value))) for step, value in curve.points]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    yield svg.element("path", class_=f"plot-curve plot-{curve.side}", d=f"M{path}")
    best = across.place(curve.best[0]), upright.place(as_drawn(curve.best[1]))
    yield svg.element("circle", class_=f"plot-ring plot-{curve.side}", cx=best[0], cy=best[1], r=4.5)
    yield svg.element("circle", class_=f"plot-last plot-{curve.side}", cx=places[-1][0], cy=places[-1][1], r=3)


def _key(curves: Sequence[_Curve], left: float) -> Iterator[Markup]:
    """Which line is whose."""
    x = left
    for curve in curves:
        yield svg.line(x, 12, x + _KEY, 12, f"plot-curve plot-{curve.side}")
        yield svg.text(x + _KEY + 5, 12 + SIZE / 3, curve.side, "plot-strong")
        x += _KEY + 5 + lettering.width(curve.side, SIZE) + 2 * SIZE
