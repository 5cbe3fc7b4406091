"""Laws of exact sums, each held against fractions of the decimal texts."""

from __future__ import annotations

import math
import statistics
from decimal import Decimal
from fractions import Fraction

from hypothesis import example, given
from hypothesis import strategies as st

from runstore import exact
from runstore.canonical import MAX_SAFE_INTEGER, number_text
from runstore.errors import InvalidRunError
from runstore.exact import ExactSum

Number = int | float
_EXTREME = st.sampled_from(
    [
        0,
        -0.0,
        5e-324,
        -5e-324,
        2.2250738585072014e-308,
        1.7976931348623157e308,
        -1.7976931348623157e308,
        1e21,
        1e-7,
        0.1,
    ]
)
# At the edges of what is counted in millionths.
_EDGES = st.sampled_from(
    [999999999.999999, 1e9, -1e9, 0.000001, 0.0000015, 1e-6, 123456.7890125, 10**9, -(10**9), 999999999]
)
_DECIMALS = st.builds(lambda n, places: n / 10**places, st.integers(-(10**15), 10**15), st.integers(0, 8))
NUMBERS: st.SearchStrategy[Number] = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER),
    _EXTREME,
    _EDGES,
    _DECIMALS,
)
_LISTS = st.lists(NUMBERS, max_size=30)


def fraction(value: Number) -> Fraction:
    return Fraction(number_text(value))


def summed(values: list[Number]) -> ExactSum:
    sums = ExactSum()
    for value in values:
        sums.add(value)
    return sums


def parts(sums: ExactSum) -> tuple[int, Decimal, Decimal]:
    return sums.count, sums.sum, sums.squares


@given(_LISTS)
@example([0.1] * 10)
@example([1.7976931348623157e308] * 3 + [5e-324])
@example([1e9, 999999999.999999, 1000000000.000001])
def test_sums_are_those_of_the_decimal_texts(values: list[Number]) -> None:
    sums = summed(values)
    assert sums.count == len(values)
    assert Fraction(sums.sum) == sum(map(fraction, values))
    assert Fraction(sums.squares) == sum(fraction(value) ** 2 for value in values)
    assert exact.total(values) == sums.sum


@given(_LISTS, st.randoms(use_true_random=False))
def test_order_does_not_matter(values: list[Number], random: object) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert parts(summed(shuffled)) == parts(summed(values))


@given(_LISTS, _LISTS)
def test_parts_add_up_and_minus_undoes_plus(left: list[Number], right: list[Number]) -> None:
    one, other = summed(left), summed(right)
    both = one.plus(other)
    assert parts(both) == parts(summed(left + right))
    assert parts(both.minus(other)) == parts(one)


@given(_LISTS)
def test_what_is_pending_may_be_settled_at_any_time(values: list[Number]) -> None:
    sums = ExactSum()
    for value in values:
        sums.pending.append(value)
        sums.settle()
    assert parts(sums) == parts(summed(values))


@given(st.lists(NUMBERS, min_size=1, max_size=30))
def test_the_mean_is_the_nearest_double(values: list[Number]) -> None:
    assert exact.mean(len(values), exact.total(values)) == float(sum(map(fraction, values)) / len(values))


@given(st.lists(NUMBERS, min_size=2, max_size=20))
@example([0.1, 0.1, 0.1])
@example([5e-324, 0])
@example([1.7976931348623157e308, 1.7976931348623155e308])
def test_the_standard_deviation_is_the_nearest_double(values: list[Number]) -> None:
    sums = summed(values)
    try:
        found = exact.stddev(sums.count, sums.sum, sums.squares)
    except InvalidRunError:
        variance = statistics.variance(map(fraction, values))
        assert variance > Fraction(1.7976931348623157e308) ** 2
        return
    assert found == statistics.stdev(map(fraction, values))


@given(NUMBERS, st.integers(2, 20))
def test_equal_scores_have_no_deviation(value: Number, times: int) -> None:
    sums = summed([value] * times)
    assert exact.stddev(sums.count, sums.sum, sums.squares) == 0


@given(_LISTS)
def test_the_text_of_a_sum_is_read_back(values: list[Number]) -> None:
    total = exact.total(values)
    text = exact.text(total)
    assert exact.from_text(text) == total
    assert "e" not in text.lower()
    assert text == "0" or not text.strip("-").startswith("00")


@given(NUMBERS)
def test_a_number_is_the_decimal_of_its_text(value: Number) -> None:
    assert exact.exact(value) == Decimal(number_text(value))
    assert float(exact.exact(value)) == value


@given(NUMBERS, NUMBERS)
def test_decimals_are_added_and_multiplied_exactly(left: Number, right: Number) -> None:
    one, other = exact.exact(left), exact.exact(right)
    assert Fraction(exact.add(one, other)) == Fraction(one) + Fraction(other)
    assert Fraction(exact.subtract(one, other)) == Fraction(one) - Fraction(other)
    assert Fraction(exact.multiply(one, other)) == Fraction(one) * Fraction(other)
    assert math.isfinite(exact.exact(left))
