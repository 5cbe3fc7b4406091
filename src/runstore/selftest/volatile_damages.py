"""Damages to `volatile/measures.json`: a measure that a rule is on is gone, or reaches its limit and goes past it."""

from __future__ import annotations

from collections.abc import Mapping

from runstore import canonical, exact
from runstore.findings import Rule
from runstore.manifest import MetricDeclaration
from runstore.measures import Measure
from runstore.policy import MetricRule
from runstore.selftest.lab import Case, Expectation, Found, Lab, Skipped, number, whole
from runstore.selftest.limit_damages import aims
from runstore.selftest.shifts import Score, shifted

_FILE = "measures.json"


def damages(lab: Lab) -> Found:
    """Every rule on a volatile measure."""
    for rule in lab.policy.volatile:
        if rule.pattern not in lab.volatile:
            yield Skipped(name="volatile", why=f"the baseline keeps no {rule.pattern} in volatile/{_FILE}")
            continue
        red = Expectation.RED if rule.limits.level == "error" else Expectation.OPEN
        yield Case(
            name="volatile-gone",
            what=f"volatile/{_FILE} is gone",
            expected=red,
            files=lab.specimen.copy(),
            volatile={},
            rule=Rule.VOLATILE_MISSING,
            metric=rule.pattern,
        )
        yield from _to_limits(lab, rule, red)


def _to_limits(lab: Lab, rule: MetricRule, red: Expectation) -> Found:
    old = lab.volatile[rule.pattern]
    measure = Measure(
        metric=rule.pattern,
        group=None,
        declared=MetricDeclaration(direction=rule.direction or "lower"),
        count=1,
        baseline_sum=exact.exact(old),
        current_sum=exact.exact(old),
        is_series=True,
    )
    for aim in aims(measure, rule.limits):
        if aim.room < 0:
            yield Skipped(name="past-limit", why=f"the baseline itself breaks {aim.rule.value} of {rule.pattern}")
            continue
        for past in (False, True):
            new = shifted([(0, old)], aim.room, None, up=aim.up, past=past)
            if not new:
                continue
            where = "the least step past" if past else "as far as allowed by"
            yield Case(
                name="past-limit" if past else "at-limit",
                what=f"{where} {aim.rule.value} = {number(aim.limit)}",
                expected=red if past else Expectation.HOLDS,
                files=lab.specimen.copy(),
                volatile=_measures({**lab.volatile, rule.pattern: whole(new[0])}),
                rule=aim.rule,
                metric=rule.pattern,
            )


def _measures(values: Mapping[str, Score]) -> dict[str, bytes]:
    return {_FILE: canonical.jcs_document(dict(values))}
