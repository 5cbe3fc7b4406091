"""Alerts: a condition (`val_loss > 2.0`) and the values of its metric in, the moments when it begins to hold out.

The text is read by one expression, `metric operator number`; nothing of it is evaluated. A value that is not a number
holds every condition: that it does not hold could not be shown.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from runstore.errors import UsageError
from runstore.tracking.journal import Entry
from runstore.tracking.values import number_text

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_CONDITION = re.compile(r"\s*(?P<metric>[^<>=!]*[^<>=!\s])\s*(?P<sign>[<>]=?|[=!]=)\s*(?P<number>\S+)\s*\Z")
_LONGEST = 1000
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\Z", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """An alert that went off: at `value` of its metric, at `step` if it had one."""

    condition: str
    message: str
    metric: str
    value: float
    step: int | None


Callback = Callable[[Event], object]


class Alert:
    """A condition that is watched. It goes off when it begins to hold, and again when it held no more in between."""

    def __init__(self, condition: str, message: str, callback: Callback | None = None) -> None:
        """Raises UsageError if the condition is not `metric operator number`."""
        is_short = isinstance(condition, str) and len(condition) <= _LONGEST
        found = _CONDITION.match(condition) if is_short else None
        if found is None or not _NUMBER.match(found["number"]) or not math.isfinite(float(found["number"])):
            raise UsageError(f"{condition!r:.120} is not a condition", hint=_hint(condition))
        self.condition = " ".join((found["metric"], found["sign"], found["number"]))
        self.message = message
        self.metric = found["metric"]
        self.callback = callback
        self._holds = _OPERATORS[found["sign"]]
        self._limit = float(found["number"])
        self.is_on = False
        """Whether it held at the last value that was written."""

    def is_met(self, value: float) -> bool:
        """Whether its condition holds at a value."""
        return math.isnan(value) or self._holds(value, self._limit)

    def event(self, value: float, step: int | None) -> Event | None:
        """What goes off at a value of its metric."""
        if self.is_on or not self.is_met(value):
            return None
        return Event(condition=self.condition, message=self.message, metric=self.metric, value=value, step=step)


def _hint(condition: object) -> str:
    signs = ", ".join(_OPERATORS)
    near = get_close_matches(re.sub(r"[^<>=!]", "", str(condition)), _OPERATORS, n=1)
    also = f"; did you mean {near[0]}?" if near else ""
    return f"write METRIC OPERATOR NUMBER, as in val_loss > 2.0, with one of {signs}{also}"


class Alerts:
    """All alerts of a run, by metric."""

    def __init__(self) -> None:
        self._watched: dict[str, list[Alert]] = {}

    def add(self, alert: Alert) -> None:
        """Watch for one more."""
        self._watched.setdefault(alert.metric, []).append(alert)

    def events(self, values: Mapping[str, int | float], step: int | None) -> list[tuple[Alert, Event]]:
        """What goes off at values of metrics, in order."""
        if not self._watched:
            return []
        asked = ((alert, value) for name, value in values.items() for alert in self._watched.get(name, ()))
        return [(alert, event) for alert, value in asked if (event := alert.event(value, step)) is not None]

    def settle(self, values: Mapping[str, int | float]) -> None:
        """Remember which conditions hold, when the values are written."""
        for name, value in values.items() if self._watched else ():
            for alert in self._watched.get(name, ()):
                alert.is_on = alert.is_met(value)


def alert_entry(event: Event) -> Entry:
    """The entry of the journal that tells of an event."""
    entry: Entry = {"op": "alert", "condition": event.condition, "message": event.message, "metric": event.metric}
    entry["value"] = number_text(event.value)
    if event.step is not None:
        entry["step"] = event.step
    return entry
