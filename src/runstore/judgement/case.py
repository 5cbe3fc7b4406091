"""A case: everything a rule may look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from runstore.checks import DEFAULT
from runstore.facts import Facts
from runstore.judgement.evidence import Assessed
from runstore.policy.model import Policy, RecordLimits


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """Facts, what is asked of them, and the day on which it is asked: waivers end."""

    facts: Facts
    policy: Policy
    today: date
    assessed: Assessed = field(default_factory=dict)
    """How sure the pairs are of each drop; see `judgement.evidence`."""


_DEFAULTS = RecordLimits()


def record_origin(policy: Policy, name: str) -> str:
    """The place in the policy of a limit on records, or `default` if the policy does not name it."""
    place = f"records.{name}"
    named = place in policy.places or getattr(policy.records, name) != getattr(_DEFAULTS, name)
    return place if named else DEFAULT


def counted(count: int, noun: str = "record") -> str:
    """`1 record`, `2,000 records`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"
