"""Curves: the points of a series as people look at them, thinned so that peaks and dips stay, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from runstore.manifest import MetricDeclaration
from runstore.series import Point

_STRETCHES = 192
MOST_POINTS = 2 * _STRETCHES + 2
"""The least and the greatest of each stretch, the first and the last."""
Step = tuple[int, int | float]
"""Step and value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """A series of both runs; None where a side has no point with a step, and at most `MOST_POINTS` where it has."""

    metric: str
    declared: MetricDeclaration
    baseline: Sequence[Step] | None
    current: Sequence[Step] | None


def between(
    baseline: Iterator[Point],
    current: Iterator[Point],
    declared: Mapping[str, MetricDeclaration],
    declared_now: Mapping[str, MetricDeclaration],
) -> Iterator[Curve]:
    """The curves of two runs' points, by name: of each series that has two steps or more on one side.

    Points come in order of name and step. Declarations are the baseline's, or, of a series that is new, the current.
    """
    old, new = _thinned(baseline), _thinned(current)
    for name in sorted(old.keys() | new.keys(), key=str.encode):
        sides = old.get(name), new.get(name)
        if any(side and len(side) > 1 for side in sides):
            metric = declared.get(name) or declared_now[name]
            yield Curve(metric=name, declared=metric, baseline=sides[0], current=sides[1])


def _thinned(points: Iterator[Point]) -> dict[str, list[Step]]:
    """Series → its points with a step, thinned."""
    found: dict[str, _Thinned] = {}
    for point in points:
        if point.step is not None:
            found.setdefault(point.name, _Thinned()).add((point.step, point.value))
    return {name: thinned.points() for name, thinned in found.items()}


class _Thinned:
    """Points in stretches of equal number, of each the least and the greatest; besides, the first and the last."""

    __slots__ = ("_each", "_ends", "_room", "_stretches")

    def __init__(self) -> None:
        self._ends: list[Step] = []
        self._each = 1
        """So many points go into a stretch."""
        self._room = 0
        """So many more go into the last one."""
        self._stretches: list[tuple[Step, Step]] = []

    def add(self, point: Step) -> None:
        self._ends[1:] = [point] if self._ends else [point, point]
        if not self._room:
            while len(self._stretches) >= (_STRETCHES if self._each > 1 else 2 * _STRETCHES):
                self._halve()
            self._stretches.append((point, point))
            self._room = self._each - 1
        else:
            self._stretches[-1] = _extremes([*self._stretches[-1], point])
            self._room -= 1

    def _halve(self) -> None:
        pairs = zip(self._stretches[::2], self._stretches[1::2], strict=True)
        self._stretches = [_extremes([*left, *right]) for left, right in pairs]
        self._each *= 2

    def points(self) -> list[Step]:
        """What is kept, in order of steps."""
        return sorted({*self._ends, *(point for stretch in self._stretches for point in stretch)})


def _extremes(points: Sequence[Step]) -> tuple[Step, Step]:
    """The points of the least and of the greatest value, the first of equal ones."""
    return min(points, key=_value), max(points, key=_value)


def _value(point: Step) -> int | float:
    return point[1]
