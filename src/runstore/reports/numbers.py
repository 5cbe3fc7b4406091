"""Numbers for people: digits enough to be true, and no more. Rounding never hides a difference.

Two numbers that differ print differently, and a number that is not zero never prints as zero.
"""

from __future__ import annotations

_DECIMALS = 4
_MOST_DECIMALS = 17
_EXACT_INTEGERS = 2**53
NONE = "none"
"""Stands for a number that is not there."""


def pair(baseline: float | None, current: float | None) -> tuple[str, str]:
    """Two numbers with as many digits, from four decimals on, as it takes to tell them apart."""
    if baseline is None or current is None:
        return single(baseline), single(current)
    if _is_whole(baseline) and _is_whole(current):
        return f"{int(baseline):,}", f"{int(current):,}"
    return means(baseline, current)


def means(baseline: float | None, current: float | None) -> tuple[str, str]:
    """As `pair`, but whole numbers have decimals too: in a column of means they are no exception."""
    if baseline is None or current is None:
        return single(baseline), single(current)
    for decimals in range(_DECIMALS, _MOST_DECIMALS):
        texts = _text(baseline, decimals), _text(current, decimals)
        if _value(texts[0]) != _value(texts[1]) or baseline == current:
            return texts
    return repr(float(baseline)), repr(float(current))


def single(value: float | None) -> str:
    """One number, with four decimals or four significant digits after the first."""
    if value is None:
        return NONE
    return f"{int(value):,}" if _is_whole(value) else _text(value, _DECIMALS)


def signed(value: float | None) -> str:
    """A difference, with its sign; `0` only if it is zero."""
    if value is None:
        return NONE
    return f"+{single(value)}" if value > 0 else single(value)


def count(value: int) -> str:
    """A number of things."""
    return f"{value:,}"


def counted(value: int, noun: str) -> str:
    """A number of things with their name: `1 record`, `2 records`."""
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"


def _value(text: str) -> float:
    return float(text.replace(",", ""))


def _is_whole(value: float) -> bool:
    return abs(value) <= _EXACT_INTEGERS and float(value).is_integer()


def _text(value: float, decimals: int) -> str:
    if value != 0 and not 10.0**-decimals <= abs(value) < 1e15:
        mantissa, _, exponent = f"{value:.{decimals}e}".partition("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return f"{value:,.{decimals}f}"
