"""Tests of pairs against scipy and statsmodels, and the cases that have no such answer."""

from __future__ import annotations

import math
from decimal import Context, Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]
from statsmodels.regression.linear_model import OLS  # type: ignore[import-untyped]
from statsmodels.stats.contingency_tables import mcnemar as mcnemar_of  # type: ignore[import-untyped]

from runstore import exact
from runstore.errors import InvalidRunError
from runstore.evidence.paired import clustered_mean, mcnemar, paired_mean
from runstore.evidence.results import Interval, MeanDifference, Test

BINARY = st.integers(-1, 1)
TIES = st.integers(-5, 5).map(lambda n: n / 10)
CONTINUOUS = st.floats(-1, 1).map(lambda x: round(x, 12))
SCALED = st.builds(
    lambda n, places: float(f"{n}e{places}"), st.integers(-999, 999), st.sampled_from([-150, -9, 9, 120])
)
SAMPLES = st.one_of(*(st.lists(values, min_size=2, max_size=40) for values in (BINARY, TIES, CONTINUOUS, SCALED)))


def sums(values: list[float]) -> tuple[int, Decimal, Decimal]:
    exact = [Fraction(repr(value)) for value in values]
    return len(values), plain(sum(exact, Fraction(0))), plain(sum((one * one for one in exact), Fraction(0)))


def plain(value: Fraction) -> Decimal:
    """The decimal of a fraction that is one."""
    return Context(prec=3000).divide(Decimal(value.numerator), Decimal(value.denominator))


def close(found: float, wanted: float) -> bool:
    return math.isclose(found, float(wanted), rel_tol=1e-9, abs_tol=1e-300)


def t_of(values: list[float], level: float = 0.95, margin: float = 0) -> MeanDifference:
    found = paired_mean(*sums(values), level, margin)
    assert found is not None
    return found


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_that_of_scipy_and_statsmodels(worse: int, better: int) -> None:
    assume(worse + better)
    found = mcnemar(worse, better)
    assert close(found.p, stats.binomtest(worse, worse + better, alternative="greater").pvalue)
    assert close(found.p_two_sided, mcnemar_of([[0, worse], [better, 0]], exact=True).pvalue)
    assert found.statistic == mcnemar_of([[0, worse], [better, 0]], exact=True).statistic


@pytest.mark.parametrize(("worse", "better"), [(1200, 1000), (1000, 1001), (50_500, 50_000), (501_000, 500_000)])
def test_mcnemar_of_very_many_pairs_is_that_of_scipy(worse: int, better: int) -> None:
    found = mcnemar(worse, better)
    assert close(found.p, stats.binomtest(worse, worse + better, alternative="greater").pvalue)
    assert close(found.p_two_sided, stats.binomtest(worse, worse + better).pvalue)


def test_without_pairs_that_differ_nothing_is_shown() -> None:
    assert mcnemar(0, 0) == Test(name="exact McNemar", n=0, statistic=0.0, p=1.0, p_two_sided=1.0)


def test_a_million_pairs_that_all_got_worse_leave_a_p_above_zero() -> None:
    assert mcnemar(1_000_000, 0).p == 5e-324


def test_negative_numbers_of_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be negative: -1 worse, 2 better"):
        mcnemar(-1, 2)


@given(SAMPLES, st.sampled_from([0.9, 0.95, 0.99]))
def test_the_paired_t_test_is_that_of_scipy(values: list[float], level: float) -> None:
    scale = max(map(abs, values))
    assume(scale > 0 and np.std(np.asarray(values) / scale) > 1e-3)
    found, known = t_of(values, level), stats.ttest_1samp(np.asarray(values) / scale, 0)
    assert math.isclose(found.test.statistic or 0.0, known.statistic, rel_tol=1e-9, abs_tol=1e-12)
    assert close(found.test.p_two_sided, known.pvalue)
    assert close(found.test.p, stats.ttest_1samp(np.asarray(values) / scale, 0, alternative="less").pvalue)
    bounds = known.confidence_interval(level)
    assert math.isclose(found.interval.low / scale, bounds.low, rel_tol=1e-9, abs_tol=1e-12)
    assert math.isclose(found.interval.high / scale, bounds.high, rel_tol=1e-9, abs_tol=1e-12)
    assert close(found.standard_error / scale, stats.sem(np.asarray(values) / scale))


@given(st.lists(TIES, min_size=3, max_size=20), st.sampled_from([0.05, 0.1, 1.5]))
def test_a_margin_moves_the_mean_that_is_tested(values: list[float], margin: float) -> None:
    assume(np.std(values) > 1e-3)
    found, known = t_of(values, margin=margin), stats.ttest_1samp(values, -margin, alternative="less")
    assert math.isclose(found.test.p, known.pvalue, rel_tol=1e-9)
    assert (found.margin, found.interval) == (margin, t_of(values).interval)


