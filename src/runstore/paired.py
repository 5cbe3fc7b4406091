"""Paired sums: of each metric in each group, what pairs of records that differ hold before and after. They add."""

from __future__ import annotations

from dataclasses import dataclass, field

from runstore.exact import ExactSum

Group = tuple[str, str] | None
"""A slice as (tag, value), or None for all records."""


@dataclass(slots=True)
class PairedSums:
    """Of one metric in one group, over pairs that differ: what they held before and after, and what lost its pair."""

    before: ExactSum = field(default_factory=ExactSum)
    after: ExactSum = field(default_factory=ExactSum)
    unpaired: ExactSum = field(default_factory=ExactSum)
    regressed: int = 0
    improved: int = 0
    lost: int = 0

    def plus(self, other: PairedSums) -> PairedSums:
        """Over the pairs of both."""
        return PairedSums(
            before=self.before.plus(other.before),
            after=self.after.plus(other.after),
            unpaired=self.unpaired.plus(other.unpaired),
            regressed=self.regressed + other.regressed,
            improved=self.improved + other.improved,
            lost=self.lost + other.lost,
        )


Shifts = dict[Group, dict[str, PairedSums]]


NOTHING = PairedSums()


def of_group(shifts: Shifts, group: Group) -> dict[str, PairedSums]:
    """The sums of a group by metric, made when first asked for."""
    metrics = shifts.get(group)
    if metrics is None:
        metrics = shifts[group] = {}
    return metrics


def of_metric(metrics: dict[str, PairedSums], name: str) -> PairedSums:
    """The sums of a metric, made when first asked for."""
    sums = metrics.get(name)
    if sums is None:
        sums = metrics[name] = PairedSums()
    return sums


def add_values(
    metrics: dict[str, PairedSums], name: str, value: int | float, other: int | float | None, effect: float
) -> None:
    """Add a baseline value and its current one, or None if that is gone; `effect` is below 0 when it got worse."""
    sums = of_metric(metrics, name)
    if other is None:
        sums.unpaired.add(value)
        sums.lost += 1
    else:
        sums.before.add(value)
        sums.after.add(other)
    if effect < 0:
        sums.regressed += 1
    elif effect > 0:
        sums.improved += 1
