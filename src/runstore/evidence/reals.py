"""Real numbers as the statistics need them: decimals of 40 digits in, one rounding to a double out.

The C library's `exp` and `log` differ in the last bit from platform to platform; those of `decimal` are correctly
rounded everywhere, as are its sums, products, quotients and square roots. So every figure is computed in decimal and
rounded to a double once, at the very end: the same bits on every platform.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable
from decimal import Decimal
from functools import wraps
from typing import ParamSpec, Protocol, TypeVar

from runstore import exact
from runstore.errors import InvalidRunError

# The range of exponents is the widest that a 32-bit `decimal` has: tails of a million pairs do not vanish.
_CONTEXT = decimal.Context(
    prec=40,
    rounding=decimal.ROUND_HALF_EVEN,
    Emin=-425_000_000,
    Emax=425_000_000,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)
ZERO, HALF, ONE, TWO = Decimal(0), Decimal("0.5"), Decimal(1), Decimal(2)
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459")
LOG_ROOT_TWO_PI = Decimal("0.91893853320467274178032973640561763986139747363778341281715154")
EPSILON = Decimal("1e-28")
"""Where a series or a fraction is cut off, relative to its value: far below what a double shows."""
VANISHING = Decimal("1e-400000000")
"""Stands for a tail that is not zero and smaller than a decimal here can be."""
_ROOT_WIDTH = Decimal("1e-20")
_LEAST_DOUBLE = 5e-324

P = ParamSpec("P")
R = TypeVar("R")


class Ratio(Protocol):
    """A rational number such as `fractions.Fraction`."""

    def as_integer_ratio(self) -> tuple[int, int]:
        """Numerator and denominator."""
        ...


Real = int | float | Decimal | Ratio


def working(function: Callable[P, R]) -> Callable[P, R]:
    """The function with its decimal operators computing in 40 digits, whatever the caller's context is."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with decimal.localcontext(_CONTEXT):
            return function(*args, **kwargs)

    return run


def real(value: Real) -> Decimal:
    """The decimal of a number. A double is the decimal that its text denotes (0.05 is five hundredths).

    A ratio is rounded to 40 digits. Raises ValueError if the number is not finite.
    """
    if isinstance(value, Decimal):
        number = value
    elif isinstance(value, float):
        number = exact.exact(value) if value - value == 0 else Decimal(value)
    elif isinstance(value, int):
        number = Decimal(value)
    else:
        top, bottom = value.as_integer_ratio()
        number = _CONTEXT.divide(Decimal(top), Decimal(bottom))
    if not number.is_finite():
        raise ValueError(f"not a finite number: {value}")
    return number


def nearest(value: Decimal, what: str) -> float:
    """The double nearest to a figure. Raises InvalidRunError if it is larger than the largest double."""
    number = float(value)
    if number - number != 0:
        raise InvalidRunError(f"{what} is larger than any double", hint="declare a range or rescale the scores")
    return number + 0.0  # never a negative zero: a figure has one text


def probability(value: Decimal) -> float:
    """The double nearest to a probability, within [0, 1].

    A probability that is not zero never becomes zero: 5e-324, the least double, means "this or less".
    """
    return max(min(float(value), 1.0), _LEAST_DOUBLE) if value > 0 else 0.0


def share(value: Real, what: str) -> Decimal:
    """A number strictly between 0 and 1. Raises ValueError, naming `what` it is, if it is not."""
    number = real(value)
    if not 0 < number < 1:
        raise ValueError(f"{what} must lie between 0 and 1, not {value}")
    return number


def raised(base: Decimal, exponent: Decimal) -> Decimal:
    """base to the power of a positive exponent; for a whole or half one by squaring, which is fast and needs no `ln`.

    `Decimal.__pow__` is not used: its last digit is not promised. To be called where 40 digits are in force.
    """
    twice = 2 * exponent
    times = int(twice)
    if times != twice or times >> 40:
        return (exponent * base.ln()).exp() if base else ZERO
    result = ONE
    square = base
    while times:
        if times & 1:
            result *= square
        square *= square
        times >>= 1
    return result.sqrt()


def root(function: Callable[[Decimal], Decimal], low: Decimal, high: Decimal) -> Decimal:
    """Where a continuous function crosses zero between two places at which its signs differ.

    Inverse quadratic interpolation, and bisection where that is not safe. Source: Chandrupatla (1997), A new hybrid
    quadratic/bisection algorithm, Advances in Engineering Software 28(3), 145-149.
    """
    a, b = high, low
    at_a, at_b = function(a), function(b)
    c, at_c = a, at_a
    where = HALF
    for _ in range(400):
        place = a + where * (b - a)
        value = function(place)
        c, at_c = (a, at_a) if (value > 0) == (at_a > 0) else (b, at_b)
        if (value > 0) != (at_a > 0):
            b, at_b = a, at_a
        a, at_a = place, value
        best, at_best = (a, at_a) if abs(at_a) < abs(at_b) else (b, at_b)
        width = abs(b - a)
        edge = _ROOT_WIDTH * abs(best) / width if width else ONE
        if edge > HALF or at_best == 0:
            return best
        spread = (a - b) / (c - b)
        ratio = (at_a - at_b) / (at_c - at_b)
        where = HALF
        if ratio * ratio < spread and (1 - ratio) ** 2 < 1 - spread:
            first = at_a / (at_b - at_a) * at_c / (at_b - at_c)
            where = first + (c - a) / (b - a) * at_a / (at_c - at_a) * at_b / (at_c - at_b)
        where = min(max(where, edge), 1 - edge)
    raise ArithmeticError("no root was found")