def test_a_mean_at_the_margin_is_not_past_it() -> None:
    assert t_of([-0.1, -0.3, -0.2], margin=0.2).test.p == 0.5


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 6), st.one_of(BINARY, TIES)), min_size=3, max_size=40))
def test_the_clustered_mean_is_that_of_statsmodels(pairs: list[tuple[int, float]]) -> None:
    groups, values = [group for group, _ in pairs], [value for _, value in pairs]
    clusters = by_group(pairs)
    spread = {Fraction(total) - count * Fraction(sums(values)[1]) / len(values) for count, total in clusters}
    assume(len(clusters) > 1 and spread != {0})
    found = clustered_mean(clusters, 0.95)
    kinds = {"groups": groups, "use_correction": True}
    known = OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds=kinds, use_t=True)
    assert found is not None
    assert math.isclose(found.estimate, known.params[0], rel_tol=1e-9, abs_tol=1e-12)
    assert math.isclose(found.standard_error, known.bse[0], rel_tol=1e-9)
    assert math.isclose(found.test.p_two_sided, known.pvalues[0], rel_tol=1e-9)
    assert found.df == len(clusters) - 1 == known.df_resid_inference
    assert np.allclose([found.interval.low, found.interval.high], known.conf_int()[0], rtol=1e-9, atol=1e-12)


def by_group(pairs: list[tuple[int, float]]) -> list[tuple[int, Decimal]]:
    found: dict[int, list[float]] = {}
    for group, value in pairs:
        found.setdefault(group, []).append(value)
    return [sums(values)[:2] for values in found.values()]


@given(st.lists(TIES, min_size=2, max_size=20))
def test_clusters_of_one_pair_are_pairs(values: list[float]) -> None:
    found, known = clustered_mean([(1, Decimal(str(value))) for value in values], 0.95), t_of(values)
    assert found is not None
    assert math.isclose(found.standard_error, known.standard_error, rel_tol=1e-12)
    assert (found.estimate, found.df, found.degenerate) == (known.estimate, known.df, known.degenerate)


def test_without_two_pairs_or_two_clusters_there_is_no_answer() -> None:
    assert paired_mean(0, Decimal(0), Decimal(0), 0.95) is None
    assert paired_mean(1, Decimal(1), Decimal(1), 0.95) is None
    assert clustered_mean([(7, Decimal(-2))], 0.95) is None


@pytest.mark.parametrize(
    ("d", "margin", "p", "p_two_sided"),
    [(0, 0, 1.0, 1.0), (-1, 0, 0.0, 0.0), (1, 0, 1.0, 0.0), (-1, 1, 1.0, 1.0), (-1, 0.5, 0.0, 0.0), (-1, 2, 1.0, 0.0)],
)
def test_identical_differences_are_flagged(d: int, margin: float, p: float, p_two_sided: float) -> None:
    assert t_of([d] * 4, margin=margin) == MeanDifference(
        count=4,
        estimate=float(d),
        standard_error=0.0,
        df=3,
        margin=float(margin),
        interval=Interval(low=float(d), high=float(d), level=0.95, method="paired t"),
        test=Test(name="paired t", n=4, statistic=None, p=p, p_two_sided=p_two_sided, df=3),
        degenerate=True,
    )


def test_sums_of_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="too small for its sum"):
        paired_mean(2, Decimal(4), Decimal(1), 0.95)


def test_a_cluster_without_pairs_is_refused() -> None:
    with pytest.raises(ValueError, match="a cluster has 0 pairs"):
        clustered_mean([(0, Decimal(0)), (1, Decimal(1))], 0.95)


def test_a_difference_beyond_the_doubles_is_refused() -> None:
    with pytest.raises(InvalidRunError, match="larger than any double"):
        t_of([-1.7e308, 1.7e308])


def test_a_statistic_beyond_the_doubles_is_none_and_its_p_is_above_zero() -> None:
    squares = plain(10**6 + Fraction(1, 10**700))
    extreme = paired_mean(10**6, Decimal(-(10**6)), squares, 0.95)
    assert extreme is not None
    assert (extreme.test.statistic, extreme.test.p, extreme.degenerate) == (None, 5e-324, False)


@given(SAMPLES)
def test_the_standard_error_of_a_measure_is_that_of_the_test(values: list[float]) -> None:
    count, total, squares = sums(values)
    try:
        found = paired_mean(count, total, squares, 0.95)
    except InvalidRunError:
        return
    assert found is not None
    assert exact.standard_error(count, total, squares) == found.standard_error
