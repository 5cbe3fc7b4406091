"""The points of a run as they were logged: numbers of any kind in, the points of its series out.

A later value takes the place of an earlier one of the same step, and is counted. What is no number that the format can
carry (NaN, an infinity, 2^53 and beyond) is kept as what it is, counted, and makes no point.

Values without a step: one alone is the final figure. Several are a curve of their own, with steps 0, 1, 2, …; if the
metric has steps besides, the last of them is the final figure.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from runstore.canonical import MAX_SAFE_INTEGER
from runstore.series import Point


def holds(value: float) -> bool:
    """Whether the format has a text for a double."""
    return -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER or 1e21 <= abs(value) < math.inf


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcasts:
    """Values of a metric that are no numbers: how many, the last one, and its step (None: it had none)."""

    count: int
    value: float
    step: int | None
    is_last: bool
    """Whether one of them stands last, where the figure of the metric would."""
    is_all: bool
    """Whether the metric has no other value."""

    def decide(self, aggregate: str | None) -> bool:
        """Whether the metric has no figure because of them, by its declared aggregate."""
        return self.is_all or (self.is_last and aggregate not in ("min", "max"))


@dataclass(slots=True)
class Curve:
    """What was logged for one metric, in order: 16 bytes a point."""

    steps: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    loose: array[float] = field(default_factory=lambda: array("d"))
    """The values without a step."""

    def add(self, value: float, step: int | None) -> None:
        """Take one value."""
        if step is None:
            self.loose.append(value)
        else:
            self.steps.append(step)
            self.values.append(value)

    def settled(self) -> tuple[list[tuple[int | None, float]], int]:
        """Step and value of each point, in order, the figure without a step last; and how many were overwritten."""
        if not self.steps and len(self.loose) > 1:
            return list(enumerate(self.loose)), 0
        last: dict[int, float] = dict(zip(self.steps, self.values, strict=True))
        found: list[tuple[int | None, float]] = [(step, last[step]) for step in sorted(last)]
        found += [(None, value) for value in self.loose[-1:]]
        return found, len(self.steps) + len(self.loose) - len(found)


class Points:
    """All that was logged by `log_metrics`."""

    def __init__(self) -> None:
        self.curves: dict[str, Curve] = {}
        self.overwritten: dict[str, int] = {}
        """Metric → how many values another took the place of; filled by `settle`."""
        self.outcasts: dict[str, Outcasts] = {}
        """Metric → its values that are no numbers; filled by `settle`."""

    def add(self, name: str, value: float, step: int | None) -> None:
        """Take one value of a metric."""
        curve = self.curves.get(name)
        if curve is None:
            curve = self.curves[name] = Curve()
        curve.add(value, step)

    def settle(self) -> Iterator[Point]:
        """The points of the series, by name in order of first use and by step."""
        for name, curve in self.curves.items():
            found, lost = curve.settled()
            if lost:
                self.overwritten[name] = lost
            others = [(step, value) for step, value in found if not holds(value)]
            if others:
                step, value = others[-1]
                self.outcasts[name] = Outcasts(
                    count=len(others), value=value, step=step, is_last=step == found[-1][0], is_all=others == found
                )
            for step, value in found:
                if holds(value):
                    yield Point(name=name, value=value, step=step)
