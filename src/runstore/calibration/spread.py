"""Spread: how far the means of runs, and the scores of single records, lie apart.

Everything is exact until the last division and root, which are decimal: the same figures on every platform.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction

from runstore import exact
from runstore.calibration.noise import Noise, Score
from runstore.evidence import power
from runstore.paired import Group

_CONTEXT = Context(prec=40, Emax=999_999, Emin=-999_999)


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """The noise of one metric in one group, in the metric's unit.

    `deviation`: of the runs' means, from run to run (n - 1). `varying`: records that do not count the same in all runs.
    `flip_rate`: the share of records that differ between two runs drawn at random. `detectable`: the smallest drop of
    the mean that a test of two runs with this noise would see, with the policy's alpha and power; `test` is that test.
    """

    metric: str
    group: Group
    count: int
    means: Sequence[float]
    deviation: float
    varying: int
    flip_rate: float
    binary: bool
    pair_deviation: float
    """Of the difference of one record's scores in two runs."""
    test: str | None
    detectable: float | None


def spreads(noise: Noise, alpha: Decimal, power_wanted: Decimal, most_slices: int) -> Iterator[Spread]:
    """The spread of every metric over all records, then by slice, of the first `most_slices` slices."""
    for place, group in enumerate(noise.groups()):
        if place > most_slices:
            return
        for metric in sorted(noise.declared, key=str.encode):
            if noise.counted(metric, group, 0)[0]:
                yield _spread(noise, metric, group, alpha, power_wanted)


def _spread(noise: Noise, metric: str, group: Group, alpha: Decimal, power_wanted: Decimal) -> Spread:
    sums = [noise.counted(metric, group, run) for run in range(noise.runs)]
    means = [Fraction(total) / count for count, total in sums if count]
    count = sums[0][0]
    middle = sum(means, Fraction(0)) / len(means)
    between = sum(((mean - middle) ** 2 for mean in means), Fraction(0)) / max(1, len(means) - 1)
    values = [[one.get(metric) for one in noise.noisy[index].values] for index in noise.members(group)]
    differing, squares, varying = _pairs(values)
    flips = Fraction(differing, noise.runs * (noise.runs - 1) * count)
    # Under the null the mean difference is zero, so the mean square is the variance.
    variance = squares / (noise.runs * (noise.runs - 1) * count)
    binary = _is_binary(noise, metric, group, values)
    test, detectable = _detectable(count, flips, variance, alpha, power_wanted, binary=binary)
    return Spread(
        metric=metric,
        group=group,
        count=count,
        means=[float(mean) for mean in means],
        deviation=_root(between),
        varying=varying,
        flip_rate=float(flips),
        binary=binary,
        pair_deviation=_root(variance),
        test=test,
        detectable=detectable,
    )


def _pairs(values: Sequence[Sequence[Score | None]]) -> tuple[int, Fraction, int]:
    """Ordered pairs of runs in which a record differs, the sum of their squared differences, and records that vary."""
    differing, varying, squares = 0, 0, Decimal(0)
    for scores in values:
        there = [score for score in scores if score is not None]
        same = sum(there.count(score) for score in there)
        absent = len(scores) - len(there)
        apart = len(scores) ** 2 - same - absent**2
        differing += apart
        varying += apart > 0
        if apart:
            numbers = [exact.exact(score) for score in there]
            total = exact.total(there)
            square = Decimal(0)
            for number in numbers:
                square = exact.add(square, exact.multiply(number, number))
            # The sum over ordered pairs of (a - b)^2 is 2 (n sum a^2 - (sum a)^2).
            twice = exact.subtract(exact.multiply(Decimal(len(there)), square), exact.multiply(total, total))
            squares = exact.add(squares, exact.multiply(Decimal(2), twice))
    return differing, Fraction(squares), varying


def _is_binary(noise: Noise, metric: str, group: Group, values: Sequence[Sequence[Score | None]]) -> bool:
    """Whether every score is 0 or 1: what varies is, and so are the totals, where the sum is that of the squares."""
    if any(score not in (0, 1, None) for scores in values for score in scores):
        return False
    tally = noise.totals[0] if group is None else noise.totals[0].slices[group[0]][group[1]]
    sums = tally.metric(metric)
    # Of scores within [0, 1] only 0 and 1 are their own squares.
    bounds = noise.declared[metric].range
    return bounds is not None and tuple(bounds) == (0, 1) and sums.sum == sums.squares


def _detectable(
    count: int, flips: Fraction, variance: Fraction, alpha: Decimal, wanted: Decimal, *, binary: bool
) -> tuple[str | None, float | None]:
    if variance == 0 or count < 2:
        return None, None
    if binary:
        return "mcnemar", power.mcnemar_detectable(count, flips, alpha, wanted)
    return "t", power.detectable(_decimal_root(variance / count), count - 1, alpha, wanted)


def _root(square: Fraction) -> float:
    return float(_decimal_root(square))


def _decimal_root(square: Fraction) -> Decimal:
    return _CONTEXT.sqrt(_CONTEXT.divide(Decimal(square.numerator), Decimal(square.denominator)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Flaky:
    """A record that does not count the same in all runs. `scores`: metric → per run what it counts as, if anything."""

    id: str
    repeat: int
    statuses: Sequence[str]
    scores: Mapping[str, Sequence[Score | None]]


def flaky(noise: Noise) -> list[Flaky]:
    """The records that vary: first those that differ between most pairs of runs, then by how much, then by key."""

    def unrest(index: int) -> tuple[int, float, tuple[bytes, int]]:
        one = noise.noisy[index]
        apart, width = 0, 0.0
        for metric, declared in noise.declared.items():
            scores = [values.get(metric) for values in one.values]
            apart = max(apart, _pairs([scores])[0])
            there = [score for score in scores if score is not None]
            low, high = declared.range or (0, 1)
            span = min(float(high) - low, sys.float_info.max)
            width = max(width, min(float(max(there)) - min(there), sys.float_info.max) / span if there else 0.0)
        return -apart, -width, one.key

    order = sorted(range(len(noise.noisy)), key=unrest)
    return [_flaky(noise, index) for index in order]


def _flaky(noise: Noise, index: int) -> Flaky:
    one = noise.noisy[index]
    varying = [metric for metric in sorted(noise.declared, key=str.encode) if one.varies(metric)]
    return Flaky(
        id=one.key[0].decode(),
        repeat=one.key[1],
        statuses=one.statuses,
        scores={metric: [values.get(metric) for values in one.values] for metric in varying},
    )
