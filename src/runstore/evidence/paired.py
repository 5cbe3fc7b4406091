"""Tests of pairs: how the current score of a record differs from its baseline score, over all records both runs have.

In come counts and exact sums of the differences d = current - baseline; out come estimate, interval and p. Nothing here
knows which direction is better: one-sided p are for "the mean difference is negative", and a caller for whom larger is
worse flips the signs. A `margin` asks for more: the alternative is then "the mean difference is below -margin".
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from runstore.evidence import binomial
from runstore.evidence.distributions import student_isf, student_sf
from runstore.evidence.reals import HALF, ONE, ZERO, Real, nearest, probability, real, share, working
from runstore.evidence.results import Interval, MeanDifference, Test
from runstore.exact import add, multiply, subtract

_LARGEST = Decimal("1e308")


@working
def mcnemar(worse: int, better: int) -> Test:
    """McNemar's exact test: of the pairs that differ, are more worse than a fair coin would make?

    p is P(X >= worse), X ~ Binomial(worse + better, 1/2), and the two-sided p twice the smaller tail. The statistic is
    the smaller of the two numbers, n the number of pairs that differ. Pairs that agree do not matter. Source: McNemar
    (1947), Psychometrika 12(2), 153-157. Raises ValueError if a number is negative.
    """
    if worse < 0 or better < 0:
        raise ValueError(f"numbers of pairs cannot be negative: {worse} worse, {better} better")
    n = worse + better
    tail = binomial.upper(n, max(worse, better), HALF)
    return Test(
        name="exact McNemar",
        n=n,
        statistic=float(min(worse, better)),
        p=probability(tail if worse >= better else binomial.upper(n, worse, HALF)),
        p_two_sided=probability(min(ONE, 2 * tail)),
    )


@working
def paired_mean(
    count: int, sum_d: Decimal, sum_squares: Decimal, level: Real, margin: Real = 0
) -> MeanDifference | None:
    """The mean of `count` differences with exact sum and sum of squares, by Student's t with count - 1 degrees.

    standard error = sqrt((sum of squares - sum^2 / n) / (n - 1) / n), t = (mean + margin) / standard error. Source:
    Student (1908), Biometrika 6(1), 1-25. None with fewer than two differences: they have no spread to measure. Raises
    ValueError if the sums are those of no numbers, InvalidRunError if a figure is beyond every double.
    """
    if count < 2:
        return None
    n = Decimal(count)
    spread = subtract(multiply(n, sum_squares), multiply(sum_d, sum_d))
    if spread < 0:
        raise ValueError("a sum of squares is too small for its sum")
    error = (spread / (n - 1)).sqrt() / n
    return _mean("paired t", count, count - 1, sum_d, error, real(level), real(margin))


@working
def clustered_mean(clusters: Iterable[tuple[int, Decimal]], level: Real, margin: Real = 0) -> MeanDifference | None:
    """The mean over all pairs when pairs of a cluster are not independent; a cluster is its (pairs, sum of d).

    standard error = sqrt(G/(G-1) * sum over clusters of (S_g - n_g * mean)^2) / n, Student's t with G - 1 degrees.
    Source: Liang and Zeger (1986), Biometrika 73(1), 13-22, with the usual factor for few clusters. None with fewer
    than two clusters. Raises ValueError for a cluster without pairs, InvalidRunError as `paired_mean`.
    """
    groups = count = squared_counts = 0
    total = squares = products = ZERO
    for pairs, sum_d in clusters:
        if pairs < 1:
            raise ValueError(f"a cluster has {pairs} pairs; it needs at least one")
        groups += 1
        count += pairs
        squared_counts += pairs * pairs
        total = add(total, sum_d)
        squares = add(squares, multiply(sum_d, sum_d))
        products = add(products, multiply(Decimal(pairs), sum_d))
    if groups < 2:
        return None
    n = Decimal(count)
    # n^2 times the sum of (S_g - n_g S/n)^2, multiplied out: exact, so the order of the clusters cannot matter.
    spread = subtract(multiply(multiply(n, n), squares), multiply(multiply(2 * n, total), products))
    spread = add(spread, multiply(multiply(total, total), Decimal(squared_counts)))
    error = (spread * groups / (groups - 1)).sqrt() / (n * n)
    return _mean("clustered t", count, groups - 1, total, error, real(level), real(margin))


def _mean(
    name: str, count: int, df: int, total: Decimal, error: Decimal, level: Decimal, margin: Decimal
) -> MeanDifference:
    mean = total / count
    reach = student_isf((1 - share(level, "level")) / 2, Decimal(df)) * error
    return MeanDifference(
        count=count,
        estimate=nearest(mean, "the mean difference"),
        standard_error=nearest(error, "the standard error"),
        df=df,
        margin=nearest(margin, "the margin"),
        interval=Interval(
            low=nearest(mean - reach, "the interval of the mean difference"),
            high=nearest(mean + reach, "the interval of the mean difference"),
            level=float(level),
            method=name,
        ),
        test=_test(name, count, df, _distance(total, count, margin), error),
        degenerate=error == 0,
    )


def _distance(total: Decimal, count: int, margin: Decimal) -> Decimal:
    """The mean plus the margin. The numerator is exact: at the margin itself the distance is zero, not a rounding."""
    return add(total, multiply(margin, Decimal(count))) / count


def _test(name: str, count: int, df: int, distance: Decimal, error: Decimal) -> Test:
    if error == 0:  # t is 0/0 or infinite
        one, two = (ZERO if distance < 0 else ONE), (ONE if distance == 0 else ZERO)
        return Test(name=name, n=count, statistic=None, p=probability(one), p_two_sided=probability(two), df=df)
    t = distance / error
    tail = student_sf(abs(t), Decimal(df))
    return Test(
        name=name,
        n=count,
        statistic=float(t) + 0.0 if abs(t) < _LARGEST else None,
        p=probability(tail if t < 0 else 1 - tail),
        p_two_sided=probability(2 * tail),
        df=df,
    )
