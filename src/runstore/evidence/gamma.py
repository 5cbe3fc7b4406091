"""The logarithm of the gamma function and what is made of it. Decimals in and out, all in 40 digits."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from runstore.evidence.reals import EPSILON, HALF, LOG_ROOT_TWO_PI, ONE, ZERO, working

# Bernoulli numbers B2, B4, ... B32, as numerator and denominator (https://dlmf.nist.gov/24.2).
_BERNOULLI = (
    (1, 6),
    (-1, 30),
    (1, 42),
    (-1, 30),
    (5, 66),
    (-691, 2730),
    (7, 6),
    (-3617, 510),
    (43867, 798),
    (-174611, 330),
    (854513, 138),
    (-236364091, 2730),
    (8553103, 6),
    (-23749461029, 870),
    (8615841276005, 14322),
    (-7709321041217, 510),
)
_STIRLING = tuple(
    (Decimal(top), Decimal(bottom * 2 * k * (2 * k - 1))) for k, (top, bottom) in enumerate(_BERNOULLI, 1)
)
# Of the ratio gamma(z + 1/2) / gamma(z): B_k(1/2) in place of B_k, less B_k.
_HALF_STEP = tuple(
    (Decimal(top * 2 * (1 - 4**k)), Decimal(bottom * 4**k * 2 * k * (2 * k - 1)))
    for k, (top, bottom) in enumerate(_BERNOULLI, 1)
)
# From here on sixteen terms of Stirling's series leave less than 1e-43.
_FAR = 50
_NOTHING = EPSILON * Decimal("1e-14")


@lru_cache(maxsize=1024)
@working
def log_gamma(x: Decimal) -> Decimal:
    """ln of gamma(x), x > 0: Stirling's series (https://dlmf.nist.gov/5.11), moved to where it is exact enough."""
    product = ONE
    while x < _FAR:
        product *= x
        x += 1
    result = (x - HALF) * x.ln() - x + LOG_ROOT_TWO_PI + _series(x, _STIRLING)
    return result if product == 1 else result - product.ln()


def _series(x: Decimal, coefficients: tuple[tuple[Decimal, Decimal], ...]) -> Decimal:
    """The sum of coefficients over x, x^3, x^5, ..."""
    square, power, total = x * x, x, ZERO
    for top, bottom in coefficients:
        term = top / (bottom * power)
        total += term
        if abs(term) < _NOTHING:
            break
        power *= square
    return total


@lru_cache(maxsize=64)
@working
def half_ratio(z: Decimal) -> Decimal:
    """gamma(z + 1/2) / gamma(z), z > 0, without a logarithm (https://dlmf.nist.gov/5.11.E8, h = 1/2 and h = 0)."""
    top = bottom = ONE
    while z < _FAR:
        top *= z
        z += HALF
        bottom *= z
        z += HALF
    return z.sqrt() * _series(z, _HALF_STEP).exp() * top / bottom


@working
def log_beta(a: Decimal, b: Decimal) -> Decimal:
    """ln of the beta function B(a, b), a and b > 0."""
    return log_gamma(a) + log_gamma(b) - log_gamma(a + b)
