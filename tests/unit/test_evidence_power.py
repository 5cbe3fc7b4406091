"""Power and detectable effects against statsmodels, brute force and simulation."""

from __future__ import annotations

import math
import random
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]
from statsmodels.stats.power import TTestPower  # type: ignore[import-untyped]

from runstore.evidence import power
from runstore.evidence.paired import mcnemar
from runstore.evidence.power import (
    detectable,
    mcnemar_detectable,
    mcnemar_power,
    minimum_detectable_effect,
    power_at,
    power_of,
)

ALPHAS = st.sampled_from([0.001, 0.01, 0.05, 0.1, 0.3])


@settings(max_examples=60)
@given(st.sampled_from([2, 3, 10, 50, 1000, 10**5, 10**6]), st.floats(-0.5, 5), ALPHAS)
def test_power_is_that_of_statsmodels(n: int, shift: float, alpha: float) -> None:
    effect = shift / math.sqrt(n)
    found = power_of(n, 2.5, effect * 2.5, alpha)
    assert found == pytest.approx(TTestPower().power(effect, n, alpha, alternative="larger"), rel=1e-9, abs=1e-12)
    assert found == pytest.approx(TTestPower().power(-effect, n, alpha, alternative="smaller"), rel=1e-9, abs=1e-12)


@settings(max_examples=60)
@given(
    st.one_of(st.integers(1, 200), st.sampled_from([10**4, 10**6 - 1, Fraction(59, 2)])),
    ALPHAS,
    st.sampled_from([0.4, 0.8, 0.9, 0.99]),
)
def test_a_detectable_effect_is_seen_as_often_as_asked(df: int | Fraction, alpha: float, goal: float) -> None:
    effect = detectable(0.125, df, alpha, goal)
    assert effect is not None
    assert power_at(effect, 0.125, df, alpha) == pytest.approx(goal, rel=1e-13)


@pytest.mark.parametrize("n", [3, 10, 50, 1000])
def test_the_minimum_detectable_effect_is_that_of_statsmodels(n: int) -> None:
    known = TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8, alternative="larger")
    assert minimum_detectable_effect(n, 0.25, 0.05, 0.8) == pytest.approx(
        0.25 * known, rel=1e-4
    )  # where its search stops


def test_without_an_effect_power_is_alpha() -> None:
    assert power_at(0, 1, 7, 0.05) == 0.05


