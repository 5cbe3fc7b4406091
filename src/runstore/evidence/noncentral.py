"""The noncentral t distribution: what a t test sees when there is a difference. It is what power is made of."""

from __future__ import annotations

from decimal import Decimal

from runstore.evidence import beta
from runstore.evidence.distributions import normal_cdf, student_sf
from runstore.evidence.gamma import half_ratio, log_gamma
from runstore.evidence.reals import EPSILON, HALF, ONE, PI, TWO, raised, working

_STEPS = 1_000_000
_THREE_HALVES = Decimal("1.5")


@working
def noncentral_sf(t: Decimal, df: Decimal, shift: Decimal) -> Decimal:
    """P(T > t) for T = (Z + shift) / sqrt(chi^2_df / df): 25 digits after the point hold.

    Source: Lenth (1989), Algorithm AS 243, Applied Statistics 38(1), 185-189.
    """
    if t < 0:
        return 1 - noncentral_sf(-t, df, -shift)
    if shift == 0:
        return student_sf(t, df)
    below = normal_cdf(-shift) + (_mixture(t, df, shift) / 2 if t > 0 else 0)
    return min(max(1 - below, Decimal(0)), ONE)


def _mixture(t: Decimal, df: Decimal, shift: Decimal) -> Decimal:
    """The sum over j of p_j I(j + 1/2) + q_j I(j + 1): P(0 < T <= t), twice.

    p_j are Poisson with mean shift^2/2, so the sum is taken where they are not negligible; I(a) are incomplete beta
    functions I_x(a, df/2), each of which follows from the one before.
    """
    mean = shift * shift / 2
    first = max(0, int(mean - 12 * mean.sqrt()))
    even = _weight(mean, Decimal(first + 1))
    odd = shift / TWO.sqrt() * _weight(mean, first + _THREE_HALVES)
    b = df / 2
    square = t * t
    x, y = square / (df + square), df / (df + square)
    half, half_step = _start(x, y, first + HALF, b)
    whole, whole_step = _start(x, y, Decimal(first + 1), b)
    total = Decimal(0)
    for j in range(first, first + _STEPS):
        total += even * half + odd * whole
        if half < EPSILON or (j > mean and even * half < EPSILON):
            return total
        even *= mean / (j + 1)
        odd *= mean / (j + _THREE_HALVES)
        half -= half_step
        whole -= whole_step
        half_step *= x * (j + HALF + b) / (j + _THREE_HALVES)
        whole_step *= x * (j + 1 + b) / (j + 2)
    raise ArithmeticError(f"the noncentral t distribution did not settle at t={t}, df={df}, shift={shift}")


def _weight(mean: Decimal, place: Decimal) -> Decimal:
    """exp(-mean) mean^(j) / gamma(place), j the whole part of place - 1."""
    if place < 2:
        return (-mean).exp() if place == 1 else (-mean).exp() * 2 / PI.sqrt()
    return (int(place - 1) * mean.ln() - mean - log_gamma(place)).exp()


def _start(x: Decimal, y: Decimal, a: Decimal, b: Decimal) -> tuple[Decimal, Decimal]:
    """I_x(a, b), and what it loses on the way to I_x(a + 1, b) (https://dlmf.nist.gov/8.17.E20)."""
    if a == HALF:
        step = x.sqrt() * raised(y, b) * half_ratio(b) * 2 / PI.sqrt()
        return 1 - 2 * student_sf((2 * b * x / y).sqrt(), 2 * b), step
    if a == 1:
        rest = raised(y, b)
        return 1 - rest, rest * x * b
    front = raised(x, a) * raised(y, b) * (log_gamma(a + b) - log_gamma(a + 1) - log_gamma(b)).exp()
    return beta.incomplete(x, y, a, b)[0], front
