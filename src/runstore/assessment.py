"""An assessment: how sure a drop is. A measure and a rule's limits in; test, interval, power out (docs/statistics.md).

What differs decides which test fits: exact McNemar for scores of 0 and 1, the sign-flip test where few pairs differ,
Student's t else; with clusters, the t test of their sums. Nothing here knows what follows from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, Decimal

from runstore import exact
from runstore.errors import InvalidRunError
from runstore.evidence import paired, permutation, power
from runstore.evidence.results import MeanDifference
from runstore.measures import Measure
from runstore.policy.model import Evidence, Limits

FEW = 30
"""With fewer units that differ, `auto` takes the sign-flip test in the place of Student's t."""
FEW_CLUSTERS = 20
"""So it does with fewer clusters of equal size, or as many of unequal size as are worth that (docs/statistics.md)."""
_FLIPS = 10**9
"""So many signs are drawn at most, as long as there are at least `_FEWEST_DRAWN` patterns of them."""
_FEWEST_DRAWN = 1000
Clusters = Sequence[tuple[int, Decimal]]
"""Of each cluster the number of pairs and the sum of their differences, current less baseline."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Assessment:
    """What the pairs say about one drop. All figures are of `current - baseline`, in the metric's unit.

    `p` is one-sided: the probability, were there no drop, of a difference at least this far in the bad direction.
    """

    test: str
    """`mcnemar`, `t`, `clustered-t` or `sign-flip`."""
    pairs: int
    units: int
    """Independent units: pairs; records when there are repeats; clusters when a tag is named."""
    estimate: float
    standard_error: float
    interval: tuple[float, float]
    """Two-sided, of Student's t, at the confidence 1 - alpha."""
    p: float
    p_adjusted: float
    """For the family of rules that ask for evidence; `p` itself for a rule that does not."""
    significant: bool
    """Whether `p_adjusted` is at most alpha."""
    detectable: float | None
    """The smallest drop (a positive number) that is seen with the power asked for; None if it cannot be told."""
    power: float | None
    """The probability to see a drop of the size of the limit; None if it cannot be told."""
    could_show: bool
    """Whether `power` is at least what the policy asks for."""
    note: str = ""

    def adjusted(self, p: float, alpha: Decimal) -> Assessment:
        """The same with the p that the family leaves of it."""
        return replace(self, p_adjusted=p, significant=Decimal(p) <= alpha)


@dataclass(frozen=True, kw_only=True, slots=True)
class Unassessed:
    """Why the pairs say nothing."""

    reason: str
    hint: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sample:
    """What is tested, with signs turned so that negative is worse."""

    measure: Measure
    clusters: Clusters | None
    spread: MeanDifference
    worse: int
    better: int
    """Of the pairs, or of the clusters by their sums."""

    @property
    def units(self) -> int:
        return self.spread.df + 1

    @property
    def differing(self) -> int:
        return self.worse + self.better

    @property
    def is_thin(self) -> bool:
        """Whether nearly all units agree, so that the spread of the few others says little of what a drop would do."""
        return self.spread.degenerate or (self.differing < FEW and 2 * self.differing < self.units)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Tested:
    test: str
    p: float
    note: str = ""
    least: Decimal = Decimal(0)
    """No p below it is possible, whatever so many units show."""


def assess(
    measure: Measure, limits: Limits, allowed: Decimal, clusters: Clusters | None, rules: Evidence, family: int
) -> Assessment | Unassessed:
    """The assessment of the drop of a measure.

    `allowed`: the drop that the limit allows, in the metric's unit; `clusters`: None if the pairs are independent;
    `family`: how many rules ask for evidence, which share alpha (power is told for alpha / family, the strictest share
    of Holm's).
    """
    try:
        sample = _sample(measure, clusters, exact.subtract(Decimal(1), rules.alpha))
        if isinstance(sample, Unassessed):
            return sample
        strictest = rules.alpha / family
        tested = _tested(sample, limits.test, rules.resamples, strictest)
        return tested if isinstance(tested, Unassessed) else _assessment(sample, tested, allowed, strictest, rules)
    except InvalidRunError as error:  # the run is what it claims to be; a figure of its differences is no double
        return Unassessed(reason=error.message, hint="declare a range for the metric, or rescale it")
    except ArithmeticError:  # no digits are enough for so small a level
        return Unassessed(reason="it cannot be computed at this alpha", hint="set a larger alpha, or ask fewer rules")


