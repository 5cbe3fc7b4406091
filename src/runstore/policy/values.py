"""Single values of a policy: a node of TOML in, a checked value out, ShapeError with its place otherwise.

A limit is a decimal, read from the text of the file, and never a double. A day is a TOML date, not a text that may or
may not be one. A name that could select nothing, such as an empty one, is refused here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TypeVar

from runstore.canonical import MAX_SAFE_INTEGER
from runstore.shape import Node

_EXPONENT = 400
_DIGITS = 400
_T = TypeVar("_T")
_Word = TypeVar("_Word", bound=str)


def taken(parts: Mapping[str, Node], name: str, read: Callable[[Node], _T]) -> _T | None:
    """What `read` makes of a member; None if it is not there."""
    return read(parts[name]) if name in parts else None


def dotted(node: Node) -> str:
    """The place of a node as people write it: `metrics.accuracy.max_drop`."""
    return ".".join(path_of(node.pointer))


def path_of(pointer: str) -> tuple[str, ...]:
    """The names that a JSON pointer leads through; `/` is the whole."""
    tokens = pointer.strip("/") and pointer[1:].split("/")
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in tokens or ())


def decimal(node: Node) -> Decimal:
    """A finite number."""
    value = Decimal(node.value) if type(node.value) is int else node.value
    if not isinstance(value, Decimal):
        node.fail("expected a number")
    if not value.is_finite():
        node.fail(f"{value} is not a finite number")
    if not -_EXPONENT <= value.adjusted() <= _EXPONENT or len(value.as_tuple().digits) > _DIGITS:
        node.fail("the number is beyond what any score can reach")
    return value


def drop(node: Node) -> Decimal:
    """A number from 0: how much worse something may get."""
    value = decimal(node)
    if value < 0:
        node.fail(f"{value} is negative", hint="a drop is a positive number, in the direction that is worse")
    return value


def probability(node: Node) -> Decimal:
    """A number between 0 and 1, neither of them."""
    value = decimal(node)
    if not 0 < value < 1:
        node.fail(f"{value} is not between 0 and 1", hint="a probability: 0.05 is one in twenty")
    return value


def bounds(node: Node) -> tuple[Decimal, Decimal]:
    """Two numbers, the lowest first."""
    numbers = [decimal(element) for element in node.elements()]
    if len(numbers) != 2 or not numbers[0] < numbers[1]:
        node.fail("a range is two numbers, the lowest first", hint="for example: range = [0, 1]")
    return numbers[0], numbers[1]


def at_least(least: int, most: int = MAX_SAFE_INTEGER) -> Callable[[Node], int]:
    """A reader of integers from `least` up to `most`, by default the largest that JSON carries."""

    def read(node: Node) -> int:
        value = node.integer(least)
        if value > most:
            node.fail(f"it is more than {most}")  # without the number: Python refuses to write one of 5,000 digits
        return value

    return read


def one_of(choices: Sequence[_Word]) -> Callable[[Node], _Word]:
    """A reader of a word that is one of the choices."""

    def read(node: Node) -> _Word:
        word = node.string(choices)
        return next(choice for choice in choices if choice == word)

    return read


def text(node: Node) -> str:
    """A string that says something."""
    value = node.string()
    if not value.strip():
        node.fail("it is empty", hint="write it for whoever reads this file in a year")
    return value


def name(node: Node) -> str:
    """A string of at least one character, taken as it stands."""
    value = node.string()
    if not value:
        node.fail("it is empty")
    return value


def names(node: Node) -> tuple[str, ...]:
    """A list of strings, each once."""
    found = [name(element) for element in node.elements()]
    for index, one in enumerate(found):
        if one in found[:index]:
            node.elements()[index].fail(f"{one!r} stands twice")
    return tuple(found)


def day(node: Node) -> date:
    """A date without a time of day."""
    if type(node.value) is not date:
        hint = "write it without quotes and without a time: expires = 2030-01-31"
        node.fail("expected a date", hint=hint)
    return node.value


def tag_value(node: Node) -> tuple[str, str]:
    """One tag and its value, as in `{lang = "de"}`."""
    found = [(tag, value.string()) for tag, value in node.members()]
    if not found:
        node.fail("it names no tag", hint='for example: {lang = "de"}')
    if len(found) > 1:
        tags = " and ".join(tag for tag, _ in found)
        node.fail(
            f"it names {len(found)} tags", hint=f"give the records a combined tag of {tags}, and declare it a slice"
        )
    return found[0]
