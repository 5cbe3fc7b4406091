"""What a statistic says: tests and intervals, as data. Figures are doubles, each the nearest to an exact-enough one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """An interval that holds the true value with probability `level`, as its method promises."""

    low: float
    high: float
    level: float
    method: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Test:
    """One test. `p` is one-sided: the alternative is that the mean difference is negative (that it got worse).

    A p of 5e-324, the least double, means "this or less". `statistic` is None when it has no finite value.
    """

    # Its name begins as test classes do; pytest is told that it is none.
    __test__ = False

    name: str
    n: int
    statistic: float | None
    p: float
    p_two_sided: float
    df: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MeanDifference:
    """The mean of paired differences, with its standard error, its interval and the t test of it.

    `df` are the degrees of freedom of both. `degenerate` says that the differences (or the clusters) show no spread at
    all: standard error 0, an interval of one point and a p of 0 or 1 are then what the formula says, and no evidence.
    """

    count: int
    estimate: float
    standard_error: float
    df: int
    margin: float
    interval: Interval
    test: Test
    degenerate: bool