def _sample(measure: Measure, clusters: Clusters | None, level: Decimal) -> _Sample | Unassessed:
    lower = measure.declared.direction == "lower"
    if clusters is not None:
        clusters = [(count, total.copy_negate() if lower else total) for count, total in clusters]
        spread = paired.clustered_mean(clusters, level)
        worse, better = (sum(sign * total > 0 for _, total in clusters) for sign in (-1, 1))
    else:
        change = measure.drop_sum.copy_negate()
        spread = paired.paired_mean(measure.count, change, measure.squares, level)
        worse, better = measure.regressed - measure.lost, measure.improved
    if spread is None:
        what = "pair" if clusters is None else "cluster"
        return Unassessed(reason=f"one {what} has no spread to test", hint=f"it takes two {what}s at least")
    return _Sample(measure=measure, clusters=clusters, spread=spread, worse=worse, better=better)


def _assessment(sample: _Sample, tested: _Tested, allowed: Decimal, strictest: Decimal, rules: Evidence) -> Assessment:
    spread = sample.spread
    sign = -1 if sample.measure.declared.direction == "lower" else 1
    ends = sorted(sign * end + 0.0 for end in (spread.interval.low, spread.interval.high))  # + 0.0: no -0.0
    chance, least = _seen(sample, tested, allowed, strictest, rules.power)
    return Assessment(
        test=tested.test,
        pairs=sample.measure.count,
        units=sample.units,
        estimate=sign * spread.estimate + 0.0,
        standard_error=spread.standard_error,
        interval=(ends[0], ends[1]),
        p=tested.p,
        p_adjusted=tested.p,
        significant=Decimal(tested.p) <= rules.alpha,
        detectable=least,
        power=chance,
        could_show=chance is not None and Decimal(chance) >= rules.power,
        note=tested.note,
    )


def _tested(sample: _Sample, test: str, resamples: int, strictest: Decimal) -> _Tested | Unassessed:
    measure, spread = sample.measure, sample.spread
    is_binary = measure.is_binary and sample.clusters is None
    if test == "mcnemar" and not is_binary:
        what = "it is a test of scores of 0 and 1" if sample.clusters is None else "it knows no repeats and no clusters"
        return Unassessed(reason=f"the test mcnemar does not fit: {what}", hint='set test = "auto"')
    if is_binary and test in ("auto", "mcnemar"):
        found = paired.mcnemar(sample.worse, sample.better)
        return _Tested(test="mcnemar", p=found.p, note=f"{sample.differing:,} pairs differ")
    if test == "permutation" or (test == "auto" and _are_few(sample)):
        differences = _differences(sample)
        if differences is not None:
            return _flipped(sample, differences, resamples, strictest)
        if test == "permutation":
            return Unassessed(reason="its differences were not kept one by one", hint='set test = "t"')
    if spread.degenerate:
        return _all_the_same(sample)
    return _Tested(test="t" if sample.clusters is None else "clustered-t", p=spread.test.p)


def _are_few(sample: _Sample) -> bool:
    """Whether Student's t is not to be trusted: few units differ, or few clusters hold most of the pairs."""
    return sample.differing < FEW or (sample.clusters is not None and _equal_units(sample) < FEW_CLUSTERS)


def _differences(sample: _Sample) -> Sequence[float | Decimal] | None:
    """Of each unit that differs how it does, negative for worse; None if that is not known of each."""
    measure = sample.measure
    if sample.clusters is not None:
        return [total for _, total in sample.clusters if total]
    if sample.differing == 0:
        return ()
    if measure.sample is None or len(measure.sample) != sample.differing:
        return None
    return [-value for value in measure.sample] if measure.declared.direction == "lower" else measure.sample


