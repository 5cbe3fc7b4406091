"""Rules on metrics: each metric over all its pairs, by the rule that the policy has for it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from runstore.checks import DEFAULT, Check, check
from runstore.facts import Facts
from runstore.findings import Finding, Level, Rule
from runstore.judgement.case import Case
from runstore.judgement.drops import drops
from runstore.judgement.limits import current_limits, limits_of
from runstore.judgement.subject import Subject
from runstore.measures import Measure
from runstore.policy.model import Limits, MetricRule, Policy

_STRICT = Limits(max_drop=Decimal(0))


def metric_limits(case: Case) -> Iterator[Check]:
    """Metrics that both runs have; a series without a rule may not get worse."""
    for measure, rule in _ruled(case.facts, case.policy):
        if rule is not None:
            yield from _of_rule(case, measure, rule)
        if measure.is_series and not (rule and rule.limits_drop):
            yield from drops(case, Subject(measure=measure, limits=_STRICT))


def subjects(facts: Facts, policy: Policy) -> Iterator[Subject]:
    """What the rules on metrics are about, as far as a drop is limited."""
    for measure, rule in _ruled(facts, policy):
        if rule is not None and rule.limits_drop and (subject := _subject(facts, measure, rule)):
            yield subject


def _ruled(facts: Facts, policy: Policy) -> Iterator[tuple[Measure, MetricRule | None]]:
    for measure in facts.measures:
        if measure.group is None:
            yield measure, policy.rule_for(measure.metric)


def _subject(facts: Facts, measure: Measure, rule: MetricRule) -> Subject | None:
    """None if the rule asks for another aggregate than the mean, and there is none."""
    if not _aggregates(rule):
        return Subject(measure=measure, limits=rule.limits)
    # Records may have a metric that is a series, too: what stands for the ones says nothing of the other.
    found = None if measure.is_series else facts.whole.aggregates.get(measure.metric)
    if found is None:
        return None
    # A quantile is one figure: how many pairs it rests on the mean of them says.
    pairs = measure.count if found.is_series else found.count
    return Subject(measure=found, limits=rule.limits, aggregate=rule.aggregate or "", pairs=pairs)


def _aggregates(rule: MetricRule) -> bool:
    """Whether something else than the mean stands for the records."""
    return rule.aggregate not in (None, "mean")


def _of_rule(case: Case, measure: Measure, rule: MetricRule) -> Iterator[Check]:
    if subject := _subject(case.facts, measure, rule):
        yield from limits_of(case, subject)
        return
    faults = {} if measure.is_series else case.facts.whole.faults
    why = faults.get(measure.metric, f"{measure.metric} is a series, of which there is no such thing")
    yield _not_had(measure, rule, why)


def _not_had(measure: Measure, rule: MetricRule, why: str) -> Check:
    message = f"{rule.aggregate} of {measure.metric} could not be had: {why}"
    finding = Finding(
        rule=Rule.NOTHING_COMPARED,
        level=Level.INCONCLUSIVE,
        metric=measure.metric,
        message=message,
        hint="docs/policy.md says what each `aggregate` needs",
    )
    return check(Rule.NOTHING_COMPARED, measure.metric, finding, origin=f"{rule.limits.origin}.aggregate")


def new_metrics(case: Case) -> Iterator[Check]:
    """Rules on metrics that only the current run has: a floor can be checked, a drop can not."""
    stepless = {missing.metric for missing in case.facts.missing_steps if missing.in_baseline}
    for measure in case.facts.only_current:
        rule = case.policy.rule_for(measure.metric)
        if rule is None:
            continue
        if _aggregates(rule):
            yield _not_had(measure, rule, "only the current run has the metric")
        else:
            yield from current_limits(case, Subject(measure=measure, limits=rule.limits))
        if rule.limits_drop and not (measure.is_series and measure.metric in stepless):
            finding = Finding(
                rule=Rule.METRIC_MISSING,
                level=Level.INCONCLUSIVE,
                metric=measure.metric,
                message=f"the baseline has no metric {measure.metric}: its drop could not be checked",
                hint="accept a baseline that has it",
            )
            yield check(Rule.METRIC_MISSING, f"{measure.metric} of the baseline", finding, origin=rule.limits.origin)


def unchecked(case: Case) -> Iterator[Check]:
    """Rules whose metrics are declared and carried by nothing: they were not checked, and say so."""
    facts, policy = case.facts, case.policy
    series = {measure.metric for measure in (*facts.measures, *facts.only_current) if measure.is_series}
    series |= {missing.metric for missing in facts.missing_steps}
    seen = {measure.metric for measure in (*facts.measures, *facts.only_current)} | set(facts.totals.metrics) | series
    elsewhere = policy.unmatched({*facts.baseline.metrics, *facts.current.metrics})
    nothing = [rule for rule in policy.unmatched(seen) if rule not in elsewhere]
    for rule in nothing:
        message = f"neither run has a value for {rule.pattern}: its rule could not be checked"
        yield _nothing(rule.pattern, message, rule.limits.origin)
    pointless = policy.unmatched(series)
    for rule in policy.metrics:
        if rule.at is not None and rule in pointless and rule not in [*nothing, *elsewhere]:
            message = f"no series is judged by the rule of {rule.pattern}: its `at` selects nothing"
            yield _nothing(rule.pattern, message, f"{rule.limits.origin}.at")


def _nothing(pattern: str, message: str, origin: str) -> Check:
    finding = Finding(rule=Rule.NOTHING_COMPARED, level=Level.INCONCLUSIVE, metric=pattern, message=message)
    return check(Rule.NOTHING_COMPARED, f"the metrics that {pattern} selects", finding, origin=origin or DEFAULT)
