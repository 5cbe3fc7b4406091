"""Scales: numbers of data in, places on the paper out; and ticks at round numbers, as many as have room.

Any finite double will do: the differences of what is drawn never overflow, because numbers are cut off at 1e306, and a
range of no width is given one. A place is never outside the paper.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runstore.reports.plots import lettering

_MOST = 1e306
_LEAST_SPAN = 1e-300
_RELATIVE_SPAN = 1e-12
_PLAIN_BELOW = 1e6
_PLAIN_DECIMALS = 6


def finite(value: float) -> float:
    """The number, cut off where differences would leave the range of a double."""
    return max(-_MOST, min(_MOST, float(value)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """From numbers between `low` and `high` (low < high) to places from `start` to `end`, which may run backwards."""

    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        """Where a number is; at the nearer end if it is out of range."""
        share = (finite(value) - self.low) / (self.high - self.low)
        return self.start + max(0.0, min(1.0, share)) * (self.end - self.start)

    def holds(self, value: float) -> bool:
        """Whether a number is in range."""
        return self.low <= value <= self.high


@dataclass(frozen=True, kw_only=True, slots=True)
class Tick:
    """A round number, and how it is written."""

    value: float
    text: str


def spanning(values: Iterable[float], *, start: float, end: float, margin: float = 0.05) -> Scale:
    """A scale that holds all the values with a margin, a share of their range, on both sides. None of them: 0 to 1."""
    cut = [finite(value) for value in values] or [0.0, 1.0]
    low, high = min(cut), max(cut)
    span = high - low
    if span <= max(_LEAST_SPAN, _RELATIVE_SPAN * max(abs(low), abs(high))):
        reach = max(abs(low), abs(high)) / 10
        reach = reach if reach > _LEAST_SPAN else 1.0
    else:
        reach = margin * span
    return Scale(low=max(low - reach, -_MOST), high=min(high + reach, _MOST), start=start, end=end)


def step_for(span: float, most: int) -> float:
    """The least of 1, 2, 5 times a power of ten of which at most `most` fit in a span greater than 0."""
    least = span / most
    exponent = _exponent(least)
    for factor in (1, 2, 5, 10):
        # Read, not computed: powers of ten of the C library differ in their last bit.
        if (step := float(f"{factor}e{exponent}")) >= least * (1 - 1e-9):
            return step
    return float(f"1e{exponent + 1}")


def ticks(scale: Scale, most: int, least: float = 0.0) -> list[Tick]:
    """At most `most` + 1 round numbers in the range, in order, at least `least` apart: 1 for what is counted."""
    step = max(least, step_for(scale.high - scale.low, max(1, most)))
    first, last = math.ceil(scale.low / step - 1e-9), math.floor(scale.high / step + 1e-9)
    values = [multiple * step for multiple in range(first, last + 1)]
    return [Tick(value=value, text=text) for value, text in zip(values, texts(values, step), strict=True)]


def texts(values: Sequence[float], step: float) -> list[str]:
    """Numbers that are multiples of a step, written alike and with digits enough to tell them apart."""
    largest = max(map(abs, values), default=0.0)
    decimals = max(0, -_exponent(step))
    if largest < _PLAIN_BELOW and decimals <= _PLAIN_DECIMALS:
        return [f"{value:,.{decimals}f}" if value else "0" for value in values]
    digits = max(0, _exponent(largest) - _exponent(step)) if largest else 0
    return [_scientific(value, min(digits, 16)) for value in values]


def _scientific(value: float, digits: int) -> str:
    if not value:
        return "0"
    mantissa, _, exponent = f"{value:.{digits}e}".partition("e")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{int(exponent)}"


def _exponent(value: float) -> int:
    """The exponent of a number greater than 0 in scientific notation."""
    return int(f"{value:e}".partition("e")[2])


def fitting(scale: Scale, size: float, most: int = 8, least: float = 0.0) -> list[Tick]:
    """Ticks whose texts do not overlap when they stand side by side, in a font of a size."""
    for count in range(most, 0, -1):
        found = ticks(scale, count, least)
        widest = max((lettering.width(tick.text, size) for tick in found), default=0.0)
        if widest + size <= _pitch(scale, found):
            return found
    return ticks(scale, 1, least)[:1]


def _pitch(scale: Scale, found: Sequence[Tick]) -> float:
    """The distance of neighbours on the paper."""
    return abs(scale.place(found[1].value) - scale.place(found[0].value)) if len(found) > 1 else math.inf
