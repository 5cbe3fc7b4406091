"""Exact sums: the cases that name what they are for. The laws stand in tests/property."""

from __future__ import annotations

from decimal import Decimal

import pytest

from runstore import exact
from runstore.errors import InvalidRunError
from runstore.exact import ExactSum


def test_a_tenth_and_two_tenths_are_three_tenths() -> None:
    assert exact.total([0.1, 0.2]) == Decimal("0.3")


def test_a_sum_forgets_nothing_that_is_small_beside_something_large() -> None:
    assert exact.total([1e308, 5e-324, -1e308]) == Decimal("5e-324")


def test_values_are_added_up_before_too_many_are_pending() -> None:
    sums = ExactSum()
    for _ in range(20_000):
        sums.add(0.1)
    assert len(sums.pending) < 8192
    assert (sums.count, sums.sum, sums.squares) == (20_000, Decimal(2000), Decimal(200))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("0"), "0"),
        (Decimal("-0"), "0"),
        (Decimal("0.30"), "0.3"),
        (Decimal("100"), "100"),
        (Decimal("1E+3"), "1000"),
        (Decimal("-1.50E-3"), "-0.0015"),
    ],
)
def test_the_text_of_a_sum_is_plain(value: Decimal, text: str) -> None:
    assert exact.text(value) == text
    assert exact.from_text(text) == value


@pytest.mark.parametrize(
    "text", ["", "-0", "+1", "01", "1.", ".5", "1.50", "1e3", "NaN", "inf", " 1", "1\n", "١", "1_000", "0.0", "--1"]
)
def test_other_texts_are_no_sums(text: str) -> None:
    with pytest.raises(ValueError, match="not a plain decimal"):
        exact.from_text(text)


def test_a_deviation_beyond_the_doubles_is_refused() -> None:
    sums = ExactSum()
    for value in (1.7e308, -1.7e308):
        sums.add(value)
    with pytest.raises(InvalidRunError, match="larger than any double"):
        exact.stddev(sums.count, sums.sum, sums.squares)
