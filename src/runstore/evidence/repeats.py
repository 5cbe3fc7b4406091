"""Repeats: what n trials of one record, c of which passed, say of k trials. Whole numbers in, exact shares out.

A share is returned as a decimal of 40 digits, rounded once, so that shares of many records add up in any order.
"""

from __future__ import annotations

import math
from decimal import Decimal

from runstore.evidence.reals import ONE, ZERO, working


@working
def pass_at_k(n: int, c: int, k: int) -> Decimal:
    """The chance that at least one of k trials passes, estimated without bias: 1 - C(n - c, k) / C(n, k).

    Source: Chen et al. (2021), Evaluating Large Language Models Trained on Code, arXiv:2107.03374, section 2.1. Raises
    ValueError unless 0 <= c <= n and 1 <= k <= n.
    """
    _check(n, c, k)
    ways = math.comb(n, k)
    return Decimal(ways - math.comb(n - c, k)) / Decimal(ways)


@working
def pass_hat_k(n: int, c: int, k: int) -> Decimal:
    """The chance that all of k trials pass, estimated without bias: C(c, k) / C(n, k).

    Source: Yao et al. (2024), tau-bench, arXiv:2406.12045. Raises ValueError as `pass_at_k`.
    """
    _check(n, c, k)
    return Decimal(math.comb(c, k)) / Decimal(math.comb(n, k))


def k_of_n(n: int, c: int, k: int) -> Decimal:
    """1 if at least k of the n trials passed, else 0. Raises ValueError as `pass_at_k`."""
    _check(n, c, k)
    return ONE if c >= k else ZERO


def _check(n: int, c: int, k: int) -> None:
    if not (0 <= c <= n and 1 <= k <= n):
        raise ValueError(f"{c} of {n} trials passed says nothing of {k} trials")