def _flipped(sample: _Sample, differences: Sequence[float | Decimal], resamples: int, strictest: Decimal) -> _Tested:
    most = max(_FLIPS // max(len(differences), 1), _FEWEST_DRAWN, int(2 / strictest))
    found = permutation.sign_flip(differences, sample.measure.count, min(resamples, most), sample.measure.metric)
    least, note = Decimal(_one_pattern(sample.units)), "every pattern of signs counted"
    if not found.exact:
        least = max(least, Decimal(1) / (found.resamples + 1))
        note = f"{found.resamples:,} patterns of signs drawn"
    return _Tested(test="sign-flip", p=found.test.p, note=note, least=least)


def _all_the_same(sample: _Sample) -> _Tested:
    """The sign-flip test where all differences are one, which leaves Student's t nothing to divide by."""
    least = _one_pattern(sample.units)
    p = least if sample.spread.estimate < 0 else 1.0
    return _Tested(test="sign-flip", p=p, note="all differences are the same", least=Decimal(least))


def _one_pattern(units: int) -> float:
    """The share of one pattern of signs among all; the least double means "this or less"."""
    return max(math.ldexp(1.0, -units), 5e-324)


def _seen(
    sample: _Sample, tested: _Tested, allowed: Decimal, alpha: Decimal, goal: Decimal
) -> tuple[float | None, float | None]:
    """The chance to see a drop as large as is allowed, and the smallest drop that is seen with the chance `goal`."""
    if tested.test == "mcnemar":
        return _seen_by_mcnemar(sample, allowed, alpha, goal)
    # So few units, all of them worse, would not convince a test without assumptions: Student's t is not asked either.
    if max(tested.least, Decimal(_one_pattern(sample.units))) > alpha:
        return 0.0, None
    df, width = sample.spread.df, _width(sample.measure)
    error = Decimal(sample.spread.standard_error)
    if not sample.is_thin:
        return power.power_at(allowed, error, df, alpha), power.detectable(error, df, alpha, goal)
    if width is None:
        return None, None
    units = _equal_units(sample)
    chance = power.power_at(allowed, max(error, _assumed_error(allowed, width, units)), df, alpha)
    shift = Decimal(power.detectable(Decimal(1), df, alpha, goal) or 0)
    least = max(shift * error, _assumed_drop(shift, width, units))
    return chance, float(least) if least <= width else None


def _width(measure: Measure) -> Decimal | None:
    if measure.declared.range is None:
        return None
    low, high = map(exact.exact, measure.declared.range)
    return exact.subtract(high, low) or None


def _equal_units(sample: _Sample) -> Decimal:
    """How many clusters of equal size would have as sure a mean: n^2 / the sum of the squares of their sizes."""
    if sample.clusters is None:
        return Decimal(sample.units)
    return Decimal(sample.measure.count) ** 2 / sum(count * count for count, _ in sample.clusters)


def _assumed_error(drop: Decimal, width: Decimal, units: Decimal) -> Decimal:
    """The standard error that a drop would have, were it made by units that fall all the way.

    Where next to nothing differs there is no spread to go by. With a declared range of width W and a drop L, a share
    L / W of the units falls by W: their variance is L (W - L), the largest that such a drop can have.
    """
    drop = min(drop, width / 2)
    return (drop * (width - drop) / units).sqrt()


def _assumed_drop(shift: Decimal, width: Decimal, units: Decimal) -> Decimal:
    """The drop that is `shift` times its assumed error."""
    drop = shift * shift * width / (units + shift * shift)
    return drop if 2 * drop <= width else shift * width / (2 * units.sqrt())


def _seen_by_mcnemar(sample: _Sample, allowed: Decimal, alpha: Decimal, goal: Decimal) -> tuple[float, float | None]:
    """As many records get better as did, and so many more get worse that the mean drops as far as is allowed."""
    count = sample.measure.count
    # To 20 places and down, so that with what is left of 1 it makes no more than 1, whatever the precision.
    better = (Decimal(sample.better) / count).quantize(Decimal("1e-20"), rounding=ROUND_DOWN)

    def chance(drop: Decimal) -> float:
        worse = min(better + drop, 1 - better)
        return power.mcnemar_power(count, max(worse, Decimal(0)), better, alpha)

    most = int(count * (1 - 2 * better))
    if most < 1 or Decimal(chance(Decimal(most) / count)) < goal:
        return chance(allowed), None
    guess = int(power.mcnemar_guess(count, better, alpha, goal) * count)
    least = _least(lambda records: Decimal(chance(Decimal(records) / count)) >= goal, guess, most)
    return chance(allowed), least / count


def _least(is_seen: Callable[[int], bool], guess: int, most: int) -> int:
    """From which number of records, from 1 to `most`, a drop is seen; `most` is. Asked near the guess first."""
    low, high, step = 0, most, 1
    place = min(max(guess, 1), most)
    if is_seen(place):
        high = place
        while high - step > low and is_seen(high - step):
            high, step = high - step, 2 * step
        low = max(low, high - step)
    else:
        low = place
        while low + step < high and not is_seen(low + step):
            low, step = low + step, 2 * step
        high = min(high, low + step)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_seen(middle) else (middle, high)
    return high
