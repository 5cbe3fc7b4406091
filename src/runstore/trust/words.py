"""What the checks of trust share: texts of values and names, cut to fit a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runstore import canonical
from runstore.canonical import JsonValue
from runstore.checks import DEFAULT
from runstore.fields import ABSENT, Absent
from runstore.policy import Policy

_NAMED = 5
_TEXT_CHARACTERS = 60


def short(value: JsonValue | Mapping[str, str] | Absent) -> str:
    """A value as JSON, cut."""
    if value is ABSENT:
        return "nothing"
    text = canonical.encode(value).decode()
    return text if len(text) <= _TEXT_CHARACTERS else f"{text[:_TEXT_CHARACTERS]}…"


def listed(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def origin(policy: Policy) -> str:
    """The place in the policy that says what a change may do."""
    return "trust" if any(place.startswith("trust") for place in policy.places) else DEFAULT
