"""The binomial distribution: its tails and probabilities. Whole numbers and a share in, decimals of 40 digits out."""

from __future__ import annotations

import math
from decimal import Decimal

from runstore.evidence import beta
from runstore.evidence.gamma import log_gamma
from runstore.evidence.reals import HALF, ONE, VANISHING, ZERO, working

EXACT_UP_TO = 2000
"""Fair coins up to this number are counted in whole numbers; beyond, the incomplete beta function gives 25 digits."""


@working
def upper(n: int, k: int, p: Decimal) -> Decimal:
    """P(X >= k) for X ~ Binomial(n, p)."""
    if k <= 0:
        return ONE
    if k > n or p <= 0:
        return ZERO
    if p >= 1:
        return ONE
    if p == HALF and n <= EXACT_UP_TO:
        return Decimal(_heads_at_least(n, k)) / Decimal(1 << n)
    # https://dlmf.nist.gov/8.17.E5
    return max(beta.incomplete(p, 1 - p, Decimal(k), Decimal(n - k + 1))[0], VANISHING)


@working
def lower(n: int, k: int, p: Decimal) -> Decimal:
    """P(X <= k) for X ~ Binomial(n, p)."""
    return upper(n, n - k, 1 - p)


def _heads_at_least(n: int, k: int) -> int:
    """How many of the 2^n outcomes of n coins have at least k heads."""
    if 2 * k <= n:
        return (1 << n) - _heads_at_least(n, n - k + 1)
    ways = total = math.comb(n, k)
    for heads in range(k + 1, n + 1):
        ways = ways * (n - heads + 1) // heads
        total += ways
    return total


@working
def mass(n: int, k: int, p: Decimal) -> Decimal:
    """P(X = k) for X ~ Binomial(n, p)."""
    if not 0 <= k <= n:
        return ZERO
    if p <= 0 or p >= 1:
        return ONE if k == (0 if p <= 0 else n) else ZERO
    ways = log_gamma(Decimal(n + 1)) - log_gamma(Decimal(k + 1)) - log_gamma(Decimal(n - k + 1))
    return (ways + k * p.ln() + (n - k) * (1 - p).ln()).exp()
