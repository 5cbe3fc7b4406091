"""Bounds: the checks of a measure in; out, where on its scale a value begins to break a rule.

A limit on a drop stands at a distance from the baseline, a floor or ceiling where it is. A check about something else
than this measure, a quantile of its records for one, has no place on its scale, and is known by what it observed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runstore.reports.shapes import Check, Measure, Outcome, Slice, View

_VOLATILE = "volatile"
Checks = Mapping[tuple[str, str | None, tuple[str, str] | None], Sequence["Check"]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """Where a rule is broken: beyond `at`, on the side of smaller values if `is_floor`."""

    at: float
    is_floor: bool
    rule: str
    outcome: Outcome

    def slack(self, value: float) -> float:
        """How far inside the bound a value is; negative beyond it."""
        return (value - self.at) * (1 if self.is_floor else -1)


def checks_by_measure(view: View) -> Checks:
    """(Run, metric, slice) → its checks, but for those of volatile measures, which the metrics do not hold."""
    found: dict[tuple[str, str | None, tuple[str, str] | None], list[Check]] = {}
    for check in view["checks"]:
        if not check["origin"].startswith(_VOLATILE):
            found.setdefault((check["run"], check["metric"], _group(check["slice"])), []).append(check)
    return found


def checks_of(measure: Measure, checks: Checks) -> Sequence[Check]:
    """The checks of a measure."""
    return checks.get((measure["run"], measure["metric"], _group(measure["slice"])), ())


def _group(part: Slice | None) -> tuple[str, str] | None:
    return None if part is None else (part["tag"], part["value"])


def of_measure(measure: Measure, checks: Sequence[Check]) -> list[Bound]:
    """The bounds of a measure; of the same place and side the worst outcome."""
    found: dict[tuple[float, bool], Bound] = {}
    for check in checks:
        bound = _bound(measure, check)
        if bound is not None and math.isfinite(bound.at):
            known = found.setdefault((bound.at, bound.is_floor), bound)
            if _RANK[bound.outcome] < _RANK[known.outcome]:
                found[bound.at, bound.is_floor] = bound
    return sorted(found.values(), key=lambda bound: (bound.at, bound.is_floor))


_RANK = {"broken": 0, "undecided": 1, "waived": 2, "holds": 3}


def _bound(measure: Measure, check: Check) -> Bound | None:
    limit, observed = _number(check["limit"]), _number(check["observed"])
    baseline, current, delta = measure["baseline"], measure["current"], measure["delta"]
    if limit is None or observed is None or baseline is None or current is None:
        return None
    rule, is_floor = check["rule"], measure["direction"] == "higher"
    at: float | None = None
    if rule in ("min", "max") and observed == current:
        at, is_floor = limit, rule == "min"
    elif rule in ("max-drop", "max-relative-drop") and observed == delta:
        at = _allowed(baseline, limit, is_floor=is_floor, is_share=rule == "max-relative-drop")
    elif rule == "reference-drop":
        # The reference itself is not in the view: what the current run differs by from it is.
        is_share = check["origin"].endswith("max_relative_drop")
        at = _allowed(current - observed, limit, is_floor=is_floor, is_share=is_share)
    return None if at is None else Bound(at=at, is_floor=is_floor, rule=rule, outcome=check["outcome"])


def _allowed(base: float, limit: float, *, is_floor: bool, is_share: bool) -> float:
    reach = abs(limit * base) if is_share else limit
    return base - reach if is_floor else base + reach


def _number(text: str | None) -> float | None:
    """The number of a text of the view; None if it has none that can be drawn."""
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None
