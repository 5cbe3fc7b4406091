"""Waivers: leave, by name and until a day, for one drop or one record to be worse, up to a ceiling.

A waiver excuses a drop of a mean, or the regression of a record, and nothing else: not what is missing, errored or
skipped, no floor and no ceiling. Each that has expired, is not needed or allows everything is a finding.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from runstore import exact
from runstore.checks import Check, Outcome, check
from runstore.findings import Finding, Level, Rule
from runstore.judgement.case import Case, told
from runstore.judgement.subject import Subject
from runstore.policy.model import Waiver

_LONGEST = timedelta(days=366)


def in_force(case: Case) -> list[Waiver]:
    """The waivers that have not expired."""
    return [waiver for waiver in case.policy.waivers if waiver.expires >= case.today]


def excused_drop(case: Case, subject: Subject, made: Check) -> Check:
    """A check of a drop that does not hold, excused if a waiver of that metric, and slice, reaches as far."""
    measure = subject.measure
    for waiver in in_force(case) if subject.excusable else ():
        if waiver.record is not None or (waiver.metric, waiver.slice) != (measure.metric, measure.group):
            continue
        if measure.drop_sum <= exact.multiply(waiver.ceiling, Decimal(measure.count)):
            before, after = told(measure.baseline, measure.current)
            finding = Finding(
                rule=Rule.WAIVED,
                level=Level.NOTICE,
                message=f"{subject.name} got worse from {before} to {after}; {terms(waiver)}",
                metric=measure.metric,
                slice=measure.group,
                observed=made.observed,
                limit=exact.text(waiver.ceiling),
            )
            why = f"{made.why}; {terms(waiver)}"
            return replace(made, outcome=Outcome.WAIVED, why=why, findings=(finding,), excused_by=(waiver.origin,))
    return made


def terms(waiver: Waiver) -> str:
    """What a waiver allows, who answers for it, why and until when."""
    issue = f" ({waiver.issue})" if waiver.issue else ""
    return f"waived up to {exact.text(waiver.ceiling)} until {waiver.expires} by {waiver.owner}: {waiver.reason}{issue}"


def audit(case: Case, used: Collection[str]) -> Iterator[Check]:
    """What is to be said of the waivers themselves; `used`: the places in the policy of those that were needed."""
    for waiver in case.policy.waivers:
        if waiver.expires < case.today:
            message = f"the waiver of {_of(waiver)} expired on {waiver.expires} and excuses nothing"
            yield _about(waiver, Rule.WAIVER_EXPIRED, message, f"ask {waiver.owner} to renew or remove it")
            continue
        yield check(
            Rule.WAIVER_EXPIRED, f"the waiver of {_of(waiver)}", origin=waiver.origin, why=f"ends on {waiver.expires}"
        )
        yield _unused(case, waiver, used)
        if broad := _too_broad(case, waiver):
            message = f"the waiver of {_of(waiver)} {broad}"
            yield _about(waiver, Rule.WAIVER_BROAD, message, "give it the ceiling that is needed, and an early end")


def _unused(case: Case, waiver: Waiver, used: Collection[str]) -> Check:
    if waiver.origin in used:
        read = f"the waiver of {_of(waiver)}"
        return check(Rule.WAIVER_UNUSED, read, origin=waiver.origin, why="something is excused by it")
    gone = "; neither run has that record" if waiver.record in case.facts.absent else ""
    message = f"the waiver of {_of(waiver)} excuses nothing{gone}"
    return _about(waiver, Rule.WAIVER_UNUSED, message, "remove it: what is not needed hides the next drop")


def _too_broad(case: Case, waiver: Waiver) -> str:
    declared = case.facts.baseline.metrics.get(waiver.metric)
    if declared and declared.range:
        low, high = map(exact.exact, declared.range)
        if waiver.ceiling >= exact.subtract(high, low):
            return f"allows {exact.text(waiver.ceiling)}, as much as the whole range of the metric: it enforces nothing"
    if waiver.expires - case.today > _LONGEST:
        return f"ends only on {waiver.expires}, more than {_LONGEST.days} days ahead"
    return ""


def _of(waiver: Waiver) -> str:
    if waiver.record is not None:
        trial = f" (repeat {waiver.repeat})" if waiver.repeat != 1 else ""
        return f"{waiver.metric} of record {waiver.record!r}{trial}"
    return waiver.metric if waiver.slice is None else f"{waiver.metric} of {waiver.slice[0]} = {waiver.slice[1]}"


def _about(waiver: Waiver, rule: Rule, message: str, hint: str) -> Check:
    finding = Finding(
        rule=rule, level=Level.WARNING, message=message, metric=waiver.metric, slice=waiver.slice, hint=hint
    )
    return check(rule, f"the waiver of {_of(waiver)}", finding, origin=waiver.origin)
