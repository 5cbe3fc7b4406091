"""Sparklines: numbers in, a line of blocks out, low to high from the lowest to the highest; a gap is a dot."""

from __future__ import annotations

from collections.abc import Callable, Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"
_LEVEL = "▄"
_GAP = "·"


def sparkline(values: Sequence[float | None], width: int, *, lower_is_better: bool = False) -> str:
    """Values oldest first, in at most `width` blocks. Where several share a block, the worst of them is shown."""
    worst: Callable[[list[float]], float] = max if lower_is_better else min
    shown = values if len(values) <= width else [_merged(part, worst) for part in _parts(values, width)]
    known = [value for value in shown if value is not None]
    if not known:
        return _GAP * len(shown)
    low, high = min(known), max(known)
    return "".join(_GAP if value is None else _block(value, low, high) for value in shown)


def _parts(values: Sequence[float | None], count: int) -> list[Sequence[float | None]]:
    size = len(values)
    return [values[index * size // count : (index + 1) * size // count] for index in range(count)]


def _merged(part: Sequence[float | None], worst: Callable[[list[float]], float]) -> float | None:
    known = [value for value in part if value is not None]
    return worst(known) if known else None


def _block(value: float, low: float, high: float) -> str:
    """The lowest block for the lowest value only, the highest for the highest only."""
    if low == high:
        return _LEVEL
    share = (value / 2 - low / 2) / (high / 2 - low / 2)  # halves: the difference of two doubles may be none
    last = len(_BLOCKS) - 1
    level = 0 if value == low else last if value == high else min(last - 1, max(1, round(share * last)))
    return _BLOCKS[level]
