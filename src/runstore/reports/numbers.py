"""Numbers for people: digits enough to be true, and no more. Rounding never hides a difference.

Two numbers that differ print differently, a number that is not zero never prints as zero, and one that is not whole
never prints as a whole one: 0.99996 is not 1.0000.
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
        differ = _value(texts[0]) != _value(texts[1]) or baseline == current
        if differ and _is_honest(baseline, texts[0]) and _is_honest(current, texts[1]):
            return texts
    return repr(float(baseline)), repr(float(current))


def single(value: float | None) -> str:
    """One number, with four decimals or four significant digits after the first, or more if those round to a whole."""
    if value is None:
        return NONE
    if _is_whole(value):
        return f"{int(value):,}"
    texts = (_text(value, decimals) for decimals in range(_DECIMALS, _MOST_DECIMALS))
    return next((text for text in texts if _is_honest(value, text)), repr(float(value)))


def signed(value: float | None) -> str:
    """A difference, with its sign; `0` only if it is zero."""
    if value is None:
        return NONE
    return f"+{single(value)}" if value > 0 else single(value)


def interval(low: float, high: float) -> str:
    """Both ends of an interval of differences, told apart as `means` does, with their signs."""
    return f"[{', '.join(_with_sign(text, end) for text, end in zip(means(low, high), (low, high), strict=True))}]"


def _with_sign(text: str, value: float) -> str:
    return f"+{text}" if value > 0 else text


def count(value: int) -> str:
    """A number of things."""
    return f"{value:,}"


def counted(value: int, noun: str) -> str:
    """A number of things with their name: `1 record`, `2 records`."""
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"


def _value(text: str) -> float:
    return float(text.replace(",", ""))


def _is_honest(value: float, text: str) -> bool:
    """Whether the text of a number that is not whole is not a whole one's."""
    return _is_whole(value) or not _value(text).is_integer() or abs(value) > _EXACT_INTEGERS


def _is_whole(value: float) -> bool:
    return abs(value) <= _EXACT_INTEGERS and float(value).is_integer()


def _text(value: float, decimals: int) -> str:
    value += 0.0  # no -0.0000
    if value != 0 and not 10.0**-decimals <= abs(value) < 1e15:
        mantissa, _, exponent = f"{value:.{decimals}e}".partition("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return f"{value:,.{decimals}f}"
