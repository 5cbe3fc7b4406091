"""Differences on a grid: numbers in, whole multiples of one step out, so that sums of them are whole numbers.

Scores are decimals, so a common step exists, and all is exact. Only more than 4,096 distinct doubles that are not all
millionths are read as the binary fractions they are, and rounded to so many bits of the largest; `rounded` says so.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import repeat

from runstore.evidence.reals import real, working
from runstore.exact import total

Number = int | float | Decimal
_DISTINCT = 4096
_MOST_BITS, _FEWEST_BITS, _BITS_IN_ALL = 40, 24, 1 << 25
# n / 10^6 with n of at most 15 digits is the double's own decimal (see runstore.exact).
_MILLION = 10**6
_MILLIONTHS_BELOW = 1e9


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """The differences that are not zero, as whole numbers of steps, by ascending distance from zero.

    `sum` is that of the differences themselves.
    """

    steps: Sequence[int]
    sum: Decimal
    rounded: bool = False

    @property
    def sizes(self) -> list[int]:
        """The distances from zero."""
        return list(map(abs, self.steps))

    @property
    def ahead(self) -> int:
        """The sum of the distances of the positive differences."""
        return sum(step for step in self.steps if step > 0)


@working
def on_grid(differences: Sequence[Number]) -> Grid:
    """The differences as steps of a grid. Raises ValueError for a number that is not finite."""
    values = [value for value in differences if value]
    doubles = [value for value in values if not isinstance(value, Decimal)]
    for odd in values if not all(map(math.isfinite, doubles)) else ():
        real(odd)  # the one that is not finite raises
    few = len(set(values[: 2 * _DISTINCT])) <= _DISTINCT  # the first tell, mostly, and cost less than all
    counts = Counter(values if few or len(doubles) < len(values) else ())
    if len(doubles) == len(values) and not (few and len(counts) <= _DISTINCT):
        steps = _millionths(doubles)
        if steps is None:
            return Grid(steps=_binary(doubles), sum=_sum(doubles), rounded=True)
        return Grid(steps=_shortened(steps), sum=Decimal(sum(steps)) / _MILLION)
    return _of_few(counts)


def _of_few(counts: Counter[Number]) -> Grid:
    """The grid of numbers of which few are distinct, each so many times."""
    ratios = {value: real(value).as_integer_ratio() for value in counts}
    bottom = math.lcm(*{below for _, below in ratios.values()})
    places = {value: above * (bottom // below) for value, (above, below) in ratios.items()}
    common = math.gcd(*places.values()) or 1
    steps: list[int] = []
    for value, place in sorted(places.items(), key=_by_distance):
        steps += [place // common] * counts[value]
    return Grid(steps=steps, sum=Decimal(sum(steps) * common) / bottom)


def _by_distance(place: tuple[Number, int]) -> int:
    return abs(place[1])


def coarse(grid: Grid) -> Grid:
    """The same for drawing signs: distances with more bits than their time is worth are rounded.

    At most 40 bits stay, and 24 at least; between the two, about 33 million bits in all.
    """
    shift = max(map(abs, grid.steps), default=0).bit_length() - _bits(len(grid.steps))
    if shift <= 0:
        return grid
    half = 1 << (shift - 1)
    moved = [(abs(step) + half >> shift) * (1 if step > 0 else -1) for step in grid.steps]
    return Grid(steps=[step for step in moved if step], sum=grid.sum, rounded=True)


def _bits(count: int) -> int:
    return max(_FEWEST_BITS, min(_MOST_BITS, _BITS_IN_ALL // max(count, 1)))


def _shortened(steps: Sequence[int]) -> list[int]:
    common = math.gcd(*steps)
    return sorted(steps if common <= 1 else [step // common for step in steps], key=abs)


def _millionths(values: Sequence[int | float]) -> list[int] | None:
    """The values in millionths, or None if one is not a whole number of them."""
    if min(values) <= -_MILLIONTHS_BELOW or max(values) >= _MILLIONTHS_BELOW:
        return None
    steps = [round(value * _MILLION) for value in values]
    return steps if [step / _MILLION for step in steps] == list(values) else None


def _sum(values: Sequence[int | float]) -> Decimal:
    try:
        return Decimal(math.fsum(values))
    except OverflowError:  # on the way, not necessarily at the end
        return total(values)


def _binary(values: Sequence[int | float]) -> list[int]:
    shift = _bits(len(values)) - math.frexp(max(map(abs, values)))[1]
    steps = map(round, map(math.ldexp, values, repeat(shift)))
    return sorted(filter(None, steps), key=abs)
