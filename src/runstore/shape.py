"""Reading decoded JSON or TOML with its place: values in, checked values out, errors that name a JSON pointer.

A `Node` is a value and the pointer that leads to it. Every method checks one thing and says what it found instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import NoReturn

from runstore.errors import InvalidDataError


class ShapeError(InvalidDataError):
    """A value has not the shape its schema asks for; `where` is a JSON pointer."""


def escape(token: str) -> str:
    """One reference token of a JSON pointer (RFC 6901)."""
    return token.replace("~", "~0").replace("/", "~1")


def kind(value: object) -> str:
    """What a JSON value is, in the words of JSON."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", int: "an integer"}
    if value is None:
        return "null"
    return names.get(type(value), "a number" if isinstance(value, float) else type(value).__name__)


class Node:
    """A decoded value and where it stands."""

    __slots__ = ("pointer", "value")

    def __init__(self, value: object, pointer: str = "") -> None:
        self.value = value
        self.pointer = pointer

    def fail(self, message: str, hint: str = "") -> NoReturn:
        """Raise ShapeError about this place."""
        raise ShapeError(message, where=self.pointer or "/", hint=hint)

    def _expect(self, wanted: str) -> NoReturn:
        self.fail(f"expected {wanted}, found {kind(self.value)}")

    def mapping(self) -> Mapping[str, object]:
        """The members of an object."""
        if not isinstance(self.value, dict):
            self._expect("an object")
        return self.value

    def members(self, *, empty: bool = False) -> Iterator[tuple[str, Node]]:
        """The members of an object whose names are the user's; an empty name only if `empty` allows it."""
        for name, value in self.mapping().items():
            if name == "" and not empty:
                self.fail("a name is empty")
            yield name, Node(value, f"{self.pointer}/{escape(name)}")

    def record(self, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Node]:
        """The members of an object with exactly these names; an unknown one is refused with the nearest known."""
        found = dict(sorted(self.members(), key=lambda member: str(member[0])))
        known = [*required, *optional]
        for name, node in found.items():
            if name not in known:
                near = get_close_matches(name, known, n=1)
                node.fail(f"unknown name {name!r}", hint=f"did you mean {near[0]!r}?" if near else f"known: {known}")
        for name in required:
            if name not in found:
                self.fail(f"{name!r} is missing")
        return found

    def elements(self) -> list[Node]:
        """The elements of an array."""
        if not isinstance(self.value, list):
            self._expect("an array")
        return [Node(value, f"{self.pointer}/{index}") for index, value in enumerate(self.value)]

    def string(self, choices: Sequence[str] = ()) -> str:
        """A string, one of `choices` if they are given."""
        if not isinstance(self.value, str):
            self._expect("a string")
        if choices and self.value not in choices:
            self.fail(f"{self.value!r} is not one of {', '.join(choices)}")
        return self.value

    def boolean(self) -> bool:
        """A boolean."""
        if not isinstance(self.value, bool):
            self._expect("a boolean")
        return self.value

    def integer(self, least: int = 0) -> int:
        """An integer of at least `least`; a boolean is not one."""
        if type(self.value) is not int:
            self._expect("an integer")
        if self.value < least:
            self.fail(f"{self.value} is less than {least}")
        return self.value

    def number(self) -> int | float:
        """A number; a boolean is not one."""
        if type(self.value) is not int and type(self.value) is not float:
            self._expect("a number")
        return self.value
