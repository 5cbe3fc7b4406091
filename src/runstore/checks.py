"""A check: one question that a policy asks, what was read to answer it, and the answer.

Findings say what is wrong; checks say what was looked at, so that a PASS can be explained as well as a FAIL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from runstore.findings import Finding, Level, Rule

if TYPE_CHECKING:
    from runstore.assessment import Assessment
    from runstore.evidence.results import Interval


class Outcome(Enum):
    """The answer of a check."""

    HOLDS = "holds"
    BROKEN = "broken"
    UNDECIDED = "undecided"
    WAIVED = "waived"


DEFAULT = "default"
"""The origin of what is asked without a policy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One question and its answer. `findings` are what it has to say beyond that; a check that holds may have notices.

    `origin` is the place in the policy that asks (`metrics.accuracy.max_drop`), or `default`. `read` says in words what
    was looked at and `why` what follows, `observed` and `limit` are exact texts of numbers where there are any.
    """

    rule: Rule
    outcome: Outcome
    origin: str
    read: str
    why: str = ""
    metric: str | None = None
    slice: tuple[str, str] | None = None
    observed: str | None = None
    limit: str | None = None
    margin: str | None = None
    """Of a floor or ceiling that holds: how far inside it the current run stands."""
    interval: Interval | None = None
    """Of a floor or ceiling: of the current value, by the method that fits it."""
    suggestion: str | None = None
    """Of a floor or ceiling that holds: a tighter one that baseline and current both keep."""
    assessment: Assessment | None = None
    findings: tuple[Finding, ...] = ()
    excused_by: tuple[str, ...] = ()
    """The places in the policy of the waivers and quarantined records without which the answer would be another."""
    run: str = ""

    def at(self, run: str) -> Check:
        """The same check of the run at a relative path of a suite."""
        return replace(self, run=run, findings=tuple(finding.at(run) for finding in self.findings))


def outcome_of(findings: Sequence[Finding]) -> Outcome:
    """The answer that findings amount to: doubt is undecided, a notice breaks nothing."""
    levels = {finding.level for finding in findings}
    if levels & {Level.INVALID, Level.ERROR, Level.REVIEW, Level.WARNING}:
        return Outcome.BROKEN
    return Outcome.UNDECIDED if Level.INCONCLUSIVE in levels else Outcome.HOLDS


def check(
    rule: Rule,
    read: str,
    *findings: Finding,
    origin: str = DEFAULT,
    why: str = "",
    excused_by: tuple[str, ...] = (),
    metric: str | None = None,
) -> Check:
    """A check that is answered by its findings; metric, slice and numbers are those of the first of them.

    `metric` is what it asks about, whatever it finds.
    """
    first = findings[0] if findings else None
    return Check(
        rule=rule,
        outcome=outcome_of(findings),
        origin=origin,
        read=read,
        why=why or (first.message if first else ""),
        metric=metric or (first.metric if first else None),
        slice=first.slice if first else None,
        observed=first.observed if first else None,
        limit=first.limit if first else None,
        findings=findings,
        excused_by=excused_by,
    )


def findings_of(checks: Sequence[Check]) -> list[Finding]:
    """What checks have to say, in their order."""
    return [finding for check in checks for finding in check.findings]
