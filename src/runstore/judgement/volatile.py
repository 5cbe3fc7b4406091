"""Rules on volatile measures: latency, cost, tokens a second. They differ between two runs of the same code.

An absolute limit needs the current run alone; a drop needs the baseline's measure, too. A measure that is not there is
a finding: nothing is judged by what was not recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from runstore import exact
from runstore.checks import Check, check
from runstore.findings import Finding, Level, Rule
from runstore.judgement.case import Case
from runstore.judgement.drops import drops
from runstore.judgement.limits import bounds_of
from runstore.judgement.subject import Subject
from runstore.manifest import MetricDeclaration
from runstore.measures import Measure
from runstore.policy.model import MetricRule


def volatile_limits(case: Case) -> Iterator[Check]:
    """Every rule of `[volatile]`."""
    before, after = case.facts.volatile
    for rule in case.policy.volatile:
        name = rule.pattern
        if name not in after:
            yield _missing(rule, Level.ERROR, "current run", "does the evaluation write it? see docs/format.md")
            continue
        subject = _subject(rule, before.get(name, after[name]), after[name])
        if rule.limits_drop and name not in before:
            yield _missing(rule, Level.INCONCLUSIVE, "baseline", "accept a baseline that keeps it")
        elif rule.limits_drop:
            yield from drops(case, subject)
        yield from bounds_of(case, subject, has_baseline=name in before)


def _subject(rule: MetricRule, before: int | float, after: int | float) -> Subject:
    measure = Measure(
        metric=rule.pattern,
        group=None,
        declared=MetricDeclaration(direction=rule.direction or "lower", unit=rule.unit),
        count=1,
        baseline_sum=exact.exact(before),
        current_sum=exact.exact(after),
        is_series=True,
    )
    return Subject(measure=measure, limits=rule.limits, excusable=False)


def _missing(rule: MetricRule, level: Level, side: str, hint: str) -> Check:
    finding = Finding(
        rule=Rule.VOLATILE_MISSING,
        level=Level.WARNING if rule.limits.level == "warn" else level,
        metric=rule.pattern,
        message=f"volatile/measures.json of the {side} has no {rule.pattern}: its limits could not be checked",
        hint=hint,
    )
    made = check(Rule.VOLATILE_MISSING, f"{rule.pattern} of the {side}", finding, origin=rule.limits.origin)
    return replace(made, metric=rule.pattern)
