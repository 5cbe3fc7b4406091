"""Spread: how sure the difference of a measure is. The interval of the rule that asked for one, else Student's t.

Source: Student (1908), Biometrika 6(1), 1-25: mean of the paired differences -+ t(0.975, n - 1) times its standard
error. With pairs that are not independent the interval of a rule that names the cluster is the right one, so it wins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from runstore.evidence.distributions import student_isf

if TYPE_CHECKING:
    from runstore.reports.shapes import Check, Measure

_TAIL = Decimal("0.025")


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """An interval of current - baseline, in the metric's unit."""

    low: float
    high: float
    words: str
    """Whose interval it is."""


def of_change(measure: Measure, checks: Sequence[Check] = ()) -> Spread | None:
    """The interval of the difference; None if nothing is known of it, or all pairs differ by the same."""
    if measure["delta"] is None:
        return None
    for check in checks:
        found = check["assessment"]
        if found is not None and found["estimate"] == measure["delta"]:
            return _finite(found["interval"][0], found["interval"][1], "interval of the rule's test")
    error = measure["standard_error"]
    if not error or measure["n"] < 2:
        return None
    reach = float(student_isf(_TAIL, Decimal(measure["n"] - 1))) * error
    return _finite(measure["delta"] - reach, measure["delta"] + reach, "95% interval")


def _finite(low: float, high: float, words: str) -> Spread | None:
    return Spread(low=low, high=high, words=words) if math.isfinite(low) and math.isfinite(high) else None
