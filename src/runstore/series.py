"""A point of a series: one line of `series.jsonl`. Bytes in, a checked point out."""

from __future__ import annotations

import math
from dataclasses import dataclass

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.record import Ranges
from runstore.shape import Node

FILE = "series.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """The value of a run-level metric at a step (from 0); a point without step is the final figure."""

    name: str
    value: int | float
    step: int | None = None

    @property
    def key(self) -> tuple[bytes, float]:
        """Sort key: name, then step, the final figure last."""
        return self.name.encode(), math.inf if self.step is None else self.step


def to_line(point: Point) -> bytes:
    """The canonical line of a point, without LF. Raises CanonicalError for a number that has none."""
    members: dict[str, JsonValue] = {"name": point.name, "value": point.value}
    if point.step is not None:
        members["step"] = point.step
    return canonical.encode(members)


def write(point: Point, ranges: Ranges) -> bytes:
    """The canonical line of a point, checked as `read` checks it. Raises InvalidDataError."""
    line = to_line(point)
    if not _is_sound(point, ranges):
        read(line, ranges)
    return line


def _is_sound(point: Point, ranges: Ranges) -> bool:
    """True only if `read` would take the line of a point; whatever is doubtful or of a subclass gives False."""
    value, step = point.value, point.step
    if type(point.name) is not str or (type(value) is not float and type(value) is not int):
        return False
    low, high = ranges.get(point.name, _NOTHING)
    return low <= value <= high and abs(value) < math.inf and (step is None or (type(step) is int and step >= 0))


_NOTHING = (math.inf, -math.inf)


def read(line: bytes, ranges: Ranges) -> Point:
    """The point of a line, checked in full. Raises InvalidDataError with `where` a JSON pointer within the point."""
    return check(canonical.decode(line), ranges)


def check(value: JsonValue, ranges: Ranges) -> Point:
    """The point that a JSON value describes. Raises InvalidDataError."""
    parts = Node(value).record(("name", "value"), ("step",))
    name, number = parts["name"].string(), parts["value"].number()
    if name not in ranges:
        parts["name"].fail(f"the manifest declares no metric {name!r}", hint="declare it under `metrics`")
    low, high = ranges[name]
    if type(number) is int and abs(number) > canonical.MAX_SAFE_INTEGER:
        parts["value"].fail("an integer beyond ±(2^53-1) is not a value of a series")
    if not (math.isfinite(number) and low <= number <= high):
        parts["value"].fail(f"{number!r} is outside the declared range [{low!r}, {high!r}]")
    return Point(name=name, value=number, step=parts["step"].integer() if "step" in parts else None)


def line_key(line: bytes) -> tuple[bytes, float]:
    """The sort key of a line written by `to_line`."""
    value = canonical.loads(line)
    assert isinstance(value, dict)
    step = value.get("step", math.inf)
    assert isinstance(step, int | float)
    return str(value["name"]).encode(), step


def key_text(key: tuple[bytes, float]) -> str:
    """A key as people read it."""
    name = key[0].decode(errors="replace")
    return f"{name} (final)" if key[1] == math.inf else f"{name} (step {key[1]:.0f})"
