"""Intervals for one run: of a share, a mean, a quantile. Counts, exact sums or sorted values in, bounds out."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from runstore.evidence import beta, binomial
from runstore.evidence.distributions import normal_isf, student_isf
from runstore.evidence.reals import ONE, ZERO, Real, nearest, probability, real, root, share, working
from runstore.evidence.results import Interval
from runstore.exact import multiply, subtract


@working
def proportion(successes: int, n: int, level: Real) -> Interval:
    """Wilson's score interval of a share.

    (k + z^2/2 -+ z sqrt(k (n - k) / n + z^2/4)) / (n + z^2). Source: Wilson (1927), Journal of the American Statistical
    Association 22(158), 209-212. Raises ValueError unless 0 <= successes <= n and n is at least 1.
    """
    _check(successes, n)
    z = normal_isf(_tail(level))
    square = z * z
    centre = successes + square / 2
    reach = z * (Decimal(successes * (n - successes)) / n + square / 4).sqrt()
    # At the ends centre and reach are equal but for their last digit.
    low = (centre - reach) / (n + square) if successes else ZERO
    high = (centre + reach) / (n + square) if successes < n else ONE
    return Interval(low=probability(low), high=probability(high), level=float(real(level)), method="Wilson")


@working
def clopper_pearson(successes: int, n: int, level: Real) -> Interval:
    """The exact interval of a share: the shares that neither binomial tail test rejects.

    Source: Clopper and Pearson (1934), Biometrika 26(4), 404-413. Raises ValueError as `proportion`.
    """
    _check(successes, n)
    tail = _tail(level)
    low, high = ZERO, ONE
    if successes > 0:
        low = _beta_quantile(tail, successes, n - successes + 1)
    if successes < n:
        high = 1 - _beta_quantile(tail, n - successes, successes + 1)
    return Interval(low=probability(low), high=probability(high), level=float(real(level)), method="Clopper-Pearson")


def _beta_quantile(p: Decimal, a: int, b: int) -> Decimal:
    """The x with I_x(a, b) = p, for a p below a half; searched in the logarithm of the odds of x."""

    def over(log_odds: Decimal) -> Decimal:
        odds = log_odds.exp()
        return (beta.incomplete(odds / (1 + odds), 1 / (1 + odds), Decimal(a), Decimal(b))[0] / p).ln()

    # Fisher's z of beta variates is about normal (Abramowitz and Stegun 26.5.22): a guess for the middle of a bracket.
    middle = (Decimal(2 * a) / (2 * b)).ln()
    reach = normal_isf(p) * (1 / Decimal(a) + 1 / Decimal(b)).sqrt() + Decimal("0.1")
    low = middle - reach
    while over(low) > 0:
        low -= reach
    odds = root(over, low, middle + Decimal("0.1") + 2 / Decimal(a)).exp()
    return odds / (1 + odds)


@working
def mean(count: int, total: Decimal, squares: Decimal, level: Real) -> Interval | None:
    """Student's t interval of a mean, from exact sum and sum of squares, with count - 1 degrees of freedom.

    None with fewer than two values. Raises InvalidRunError if a bound is larger than the largest double.
    """
    if count < 2:
        return None
    n = Decimal(count)
    spread = subtract(multiply(n, squares), multiply(total, total))
    if spread < 0:
        raise ValueError("a sum of squares is too small for its sum")
    reach = student_isf(_tail(level), n - 1) * (spread / (n - 1)).sqrt() / n
    return Interval(
        low=nearest(total / n - reach, "the interval of the mean"),
        high=nearest(total / n + reach, "the interval of the mean"),
        level=float(real(level)),
        method="Student t",
    )


@working
def quantile(values: Sequence[float], q: Real) -> float:
    """The q-quantile of ascending values: the least value that at least a share q of them does not exceed.

    This is the inverse of the empirical distribution function (type 1 of Hyndman and Fan 1996), so always a value that
    was observed. Raises ValueError without values or for a q outside (0, 1).
    """
    if not values:
        raise ValueError("no values have no quantile")
    place = len(values) * share(q, "q")
    return values[int(place.to_integral_value(rounding="ROUND_CEILING")) - 1]


@working
def quantile_interval(values: Sequence[float], q: Real, level: Real) -> Interval | None:
    """Between which of the ascending values the q-quantile of what they were drawn from lies, whatever that is.

    From the r-th value, the largest r with P(Bin(n, q) <= r - 1) <= (1 - level)/2, to the s-th, the least s with
    P(Bin(n, q) >= s) <= (1 - level)/2: the chance to hold the quantile is at least `level`. Source: Conover (1999),
    Practical Nonparametric Statistics, section 3.2. None if so few values have no such r or s.
    """
    n, p, tail = len(values), share(q, "q"), _tail(level)
    below, above = _deepest(n, p, tail), _deepest(n, 1 - p, tail)
    if below is None or above is None:
        return None
    return Interval(
        low=float(values[below]), high=float(values[n - 1 - above]), level=float(real(level)), method="order statistics"
    )


def _deepest(n: int, p: Decimal, tail: Decimal) -> int | None:
    """The largest k with P(Bin(n, p) <= k) <= tail, from a guess and then step by step; None if there is none."""
    k = max(0, min(n - 1, int(n * p - normal_isf(tail) * (n * p * (1 - p)).sqrt()))) if n else -1
    if k < 0:
        return None
    chance, step = binomial.lower(n, k, p), binomial.mass(n, k, p)
    odds = p / (1 - p)
    while chance <= tail:
        step *= (n - k) * odds / (k + 1)
        chance += step
        k += 1
    while chance > tail:
        if k == 0:
            return None
        chance -= step
        step *= k / (odds * (n - k + 1))
        k -= 1
    return k


def _tail(level: Real) -> Decimal:
    return (1 - share(level, "level")) / 2


def _check(successes: int, n: int) -> None:
    if not 0 <= successes <= n or n < 1:
        raise ValueError(f"{successes} of {n} is no share")
