"""A dotted path into a JSON value, as a flag writes it: `metrics.main_score`, `choices.0.text`, `a\\.b`.

A dot steps into an object, or into an array by index from 0; `\\.` is a dot that belongs to a key, `\\\\` a backslash.
A key that exists literally with its dots wins, the longest first: in `{"a.b": 1, "a": {"b": 2}}` the path `a.b` is 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from runstore.canonical import JsonValue
from runstore.errors import UsageError


class Missing(Enum):
    """Nothing stands there; not the same as null."""

    MISSING = "missing"


MISSING = Missing.MISSING
_PART = re.compile(r"((?:[^.\\]|\\[.\\])+)(\.|\Z)")
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class FieldPath:
    """A path: its text, and for each segment the keys to try there, longest first, with the segment that follows."""

    text: str
    segments: tuple[str, ...]
    _steps: tuple[tuple[tuple[str, int], ...], ...]

    @classmethod
    def parse(cls, text: str) -> FieldPath:
        """The path of a flag's text. Raises UsageError if a segment is empty or a backslash escapes nothing."""
        parts, at = [], 0
        while (found := _PART.match(text, at)) is not None:
            parts.append(_ESCAPED.sub(r"\1", found[1]))
            at = found.end()
            if not found[2]:
                return cls.of(tuple(parts), text)
        raise UsageError(f"{text!r} is not a field path", hint=r"a.b.0 steps into nested fields; \. is a dot in a key")

    @classmethod
    def of(cls, segments: tuple[str, ...], text: str | None = None) -> FieldPath:
        """The path of segments that are known already."""
        count = len(segments)
        steps = tuple(
            tuple((".".join(segments[start:end]), end) for end in range(count, start, -1)) for start in range(count)
        )
        return cls(".".join(segments) if text is None else text, segments, steps)

    def find(self, value: JsonValue) -> JsonValue | Missing:
        """What stands at the path in a value, or MISSING."""
        at = 0
        while at < len(self.segments):
            if type(value) is dict:
                for key, after in self._steps[at]:
                    if key in value:
                        value, at = value[key], after
                        break
                else:
                    return MISSING
            elif type(value) is list:
                index = self.segments[at]
                if not (index.isascii() and index.isdigit() and len(index) < 10 and int(index) < len(value)):
                    return MISSING
                value, at = value[int(index)], at + 1
            else:
                return MISSING
        return value