def test_a_search_that_strays_ends_in_the_same_place(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [detectable(1, 3, 0.01, 0.9), mcnemar_detectable(90, 0.3, 0.05, 0.8)]
    monkeypatch.setattr(power, "_climb", lambda *_: None)
    assert [detectable(1, 3, 0.01, 0.9), mcnemar_detectable(90, 0.3, 0.05, 0.8)] == wanted


def test_a_sample_without_spread_does_not_say_what_it_would_have_shown() -> None:
    assert power_at(0.1, 0, 9, 0.05) is None
    assert detectable(0, 9, 0.05, 0.8) is None
    assert power_of(10, 0, 0.1, 0.05) is None
    assert minimum_detectable_effect(10, 0, 0.05, 0.8) is None


def test_one_pair_has_no_power() -> None:
    assert (power_of(1, 1, 1, 0.05), minimum_detectable_effect(1, 1, 0.05, 0.8)) == (None, None)


@pytest.mark.parametrize(
    ("error", "df", "alpha", "goal", "message"),
    [
        (1, 9, 0, 0.8, "alpha must lie between 0 and 1"),
        (1, 9, 0.05, 1, "power must lie between 0 and 1"),
        (1, 9, 0.05, 0.05, "no more than alpha"),
        (-1, 9, 0.05, 0.8, "says nothing"),
        (1, 0, 0.05, 0.8, "says nothing"),
    ],
)
def test_impossible_questions_are_refused(error: int, df: int, alpha: float, goal: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        detectable(error, df, alpha, goal)


def by_hand(n: int, worse: float, better: float, alpha: float) -> float:
    """Over all numbers of pairs that differ, and all ways they may fall: is McNemar's p at most alpha?"""
    differing = worse + better
    total = 0.0
    for m in range(n + 1):
        fallen = np.arange(m + 1)
        seen = [mcnemar(int(k), m - int(k)).p <= alpha for k in fallen]
        total += stats.binom.pmf(m, n, differing) * stats.binom.pmf(fallen, m, worse / differing)[seen].sum()
    return total


@pytest.mark.parametrize(
    ("n", "worse", "better", "alpha"),
    [
        (5, 0.6, 0.4, 0.05),
        (5, 1.0, 0.0, 0.03125),
        (20, 0.3, 0.1, 0.05),
        (40, 0.2, 0.0, 0.01),
        (60, 0.05, 0.1, 0.05),
        (3, 0.5, 0.5, 0.9),
    ],
)
def test_the_power_of_mcnemar_is_the_sum_over_all_outcomes(n: int, worse: float, better: float, alpha: float) -> None:
    assert mcnemar_power(n, worse, better, alpha) == pytest.approx(by_hand(n, worse, better, alpha), abs=2e-12)


def test_without_pairs_that_differ_mcnemar_sees_nothing() -> None:
    assert (mcnemar_power(0, 0.1, 0.1, 0.05), mcnemar_power(100, 0, 0, 0.05)) == (0.0, 0.0)
    assert mcnemar_detectable(100, 0, 0.05, 0.8) is None


@pytest.mark.parametrize(("n", "worse", "better"), [(2600, 0.07, 0.04), (1000, 0.2, 0.15), (20_000, 0.013, 0.01)])
def test_the_power_of_mcnemar_is_that_of_simulation(n: int, worse: float, better: float) -> None:
    source = np.random.default_rng(7)
    drawn = source.multinomial(n, [worse, better, 1 - worse - better], size=40_000)
    seen = stats.binom.sf(drawn[:, 0] - 1, drawn[:, 0] + drawn[:, 1], 0.5) <= 0.05
    assert mcnemar_power(n, worse, better, 0.05) == pytest.approx(seen.mean(), abs=0.012)


@pytest.mark.parametrize("alpha", [0.001, 0.01, 0.05, 0.2])
@pytest.mark.parametrize(("n", "differing"), [(2600, "0.1"), (600, "0.5"), (300, "0.9"), (100_000, "0.0026")])
def test_the_approximation_is_within_a_hundredth_of_the_sum(
    n: int, differing: str, alpha: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = Decimal(differing)
    for quarter in range(13):
        net = quarter * (share / n).sqrt() / 2
        sides = (share + net) / 2, (share - net) / 2
        near = mcnemar_power(n, *sides, alpha)
        monkeypatch.setattr(power, "MCNEMAR_EXACT_UP_TO", 10**9)
        exact = mcnemar_power(n, *sides, alpha)
        monkeypatch.undo()
        assert near != exact
        assert abs(near - exact) < 0.01


@settings(max_examples=25)
@given(
    st.integers(1, 3000),
    st.sampled_from([0.01, 0.1, 0.3, 1]),
    st.sampled_from([0.01, 0.05]),
    st.sampled_from([0.5, 0.8]),
)
def test_the_smallest_net_drop_is_seen_as_often_as_asked(n: int, differing: float, alpha: float, goal: float) -> None:
    share = Decimal(str(differing))
    found = mcnemar_detectable(n, differing, alpha, goal)
    if found is None:
        assert mcnemar_power(n, share, 0, alpha) < goal
    else:
        net = min(Decimal(repr(found)), share)
        assert mcnemar_power(n, (share + net) / 2, (share - net) / 2, alpha) == pytest.approx(goal, abs=1e-9)


@pytest.mark.parametrize(("n", "worse", "better"), [(-1, 0.1, 0.1), (5, -0.1, 0.1), (5, 0.6, 0.5)])
def test_what_are_no_probabilities_is_refused(n: int, worse: float, better: float) -> None:
    with pytest.raises(ValueError, match="not probabilities"):
        mcnemar_power(n, worse, better, 0.05)


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_what_is_no_share_of_pairs_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="not a share"):
        mcnemar_detectable(10, share, 0.05, 0.8)


def test_a_drop_that_is_simulated_is_seen_as_often_as_power_says() -> None:
    source = random.Random(11)
    critical, seen = stats.t.ppf(0.05, 11), 0
    for _ in range(4000):
        values = [source.gauss(-0.6, 1) for _ in range(12)]
        centre = math.fsum(values) / 12
        error = math.sqrt(math.fsum((value - centre) ** 2 for value in values) / 11 / 12)
        seen += centre / error < critical
    assert power_of(12, 1, 0.6, 0.05) == pytest.approx(seen / 4000, abs=0.03)
