"""The sign-flip test against all sign patterns, against scipy, and against itself by other ways of counting."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from runstore.errors import InvalidRunError
from runstore.evidence import permutation
from runstore.evidence.grid import Number, coarse, on_grid
from runstore.evidence.intervals import clopper_pearson
from runstore.evidence.permutation import SignFlip, sign_flip
from runstore.evidence.results import Test

TENTHS = st.integers(-9, 9).map(lambda n: Decimal(n) / 10)
SMALL = st.one_of(
    *(st.lists(kind, max_size=9) for kind in (st.integers(-1, 1), TENTHS, st.integers(-(10**15), 10**15)))
)


def flip(differences: list[int] | list[Decimal] | list[float], resamples: int = 1000, seed: str = "seed") -> SignFlip:
    return sign_flip(differences, max(len(differences), 1), resamples, seed)


def all_patterns(differences: Sequence[int | Decimal]) -> tuple[float, float]:
    exact = [Decimal(d) for d in differences]
    observed = sum(exact, Decimal(0))
    patterns = itertools.product((1, -1), repeat=len(exact))
    sums = [sum((sign * abs(d) for sign, d in zip(pattern, exact, strict=True)), Decimal(0)) for pattern in patterns]
    return sum(one <= observed for one in sums) / len(sums), sum(abs(one) >= abs(observed) for one in sums) / len(sums)


@given(SMALL)
def test_few_differences_are_judged_by_all_patterns_of_signs(differences: list[int] | list[Decimal]) -> None:
    found = flip(differences)
    assert (found.exact, found.resamples, found.p_interval, found.rounded) == (True, 0, None, False)
    assert (found.test.p, found.test.p_two_sided) == all_patterns(differences)


@settings(max_examples=20)
@given(st.lists(st.integers(-20, 20), min_size=2, max_size=11).filter(any))
def test_the_exact_test_is_that_of_scipy(differences: list[int]) -> None:
    known = stats.permutation_test(
        (np.asarray(differences, float),), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="less"
    )
    assert math.isclose(flip(differences).test.p, known.pvalue, rel_tol=1e-12)


@settings(max_examples=30)
@given(st.lists(st.integers(-30, 30), min_size=12, max_size=22).filter(any))
def test_counting_by_lists_by_products_and_by_coins_agree(differences: list[int]) -> None:
    sizes = sorted(abs(d) for d in differences if d)
    for bound in (-1, 0, 1, sum(sizes) // 3, sum(sizes) // 2):
        assert permutation._listed(sizes, bound) == permutation._convolved(sizes, bound)


def test_many_small_whole_differences_are_counted_exactly() -> None:
    differences = [1] * 40 + [-1] * 52 + [2] * 18 + [-2] * 21
    found = flip(differences)
    ways = {0: 1}
    for d in differences:
        after: dict[int, int] = {}
        for total, times in ways.items():
            for moved in (total + d, total - d):
                after[moved] = after.get(moved, 0) + times
        ways = after
    low = sum(times for total, times in ways.items() if total <= sum(differences))
    assert found.exact
    assert found.test.p == low / 2 ** len(differences)


def test_equal_distances_are_coins() -> None:
    differences = [-0.25] * 3000 + [0.25] * 2900
    assert math.isclose(flip(differences).test.p, stats.binomtest(2900, 5900, alternative="less").pvalue, rel_tol=1e-9)


def test_without_differences_nothing_is_shown() -> None:
    test = Test(name="sign flip", n=7, statistic=0.0, p=1.0, p_two_sided=1.0)
    assert sign_flip([0, 0.0, Decimal(0)], 7, 10, "seed").test == test


def drawn(seed: int, count: int) -> list[float]:
    source = random.Random(seed)
    return [source.gauss(-0.1, 1) for _ in range(count)]


@pytest.mark.parametrize(
    "differences",
    [[round(value * 1000) for value in drawn(5, 20)], [-1, 1, -2, 1, -3, 2], [1, -1, 2, 1, 3], [-1, 1, 2, -2]],
)
def test_drawn_signs_come_close_to_all_of_them(differences: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    exact = flip(differences)
    monkeypatch.setattr(permutation, "_LISTED_UP_TO", 0)
    monkeypatch.setattr(permutation, "_COUNTED_UP_TO", 0)
    found = flip(differences, 4000)
    assert (found.exact, found.resamples) == (False, 4000)
    assert found.p_interval is not None
    assert found.p_interval.low < exact.test.p < found.p_interval.high
    assert abs(found.test.p_two_sided - exact.test.p_two_sided) < 0.03


def test_every_draw_counts_and_so_does_the_observed_pattern() -> None:
    found = flip([-value for value in range(1, 2000)], 99)
    assert (found.test.p, found.test.p_two_sided) == (0.01, 0.01)
    assert found.p_interval == clopper_pearson(0, 99, 0.99)


def test_a_draw_is_defined_by_the_text_and_its_number() -> None:
    signs = list(permutation._signs(12, 3, "seed"))
    assert [sign & 0xFFF for sign in signs] == [sign & 0xFFF for sign in permutation._signs(12, 5, "seed")][:3]
    assert len({*signs, *permutation._signs(12, 3, "other")}) == 6


def test_a_plane_holds_the_bits_of_the_sizes() -> None:
    sizes = [1, 2, 3, 300, 2**39 + 5]
    planes = list(permutation._planes(sizes))
    everyone = (1 << len(sizes)) - 1
    assert sum((everyone & plane).bit_count() << place for place, plane, _ in planes) == sum(sizes)
    assert [sum((plane >> i & 1) << place for place, plane, _ in planes) for i in range(5)] == sizes[::-1]
    assert planes[-1][2] == 0


@given(st.lists(st.one_of(TENTHS, st.integers(-9, 9), st.floats(-1, 1)), max_size=20))
def test_a_grid_is_exact(differences: list[Number]) -> None:
    grid = on_grid(differences)
    exact = sorted(abs(Decimal(str(d))) for d in differences if d)
    assert not grid.rounded
    assert len(grid.steps) == len(exact)
    if exact:
        assert [Decimal(size) * exact[-1] for size in grid.sizes] == pytest.approx(
            [one * grid.sizes[-1] for one in exact], rel=Decimal("1e-20")
        )
        assert math.gcd(*grid.steps) == 1


def test_many_millionths_stay_exact() -> None:
    differences = [n / 10**6 for n in range(-5000, 5001)]
    grid = on_grid(differences)
    assert (grid.rounded, grid.sum, sorted(grid.steps)) == (False, Decimal(0), [n for n in range(-5000, 5001) if n])


def test_many_doubles_are_rounded_to_forty_bits_of_the_largest() -> None:
    differences = drawn(1, 5000)
    grid = on_grid(differences)
    unit = max(map(abs, differences)) / max(grid.sizes)
    assert grid.rounded
    assert max(grid.sizes).bit_length() == 40
    assert sorted(step * unit for step in grid.steps) == pytest.approx(sorted(differences), abs=1e-11)


def test_wide_decimals_are_rounded_for_drawing_and_say_so() -> None:
    differences = [Decimal(f"0.{n}{'7' * 30}") * (-1) ** n for n in range(10, 99)]
    found = flip(differences, 200)
    assert (found.exact, found.rounded) == (False, True)
    assert coarse(on_grid(differences)).steps[-1].bit_length() == 40


def test_sums_that_leave_the_doubles_on_the_way_are_no_trouble() -> None:
    differences = [value * 1e307 for value in drawn(2, 4500)] + [1.7e308, 1.7e308, -1.7e308, -1.7e308]
    assert flip(differences, 10).test.statistic == pytest.approx(sum(d / 4504 for d in differences))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("others", [[], drawn(3, 5000)])
def test_what_is_not_finite_is_refused(bad: float, others: list[float]) -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        flip([*others, bad])
    with pytest.raises(ValueError, match="not a finite number"):
        flip([bad, *others])


@pytest.mark.parametrize(("count", "resamples"), [(1, 10), (2, 0)])
def test_too_few_pairs_or_resamples_are_refused(count: int, resamples: int) -> None:
    with pytest.raises(ValueError, match="make no test"):
        sign_flip([1, -2], count, resamples, "seed")


def test_a_mean_beyond_the_doubles_is_refused() -> None:
    with pytest.raises(InvalidRunError, match="larger than any double"):
        sign_flip([Decimal("1e309")], 1, 10, "seed")


@pytest.mark.slow
def test_a_million_differences_are_drawn_a_thousand_times() -> None:
    found = flip(drawn(4, 1_000_000), 1000)
    assert (found.exact, found.resamples, found.rounded, found.test.n) == (False, 1000, True, 1_000_000)
    assert found.test.p == 1 / 1001
