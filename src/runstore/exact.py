"""Exact decimal sums: numbers in, sums that do not depend on order out.

The value of a score is the decimal number its canonical text denotes, so 0.1 + 0.2 is 0.3. Sums of such numbers are
finite decimals: they can be added, taken apart and spread over machines without an error term. Values are buffered and
counted first, because real scores repeat: a column of 0/1 scores costs two conversions, not a million.
"""

from __future__ import annotations

import decimal
import math
import operator
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal

from runstore.canonical import number_text
from runstore.errors import InvalidRunError

# Doubles reach from 5e-324 to 1.8e308; squares double the exponents and a sum of 10^15 of them adds 15 digits.
_CONTEXT = decimal.Context(
    prec=2600, Emax=999999, Emin=-999999, traps=[decimal.Inexact, decimal.InvalidOperation, decimal.Overflow]
)
_BUFFERED_VALUES = 8192
# Most scores have at most six decimals: n / 10^6 with n of at most 15 digits. Two decimals of at most 15 digits are
# never the same double, so when n / 10^6 rounds to the score, its canonical text denotes just that decimal, and
# integers do the work of decimals. Source: DBL_DIG, IEEE 754 binary64.
_DECIMALS = 6
_SCALE = 10**_DECIMALS
_SCALED_BELOW = 10**15
_TEXT = re.compile(r"(?:0|-?(?:0\.[0-9]*[1-9]|[1-9][0-9]*(?:\.[0-9]*[1-9])?))\Z")


class ExactSum:
    """Count, sum and sum of squares of scores; adds exactly, in any order."""

    __slots__ = ("_count", "_scaled", "_scaled_squares", "_squares", "_sum", "pending")

    def __init__(self, count: int = 0, total: Decimal = Decimal(0), squares: Decimal = Decimal(0)) -> None:
        self._count = count
        self._sum = total
        self._squares = squares
        self._scaled = 0
        self._scaled_squares = 0
        self.pending: list[int | float] = []
        """Values taken and not yet added up: whoever appends here by himself calls `settle` now and then."""

    def add(self, value: int | float) -> None:
        """Add one finite number."""
        self.pending.append(value)
        if len(self.pending) >= _BUFFERED_VALUES:
            self.settle()

    def add_scaled(self, values: Sequence[int]) -> None:
        """Add numbers given in units of 10^-6, as `scaled` gives them."""
        self._count += len(values)
        self._scaled += sum(values)
        self._scaled_squares += sum(map(operator.mul, values, values))

    def add_decimal(self, number: Decimal, times: int = 1) -> None:
        """Add a decimal number some times."""
        self._count += times
        self._add_exact(number, times)

    def absorb(self, other: ExactSum) -> None:
        """Add the values of another sum."""
        other.settle()
        self._count += other._count
        self._scaled += other._scaled
        self._scaled_squares += other._scaled_squares
        self._sum = _CONTEXT.add(self._sum, other._sum)
        self._squares = _CONTEXT.add(self._squares, other._squares)

    def settle(self) -> None:
        """Add up what is pending."""
        if not self.pending:
            return
        self._count += len(self.pending)
        scaled = scaled_squares = 0
        for value, times in Counter(self.pending).items():
            # For an int this is exact; a float is scaled exactly enough to be rounded, and then held against itself.
            number = value * _SCALE if type(value) is int else round(value * 1e6) if -1e9 < value < 1e9 else 0
            if -_SCALED_BELOW < number < _SCALED_BELOW and number / _SCALE == value:
                scaled += number * times
                scaled_squares += number * number * times
            else:
                self._add_exact(Decimal(number_text(value)), times)
        self._scaled += scaled
        self._scaled_squares += scaled_squares
        self.pending.clear()

    def _add_exact(self, number: Decimal, times: int) -> None:
        share = _CONTEXT.multiply(number, Decimal(times))
        self._sum = _CONTEXT.add(self._sum, share)
        self._squares = _CONTEXT.add(self._squares, _CONTEXT.multiply(number, share))

    @property
    def count(self) -> int:
        """How many values were added."""
        return self._count + len(self.pending)

    @property
    def sum(self) -> Decimal:
        """The exact sum."""
        self.settle()
        return _CONTEXT.add(self._sum, _CONTEXT.scaleb(Decimal(self._scaled), -_DECIMALS))

    @property
    def squares(self) -> Decimal:
        """The exact sum of squares."""
        self.settle()
        return _CONTEXT.add(self._squares, _CONTEXT.scaleb(Decimal(self._scaled_squares), -2 * _DECIMALS))

    def plus(self, other: ExactSum) -> ExactSum:
        """The sum over both."""
        return ExactSum(
            self.count + other.count, _CONTEXT.add(self.sum, other.sum), _CONTEXT.add(self.squares, other.squares)
        )

    def minus(self, other: ExactSum) -> ExactSum:
        """The sum over these values without those of the other."""
        return ExactSum(
            self.count - other.count,
            _CONTEXT.subtract(self.sum, other.sum),
            _CONTEXT.subtract(self.squares, other.squares),
        )


