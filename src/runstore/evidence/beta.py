"""The regularised incomplete beta function, behind the tails of the binomial and Student's distributions."""

from __future__ import annotations

from decimal import Decimal

from runstore.evidence.gamma import log_beta
from runstore.evidence.reals import EPSILON, ONE, ZERO, raised, working

_STEPS = 200_000


@working
def incomplete(x: Decimal, y: Decimal, a: Decimal, b: Decimal) -> tuple[Decimal, Decimal]:
    """I_x(a, b) and its complement 1 - I_x(a, b); `y` is 1 - x, given apart so that it may be tiny.

    x in [0, 1], a and b > 0. The smaller of the two is computed, so neither loses digits.
    """
    if x <= 0:
        return ZERO, ONE
    if y <= 0:
        return ONE, ZERO
    if x * (a + b + 2) > a + 1:
        upper, lower = _near(y, x, b, a)
        return lower, upper
    return _near(x, y, a, b)


def _near(x: Decimal, y: Decimal, a: Decimal, b: Decimal) -> tuple[Decimal, Decimal]:
    front = raised(x, a) * raised(y, b) / (a * log_beta(a, b).exp())
    lower = front * fraction(x, a, b)
    return lower, 1 - lower


@working
def fraction(x: Decimal, a: Decimal, b: Decimal) -> Decimal:
    """The continued fraction of I_x(a, b) without x^a (1-x)^b / (a B(a, b)); good for x up to (a+1) / (a+b+2).

    https://dlmf.nist.gov/8.17.E22, by the forward recurrence: decimals have exponents enough to need no rescaling.
    """
    top, top_before, bottom, bottom_before = ONE, ONE, 1 - (a + b) * x / (a + 1), ONE
    found = top / bottom
    for m in range(1, _STEPS):
        even = a + 2 * m
        step = m * (b - m) * x / ((even - 1) * even)
        top_before, bottom_before = top + step * top_before, bottom + step * bottom_before
        step = -(a + m) * (a + b + m) * x / (even * (even + 1))
        top, bottom = top_before + step * top, bottom_before + step * bottom
        if m & 3 == 0:
            before, found = found, top / bottom
            if abs(found - before) <= EPSILON * abs(found):
                return found
    raise ArithmeticError(f"the incomplete beta function did not settle at x={x}, a={a}, b={b}")
