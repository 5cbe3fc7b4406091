"""JSON that others made (event payloads, answers of the API): a value and a path in, a member of the type asked out."""

from __future__ import annotations

import json

from runstore.canonical import JsonValue
from runstore.errors import UsageError


def parse(data: bytes, what: str) -> JsonValue:
    """The value of a JSON text. Raises UsageError, which names `what` it is, if it is none."""
    try:
        value: JsonValue = json.loads(data)
    except (ValueError, RecursionError):
        raise UsageError(f"{what} is not JSON", hint="run the job again") from None
    return value


def member(value: JsonValue, *path: str) -> JsonValue:
    """What stands at a path; None if nothing does."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def text(value: JsonValue, *path: str) -> str:
    """The string at a path; empty if there is none."""
    found = member(value, *path)
    return found if isinstance(found, str) else ""


def number(value: JsonValue, *path: str) -> int | None:
    """The whole number at a path."""
    found = member(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def items(value: JsonValue, *path: str) -> list[JsonValue]:
    """The list at a path; empty if there is none."""
    found = member(value, *path)
    return found if isinstance(found, list) else []
