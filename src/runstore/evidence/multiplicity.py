"""Multiplicity: the p of a family of tests in, adjusted p out, in the same order.

An adjusted p is held against the level as the raw one would be. Only products, quotients and minima of doubles are
taken, which every platform rounds alike; equal p get equal adjusted p.
"""

from __future__ import annotations

from collections.abc import Sequence


def holm(ps: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p that control the chance of any false alarm in the family, however the tests depend on each other.

    The i-th smallest of m (from 1) becomes the largest of (m - j + 1) p_j over j <= i, at most 1. Source: Holm (1979),
    Scandinavian Journal of Statistics 6(2), 65-70. Raises ValueError if a p is not within [0, 1].
    """
    adjusted = [0.0] * len(ps)
    least = 0.0
    for rank, index in enumerate(_ascending(ps)):
        least = max(least, min(1.0, (len(ps) - rank) * ps[index]))
        adjusted[index] = least
    return tuple(adjusted)


def benjamini_hochberg(ps: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p that control the expected share of false alarms among the alarms, for tests that are independent.

    The i-th smallest of m becomes the least of m p_j / j over j >= i, at most 1. Source: Benjamini and Hochberg (1995),
    Journal of the Royal Statistical Society B 57(1), 289-300. Raises ValueError if a p is not within [0, 1].
    """
    adjusted = [0.0] * len(ps)
    most = 1.0
    for rank, index in reversed(list(enumerate(_ascending(ps), 1))):
        # m p / m may round to another number than p
        most = min(most, ps[index] if rank == len(ps) else max(ps[index], len(ps) * ps[index] / rank))
        adjusted[index] = most
    return tuple(adjusted)


def _ascending(ps: Sequence[float]) -> list[int]:
    for p in ps:
        if not 0 <= p <= 1:
            raise ValueError(f"a p must lie within [0, 1], not be {p}")
    return sorted(range(len(ps)), key=ps.__getitem__)
