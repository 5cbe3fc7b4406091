"""The normal and Student's distributions: a place in, the probability below or above it out, and the way back.

Decimals in and out, in 40 digits of which at least 20 hold, tails included: a probability of 1e-300 is as good as one
of 0.3. `reals.probability` makes a double of it.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from runstore.evidence import beta
from runstore.evidence.gamma import half_ratio
from runstore.evidence.reals import EPSILON, HALF, LOG_ROOT_TWO_PI, ONE, PI, VANISHING, ZERO, raised, working

_NORMAL_FAR = 4
_STUDENT_FAR = Decimal(40)
_THREE_HALVES = Decimal("1.5")
_FALLING = Decimal("0.9")
_ROOT_TWO_PI = Decimal("2.5066282746310005024157652848110452530069867406099")
# Steps of these sizes, the next of which would not show: the error is cubed, or taken to its fourth power.
_NEARLY = Decimal("1e-10")
_SETTLED = Decimal("1e-7")
_CLOSE = Decimal("0.05")


@working
def normal_density(x: Decimal) -> Decimal:
    """The density of the standard normal distribution."""
    return (-x * x / 2 - LOG_ROOT_TWO_PI).exp()


@working
def normal_sf(x: Decimal) -> Decimal:
    """P(Z > x) of the standard normal distribution.

    Near the middle by the power series of P(0 < Z < x), further out by Laplace's continued fraction
    (https://dlmf.nist.gov/7.6.E2, https://dlmf.nist.gov/7.9.E1).
    """
    if x < 0:
        return 1 - normal_sf(-x)
    if x < _NORMAL_FAR:
        return HALF - normal_density(x) * _odd_series(x)
    tail = x
    for k in range(int(1600 / (x * x)) + 12, 0, -1):  # the error falls as exp(-2 x sqrt(2 k))
        tail = x + k / tail
    return max(normal_density(x) / tail, VANISHING)


def _odd_series(x: Decimal) -> Decimal:
    """x + x^3/3 + x^5/(3*5) + x^7/(3*5*7) + ..."""
    if x == 0:
        return x
    square = x * x
    term = total = x
    k = 3
    while term > EPSILON * total:
        term *= square / k
        total += term
        k += 2
    return total


@working
def normal_cdf(x: Decimal) -> Decimal:
    """P(Z <= x) of the standard normal distribution."""
    return normal_sf(-x)


@working
def normal_isf(p: Decimal) -> Decimal:
    """The x with P(Z > x) = p, p in (0, 1): Halley's steps, each of which triples the digits."""
    if p > HALF:
        return -normal_isf(1 - p)
    if p == HALF:
        return ZERO
    x = _rough_normal_isf(p)
    for _ in range(20):
        off = (p - normal_sf(x)) / normal_density(x)
        step = off / (1 - x * off / 2)
        x -= step
        if abs(step) < _NEARLY * (1 + abs(x)):
            break
    return x


def _rough_normal_isf(p: Decimal) -> Decimal:
    """The same to within 5e-4, p up to 1/2 (Abramowitz and Stegun 26.2.23)."""
    t = (-2 * p.ln()).sqrt()
    top = Decimal("2.515517") + t * (Decimal("0.802853") + t * Decimal("0.010328"))
    bottom = 1 + t * (Decimal("1.432788") + t * (Decimal("0.189269") + t * Decimal("0.001308")))
    return t - top / bottom


@working
def normal_ppf(p: Decimal) -> Decimal:
    """The x with P(Z <= x) = p, p in (0, 1)."""
    return -normal_isf(p)


@working
def student_density(t: Decimal, df: Decimal) -> Decimal:
    """The density of Student's distribution with `df` > 0 degrees of freedom."""
    return half_ratio(df / 2) / (df * PI).sqrt() * raised(df / (df + t * t), (df + 1) / 2)


@working
def student_sf(t: Decimal, df: Decimal) -> Decimal:
    """P(T > t) of Student's distribution with `df` > 0 degrees of freedom, whole or not.

    By the incomplete beta function I_x(df/2, 1/2), x = df / (df + t^2) (https://dlmf.nist.gov/8.17), of which the
    series in 1 - x suits the middle, the series in x a short tail, the continued fraction what lies between.
    """
    if t < 0:
        return 1 - student_sf(-t, df)
    return _student_tail(t, df)[0]


@working
def student_cdf(t: Decimal, df: Decimal) -> Decimal:
    """P(T <= t) of Student's distribution with `df` > 0 degrees of freedom."""
    return student_sf(-t, df)


def _student_tail(t: Decimal, df: Decimal) -> tuple[Decimal, Decimal]:
    """P(T > t) and the density at t, t >= 0."""
    density = student_density(t, df)
    square = t * t
    if square <= min(df, _STUDENT_FAR):
        return HALF - t * density * _series(square / (df + square), (df + 1) / 2, _THREE_HALVES), density
    x = df / (df + square)
    factor = _series(x, (df + 1) / 2, df / 2 + 1) if square >= df else beta.fraction(x, df / 2, HALF)
    return max(t * density * factor / df, VANISHING), density


def _series(x: Decimal, top: Decimal, bottom: Decimal) -> Decimal:
    """1 + x top/bottom + x^2 top(top+1)/(bottom(bottom+1)) + ..., for x of at most 1/2 or terms that soon fall."""
    term = total = ONE
    while True:
        ratio = x * top / bottom
        term *= ratio
        total += term
        if ratio < _FALLING and term < EPSILON * total:
            return total
        top += 1
        bottom += 1


@lru_cache(maxsize=64)
@working
def student_isf(p: Decimal, df: Decimal) -> Decimal:
    """The t with P(T > t) = p, p in (0, 1), `df` > 0.

    Close to the root by the Taylor series of the inverse, which takes the error to its fourth power. Further off by
    Newton's steps for ln P(T > e^u) in u: that function is concave, so they come down to the root from one side.
    """
    if p > HALF:
        return -student_isf(1 - p, df)
    if p == HALF:
        return ZERO
    t = _rough_student_isf(p, df)
    for _ in range(200):
        tail, density = _student_tail(t, df)
        off = (tail - p) / density
        bend = (df + 1) * t / (df + t * t)
        if abs(off) * (1 / t + bend) < _CLOSE:
            turn = (df + 1) * (df - t * t) / (df + t * t) ** 2
            t += off * (1 + off * (bend / 2 + off * (2 * bend * bend + turn) / 6))
            if abs(off) * (1 / t + bend) < _SETTLED:
                return t
        else:
            t *= ((tail / p).ln() * tail / (t * density)).exp()
    raise ArithmeticError(f"no quantile was found for p={p}, df={df}")


def _rough_student_isf(p: Decimal, df: Decimal) -> Decimal:
    """About the same, p below 1/2, by a transformation of the normal quantile (Peizer and Pratt 1968)."""
    z = _rough_normal_isf(p)
    if z <= 0:
        return (HALF - p) * _ROOT_TWO_PI
    if df < 2:
        return z
    square = z * z * (df - 5 / Decimal(6)) / (df - 2 / Decimal(3) + 1 / (10 * df)) ** 2
    return (df * (square.exp() - 1)).sqrt()


@working
def student_ppf(p: Decimal, df: Decimal) -> Decimal:
    """The t with P(T <= t) = p, p in (0, 1), `df` > 0."""
    return -student_isf(p, df)
