"""Judging: facts and a policy in, checks out. Pure: no rule opens a file, and none knows how it will be printed.

Every rule is a generator, in the module of its group, and `RULES` is the table of them. Doubt is a finding: a rule that
cannot be checked says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from importlib import import_module

from runstore.checks import Check
from runstore.facts import Facts
from runstore.judgement import excuses, waivers
from runstore.judgement.case import Case, Weigher
from runstore.judgement.comparability import comparable
from runstore.judgement.declarations import declarations, metrics_present
from runstore.judgement.metrics import metric_limits, new_metrics, unchecked
from runstore.judgement.records import record_limits, regressed
from runstore.judgement.reference import reference_drops
from runstore.judgement.runs import completed, has_results, notices
from runstore.judgement.selections import check_selections, check_suites
from runstore.judgement.slices import slice_limits
from runstore.judgement.together import combined
from runstore.judgement.volatile import volatile_limits
from runstore.policy.model import Policy

__all__ = ["NO_DAY", "check_selections", "check_suites", "combined", "judge"]

NO_DAY = date.max
"""The day for whoever names none: whatever expires has expired."""

RULES: tuple[Callable[[Case], Iterator[Check]], ...] = (
    has_results,
    completed,
    comparable,
    declarations,
    metrics_present,
    regressed,
    record_limits,
    metric_limits,
    new_metrics,
    slice_limits,
    reference_drops,
    volatile_limits,
    unchecked,
    excuses.excused,
    notices,
)


def judge(facts: Facts, policy: Policy, today: date = NO_DAY) -> Iterator[Check]:
    """Every check, in the order of the table; then what is to be said of the waivers and the quarantine themselves."""
    case = Case(facts=facts, policy=policy, today=today, weigher=_weigher(facts, policy))
    used: set[str] = set()
    for rule in RULES:
        for check in rule(case):
            used.update(check.excused_by)
            yield check
    yield from waivers.audit(case, used)
    yield from excuses.audit(case)


def _weigher(facts: Facts, policy: Policy) -> Weigher | None:
    """Loaded only if a rule limits a metric: without one, statistics would be a tenth of the start-up."""
    if not (policy.metrics or policy.slices):
        return None
    found: Weigher = import_module("runstore.judgement.evidence").weighing(facts, policy)
    return found
