"""The rule on a drop: how much worse than the baseline a measure may be, absolutely or as a share of the baseline.

Decided on exact sums: a drop of the mean is held against its limit by multiplying both with the number of pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from runstore import exact
from runstore.checks import Check, Outcome
from runstore.findings import Finding, Level, Rule
from runstore.judgement.case import Case, told
from runstore.judgement.subject import Subject
from runstore.judgement.waivers import excused_drop
from runstore.measures import Measure


def drops(case: Case, subject: Subject) -> Iterator[Check]:
    """A check for each limit on a drop that the subject's rule has."""
    for key, limit in (("max_drop", subject.limits.max_drop), ("max_relative_drop", subject.limits.max_relative_drop)):
        if limit is not None:
            yield drop(case, subject, key, limit)


def drop(case: Case, subject: Subject, key: str, limit: Decimal) -> Check:
    """The check of one drop; `key` is `max_drop` or `max_relative_drop`, `limit` what it allows."""
    measure = subject.measure
    broken = measure.drop_sum > allowed_sum(measure, key, limit)
    delta = measure.delta
    finding = _finding(subject, key, limit)
    check = Check(
        rule=finding.rule,
        outcome=Outcome.BROKEN if broken else Outcome.HOLDS,
        origin=subject.origin(key),
        read=subject.read,
        why=_why(subject, key, limit, broken=broken),
        metric=measure.metric,
        slice=measure.group,
        observed=None if delta is None else repr(delta),
        limit=exact.text(limit),
        findings=(finding,) if broken else (),
    )
    if case.weigher is not None:
        check = case.weigher.weighed(check, subject, key)
    return excused_drop(case, subject, check) if check.outcome is Outcome.BROKEN else check


def allowed_sum(measure: Measure, key: str, limit: Decimal) -> Decimal:
    """By how much the sum over the pairs may be worse: the limit times their number, or a share of the baseline's sum.

    With a baseline of 0 every drop is infinitely large: no division, and no pass.
    """
    if key == "max_drop":
        return exact.multiply(limit, Decimal(measure.count))
    return max(exact.multiply(limit, measure.baseline_sum.copy_abs()), Decimal(0))


def _why(subject: Subject, key: str, limit: Decimal, *, broken: bool) -> str:
    delta = subject.measure.delta
    change = "it changed by more than any double holds" if delta is None else f"it changed by {delta:+}"
    share = f" of the {subject.against}" if key == "max_relative_drop" else ""
    way = "drop" if subject.measure.declared.direction == "higher" else "rise"
    return f"{change}; a {way} of {exact.text(limit)}{share} is allowed{', and this is more' * broken}"


def _finding(subject: Subject, key: str, limit: Decimal) -> Finding:
    measure = subject.measure
    delta = measure.delta
    before, after, change = told(measure.baseline, measure.current, delta, beside=[limit])
    sign = "+" if delta is not None and delta > 0 else ""
    observed = "more than any double holds" if delta is None else f"{sign}{change}"
    share = f" of the {subject.against}" if key == "max_relative_drop" else ""
    if subject.against == "baseline":
        rule = Rule.MAX_DROP if key == "max_drop" else Rule.MAX_RELATIVE_DROP
        message = f"{subject.name} got worse from {before} to {after} ({observed})"
    else:
        rule = Rule.REFERENCE_DROP
        message = f"{subject.name} dropped {observed} since the pinned reference ({before} to {after})"
    return subject.finding(
        rule,
        Level.ERROR,
        f"{message}; {exact.text(limit)}{share} allowed",
        observed=None if delta is None else repr(delta),
        limit=exact.text(limit),
    )
