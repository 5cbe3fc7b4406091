"""Exact decimal sums: numbers in, sums that do not depend on order out.

The value of a score is the decimal number its canonical text denotes, so 0.1 + 0.2 is 0.3. Sums of such numbers are
finite decimals: they can be added, taken apart and spread over machines without an error term. Values are buffered and
counted first, because real scores repeat: a column of 0/1 scores costs two conversions, not a million.
"""

from __future__ import annotations

import decimal
import math
import re
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from runstore.canonical import number_text
from runstore.errors import InvalidRunError

# Doubles reach from 5e-324 to 1.8e308; squares double the exponents and a sum of 10^15 of them adds 15 digits.
_CONTEXT = decimal.Context(
    prec=2600, Emax=999999, Emin=-999999, traps=[decimal.Inexact, decimal.InvalidOperation, decimal.Overflow]
)
_BUFFERED_VALUES = 4096
_TEXT = re.compile(r"(?:0|-?(?:0\.[0-9]*[1-9]|[1-9][0-9]*(?:\.[0-9]*[1-9])?))\Z")


class ExactSum:
    """Count, sum and sum of squares of scores; adds exactly, in any order."""

    __slots__ = ("_buffer", "_count", "_squares", "_sum")

    def __init__(self, count: int = 0, total: Decimal = Decimal(0), squares: Decimal = Decimal(0)) -> None:
        self._count = count
        self._sum = total
        self._squares = squares
        self._buffer: list[int | float] = []

    def add(self, value: int | float) -> None:
        """Add one finite number."""
        buffer = self._buffer
        buffer.append(value)
        if len(buffer) >= _BUFFERED_VALUES:
            self._flush()

    def _flush(self) -> None:
        if not self._buffer:
            return
        self._count += len(self._buffer)
        add, multiply = _CONTEXT.add, _CONTEXT.multiply
        total, squares = self._sum, self._squares
        for value, times in Counter(self._buffer).items():
            exact = Decimal(number_text(value))
            share = multiply(exact, Decimal(times))
            total = add(total, share)
            squares = add(squares, multiply(exact, share))
        self._sum, self._squares = total, squares
        self._buffer.clear()

    @property
    def count(self) -> int:
        """How many values were added."""
        return self._count + len(self._buffer)

    @property
    def sum(self) -> Decimal:
        """The exact sum."""
        self._flush()
        return self._sum

    @property
    def squares(self) -> Decimal:
        """The exact sum of squares."""
        self._flush()
        return self._squares

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


def add(left: Decimal, right: Decimal) -> Decimal:
    """The exact sum of two decimals."""
    return _CONTEXT.add(left, right)


def subtract(left: Decimal, right: Decimal) -> Decimal:
    """The exact difference of two decimals."""
    return _CONTEXT.subtract(left, right)


def multiply(left: Decimal, right: Decimal) -> Decimal:
    """The exact product of two decimals."""
    return _CONTEXT.multiply(left, right)


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
