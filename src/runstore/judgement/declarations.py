"""Rules on what the runs declare: what a metric means must not change, and no metric may vanish."""

from __future__ import annotations

from collections.abc import Iterator

from runstore import exact
from runstore.checks import Check, check
from runstore.findings import Finding, Level, Rule
from runstore.judgement.case import Case
from runstore.manifest import MetricDeclaration
from runstore.policy.model import MetricRule


def declarations(case: Case) -> Iterator[Check]:
    """Direction, unit and range of each metric of both runs."""
    current = case.facts.current.metrics
    for name, before in case.facts.baseline.metrics.items():
        if name in current:
            findings = list(_changed(name, before, current[name]))
            why = "" if findings else "the same on both sides"
            yield check(
                Rule.METRIC_DECLARATION, f"direction, unit and range of {name}", *findings, why=why, metric=name
            )
    yield from _as_asked(case)


def _changed(name: str, before: MetricDeclaration, after: MetricDeclaration) -> Iterator[Finding]:
    for what in ("direction", "unit", "range"):
        old, new = getattr(before, what), getattr(after, what)
        if old != new:
            yield Finding(
                rule=Rule.METRIC_DECLARATION,
                level=Level.REVIEW,
                metric=name,
                message=f"{what} of {name} was {_plain(old)} and is {_plain(new)}",
                hint="a change of what a metric means needs a new baseline, approved by a person",
            )


def _as_asked(case: Case) -> Iterator[Check]:
    """The unit and the range that a rule of the policy names must be what each run declares."""
    sides = {"baseline": case.facts.baseline.metrics, "current run": case.facts.current.metrics}
    for name in {**sides["baseline"], **sides["current run"]}:
        rule = case.policy.rule_for(name)
        if rule is None or (rule.unit is None and rule.range is None):
            continue
        findings = [
            finding
            for side, metrics in sides.items()
            if name in metrics
            for finding in _unlike(name, metrics[name], rule, side)
        ]
        why = "" if findings else "as the policy asks"
        yield check(
            Rule.METRIC_DECLARATION,
            f"unit and range of {name}",
            *findings,
            origin=rule.limits.origin,
            why=why,
            metric=name,
        )


def _unlike(name: str, declared: MetricDeclaration, rule: MetricRule, side: str) -> Iterator[Finding]:
    bounds = None if declared.range is None else tuple(exact.exact(bound) for bound in declared.range)
    rows = (("unit", rule.unit, declared.unit), ("range", rule.range, bounds))
    for what, asked, found in rows:
        if asked is not None and asked != found:
            yield Finding(
                rule=Rule.METRIC_DECLARATION,
                level=Level.REVIEW,
                metric=name,
                message=f"the policy asks for {what} {_plain(asked)} of {name};"
                f" the {side} declares {'none' if found is None else _plain(found)}",
                hint="the limits of the rule are meant for that scale: put the run right, or the policy",
            )


def _plain(value: object) -> str:
    if value is None:
        return "not declared"
    return f"[{value[0]}, {value[1]}]" if isinstance(value, tuple) else str(value)


def metrics_present(case: Case) -> Iterator[Check]:
    """Every metric that the baseline has must still be there, and have a point at the step that a rule names."""
    facts = case.facts
    carried = {measure.metric for measure in facts.measures if measure.group is None and not measure.is_series}
    present = {name for name, sums in facts.totals.metrics.items() if sums.count}
    missing = carried - present if facts.counts.current else set()
    stepless = {step.metric for step in facts.missing_steps}
    lost = sorted({*missing, *(name for name in facts.lost_series if name not in stepless)}, key=str.encode)
    findings = [
        Finding(
            rule=Rule.METRIC_MISSING,
            level=Level.ERROR,
            metric=name,
            message=f"the baseline has the metric {name}; the current run does not",
            hint="was it renamed? a renamed metric needs a new baseline",
        )
        for name in lost
    ]
    series = {measure.metric for measure in facts.measures if measure.is_series}
    names = ", ".join(sorted({*carried, *series, *lost}, key=str.encode)) or "none"
    yield check(Rule.METRIC_MISSING, f"the metrics of the baseline: {names}", *findings)
    yield from _steps(case)


def _steps(case: Case) -> Iterator[Check]:
    for missing in case.facts.missing_steps:
        side = "baseline" if missing.in_baseline else "current run"
        finding = Finding(
            rule=Rule.METRIC_MISSING,
            level=Level.INCONCLUSIVE if missing.in_baseline else Level.ERROR,
            metric=missing.metric,
            message=f"{missing.metric} has no point at step {missing.step} in the {side}",
            hint="`at` in the policy names a step that both runs log",
        )
        rule = case.policy.rule_for(missing.metric)
        origin = f"{rule.limits.origin}.at" if rule else f"metrics.{missing.metric}.at"
        yield check(Rule.METRIC_MISSING, f"{missing.metric} at step {missing.step}", finding, origin=origin)
