"""Measures: for each metric and slice, what baseline and current say over the pairs they share, as exact numbers.

A baseline's totals less what lost its pair are the baseline over the pairs; that, less what the differing pairs held
and plus what they hold, is the current run over the same pairs. Nothing else of the records is needed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from runstore import exact
from runstore.changes import Changes
from runstore.errors import InvalidRunError
from runstore.exact import ExactSum
from runstore.manifest import MetricDeclaration
from runstore.moves import Moves
from runstore.paired import Group
from runstore.series import Point
from runstore.summary import Tally

if TYPE_CHECKING:
    from runstore.evidence.results import Interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """One metric in one group, over `count` pairs (1 for a figure of a series).

    Sums are exact; means are sum / count.
    """

    metric: str
    group: Group
    declared: MetricDeclaration
    count: int
    baseline_sum: Decimal
    current_sum: Decimal
    regressed: int = 0
    improved: int = 0
    lost: int = 0
    """Pairs in which only the baseline has the score."""
    squares: Decimal = Decimal(0)
    """The exact sum of the squared differences of the pairs."""
    is_binary: bool = False
    """Whether every score of a pair, on both sides, is 0 or 1."""
    sample: Sequence[float] | None = None
    """The differences that are not 0, each as the nearest double, where a test needs each of them."""
    current_squares: Decimal | None = None
    """The exact sum of the squares of the current scores; None for a figure."""
    interval: Interval | None = None
    """Of the current value, where sums do not tell it: of a quantile."""
    is_series: bool = False
    moves: Moves | None = None
    """Of a metric of records over all of them: the pairs whose score differs, before and after."""

    @property
    def baseline(self) -> float | None:
        """The baseline's mean, as the nearest double; None without pairs."""
        return exact.mean(self.count, self.baseline_sum) if self.count else None

    @property
    def current(self) -> float | None:
        """The current mean, as the nearest double; None without pairs."""
        return exact.mean(self.count, self.current_sum) if self.count else None

    @property
    def delta(self) -> float | None:
        """Current minus baseline: the nearest double to the exact difference of the means.

        None without pairs, and if the difference is beyond every double.
        """
        try:
            return exact.mean(self.count, exact.subtract(self.current_sum, self.baseline_sum)) if self.count else None
        except OverflowError:
            return None

    @property
    def standard_error(self) -> float | None:
        """The standard error of `delta`, from the spread of the pairs' differences.

        None of fewer than two pairs, of a series, of what is not a mean, and beyond every double.
        """
        if self.count < 2 or self.current_squares is None:
            return None
        try:
            return exact.standard_error(self.count, exact.subtract(self.current_sum, self.baseline_sum), self.squares)
        except InvalidRunError:
            return None

    @property
    def drop_sum(self) -> Decimal:
        """How much worse the current sum is; negative when it is better."""
        worse = exact.subtract(self.baseline_sum, self.current_sum)
        return worse if self.declared.direction == "higher" else worse.copy_negate()  # `-` would round to 28 digits


def of_records(baseline: Tally, changes: Changes, declared: Mapping[str, MetricDeclaration]) -> Iterator[Measure]:
    """A measure for each metric that baseline records carry: over all records, then slice by slice."""
    for name in sorted(baseline.metrics, key=str.encode):
        yield _measure(name, None, baseline, changes, declared[name])
    for tag in sorted(baseline.slices, key=str.encode):
        for value in sorted(baseline.slices[tag], key=str.encode):
            part = baseline.slices[tag][value]
            for name in sorted(part.metrics, key=str.encode):
                yield _measure(name, (tag, value), part, changes, declared[name])


def of_current(
    totals: Tally,
    figures: Mapping[str, int | float],
    judged: Collection[str],
    declared: Mapping[str, MetricDeclaration],
) -> Iterator[Measure]:
    """A measure for each metric that only the current run has; there is nothing to compare it with but itself."""
    for name in sorted(totals.metrics.keys() - judged, key=str.encode):
        if totals.metrics[name].count:
            sums = _with_failed(totals.metrics[name], totals, declared[name])
            yield _alone(name, sums, declared[name], is_series=False)
    for name in sorted(figures.keys() - judged, key=str.encode):
        one = ExactSum()
        one.add(figures[name])
        yield _alone(name, one, declared[name], is_series=True)


def _alone(name: str, sums: ExactSum, declared: MetricDeclaration, *, is_series: bool) -> Measure:
    return Measure(
        metric=name,
        group=None,
        declared=declared,
        count=sums.count,
        baseline_sum=sums.sum,
        current_sum=sums.sum,
        is_binary=not is_series and _is_binary(sums, declared),
        current_squares=None if is_series else sums.squares,
        is_series=is_series,
    )


def _with_failed(sums: ExactSum, tally: Tally, declared: MetricDeclaration) -> ExactSum:
    """The sums, and for each record that is not `ok` the worst score of the declared range."""
    if declared.worst is None:
        return sums
    return sums.plus(_repeated(tally.records - tally.status["ok"], declared.worst))


def _measure(name: str, group: Group, tally: Tally, changes: Changes, declared: MetricDeclaration) -> Measure:
    paired = changes.paired(group, name)
    sums = _with_failed(tally.metrics[name], tally, declared).minus(paired.unpaired)
    shifted = sums.minus(paired.before).plus(paired.after)
    return Measure(
        metric=name,
        group=group,
        declared=declared,
        count=sums.count,
        baseline_sum=sums.sum,
        current_sum=shifted.sum,
        regressed=paired.regressed,
        improved=paired.improved,
        lost=paired.lost,
        squares=paired.differences.squares,
        is_binary=_is_binary(sums, declared) and _is_binary(shifted, declared),
        sample=paired.sample,
        current_squares=shifted.squares,
        moves=changes.moves.get(name, Moves()) if group is None else None,
    )


def _is_binary(sums: ExactSum, declared: MetricDeclaration) -> bool:
    """Whether every value is 0 or 1: within [0, 1] the square of any other value is less than the value."""
    within = declared.range is not None and declared.range[0] >= 0 and declared.range[1] <= 1
    return within and sums.sum == sums.squares


def _repeated(times: int, value: int | float) -> ExactSum:
    one = exact.exact(value)
    share = exact.multiply(one, Decimal(times))
    return ExactSum(times, share, exact.multiply(one, share))


def figures(points: Iterator[Point], declared: Mapping[str, MetricDeclaration]) -> dict[str, int | float]:
    """The figure that stands for each series: by its declared aggregate, `last` unless it says otherwise."""
    found: dict[str, int | float] = {}
    for point in points:
        before = found.get(point.name)
        aggregate = declared[point.name].aggregate
        if before is not None and aggregate == "min":
            found[point.name] = min(before, point.value)
        elif before is not None and aggregate == "max":
            found[point.name] = max(before, point.value)
        else:
            found[point.name] = point.value
    return found


def of_series(
    baseline: Mapping[str, int | float],
    current: Mapping[str, int | float],
    declared: Mapping[str, MetricDeclaration],
) -> Iterator[Measure]:
    """A measure for each run-level metric that both runs have."""
    for name in sorted(baseline.keys() & current.keys(), key=str.encode):
        sign = 1 if declared[name].direction == "higher" else -1
        effect = (current[name] > baseline[name]) - (current[name] < baseline[name])
        yield Measure(
            metric=name,
            group=None,
            declared=declared[name],
            count=1,
            baseline_sum=exact.exact(baseline[name]),
            current_sum=exact.exact(current[name]),
            regressed=int(effect * sign < 0),
            improved=int(effect * sign > 0),
            is_series=True,
        )
