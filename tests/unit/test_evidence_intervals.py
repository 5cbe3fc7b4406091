"""Intervals against scipy and statsmodels."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]
from statsmodels.stats.proportion import proportion_confint  # type: ignore[import-untyped]

from runstore.errors import InvalidRunError
from runstore.evidence.intervals import clopper_pearson, mean, proportion, quantile, quantile_interval
from runstore.evidence.results import Interval

SHARES = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
LEVELS = st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.999])


def equal(found: Interval, low: float, high: float) -> bool:
    return math.isclose(found.low, low, rel_tol=1e-9, abs_tol=1e-15) and math.isclose(found.high, high, rel_tol=1e-9)


@given(SHARES, LEVELS)
def test_wilson_is_that_of_statsmodels(share: tuple[int, int], level: float) -> None:
    assert equal(proportion(*share, level), *proportion_confint(*share, alpha=1 - level, method="wilson"))


@given(SHARES, LEVELS)
def test_clopper_pearson_is_that_of_statsmodels(share: tuple[int, int], level: float) -> None:
    assert equal(clopper_pearson(*share, level), *proportion_confint(*share, alpha=1 - level, method="beta"))


def test_the_ends_of_a_share_are_exactly_none_and_all() -> None:
    assert (proportion(0, 9, 0.95).low, proportion(9, 9, 0.95).high) == (0.0, 1.0)
    assert (clopper_pearson(0, 9, 0.95).low, clopper_pearson(9, 9, 0.95).high) == (0.0, 1.0)


@pytest.mark.parametrize(("successes", "n"), [(-1, 3), (4, 3), (0, 0)])
def test_what_is_no_share_is_refused(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"{successes} of {n} is no share"):
        proportion(successes, n, 0.95)
    with pytest.raises(ValueError, match=f"{successes} of {n} is no share"):
        clopper_pearson(successes, n, 0.95)


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=50), LEVELS)
def test_the_interval_of_a_mean_is_that_of_scipy(values: list[int], level: float) -> None:
    assume(len(set(values)) > 1)
    found = mean(len(values), Decimal(sum(values)), Decimal(sum(value * value for value in values)), level)
    known = stats.t.interval(level, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    assert found is not None
    assert found.low == pytest.approx(known[0], rel=1e-9, abs=1e-9)
    assert found.high == pytest.approx(known[1], rel=1e-9, abs=1e-9)


def test_one_value_has_no_interval_and_equal_values_have_one_of_a_point() -> None:
    assert mean(1, Decimal(3), Decimal(9), 0.95) is None
    assert mean(3, Decimal(3), Decimal(3), 0.95) == Interval(low=1.0, high=1.0, level=0.95, method="Student t")


def test_sums_of_no_numbers_and_bounds_beyond_the_doubles_are_refused() -> None:
    with pytest.raises(ValueError, match="too small for its sum"):
        mean(2, Decimal(4), Decimal(1), 0.95)
    with pytest.raises(InvalidRunError, match="larger than any double"):
        mean(2, Decimal(0), Decimal("1e616"), 0.95)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=200), st.sampled_from([0.01, 0.1, 0.5, 0.9, 0.95, 0.99]))
def test_a_quantile_is_a_value_that_was_observed(values: list[int], q: float) -> None:
    values.sort()
    found = quantile(values, q)
    assert found == np.quantile(values, q, method="inverted_cdf")
    assert found in values


def test_a_quantile_is_decided_in_decimals() -> None:
    assert quantile(range(1, 101), 0.07) == 7  # in doubles 100 * 0.07 is a little more


@given(st.integers(1, 400), st.sampled_from([0.05, 0.25, 0.5, 0.9, 0.99]), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_the_interval_of_a_quantile_is_that_of_scipy(n: int, q: float, level: float) -> None:
    values = [float(value) for value in range(n)]
    found = quantile_interval(values, q, level)
    known = stats.quantile_test(values, q=0, p=q).confidence_interval(level)
    assert (found is None) == (math.isnan(known.low) or math.isnan(known.high))
    if found is not None:
        assert (found.low, found.high) == (known.low, known.high)


@pytest.mark.parametrize("level", ["0.5", "0.95", "0.999"])
@pytest.mark.parametrize("q", ["0.5", "0.9", "0.05"])
@pytest.mark.parametrize("n", [10, 60, 250])
def test_the_interval_of_a_quantile_is_the_narrowest_that_holds_it_often_enough(n: int, q: str, level: str) -> None:
    tail, share = (1 - Fraction(level)) / 2, Fraction(q)
    masses = [math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)]
    below = list(accumulate(masses))  # below[k] is P(Bin(n, q) <= k)
    lows = [r for r in range(1, n + 1) if below[r - 1] <= tail]
    highs = [s for s in range(1, n + 1) if 1 - below[s - 1] <= tail]
    found = quantile_interval([float(rank) for rank in range(1, n + 1)], Decimal(q), Decimal(level))
    if not lows or not highs:
        assert found is None
    else:
        assert found == Interval(low=max(lows), high=min(highs), level=float(level), method="order statistics")


def test_a_quantile_of_a_million_values_is_found() -> None:
    found = quantile_interval(range(1_000_000), Decimal("0.99"), 0.95)
    assert found is not None
    assert (found.low, found.high) == (989_804.0, 990_195.0)


def test_no_values_have_no_quantile() -> None:
    assert quantile_interval([], 0.5, 0.95) is None
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)
