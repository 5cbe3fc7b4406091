"""A policy in words: a policy in, one sentence a rule out, each with the place of the rule."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from runstore import exact
from runstore.policy.model import Limits, MetricRule, Policy, RecordLimits, SliceRule, Waiver

Sentence = tuple[str, str]
"""(Dotted place of the rule, what it asks)."""

_RECORDS = {
    "max_regressed": "may get worse in any metric",
    "max_removed": "of the baseline may be missing",
    "max_added": "may be added",
    "max_errors": "may newly error",
    "max_skipped": "may be newly skipped",
    "max_changed": "may differ in any field",
}


_CLAIMED = {
    "max_claimed": "a change may edit, add or remove {} of the baseline",
    "max_claimed_regressed": "a change may make {} of the baseline worse",
    "max_claimed_removed": "a change may remove {} of the baseline",
}


def sentences(policy: Policy) -> Iterator[Sentence]:
    """What a policy asks, rule by rule; the rules that are in force by default too."""
    for rule in policy.metrics:
        yield rule.limits.origin, _metric(rule)
    for part in policy.slices:
        yield part.limits.origin, _slice(part)
    yield from _records("records", policy.records)
    yield from _comparability(policy)
    for rule in policy.volatile:
        asked = f"{_asked(rule.limits, rule.direction)}{_conditions(rule.limits)}"
        yield rule.limits.origin, f"the measure {rule.pattern} {asked}"
    if policy.reference:
        for rule in policy.reference.metrics:
            asked = f"{_asked(rule.limits)}{_conditions(rule.limits)}"
            yield rule.limits.origin, f"against {policy.reference.path}, {rule.pattern} {asked}"
    yield from _exceptions(policy)
    yield from _evidence(policy)
    yield from _trust(policy)
    for suite in policy.suites:
        for place, sentence in _suite(policy, suite.pattern):
            yield place, f"for runs {suite.pattern}: {sentence}"


def _suite(policy: Policy, pattern: str) -> Iterator[Sentence]:
    rules = next(one for one in policy.suites if one.pattern == pattern)
    for rule in rules.metrics or ():
        yield rule.limits.origin, _metric(rule)
    for part in rules.slices or ():
        yield part.limits.origin, _slice(part)
    if rules.records:
        yield from _records(f"suites.{pattern}.records", rules.records)
    for name in ("metrics", "slices"):
        if getattr(rules, name) == ():
            yield f"suites.{pattern}.{name}", f"no rules for {name}"


def _metric(rule: MetricRule) -> str:
    figure = f"the {rule.aggregate} of {rule.pattern}" if rule.aggregate else rule.pattern
    if rule.at is not None:
        figure += f" at step {rule.at}" if isinstance(rule.at, int) else f" at its {rule.at}"
    asked = [_asked(rule.limits, rule.direction)] if rule.limits.asks else []
    if rule.direction and not rule.limits.asks:
        asked.append(f"is better when {rule.direction}")
    if rule.unit:
        asked.append(f"must be declared in {rule.unit}")
    if rule.range:
        asked.append(f"must be declared from {exact.text(rule.range[0])} to {exact.text(rule.range[1])}")
    return f"{figure} {' and '.join(asked) or 'may not get worse'}{_conditions(rule.limits)}"


def _slice(rule: SliceRule) -> str:
    where = f'where {rule.tag} is "{rule.value}"' if rule.value is not None else f"for each {rule.tag}"
    metric = "every metric" if rule.metric == "*" else rule.metric
    return f"{where}, {metric} {_asked(rule.limits)}{_conditions(rule.limits)}"


def _asked(limits: Limits, direction: str | None = None) -> str:
    worse = {"higher": "fall", "lower": "rise"}.get(direction or "", "get worse")
    asked = []
    if limits.max_drop is not None:
        asked.append(_drop(worse, limits.max_drop, ""))
    if limits.max_relative_drop is not None:
        asked.append(_drop(worse, limits.max_relative_drop, " of the baseline"))
    if limits.min is not None:
        asked.append(f"must be at least {exact.text(limits.min)}")
    if limits.max is not None:
        asked.append(f"must be at most {exact.text(limits.max)}")
    return " and ".join(asked)


def _drop(worse: str, limit: Decimal, share: str) -> str:
    return f"may not {worse}" if limit == 0 else f"may {worse} by at most {exact.text(limit)}{share}"


def _conditions(limits: Limits) -> str:
    found = ""
    if limits.significance == "required":
        units = f", each {limits.cluster} being one unit" if limits.cluster else ""
        found += f"; a drop counts if it is shown to be real (test: {limits.test}{units})"
    if limits.min_records is not None:
        found += f"; it takes {limits.min_records:,} records to say so"
    if limits.level == "warn":
        found += "; if not, a warning"
    return found


def _records(place: str, limits: RecordLimits) -> Iterator[Sentence]:
    for name, what in _RECORDS.items():
        limit = getattr(limits, name)
        if limit is not None:
            yield f"{place}.{name}", f"{_at_most(limit, 'record')} {what}"
    if limits.max_lost_scores is not None:
        text = f"{_at_most(limits.max_lost_scores, 'score')} may be gone from records that are ok"
        yield f"{place}.max_lost_scores", text
    if limits.max_regressed is None:
        yield f"{place}.max_regressed", "no record may get worse in a metric that has no limit on its drop"


def _at_most(limit: int, what: str) -> str:
    return f"at most {limit:,} {what}{'s' * (limit != 1)}" if limit else f"no {what}"


def _comparability(policy: Policy) -> Iterator[Sentence]:
    asked = policy.comparability
    for name, text, fields in (
        ("must_match", "must be the same in both runs", asked.must_match),
        ("may_differ", "may differ all the same", asked.may_differ),
        ("must_differ", "must differ", asked.must_differ),
    ):
        if fields:
            yield f"comparability.{name}", f"{', '.join(fields)} {text}"


def _exceptions(policy: Policy) -> Iterator[Sentence]:
    for waiver in policy.waivers:
        yield waiver.origin, f"{_waived(waiver)} by up to {exact.text(waiver.ceiling)}{_answer_for(waiver)}"
    if policy.quarantine:
        yield "quarantine.max_records", f"{_at_most(policy.quarantine.max_records, 'record')} may be in quarantine"
        for one in policy.quarantine.records:
            until = f"until {one.expires.isoformat()} ({one.owner}: {one.reason})"
            yield one.origin, f"the record {one.record} is in quarantine {until}"


def _waived(waiver: Waiver) -> str:
    if waiver.record is not None:
        trial = f", repeat {waiver.repeat}" if waiver.repeat != 1 else ""
        return f"the record {waiver.record}{trial} may be worse in {waiver.metric}"
    if waiver.slice is not None:
        return f'where {waiver.slice[0]} is "{waiver.slice[1]}", {waiver.metric} may be worse'
    return f"{waiver.metric} may be worse"


def _answer_for(waiver: Waiver) -> str:
    return f" until {waiver.expires.isoformat()} ({waiver.owner}: {waiver.reason})"


def _evidence(policy: Policy) -> Iterator[Sentence]:
    rules = [*policy.metrics, *(rule for suite in policy.suites for rule in suite.metrics or ())]
    parts = [*policy.slices, *(part for suite in policy.suites for part in suite.slices or ())]
    limits = [*(rule.limits for rule in rules), *(part.limits for part in parts)]
    if any(one.significance == "required" for one in limits):
        asked = policy.evidence
        yield (
            "evidence",
            f"a drop counts as real at a level of {exact.text(asked.alpha)} (correction: {asked.correction});"
            f" one of the size of its limit must be seen with a probability of {exact.text(asked.power)}",
        )


def _trust(policy: Policy) -> Iterator[Sentence]:
    asked = policy.trust
    if asked.claims == "allow":
        yield "trust.claims", "a change may edit its own baseline and policy; that is left to the review of the code"
    for name, what in _CLAIMED.items():
        limit = getattr(asked, name)
        if limit is not None:
            yield f"trust.{name}", what.format(_at_most(limit, "record"))
