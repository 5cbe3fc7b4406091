"""The bullet of a measure: one line on which baseline, current value, its interval and the limits stand.

The baseline is a tick, at the same place in every bullet; the current value a dot, or a diamond if a rule is broken;
worse is always to the left. Where a rule would break is shaded, so one sees which is close. Every bullet has its own
scale. What is too far off to be drawn without hiding that is left out, and said in words.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from runstore.reports import numbers
from runstore.reports.plots import bounds, scale, spread, svg
from runstore.reports.plots.bounds import Bound, Checks
from runstore.reports.plots.scale import Scale
from runstore.reports.plots.symbols import dot, state

if TYPE_CHECKING:
    from runstore.reports.shapes import Check, Measure

WIDTH, HEIGHT = 220, 28
_EDGE = 8
_MIDDLE = HEIGHT / 2
_WORSE_ROOM = 0.65
"""The share of the line that lies on the worse side of the baseline."""
_REACH = 3
"""What stands further off than so many times the range of what must be seen is not drawn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Bullet:
    measure: Measure
    baseline: float
    current: float
    bounds: Sequence[Bound]
    interval: tuple[float, float] | None
    """Of the current value."""
    whose: str


def draw(measure: Measure, checks: Checks) -> Markup | None:
    """The bullet; None if there is nothing to stand on the line."""
    baseline, current = measure["baseline"], measure["current"]
    if baseline is None or current is None:
        return None
    asked = bounds.checks_of(measure, checks)
    interval, whose = _interval(measure, asked, baseline)
    bullet = _Bullet(
        measure=measure,
        baseline=baseline,
        current=current,
        bounds=bounds.of_measure(measure, asked),
        interval=interval,
        whose=whose,
    )
    axis = _scale(bullet)
    title = f"{svg.said(measure['metric'])}: {' to '.join(numbers.means(baseline, current))}"
    parts = [*_zones(bullet, axis), *_values(bullet, axis)]
    return svg.drawing(WIDTH, HEIGHT, "plot-bullet", title, "; ".join(_words(bullet, axis)), *parts)


def _interval(measure: Measure, checks: Sequence[Check], baseline: float) -> tuple[tuple[float, float] | None, str]:
    """Of the difference, put where the current value is; or of the current value itself, for a floor or ceiling."""
    found = spread.of_change(measure, checks)
    if found is not None and math.isfinite(baseline + found.low) and math.isfinite(baseline + found.high):
        return (baseline + found.low, baseline + found.high), f"{found.words} of the difference"
    for check in checks:
        own = check["interval"]
        if own is not None and own["low"] <= (measure["current"] or 0) <= own["high"]:
            return (own["low"], own["high"]), f"{numbers.single(own['level'] * 100)}% interval of the current value"
    return None, ""


def _scale(bullet: _Bullet) -> Scale:
    """Baseline, current value and the nearest bound or else the interval, then what lies not too far off."""
    base = scale.finite(bullet.baseline)
    tight = sorted(bullet.bounds, key=lambda bound: bound.slack(bullet.current))
    core = [base, scale.finite(bullet.current), *(scale.finite(bound.at) for bound in tight[:1])]
    core += [] if tight else map(scale.finite, bullet.interval or ())
    low, high = min(core), max(core)
    reach = (high - low) * _REACH if high > low else math.inf
    others = [scale.finite(value) for value in (*(bullet.interval or ()), *(bound.at for bound in tight[1:]))]
    whole = scale.spanning(
        [*core, *(value for value in others if low - reach <= value <= high + reach)], start=0, end=1
    )
    is_higher = bullet.measure["direction"] == "higher"
    worse, better = (base - whole.low, whole.high - base) if is_higher else (whole.high - base, base - whole.low)
    unit = max(worse / _WORSE_ROOM, better / (1 - _WORSE_ROOM))
    worse, better = unit * _WORSE_ROOM, unit * (1 - _WORSE_ROOM)
    if is_higher:
        return Scale(low=base - worse, high=base + better, start=_EDGE, end=WIDTH - _EDGE)
    return Scale(low=base - better, high=base + worse, start=WIDTH - _EDGE, end=_EDGE)


def _zones(bullet: _Bullet, axis: Scale) -> Iterator[Markup]:
    for bound in bullet.bounds:
        if axis.holds(bound.at):
            x, end = axis.place(bound.at), 0.0 if bound.is_floor == (axis.start < axis.end) else float(WIDTH)
            yield svg.element("rect", class_="plot-zone", x=min(x, end), y=3, width=abs(end - x), height=HEIGHT - 6)
    yield svg.line(0, _MIDDLE, WIDTH, _MIDDLE, "plot-track")
    for bound in bullet.bounds:
        if axis.holds(bound.at):
            x = axis.place(bound.at)
            yield svg.line(x, 2, x, HEIGHT - 2, "plot-limit")


def _values(bullet: _Bullet, axis: Scale) -> Iterator[Markup]:
    x = axis.place(bullet.baseline)
    yield svg.line(x, 4, x, HEIGHT - 4, "plot-baseline")
    if bullet.interval is not None:
        yield svg.line(*_ends(bullet.interval, axis), "plot-whisker")
        for end in bullet.interval:
            if axis.holds(end):
                yield svg.line(axis.place(end), _MIDDLE - 4, axis.place(end), _MIDDLE + 4, "plot-cap")
    yield dot(axis.place(bullet.current), _MIDDLE, 4.5, state([bound.outcome for bound in bullet.bounds]))


def _ends(interval: tuple[float, float], axis: Scale) -> tuple[float, float, float, float]:
    return axis.place(interval[0]), _MIDDLE, axis.place(interval[1]), _MIDDLE


def _words(bullet: _Bullet, axis: Scale) -> Iterator[str]:
    baseline, current = numbers.means(bullet.baseline, bullet.current)
    yield f"worse is to the left; a tick for the baseline, {baseline}; a dot for the current value, {current}"
    if bullet.interval is not None:
        low, high = numbers.means(*bullet.interval)
        yield f"a bar from {low} to {high}, the {bullet.whose}"
    for bound in bullet.bounds:
        side = "below" if bound.is_floor else "above"
        off = "" if axis.holds(bound.at) else ", too far off to be drawn"
        yield f"{bound.rule} breaks {side} {numbers.single(bound.at)}: {bound.outcome}{off}"
    if not bullet.bounds:
        yield "no limit is set on this value"
