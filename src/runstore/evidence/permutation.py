"""The sign-flip test of pairs: if nothing changed, each difference could as well have had the other sign.

In come the differences d = current - baseline, in any order; out comes how often signs drawn at random would have made
the sum as low as it is. The answer is exact where all outcomes can be counted. Else signs are drawn, from a hash of a
text that the caller gives and the number of the draw: the same everywhere, and no state.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import shake_128

from runstore.evidence import binomial
from runstore.evidence.grid import Grid, Number, coarse, on_grid
from runstore.evidence.intervals import clopper_pearson
from runstore.evidence.reals import HALF, nearest, probability, working
from runstore.evidence.results import Interval, Test

_LISTED_UP_TO = 24  # differences: two lists of 2^12 sums
_COUNTED_UP_TO = 10**9  # bit operations of a convolution
_P_LEVEL = Decimal("0.99")


@dataclass(frozen=True, kw_only=True, slots=True)
class SignFlip:
    """A sign-flip test. `exact`: all outcomes were counted, and `resamples` is 0.

    `p_interval` holds, at 99 %, the p that all outcomes would have given; None when it is known. `rounded`: differences
    were rounded to a grid of at most 40 bits.
    """

    test: Test
    exact: bool
    resamples: int
    p_interval: Interval | None
    rounded: bool


@working
def sign_flip(differences: Sequence[Number], count: int, resamples: int, seed_text: str) -> SignFlip:
    """Test the differences of `count` pairs; those that are zero may be left out, they do not matter.

    p is the share of the 2^n sign patterns with a sum not above the one observed, the two-sided p of those whose sum is
    as far from zero; of m drawn patterns of which b are, (b + 1) / (m + 1). The statistic is the mean difference.
    Sources: Fisher (1935), The Design of Experiments, section 21; Phipson and Smyth (2010), Statistical Applications in
    Genetics and Molecular Biology 9(1), 39. Raises ValueError if `count` or `resamples` is too small.
    """
    grid = on_grid(differences)
    if count < max(len(grid.steps), 1) or resamples < 1:
        raise ValueError(f"{len(grid.steps)} differences of {count} pairs and {resamples} resamples make no test")
    mean = nearest(grid.sum / count, "the mean difference")
    counter = _counter(grid)
    if counter is not None:
        test = _answer(*_counted(grid, counter), count, mean)
        return SignFlip(test=test, exact=True, resamples=0, p_interval=None, rounded=grid.rounded)
    grid = coarse(grid)
    below, beyond = _drawn(grid, resamples, seed_text)
    return SignFlip(
        test=_answer(Decimal(below + 1) / (resamples + 1), Decimal(beyond + 1) / (resamples + 1), count, mean),
        exact=False,
        resamples=resamples,
        p_interval=clopper_pearson(below, resamples, _P_LEVEL),
        rounded=grid.rounded,
    )


def _answer(p: Decimal, p_two_sided: Decimal, count: int, mean: float) -> Test:
    return Test(
        name="sign flip",
        n=count,
        statistic=mean,
        p=probability(p),
        p_two_sided=probability(min(p_two_sided, Decimal(1))),
    )


# Below, a pattern is known by F, the sum of the distances that got a plus: its sum of differences is 2 F - total.


def _counted(grid: Grid, at_most: Callable[[int], Decimal]) -> tuple[Decimal, Decimal]:
    """Both p from a function that gives P(F <= bound). F is symmetric around total / 2."""
    total, ahead = sum(grid.sizes), grid.ahead
    short = min(ahead, total - ahead)
    tail = at_most(short)
    if 2 * ahead < total:
        return tail, 2 * tail
    return 1 - at_most(total - ahead - 1), 2 * tail


def _counter(grid: Grid) -> Callable[[int], Decimal] | None:
    """The function that gives P(F <= bound) by counting, or None where there is too much to count."""
    sizes = grid.sizes
    n = len(sizes)
    if n == 0 or sizes[0] == sizes[-1]:
        size = max(sizes, default=1)
        return lambda bound: binomial.lower(n, bound // size, HALF)
    if n <= _LISTED_UP_TO:
        return lambda bound: Decimal(_listed(sizes, bound)) / (1 << n)
    if n * n * sum(sizes) <= _COUNTED_UP_TO:
        return lambda bound: Decimal(_convolved(sizes, bound)) / (1 << n)
    return None


def _listed(sizes: list[int], bound: int) -> int:
    """How many subsets have a sum of at most `bound`: all sums of one half against the sorted sums of the other."""
    one, other = _subset_sums(sizes[::2]), sorted(_subset_sums(sizes[1::2]))
    return sum(bisect_right(other, bound - value) for value in one)


def _subset_sums(sizes: list[int]) -> list[int]:
    sums = [0]
    for size in sizes:
        sums += [value + size for value in sums]
    return sums


def _convolved(sizes: list[int], bound: int) -> int:
    """The same from the product of all (1 + x^size), whose coefficients stand side by side in one whole number."""
    if bound < 0:
        return 0
    slot = len(sizes) + 1
    mask = (1 << (slot * (bound + 1))) - 1
    ways = 1
    for size in sizes:
        ways = (ways + (ways << (slot * size))) & mask
    # 2^slot is 1 modulo 2^slot - 1, so that the rest is the sum of the coefficients, which is smaller.
    return ways % ((1 << slot) - 1)


def _drawn(grid: Grid, resamples: int, seed_text: str) -> tuple[int, int]:
    """How many drawn patterns have a sum not above the observed one, and how many one as far from zero."""
    sizes, ahead = grid.sizes, grid.ahead
    total = sum(sizes)
    low, high = min(ahead, total - ahead), max(ahead, total - ahead)
    planes = list(_planes(sizes))
    edges = {ahead, low, high - 1}
    below = beyond = 0
    for signs in _signs(len(sizes), resamples, seed_text):
        plus = 0
        for place, plane, rest in planes:
            plus += (signs & plane).bit_count() << place
            # Low planes seldom decide: once F lies on one side of every edge, whatever they add, they need no look.
            if not any(plus <= edge < plus + rest for edge in edges):
                break
        below += plus <= ahead
        beyond += plus <= low or plus >= high
    return below, beyond


def _planes(sizes: list[int]) -> Iterator[tuple[int, int, int]]:
    """From the highest down: place, bit plane, and the most that all lower planes can add.

    Bit i of a plane belongs to the i-th largest distance, so that high planes are short.
    """
    column = struct.pack(f"<{len(sizes)}Q", *sizes)
    rest = sum(sizes)
    for place in range(sizes[-1].bit_length() - 1, -1, -1):
        digits = bytes(48 + (byte >> place % 8 & 1) for byte in range(256))
        plane = int(column[place // 8 :: 8].translate(digits), 2)
        rest -= plane.bit_count() << place
        yield place, plane, rest


def _signs(count: int, resamples: int, seed_text: str) -> Iterator[int]:
    """For each resample a whole number of which each of the lowest `count` bits is a fair coin."""
    size = (count + 7) // 8
    for index in range(resamples):
        yield int.from_bytes(shake_128(f"{index}\n{seed_text}".encode("utf-8", "surrogatepass")).digest(size), "little")
