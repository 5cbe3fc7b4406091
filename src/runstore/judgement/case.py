"""A case: everything a rule may look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from runstore import exact
from runstore.checks import DEFAULT
from runstore.facts import Facts
from runstore.policy.model import Policy, RecordLimits

if TYPE_CHECKING:
    from runstore.checks import Check
    from runstore.evidence.results import Interval
    from runstore.judgement.subject import Subject
    from runstore.measures import Measure


class Weigher(Protocol):
    """How sure the pairs are. `judgement.evidence` has one; it is loaded only if it is asked."""

    def weighed(self, made: Check, subject: Subject, limit: str) -> Check:
        """The check of a drop (by `max_drop` or `max_relative_drop`), with its evidence and what follows from it."""

    def interval(self, measure: Measure) -> Interval | None:
        """How sure the current value is, if that can be said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """Facts, what is asked of them, and the day on which it is asked: waivers end."""

    facts: Facts
    policy: Policy
    today: date
    weigher: Weigher | None = None
    """Says how sure the pairs are; None where no rule limits a metric."""


_DEFAULTS = RecordLimits()


def record_origin(policy: Policy, name: str) -> str:
    """The place in the policy of a limit on records, or `default` if the policy does not name it."""
    place = f"records.{name}"
    named = place in policy.places or getattr(policy.records, name) != getattr(_DEFAULTS, name)
    return place if named else DEFAULT


def counted(count: int, noun: str = "record") -> str:
    """`1 record`, `2,000 records`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def told(*numbers: float | None, beside: Sequence[Decimal] = ()) -> list[str]:
    """Numbers for a sentence: six significant digits, or more if unlike ones, or those `beside`, would look alike."""
    unlike = {exact.exact(number).copy_abs() for number in numbers if number is not None}
    for digits in (6, 9, 12, 15):
        texts = [_short(number, digits) for number in numbers]
        looks = {Decimal(text).copy_abs() for text, number in zip(texts, numbers, strict=True) if number is not None}
        if len(looks.union(beside)) == len(unlike.union(beside)):
            return texts
    return [repr(number) for number in numbers]


def _short(number: float | None, digits: int) -> str:
    """A number as it is if that is short, else the shorter of that and its text with so many digits."""
    whole = "none" if number is None else repr(number)
    return whole if number is None or len(whole) <= digits + 3 else min(whole, f"{number:.{digits}g}", key=len)
