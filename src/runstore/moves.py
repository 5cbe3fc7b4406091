"""Moves: how often each pair of scores that differ occurs, as the cells of a grid. They add, in any order.

Exact while a metric has few pairs of values (0/1 scores have two). With more, both axes are cut to multiples of the
least power of two with which the cells are few enough. Finer grids lie within coarser ones, and a part of the pairs
never needs a coarser grid than all of them, so what comes out does not depend on the order or on who counted what.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Iterable, Sequence

Number = int | float
Cell = tuple[Number, Number]
"""Before and after: the values themselves, or the lower edges of a cell."""
MOST_CELLS = 512
_EXACT = 1075
"""The exponent of a grid on which every double lies (the least is 2^-1074)."""
_DOUBLE_BITS = 53


class Moves:
    """Cell → number of pairs, of one metric."""

    __slots__ = ("_cells", "_level")

    def __init__(self) -> None:
        self._cells: Counter[Cell] = Counter()
        self._level = _EXACT
        """Edges are multiples of 2^-level."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Moves) and (self._level, self._cells) == (other._level, other._cells)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def add(self, old: Sequence[Number], new: Sequence[Number]) -> None:
        """Add pairs of values."""
        if self._level != _EXACT:
            old, new = edges(old, self._level), edges(new, self._level)
        self._cells.update(zip(old, new, strict=True))
        self._fit()

    def absorb(self, other: Moves) -> None:
        """Add the pairs of others."""
        self._level = min(self._level, other._level)
        self._cells = self._on_grid(self._level, (*self._cells.items(), *other._cells.items()))
        self._fit()

    def _fit(self) -> None:
        """Coarsen the grid if there are too many cells."""
        if len(self._cells) <= MOST_CELLS:
            return
        reach = max(math.frexp(max(map(abs, cell)))[1] for cell in self._cells)
        fits, step = 3 - reach, 1  # at most 17 edges an axis
        while fits + step < self._level and self._size(fits + step) <= MOST_CELLS:
            fits += step
            step *= 2
        fails = min(fits + step, self._level)
        while fails - fits > 1:
            middle = (fits + fails) // 2
            fits, fails = (middle, fails) if self._size(middle) <= MOST_CELLS else (fits, middle)
        self._level = fits
        self._cells = self._on_grid(fits, self._cells.items())

    def _size(self, level: int) -> int:
        old, new = zip(*self._cells, strict=True)
        return len(set(zip(edges(old, level), edges(new, level), strict=True)))

    def _on_grid(self, level: int, counted: Iterable[tuple[Cell, int]]) -> Counter[Cell]:
        cells: Counter[Cell] = Counter()
        for (before, after), times in counted:
            low, high = edges((before, after), level) if level != _EXACT else (before, after)
            cells[low, high] += times
        return cells

    @property
    def grid(self) -> float:
        """The width of a cell; 0 if every value is exact."""
        return 0.0 if self._level == _EXACT else math.ldexp(1.0, -self._level)

    def cells(self) -> list[tuple[Number, Number, int]]:
        """Before, after and how many pairs, in order."""
        return sorted((before, after, times) for (before, after), times in self._cells.items())


def edges(values: Sequence[Number], level: int) -> list[float]:
    """Each value cut down to a multiple of 2^-level."""
    if 0 <= level <= 20 and min(values) > -1e9 and max(values) < 1e9:
        scale = 1 << level
        return [math.floor(value * scale) / scale for value in values]
    return [_edge(float(value), level) for value in values]


def _edge(value: float, level: int) -> float:
    if math.frexp(value)[1] + level > _DOUBLE_BITS:
        return value  # all its bits lie on the grid
    cells = math.floor(math.ldexp(value, level)) or -(value < 0)  # what is too small for a double is cut down, too
    try:
        return math.ldexp(cells, -level)
    except OverflowError:
        return -sys.float_info.max
