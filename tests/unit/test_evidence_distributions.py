"""Distributions, each held against scipy, tails and far corners included."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats  # type: ignore[import-untyped]

from runstore.errors import InvalidRunError
from runstore.evidence import beta, binomial
from runstore.evidence.distributions import (
    normal_cdf,
    normal_isf,
    normal_ppf,
    normal_sf,
    student_cdf,
    student_density,
    student_isf,
    student_ppf,
    student_sf,
)
from runstore.evidence.gamma import half_ratio, log_gamma
from runstore.evidence.noncentral import noncentral_sf
from runstore.evidence.reals import VANISHING, nearest, probability, real, root, share

CLOSE = 1e-12
DEGREES = [0.1, 0.5, 1, 2, 3, 5, 10, 29.5, 100, 999, 1e4, 1e6, 1e7]
PROBABILITIES = [1e-300, 1e-100, 1e-10, 0.001, 0.025, 0.05, 0.3, 0.49999, 0.7, 0.99]


def close(found: float, wanted: float, relative: float = CLOSE) -> bool:
    return math.isclose(found, float(wanted), rel_tol=relative, abs_tol=0)


@pytest.mark.parametrize("x", [-37.5, -5, -1, 0, 1e-9, 0.1, 0.5, 1, 1.96, 3.99, 4, 4.01, 6, 8, 20, 37])
def test_normal_tails_are_those_of_scipy(x: float) -> None:
    assert close(probability(normal_sf(Decimal(x))), stats.norm.sf(x))
    assert close(probability(normal_cdf(Decimal(x))), stats.norm.cdf(x))


@pytest.mark.parametrize("p", PROBABILITIES)
def test_normal_quantiles_are_those_of_scipy(p: float) -> None:
    assert close(float(normal_isf(Decimal(p))), stats.norm.isf(p))
    assert close(float(normal_ppf(Decimal(p))), stats.norm.ppf(p))


@pytest.mark.parametrize("df", DEGREES)
@pytest.mark.parametrize("t", [-8, -2, 0, 0.1, 1, 1.96, 3, 6, 6.4, 10, 20, 30])
def test_student_tails_are_those_of_scipy(t: float, df: float) -> None:
    assert close(probability(student_sf(Decimal(t), Decimal(df))), stats.t.sf(t, df))
    assert close(probability(student_cdf(Decimal(t), Decimal(df))), stats.t.cdf(t, df))
    assert close(
        float(student_density(Decimal(t), Decimal(df))), stats.t.pdf(t, df), 1e-11
    )  # scipy's own is good to 2e-12


@pytest.mark.parametrize("df", DEGREES)
@pytest.mark.parametrize("p", PROBABILITIES[2:])
def test_student_quantiles_are_those_of_scipy(p: float, df: float) -> None:
    assert close(float(student_isf(Decimal(p), Decimal(df))), stats.t.isf(p, df), 1e-11)
    assert close(float(student_ppf(Decimal(p), Decimal(df))), stats.t.ppf(p, df), 1e-11)


@given(st.floats(1e-12, 1 - 1e-9), st.floats(0.2, 1e7))
def test_a_student_quantile_leads_back_to_its_probability(p: float, df: float) -> None:
    t = student_isf(Decimal(p), Decimal(df))
    assert abs(student_sf(t, Decimal(df)) / Decimal(p) - 1) < Decimal("1e-20")


def test_a_fraction_is_as_good_a_number_of_degrees_as_any() -> None:
    assert student_sf(Decimal(2), real(Fraction(59, 2))) == student_sf(Decimal(2), Decimal("29.5"))


@pytest.mark.parametrize(("t", "df"), [(100, 999), (1e4, 1e6), (1e300, 1e7)])
def test_a_tail_below_every_double_is_the_least_double_and_not_zero(t: float, df: float) -> None:
    assert probability(student_sf(Decimal(t), Decimal(df))) == 5e-324
    assert probability(normal_sf(Decimal(t))) == 5e-324
    assert probability(VANISHING) == 5e-324


@pytest.mark.parametrize("x", [0.01, 0.5, 1.5, 3.7, 49.9, 50, 100.5, 5e5, 5e6])
def test_the_logarithm_of_gamma_is_that_of_scipy(x: float) -> None:
    assert close(float(log_gamma(Decimal(x))), special.gammaln(x))
    ratio = log_gamma(Decimal(x) + Decimal("0.5")) - log_gamma(Decimal(x))
    assert abs(half_ratio(Decimal(x)).ln() - ratio) < Decimal("1e-24")


@pytest.mark.parametrize(
    ("a", "b", "x"),
    [
        (1, 1, 0.3),
        (500, 501, 0.5),
        (5e5, 5e5, 0.5),
        (2, 1e6, 1e-6),
        (0.5, 0.5, 0.2),
        (3000, 7000, 0.31),
        (500000, 500001, 0.501),
        (1, 4, 0.0),
        (4, 1, 1.0),
    ],
)
def test_the_incomplete_beta_function_is_that_of_scipy(a: float, b: float, x: float) -> None:
    lower, upper = beta.incomplete(Decimal(x), 1 - Decimal(x), Decimal(a), Decimal(b))
    assert close(float(lower), special.betainc(a, b, x), 1e-11)
    assert close(float(upper), special.betaincc(a, b, x), 1e-11)


@given(st.integers(0, 3000), st.integers(-1, 3001), st.sampled_from([0.5, 0.1, 0.93, 0.001]))
def test_binomial_tails_are_those_of_scipy(n: int, k: int, p: float) -> None:
    assert math.isclose(
        float(binomial.upper(n, k, Decimal(p))), stats.binom.sf(k - 1, n, p), rel_tol=1e-9, abs_tol=1e-300
    )
    assert math.isclose(float(binomial.lower(n, k, Decimal(p))), stats.binom.cdf(k, n, p), rel_tol=1e-9, abs_tol=1e-300)
    assert math.isclose(float(binomial.mass(n, k, Decimal(p))), stats.binom.pmf(k, n, p), rel_tol=1e-9, abs_tol=1e-300)


@pytest.mark.parametrize("p", [0, 1])
def test_a_coin_that_always_falls_the_same_way_is_certain(p: int) -> None:
    share_of_heads = Decimal(p)
    assert [binomial.upper(3, k, share_of_heads) for k in (0, 1, 3)] == [1, p, p]
    assert [binomial.lower(3, k, share_of_heads) for k in (0, 2, 3)] == [1 - p, 1 - p, 1]
    assert [binomial.mass(3, k, share_of_heads) for k in (0, 1, 3)] == [1 - p, 0, p]


def test_counted_and_continuous_coins_agree_where_one_follows_the_other() -> None:
    n = binomial.EXACT_UP_TO
    for k in (900, 1000, 1001, 1100, 2000):
        counted = binomial.upper(n, k, Decimal("0.5"))
        continuous = beta.incomplete(Decimal("0.5"), Decimal("0.5"), Decimal(k), Decimal(n - k + 1))[0]
        assert abs(counted / continuous - 1) < Decimal("1e-24")


@pytest.mark.parametrize("df", [1, 2, 5, 99, 1000, 1e5])
@pytest.mark.parametrize("shift", [-3, -0.5, 0, 0.1, 1, 2.5, 5, 20])
@pytest.mark.parametrize("t", [-1, 0, 0.5, 1.7, 3, 6, 30])
def test_the_noncentral_t_distribution_is_that_of_scipy(t: float, shift: float, df: float) -> None:
    found = noncentral_sf(Decimal(t), Decimal(df), Decimal(shift))
    assert math.isclose(float(found), stats.nct.sf(t, df, shift), rel_tol=1e-9, abs_tol=1e-12)


@pytest.mark.parametrize(("value", "what"), [(0, "0"), (1, "1"), (-0.1, "-0.1"), (1.5, "1.5")])
def test_a_share_lies_between_zero_and_one(value: float, what: str) -> None:
    with pytest.raises(ValueError, match=f"level must lie between 0 and 1, not {what}"):
        share(value, "level")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, Decimal("NaN"), Decimal("Infinity")])
def test_what_is_not_finite_is_no_number(value: float | Decimal) -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        real(value)


def test_a_double_is_the_decimal_that_its_text_denotes() -> None:
    assert (real(0.05), real(3), real(Fraction(1, 8))) == (Decimal("0.05"), Decimal(3), Decimal("0.125"))


def test_a_figure_beyond_the_doubles_is_refused() -> None:
    with pytest.raises(InvalidRunError, match="the mean is larger than any double"):
        nearest(Decimal("1e400"), "the mean")


def test_a_figure_is_never_a_negative_zero() -> None:
    assert math.copysign(1, nearest(Decimal("-0"), "the mean")) == 1


@given(st.floats(-50, 50).map(lambda x: round(x, 6)), st.floats(0.001, 100), st.floats(0.001, 100))
def test_a_root_is_found_between_any_two_places_around_it(at: float, below: float, above: float) -> None:
    place = Decimal(at)
    found = root(lambda x: (x - place) ** 3 + (x - place) / 10, place - Decimal(below), place + Decimal(above))
    assert abs(found - place) <= Decimal("1e-15")
