"""Laws and rows of how numbers are printed: rounding never hides a difference."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runstore.reports import numbers

FINITE = st.floats(allow_nan=False, allow_infinity=False)
PAIRS = st.one_of(
    st.tuples(FINITE, FINITE),
    FINITE.map(lambda value: (value, math.nextafter(value, math.inf))),
    st.tuples(st.floats(0, 1), st.sampled_from([1e-4, 1e-5, 1e-9, 1e-15])).map(lambda two: (two[0], two[0] + two[1])),
    st.tuples(st.integers(-(2**53), 2**53), FINITE),
).filter(lambda two: all(map(math.isfinite, two)))


def value(text: str) -> float:
    return float(text.replace(",", ""))


@pytest.mark.parametrize("form", [numbers.pair, numbers.means])
@given(two=PAIRS)
def test_a_smaller_number_prints_smaller(form: object, two: tuple[float, float]) -> None:
    assert callable(form)
    low, high = sorted(two)
    printed = form(low, high)
    assert (value(printed[0]) < value(printed[1])) == (low < high)


@given(number=FINITE)
def test_only_zero_prints_as_zero_and_only_a_rise_with_a_plus(number: float) -> None:
    assert (value(numbers.single(number)) == 0) == (number == 0)
    assert numbers.signed(number).startswith("+") == (number > 0)
    assert numbers.signed(number).startswith("-") == (number < 0)


@given(number=FINITE.filter(lambda number: abs(number) < 1e300))
def test_only_whole_numbers_print_as_whole_ones(number: float) -> None:
    for text in (numbers.single(number), *numbers.means(number, 0.5), *numbers.pair(number, 1)):
        if value(text) not in (0.5, 1):
            assert value(text).is_integer() == number.is_integer()


def test_zero_has_no_sign() -> None:
    assert (numbers.single(-0.0), numbers.signed(-0.0), numbers.means(-0.0, 0.5)) == ("0", "0", ("0.0000", "0.5000"))


@given(two=PAIRS)
def test_the_ends_of_an_interval_have_their_signs_and_their_order(two: tuple[float, float]) -> None:
    low, high = sorted(two)
    ends = re.fullmatch(r"\[(\S+), (\S+)\]", numbers.interval(low, high))
    assert ends is not None
    assert [text.startswith("+") for text in ends.groups()] == [low > 0, high > 0]
    assert (value(ends[1]) < value(ends[2])) == (low < high)


@given(low=st.floats(0, 1), high=st.floats(0, 1))
def test_a_delta_says_which_way_it_went(low: float, high: float) -> None:
    before, after = numbers.means(low, high)
    sign = numbers.signed(high - low)[0]
    assert (sign == "+") == (value(before) < value(after))
    assert (sign == "-") == (value(before) > value(after))


@pytest.mark.parametrize(
    ("number", "printed"),
    [
        (0.99996, "0.99996"),
        (0.999999999999, "0.999999999999"),
        (1 - 2**-53, "0.9999999999999999"),
        (2.00001, "2.00001"),
        (-0.99999, "-0.99999"),
        (1, "1"),
        (0.12344, "0.1234"),
        (1234567.00004, "1,234,567.00004"),
        (-0.0, "0"),
    ],
)
def test_one_number_has_the_digits_it_takes(number: float, printed: str) -> None:
    assert numbers.single(number) == printed


@pytest.mark.parametrize(
    ("low", "high", "printed"),
    [
        (-0.25, 0.125, "[-0.2500, +0.1250]"),
        (-0.5, 0, "[-0.5000, 0.0000]"),
        (0.1, 0.1000001, "[+0.1000000, +0.1000001]"),
    ],
)
def test_an_interval_shows_both_ends(low: float, high: float, printed: str) -> None:
    assert numbers.interval(low, high) == printed


@pytest.mark.parametrize(
    ("baseline", "current", "printed"),
    [
        (1, 0, ("1", "0")),
        (1.0, 0.0, ("1", "0")),
        (12345, 12346, ("12,345", "12,346")),
        (0.9, 0.85, ("0.9000", "0.8500")),
        (0.5, 0.500001, ("0.500000", "0.500001")),
        (0.5, 0.5, ("0.5000", "0.5000")),
        (0.99996, 1, ("0.99996", "1.00000")),
        (0, 1e-9, ("0.0000", "1e-9")),
        (0.1 + 0.2, 0.3, ("0.30000000000000004", "0.3")),
        (1234.5, 0.00001, ("1,234.5000", "1e-5")),
        (1e300, -2.5e20, ("1e300", "-2.5e20")),
        (None, 0.5, ("none", "0.5000")),
        (0.5, None, ("0.5000", "none")),
    ],
)
def test_a_pair_of_scores_has_the_digits_it_takes(
    baseline: float | None, current: float | None, printed: tuple[str, str]
) -> None:
    assert numbers.pair(baseline, current) == printed


def test_means_keep_their_decimals() -> None:
    assert (numbers.means(1, 0.5), numbers.means(1, 1)) == (("1.0000", "0.5000"), ("1.0000", "1.0000"))


@pytest.mark.parametrize(
    ("delta", "printed"),
    [(0.25, "+0.2500"), (-0.25, "-0.2500"), (0, "0"), (1e-20, "+1e-20"), (-1234, "-1,234"), (None, "none")],
)
def test_a_delta_has_its_sign(delta: float | None, printed: str) -> None:
    assert numbers.signed(delta) == printed


def test_things_are_counted_with_their_name() -> None:
    assert [numbers.counted(number, "record") for number in (0, 1, 2345)] == ["0 records", "1 record", "2,345 records"]