def scaled(values: Sequence[int | float]) -> list[int] | None:
    """The values in units of 10^-6, if that is what the canonical text of each of them denotes; else None."""
    if min(values) <= -1e9 or max(values) >= 1e9:
        return None
    numbers = [round(value * 1e6) for value in values]
    return numbers if [number / 1e6 for number in numbers] == values else None


def add(left: Decimal, right: Decimal) -> Decimal:
    """The exact sum of two decimals."""
    return _CONTEXT.add(left, right)


def subtract(left: Decimal, right: Decimal) -> Decimal:
    """The exact difference of two decimals."""
    return _CONTEXT.subtract(left, right)


def multiply(left: Decimal, right: Decimal) -> Decimal:
    """The exact product of two decimals."""
    return _CONTEXT.multiply(left, right)


def difference(left: int | float, right: int | float) -> Decimal:
    """The exact difference of two numbers, as their canonical texts denote them."""
    return _CONTEXT.subtract(exact(left), exact(right))


def total(values: Iterable[int | float]) -> Decimal:
    """The exact sum of numbers."""
    sums = ExactSum()
    for value in values:
        sums.add(value)
    return sums.sum


def exact(value: int | float) -> Decimal:
    """The decimal number that the canonical text of a finite number denotes."""
    return Decimal(number_text(value))


def mean(count: int, total: Decimal) -> float:
    """The double nearest to total / count, ties to even. `count` is at least 1."""
    numerator, denominator = total.as_integer_ratio()
    return numerator / (denominator * count)


def stddev(count: int, total: Decimal, squares: Decimal) -> float:
    """The double nearest to the sample standard deviation (n - 1). `count` is at least 2.

    Raises InvalidRunError if it is larger than the largest double.
    """
    # (squares - total^2 / n) / (n - 1), as one fraction of integers: no rounding before the root.
    top = subtract(multiply(squares, Decimal(count)), multiply(total, total))
    numerator, denominator = top.as_integer_ratio()
    return _root(numerator, denominator * count * (count - 1))


def standard_error(count: int, total: Decimal, squares: Decimal) -> float:
    """The double nearest to the standard error of a mean: `stddev` / sqrt(n). `count` is at least 2.

    Raises InvalidRunError if it is larger than the largest double.
    """
    top = subtract(multiply(squares, Decimal(count)), multiply(total, total))
    numerator, denominator = top.as_integer_ratio()
    return _root(numerator, denominator * count * count * (count - 1))


def _root(numerator: int, denominator: int) -> float:
    """The double nearest to sqrt(numerator / denominator), by an integer root with more than 53 bits to spare."""
    if numerator == 0:
        return 0.0
    shift = max(0, 160 - (numerator.bit_length() - denominator.bit_length()))
    shift += shift % 2
    quotient, rest = divmod(numerator << shift, denominator)
    root = math.isqrt(quotient)
    # A sticky bit keeps the rounding of the final division honest when the root is not exact.
    sticky = (root << 1) | int(root * root != quotient or rest != 0)
    try:
        return sticky / (1 << (shift // 2 + 1))
    except OverflowError:
        raise InvalidRunError(
            "the standard deviation of the scores is larger than any double", hint="declare a range or rescale"
        ) from None


def text(value: Decimal) -> str:
    """Plain decimal text without exponent, leading or trailing zeros: the form of sums in `summary.json`."""
    if value == 0:
        return "0"
    plain = format(value, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def from_text(source: str) -> Decimal:
    """The decimal of a sum's text. Raises ValueError if it is not in the form that `text` writes."""
    if not _TEXT.match(source):
        raise ValueError(f"not a plain decimal: {source[:40]!r}")
    return Decimal(source)
